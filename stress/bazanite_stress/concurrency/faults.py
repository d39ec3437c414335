"""Random runs in which calls fail: at some point the next sync, or the next write, does.

Or a write-back fails that nobody asked for, of which later syncs tell.
"""

from __future__ import annotations

import random
from dataclasses import replace

from .failing import ONCE, SYNCS, dirty_files, fates, ways_to_fail
from .plans import NEVER, Decision, Odds, Policy, Random
from .scheduler import Scheduler, Task

_SYNCS = 0.8
"""How many of the calls that fail are syncs, rather than writes."""
_AT_ONCE = 0.7
"""How often somebody else may go on soon after: before who made the call has heard, or told."""
_SOON = 12
_BY_ITSELF = 0.15
"""How many of the failures are the kernel's own, in no sync."""
_TOLD_ONCE = 0.35
"""How many are told to one sync alone."""
_DEATHS = (1, 2, 2, 3)
"""How soon dies who is to: at the second point it has mostly heard of it, and told nobody."""
_DIES = 0.5
"""How often who is killed is whoever met the failure of a file's sync."""


class Failing:
    """Decides as ``Random`` does, and lets ``odds.faults`` calls fail."""

    def __init__(self, seed: str, odds: Odds) -> None:
        self._generator = generator = random.Random(f"{seed}/faults")
        self._dies = bool(odds.kills) and generator.random() < _DIES
        self._random = Random(seed, replace(odds, kills=odds.kills - self._dies))
        self._death: tuple[int, int] | None = None
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
            decision = self._failure(scheduler, current)
        if decision is None and self._death is not None and self._death[0] <= point:
            decision, self._death = Decision(point, "kill", self._death[1]), None
        if decision is None and self._soon and self._soon[-1] <= point:
            self._soon.pop()
            decision = Decision(point, "run", self._generator.choice(ready).number)
        elif decision is None and (current is None or point >= self._random.next_point):
            decision = self._random.decide(scheduler, current, ready)
        fault = max(self._left[-1][0], point + 1) if self._left else NEVER
        turn = max(self._soon[-1], point + 1) if self._soon else NEVER
        death = max(self._death[0], point + 1) if self._death is not None else NEVER
        self.next_point = min(self._random.next_point, fault, turn, death)
        return decision

    def _failure(self, scheduler: Scheduler, current: Task) -> Decision | None:
        generator, point, sort = self._generator, scheduler.points, self._left[-1][1]
        if sort < _BY_ITSELF:
            return self._by_itself(scheduler)
        ways = ways_to_fail(current, syncs=sort < _SYNCS)
        if not ways or current.writing is None:
            return None
        self._left.pop()
        if self._dies and current.about_to[0] in SYNCS:  # of names: docs/protocol.md, section 7
            self._dies, self._death = False, (point + generator.choice(_DEATHS), current.number)
        if generator.random() < _AT_ONCE:
            soon = {point + 1 + generator.randrange(_SOON) for _ in range(4)}
            self._soon = sorted(soon, reverse=True)
        size = len(current.writing[1])
        written = generator.choice((0, size // 2, max(size - 1, 0))) if size else 0
        how = generator.choice(ways)
        if current.about_to[0] in SYNCS and generator.random() < _TOLD_ONCE:
            how += ONCE
        return Decision(point, "fail", current.number, written, how)

    def _by_itself(self, scheduler: Scheduler) -> Decision | None:
        generator, files = self._generator, dirty_files(scheduler.machine)
        if not files:
            return None
        self._left.pop()
        name = generator.choice(files)
        how = generator.choice(fates(name)) + ("", ONCE)[generator.random() < _TOLD_ONCE]
        return Decision(scheduler.points, "fail", how=how, file=name)


def drawn(seed: str, odds: Odds) -> Policy:
    """The random run with this seed."""
    return Failing(seed, odds) if odds.faults else Random(seed, odds)
