"""What looks for bugs.  A detector is called without arguments and returns a Finding, or None.

Cheapest first: traces of single calls, then power cuts in structured states, damage, crashes within
recovery, injected errors, kills with a successor, interleaved processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bazanite import DBError
from bazanite_stress.explore.explorer import Explorer, Limits, Violation
from bazanite_stress.explore.judge import Judge
from bazanite_stress.simulation.disk import PROFILES
from bazanite_stress.simulation.legal import NO_TEARING, Tearing

from . import damage, errors, interleaved, kills, nested, trace
from .session import Caught, Count, Enough
from .workloads import ALL

FIRST = ("rows", "two tables", "equal frames", "normal", "creation", "long frames")
TORN = ("equal frames", "rows")


@dataclass(frozen=True, slots=True)
class Finding:
    """A detector saw a broken rule: which, after how many states and seconds."""

    letter: str
    rule: str
    states: int
    seconds: float
    violation: Violation | None


def detect(
    letter: str, workloads: tuple[str, ...] = (), limit: int | None = None
) -> tuple[Finding | None, int]:
    """Run one detector over about ``limit`` states; what it found, and how many they were."""
    started = time.monotonic()
    count = Count(limit)
    try:
        _DETECTORS[letter](count, workloads)
    except Enough:
        pass
    except Caught as caught:
        violation = caught.violation
        seconds = time.monotonic() - started
        return Finding(letter, violation.rule, count.states, seconds, violation), count.states
    except DBError as error:
        seconds = time.monotonic() - started
        rule = f"the engine refuses what it wrote itself: {error}"
        return Finding(letter, rule, count.states, seconds, None), count.states
    return None, count.states


def _power_cuts(count: Count, workloads: tuple[str, ...]) -> None:
    """Explore: few structured states of each point first, then more."""
    for sample, exhaustive in ((4, 1), (24, 60)):
        for name, tearing in _explored(workloads):
            for profile in reversed(PROFILES):
                limits = Limits(exhaustive=exhaustive, sample=sample, violations=1)
                judge = Judge(ALL[name], profile, 512)
                explorer = Explorer(ALL[name], profile, limits=limits, tearing=tearing, judge=judge)
                tally = explorer.explore()
                if tally.violations:
                    count.states += tally.visited
                    raise Caught(tally.violations[0])
                count.spend(tally.visited)


def _explored(workloads: tuple[str, ...]) -> Iterator[tuple[str, Tearing]]:
    order = dict.fromkeys([*workloads, *FIRST, *ALL])
    yield from ((name, NO_TEARING) for name in [*workloads, *FIRST[:2]])
    yield from ((name, Tearing(torn=True)) for name in TORN)
    done = {*workloads, *FIRST[:2]}
    yield from ((name, NO_TEARING) for name in order if name not in done)


_DETECTORS: dict[str, Callable[[Count, tuple[str, ...]], None]] = {
    "T": trace.look,
    "P": _power_cuts,
    "I": damage.look,
    "N": nested.look,
    "E": errors.look,
    "K": kills.look,
    "C": interleaved.look,
}
