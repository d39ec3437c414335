"""C, as schedules: the simulation of several processes, with the bug in their engine.

The programs of ``concurrency.catalogue``, few schedules of each mode at a time, again and again, so
that what is easy to see is seen soon.  A state is a schedule here.  What it finds is a violation of
the kind "schedule", which ``concurrency.again`` repeats and makes small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count, takewhile

from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.concurrency.tasks import Mode, Task, carry_out
from bazanite_stress.explore.explorer import Violation
from bazanite_stress.simulation.disk import PROFILES

from .bug import Bug
from .looking import Looking

WAY = "schedule"
_AT_A_TIME: dict[Mode, int] = {"random": 4, "kills": 4, "stops": 3, "cuts": 3, "faults": 3}
_MOST = 1_600
"""Schedules, about three rounds of all programs; those that a bug names come on top."""
_STATES = 6
"""What a schedule costs, in states of the other detectors."""
_NAMED: dict[Mode, int] = {"random": 8, "kills": 60, "stops": 8, "cuts": 8, "faults": 40}
_NAMED_ROUNDS = 25
"""The same of programs that a bug names, and how often, before all others."""


def find(bugs: Sequence[Bug], looking: Looking) -> Violation | None:
    """The first rule that a schedule breaks; those of the bugs' own programs come first."""
    most = _MOST if looking.limit is None else min(looking.limit // _STATES, _MOST)
    named = tuple(dict.fromkeys(name for bug in bugs for name in bug.programs))
    first = (task for n in range(_NAMED_ROUNDS) for task in _round(n, named, _NAMED))
    others = (task for n in count() for task in _round(n, tuple(PROGRAMS), _AT_A_TIME))
    for task in chain(first, takewhile(lambda _task: looking.states < most, others)):
        part = carry_out(task)
        looking.states += part.schedules
        if part.violations:
            return part.violations[0]
    return None


def _round(number: int, programs: tuple[str, ...], counts: dict[Mode, int]) -> Iterator[Task]:
    profile = PROFILES[number % len(PROFILES)]
    for name in programs:
        for mode, schedules in counts.items():
            seed = f"mutants/{number}/{name}/{mode}"
            yield Task(PROGRAMS[name], mode, profile, schedules, seed)
