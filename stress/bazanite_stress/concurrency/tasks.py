"""What a campaign of schedules consists of: tasks that any process can carry out, in any order."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from bazanite_stress.explore.explorer import Violation
from bazanite_stress.simulation.disk import PROFILES, Profile

from .again import violation_of
from .catalogue import LONG, PROGRAMS, SMALLEST
from .faults import drawn
from .plans import Decision, Odds, Policy, RoundRobin, Watched, preempted
from .programs import Program
from .trial import Court

Scope = Literal["quick", "ci", "soak"]
SCOPES: tuple[Scope, ...] = ("quick", "ci", "soak")
Mode = Literal[
    "random", "round robin", "one change", "two changes", "three changes",
    "kills", "stops", "cuts", "faults",
]  # fmt: skip

_MOST_CHANGES = 3
ALL = 1 << 60
"""As many schedules as there are."""

ODDS: dict[Mode, tuple[Odds, ...]] = {
    "random": (Odds(0.02), Odds(0.1), Odds(0.4)),
    "kills": (Odds(0.1, kills=1), Odds(0.3, kills=1), Odds(0.05, kills=2), Odds(0.1, kills=3)),
    "stops": (Odds(0.1, stops=1), Odds(0.3, stops=1, kills=1)),
    "cuts": (Odds(0.1, cut=True), Odds(0.3, cut=True, kills=1)),
    "faults": (
        Odds(0.1, faults=1),
        Odds(0.3, faults=1),
        Odds(0.05, faults=2),
        Odds(0.2, faults=1, kills=1),
        Odds(0.2, faults=1, cut=True),
    ),
}
"""How random runs of a mode differ, in turn."""


@dataclass(frozen=True, slots=True)
class Task:
    """Schedules of one program: ``count`` of them at most, drawn by ``seed``.

    ``part`` is (i, n) for a slice of the exhaustive modes: every n-th first change of turn.
    """

    program: Program
    mode: Mode
    profile: Profile
    count: int
    seed: str
    part: tuple[int, int] = (0, 1)


@dataclass(slots=True)
class Part:
    """What a task saw; ``seconds`` are its process's."""

    name: str
    mode: str
    profile: str
    schedules: int = 0
    points: int = 0
    disks: int = 0
    seconds: float = 0.0
    exhaustive: bool = False
    violations: list[Violation] = field(default_factory=list)


def carry_out(task: Task) -> Part:
    """Run the schedules; deterministic.  Ends with the first that breaks a rule."""
    started = time.monotonic()
    part = Part(task.program.name, task.mode, task.profile)
    court = Court(task.program, task.profile)
    stops = task.mode == "stops"
    policies = _policies(task)
    for policy in islice(policies, task.count):
        trial = court.run(policy, stops=stops)
        part.schedules += 1
        part.points += trial.points
        part.disks += trial.disks
        if trial.broken is not None:
            part.violations.append(violation_of(task.program, task.profile, trial, stops=stops))
            break
    else:
        changes = task.mode in ("one change", "two changes")
        part.exhaustive = changes and next(policies, None) is None
    part.seconds = time.monotonic() - started
    return part


def _policies(task: Task) -> Iterator[Policy]:
    if task.mode == "one change":
        return preempted(1, task.part)
    if task.mode == "two changes":
        return preempted(2, task.part)
    if task.mode == "three changes":
        return _changed_thrice(task.seed)
    if task.mode == "round robin":
        return (RoundRobin(quantum) for quantum in range(1, task.count + 1))
    return _random(task)


def _random(task: Task) -> Iterator[Policy]:
    first = Watched(())
    yield first  # nobody is interrupted; tells how long a run is
    length = max((point for point, _ in first.choices), default=100)
    for number in range(task.count):
        odds = ODDS[task.mode][number % len(ODDS[task.mode])]
        yield drawn(f"{task.seed}/{number}", odds.spread(length))


def _changed_thrice(seed: str) -> Iterator[Policy]:
    """None to three changes of turn, each drawn from those that the ones before leave possible."""
    generator = random.Random(seed)
    while True:
        decisions: list[Decision] = []
        watched = Watched(decisions)
        yield watched
        while watched.choices and len(decisions) < _MOST_CHANGES:
            point, task = generator.choice(watched.choices)
            decisions = [*decisions, Decision(point, "run", task)]
            watched = Watched(decisions)
            yield watched


_COUNTS: dict[Scope, dict[Mode, int]] = {
    "quick": {"random": 4, "kills": 5, "stops": 3, "cuts": 3, "faults": 4},
    "ci": {
        "random": 120,
        "round robin": 20,
        "kills": 160,
        "stops": 60,
        "cuts": 60,
        "faults": 75,
    },
    "soak": {
        "random": 3000,
        "round robin": 200,
        "kills": 4000,
        "stops": 1500,
        "cuts": 1500,
        "faults": 3000,
    },
}
_THRICE = {"quick": 0, "ci": 2_000, "soak": 50_000}
_SLICES = 8
_THIRD, _MANY = 3, 12


def _count(program: Program, count: int) -> int:
    """So many schedules of this program; a third of those that take long, if there are many."""
    return count // _THIRD if program.name in LONG and count > _MANY else count


def plan(
    scope: Scope, seed: int, program: Program | None = None, schedules: int | None = None
) -> list[Task]:
    """The tasks of a campaign; with ``program`` those for it alone.

    ``schedules``: about so many random ones, of all modes together, instead of the profile's.
    """
    programs = list(PROGRAMS.values()) if program is None else [program]
    counts = dict(_COUNTS[scope])
    if schedules is not None:
        total = sum(counts.values()) * len(programs)
        counts = {mode: -(-count * schedules // total) for mode, count in counts.items()}
    number = _count if schedules is None else (lambda _program, asked_for: asked_for)
    tasks = [
        Task(one, mode, PROFILES[(i + j) % 2], number(one, count), f"{seed}/{one.name}/{mode}")
        for i, one in enumerate(programs)
        for j, (mode, count) in enumerate(counts.items())
    ]
    if schedules is not None:
        return tasks
    small = [one for one in programs if one.name in SMALLEST or program is not None]
    if scope == "quick":
        return tasks + [Task(one, "one change", "journal", ALL, str(seed)) for one in small]
    for one in small:
        tasks += [
            Task(one, "two changes", "journal", ALL, str(seed), (i, _SLICES))
            for i in range(_SLICES)
        ]
        tasks.append(Task(one, "three changes", "hostile", _THRICE[scope], f"{seed}/{one.name}"))
    return tasks
