"""Making a violation small: few calls, plain values, few lost sectors, an early moment.

Delta debugging: of the simplifications of ``shrink``, the first in which the same rule breaks
somewhere is kept, until none is left.  Then, in the workload that remains, the disk with the fewest
units not at their newest, and of those the earliest moment.  Deterministic, unless the seconds run
out first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .again import kind_of, module_for
from .explorer import Limits, Violation
from .shrink import api_calls, simpler
from .workload import Workload

_FEW = Limits(exhaustive=10, sample=10)
_MORE = Limits(exhaustive=80, sample=40)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be spent: disks looked at, and seconds."""

    states: int = 30_000
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How small it is by now."""

    calls: int
    lost: int
    states: int
    searches: int


def calls_of(violation: Violation) -> int:
    """How many calls it takes: the workload's, and those that others make beside or within them."""
    finds: int = violation.how.get("finds", 0)
    beside = getattr(module_for(kind_of(violation)), "calls_beside", None)
    return api_calls(violation.workload) + finds + (beside(violation) if beside else 0)


def sectors_of(violation: Violation) -> int:
    """How many units were lost, by an earlier power cut too."""
    return len(violation.lost) + len(violation.how.get("first lost", ()))


def minimise(
    violation: Violation,
    bounds: Bounds | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> Violation:
    """A violation of the same rule, smaller or as it was."""
    module = module_for(kind_of(violation))
    if not hasattr(module, "search"):
        return violation
    shrinking = _Shrinking(violation, bounds or Bounds(), on_progress)
    if getattr(module, "TIGHTEN_FIRST", False):
        shrinking.tighten()
    shrinking.shorten(_FEW)
    shrinking.shorten(_MORE)
    if hasattr(module, "tighten"):
        shrinking.tighten()
    return shrinking.best


class _Shrinking:
    """The smallest violation so far, and what was spent on it."""

    def __init__(
        self, violation: Violation, bounds: Bounds, on_progress: Callable[[Progress], None]
    ) -> None:
        self.best = violation
        self.bounds = bounds
        self.states = 0
        self.memory: dict[Any, Any] = {}
        self._module = module_for(kind_of(violation))
        self._searches = 0
        self._on_progress = on_progress
        self._end = time.monotonic() + bounds.seconds

    def shorten(self, limits: Limits) -> None:
        """Simplify the workload until nothing simpler is found to break the rule."""
        tried: set[str] = set()
        workload = self.best.workload
        first = replace(workload, explore_from=0, steps=workload.steps[: self.best.point.step + 1])
        for candidate in (replace(first, setup=[]), first):
            if self._take(candidate, limits, tried):
                break
        while any(
            self._take(candidate, limits, tried) for candidate in simpler(self.best.workload)
        ):
            pass

    def tighten(self) -> None:
        """As small as the module makes it within the same workload."""
        least = min(self.bounds.states, 1_000)
        left = max(self.bounds.states - self.states, least)
        self.best = self._module.tighten(self.best, left, self.memory)
        self.tell()

    def tell(self) -> None:
        """Say how far it is."""
        calls, lost = calls_of(self.best), sectors_of(self.best)
        progress = Progress(calls, lost, self.states, self._searches)
        self._on_progress(progress)

    def _take(self, workload: Workload, limits: Limits, tried: set[str]) -> bool:
        """Whether the rule breaks in this workload too; then it is the best so far."""
        key = json.dumps(workload.as_json())
        if key in tried or self.states >= self.bounds.states or time.monotonic() > self._end:
            return False
        tried.add(key)
        self._searches += 1
        try:
            found, states = self._module.search(self.best, workload, limits, self.memory)
        except Exception:  # noqa: BLE001  this workload means nothing, or breaks something else
            return False
        self.states += states
        if found is not None:
            self.best = found
            self.tell()
        return found is not None
