"""What a campaign consists of: tasks that any process can carry out, in any order.

A task is one workload (or a slice of the family) under one profile of the disk, one sector size and
one kind of tearing.  ``plan`` lists them for a profile of the campaign; shard i of n takes every
n-th, so that any scheduler can spread them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_stress.simulation.legal import NO_TEARING, Tearing

from .catalogue import CALLS, WORKLOADS, family
from .explorer import Explorer, Limits, Tally, Violation
from .judge import Judge
from .workload import Workload

Scope = Literal["quick", "ci", "soak"]
SCOPES: tuple[Scope, ...] = ("quick", "ci", "soak")

TORN = Tearing(torn=True)
DAMAGING = Tearing(torn=True, neighbours=True)


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work.  ``start`` is set for a slice of the family: its first call."""

    name: str
    profile: Profile
    sector: int
    limits: Limits
    workload: Workload | None = None
    start: str = ""
    longest: int = 3
    tearing: Tearing = NO_TEARING

    def workloads(self) -> Iterator[Workload]:
        """What is explored."""
        if self.workload is not None:
            yield self.workload
        else:
            yield from family(self.longest, (self.start,))


@dataclass(slots=True)
class Part:
    """What one task saw.  Of ``workloads`` those of ``complete`` were explored to the last state.

    ``first_rule`` is for progress; ``seconds`` are this process's.
    """

    name: str
    profile: str
    sector: int
    workloads: int = 0
    points: int = 0
    exhaustive_points: int = 0
    legal: int = 0
    covered: int = 0
    visited: int = 0
    unique: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """How much of the closed-form count of legal states was visited."""
        return 100.0 if self.covered == self.legal else 100.0 * self.covered / self.legal


def carry_out(task: Task) -> Part:
    """Explore; deterministic, whichever process does it."""
    started = time.monotonic()
    part = Part(task.name, task.profile, task.sector)
    judge: Judge | None = None
    for workload in task.workloads():
        judge = judge or Judge(workload, task.profile, task.sector)
        explorer = Explorer(
            workload,
            task.profile,
            task.sector,
            limits=task.limits,
            tearing=task.tearing,
            judge=judge,
        )
        _count(part, explorer.explore())
        if part.violations:
            break
    part.seconds = time.monotonic() - started
    return part


def _count(part: Part, tally: Tally) -> None:
    part.workloads += 1
    part.points += tally.points
    part.exhaustive_points += tally.exhaustive_points
    part.legal += tally.legal
    part.covered += tally.covered
    part.visited += tally.visited
    part.unique += tally.unique
    part.violations += tally.violations


def plan(scope: Scope, seed: int, workload: Workload | None = None) -> list[Task]:
    """The tasks of a campaign, the longest first; with ``workload`` those for it alone."""
    text = str(seed)
    named = WORKLOADS if workload is None else {workload.name: workload}
    if scope == "quick":
        limits = Limits(exhaustive=150, sample=25, seed=text)
        return [
            *_named(named, limits, 512),
            *(_family(limits, 1) if workload is None else ()),
        ]
    if scope == "ci":
        full = Limits(exhaustive=20_000, sample=300, seed=text)
        some = Limits(exhaustive=600, sample=100, seed=text)
        few = Limits(exhaustive=100, sample=40, seed=text)
        return [
            *_named({n: w for n, w in named.items() if n == "three"}, full, 512),
            *(_family(replace(some, exhaustive=400), 3) if workload is None else ()),
            *_named({n: w for n, w in named.items() if n != "three"}, some, 512),
            *_named(named, few, 4096, TORN),
            *_named(named, few, 512, TORN),
            *_named(_unaligned(named), few, 512, DAMAGING),
            *_named({n: w for n, w in named.items() if n == "rows"}, few, 1),
        ]
    full = Limits(exhaustive=200_000, sample=5_000, seed=text)
    some = Limits(exhaustive=5_000, sample=1_000, seed=text)
    return [
        *(_family(full, 3) if workload is None else ()),
        *_named(named, full, 512),
        *_named(named, full, 4096),
        *_named(named, some, 4096, TORN),
        *_named(named, some, 512, TORN),
        *_named(_unaligned(named), some, 512, DAMAGING),
        *_named(_unaligned(named), some, 4096, DAMAGING),
        *_named(named, Limits(exhaustive=300, sample=100, seed=text), 1),
    ]


def _named(
    workloads: dict[str, Workload], limits: Limits, sector: int, tearing: Tearing = NO_TEARING
) -> Iterator[Task]:
    for workload in workloads.values():
        for profile in PROFILES:
            yield Task(workload.name, profile, sector, limits, workload, tearing=tearing)


def _family(limits: Limits, longest: int) -> Iterator[Task]:
    for start in CALLS:
        for profile in PROFILES:
            name = f"all from {start}"
            yield Task(name, profile, 512, limits, start=start, longest=longest)


def _unaligned(workloads: dict[str, Workload]) -> dict[str, Workload]:
    """The same on a medium whose torn writes damage their neighbours."""
    options: dict[str, Any] = {"log_size_bytes": 32_768, "powersafe_overwrite": False}
    return {
        name: replace(
            workload,
            name=f"{name} (no power-safe overwrite)",
            options={**workload.options, **options},
        )
        for name, workload in workloads.items()
        if workload.durability == "full"
    }
