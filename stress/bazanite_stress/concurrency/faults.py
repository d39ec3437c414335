"""Random runs in which calls fail: at some point the next sync, or the next write, does."""

from __future__ import annotations

import random

from .failing import ways_to_fail
from .plans import NEVER, Decision, Odds, Policy, Random
from .scheduler import Scheduler, Task

_SYNCS = 0.8
"""How many of the calls that fail are syncs, rather than writes."""
_AT_ONCE = 0.7
"""How often somebody else may go on soon after: before who made the call has heard, or told."""
_SOON = 12


class Failing:
    """Decides as ``Random`` does, and lets ``odds.faults`` calls fail."""

    def __init__(self, seed: str, odds: Odds) -> None:
        self._random = Random(seed, odds)
        self._generator = generator = random.Random(f"{seed}/faults")
        within = max(odds.within, 2)
        faults = [(generator.randrange(1, within), generator.random()) for _ in range(odds.faults)]
        self._left = sorted(faults, reverse=True)
        self._soon: list[int] = []
        self.next_point = 1

    def decide(
        self, scheduler: Scheduler, current: Task | None, ready: list[Task]
    ) -> Decision | None:
        point, decision = scheduler.points, None
        if current is not None and self._left and self._left[-1][0] <= point:
            decision = self._failure(current, point)
        if decision is None and self._soon and self._soon[-1] <= point:
            self._soon.pop()
            decision = Decision(point, "run", self._generator.choice(ready).number)
        elif decision is None and (current is None or point >= self._random.next_point):
            decision = self._random.decide(scheduler, current, ready)
        fault = max(self._left[-1][0], point + 1) if self._left else NEVER
        turn = max(self._soon[-1], point + 1) if self._soon else NEVER
        self.next_point = min(self._random.next_point, fault, turn)
        return decision

    def _failure(self, current: Task, point: int) -> Decision | None:
        generator = self._generator
        ways = ways_to_fail(current, syncs=self._left[-1][1] < _SYNCS)
        if not ways or current.writing is None:
            return None
        self._left.pop()
        if generator.random() < _AT_ONCE:
            soon = {point + 1 + generator.randrange(_SOON) for _ in range(4)}
            self._soon = sorted(soon, reverse=True)
        size = len(current.writing[1])
        written = generator.choice((0, size // 2, max(size - 1, 0))) if size else 0
        return Decision(point, "fail", current.number, written, generator.choice(ways))


def drawn(seed: str, odds: Odds) -> Policy:
    """The random run with this seed."""
    return Failing(seed, odds) if odds.faults else Random(seed, odds)
