"""C, as schedules: the simulation of several processes, with the bug in their engine.

The programs of ``concurrency.catalogue``, few schedules of each mode at a time, again and again, so
that what is easy to see is seen soon.  A state is a schedule here.  What it finds is a violation of
the kind "schedule", which ``concurrency.again`` repeats and makes small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.concurrency.tasks import Mode, Task, carry_out
from bazanite_stress.explore.explorer import Violation
from bazanite_stress.simulation.disk import PROFILES

from .bug import Bug
from .looking import Looking

WAY = "schedule"
_AT_A_TIME: dict[Mode, int] = {"random": 4, "kills": 4, "stops": 3, "cuts": 3}
_MOST = 1_600
"""Schedules, about three rounds of all programs; those that a bug names come on top."""
_STATES = 6
"""What a schedule costs, in states of the other detectors."""
_NAMED_ROUNDS = 10


def find(bugs: Sequence[Bug], looking: Looking) -> Violation | None:
    """The first rule that a schedule breaks; those of the bugs' own programs come first."""
    most = _MOST if looking.limit is None else min(looking.limit // _STATES, _MOST)
    for task in _tasks(tuple(dict.fromkeys(name for bug in bugs for name in bug.programs))):
        part = carry_out(task)
        looking.states += part.schedules
        if part.violations:
            return part.violations[0]
        if looking.states >= most:
            return None
    return None


def _tasks(named: tuple[str, ...]) -> Iterator[Task]:
    """Without end.  What a task draws depends on its round, program and mode alone."""
    for number in range(_NAMED_ROUNDS if named else 0):
        yield from _round(number, named)
    for number in count():
        yield from _round(number, tuple(name for name in PROGRAMS))


def _round(number: int, programs: tuple[str, ...]) -> Iterator[Task]:
    profile = PROFILES[number % len(PROFILES)]
    for name in programs:
        for mode, schedules in _AT_A_TIME.items():
            seed = f"mutants/{number}/{name}/{mode}"
            yield Task(PROGRAMS[name], mode, profile, schedules, seed)
