"""What a campaign consists of: tasks that any process can carry out, in any order.

A task is one way of crashing one workload (or a slice of the family) under one profile of the disk,
one sector size and one kind of tearing.  ``plan`` lists them for a profile of the campaign; shard i
of n takes every n-th, so that any scheduler can spread them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any, Literal

from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_stress.simulation.legal import NO_TEARING, Tearing

from . import beside, damage, errors, fuzz, kills, nested, openings
from .catalogue import CALLS, WORKLOADS, family
from .catalogue_archive import ARCHIVE
from .catalogue_rules import RULES
from .catalogue_schema import SCHEMA
from .catalogue_vacuum import VACUUM
from .explorer import Explorer, Limits, Tally, Violation, without_crash
from .judge import Judge
from .workload import Workload

Scope = Literal["quick", "ci", "soak"]
SCOPES: tuple[Scope, ...] = ("quick", "ci", "soak")

TORN = Tearing(torn=True)
DAMAGING = Tearing(torn=True, neighbours=True)


Way = Literal["power cut", "nested", "kill", "error", "faulty opening", "beside", "damage", "fuzz"]
"""How it is crashed: the power, the recovery too, a process, a call, a recovery's call, by another
process, a bit; or odd input."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work.  ``start`` is set for a slice of the family: its first call.

    ``deep`` is how far the ways other than power cuts go: their full limits, or their quick ones.
    ``catalogue`` is set for all of its workloads together: each place in the engine once.
    ``every``: of how many faults one is tried.
    """

    name: str
    profile: Profile
    sector: int
    limits: Limits
    workload: Workload | None = None
    start: str = ""
    longest: int = 3
    tearing: Tearing = NO_TEARING
    way: Way = "power cut"
    deep: bool = False
    catalogue: bool = False
    every: int = 1

    def workloads(self) -> Iterator[Workload]:
        """What is explored."""
        if self.workload is not None:
            yield self.workload
        elif self.start:
            yield from family(self.longest, (self.start,))
        elif self.catalogue:
            found = [w for n, w in WORKLOADS.items() if n not in _LATER or n in _LEAST]
            first = sum(self.limits.seed.encode()) % len(found)
            yield from found[first:] + found[:first]  # which of them tries a place: by the seed


@dataclass(slots=True)
class Part:
    """What one task saw; ``seconds`` are its process's."""

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
    way: str = "power cut"

    @property
    def percent(self) -> float:
        """How much of the closed-form count of legal states was visited."""
        # of whole numbers: a float cannot hold some of these counts
        return 100.0 if self.covered == self.legal else 100 * self.covered / self.legal


def carry_out(task: Task) -> Part:
    """Explore; deterministic, whichever process does it."""
    started = time.monotonic()
    torn = " (torn)" if task.tearing == TORN else ""
    part = Part(task.name + torn, task.profile, task.sector, way=task.way)
    ways: dict[Way, Callable[[Task, Part], None]] = {
        "power cut": _cut_the_power,
        "nested": _crash_recoveries,
        "kill": _kill,
        "error": partial(_fail, errors.Errors),
        "faulty opening": partial(_fail, openings.Openings),
        "beside": _step_in,
        "damage": _damage,
        "fuzz": _fuzz,
    }
    try:
        ways[task.way](task, part)
    except Exception as error:
        if task.workload is None:
            raise
        # an engine that fails by itself has lost already
        part.violations.append(without_crash(task.workload, task.profile, task.sector, None, error))
    part.seconds = time.monotonic() - started
    return part


def _cut_the_power(task: Task, part: Part) -> None:
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


def _crash_recoveries(task: Task, part: Part) -> None:
    limits = replace(nested.NestedLimits() if task.deep else nested.QUICK, seed=task.limits.seed)
    for workload in task.workloads():
        found = nested.Nested(
            workload, task.profile, task.sector, limits=limits, tearing=task.tearing
        )
        _count(part, found.explore())


def _kill(task: Task, part: Part) -> None:
    limits = replace(kills.KillLimits() if task.deep else kills.QUICK, seed=task.limits.seed)
    for workload in task.workloads():
        _count(part, kills.Kills(workload, task.profile, task.sector, limits=limits).explore())


def _fail(kind: type[errors.Errors | openings.Openings], task: Task, part: Part) -> None:
    limits = errors.ErrorLimits() if task.deep else errors.QUICK
    limits = replace(limits, seed=task.limits.seed, every=task.every)
    known: Counter[object] = Counter()
    for workload in task.workloads():
        found = kind(workload, task.profile, task.sector, limits=limits, known=known)
        _count(part, found.explore())


def _step_in(task: Task, part: Part) -> None:
    limits = replace(beside.BesideLimits() if task.deep else beside.QUICK, seed=task.limits.seed)
    for workload in task.workloads():
        _count(part, beside.Beside(workload, task.profile, task.sector, limits=limits).explore())


def _damage(task: Task, part: Part) -> None:
    scenario = next(s for s in damage.scenarios() if s.name == task.name)
    sample = None if task.deep else task.limits.sample
    tally = damage.explore_damage(scenario, sample=sample, seed=int(task.limits.seed))
    part.workloads, part.visited, part.unique = 1, tally.visited, tally.unique
    part.violations += tally.violations


def _fuzz(task: Task, part: Part) -> None:
    tally = fuzz.fuzz(count=task.limits.sample, seed=int(task.limits.seed))
    part.workloads, part.visited = 1, sum(tally.inputs.values())
    part.violations += tally.violations


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
    older = {n: w for n, w in named.items() if n not in _LATER or len(named) == 1}
    least_too = {n: w for n, w in named.items() if n in older or n in _LEAST}
    if scope == "quick":
        limits = Limits(exhaustive=150, sample=25, seed=text)
        return [
            *_named(least_too, limits, 512),
            *_otherwise(named, limits, ("rows",), profiles=("hostile",)),
            *_faulty(
                {n: w for n, w in named.items() if n == "rows" or workload},
                limits,
                profiles=("hostile",),
                every=6,
            ),
            *(_family(limits, 1) if workload is None else ()),
            *(_damages(replace(limits, sample=60)) if workload is None else ()),
        ]
    if scope == "ci":
        full = Limits(exhaustive=20_000, sample=300, seed=text)
        some = Limits(exhaustive=600, sample=100, seed=text)
        few = Limits(exhaustive=100, sample=40, seed=text)
        least = replace(few, sample=8)
        small = {n: w for n, w in older.items() if n not in _LARGE or len(named) == 1}
        return [
            *(_each_place(few) if workload is None else _faulty(named, few)),
            *_named({n: w for n, w in named.items() if n == "three"}, full, 512),
            *(_family(replace(some, exhaustive=400), 3) if workload is None else ()),
            *_named({n: w for n, w in older.items() if n != "three"}, some, 512),
            *_named(
                {n: w for n, w in named.items() if n not in older}, replace(few, sample=20), 512
            ),
            *_named({n: w for n, w in least_too.items() if n not in older}, least, 512, TORN),
            *_named(small, few, 4096, TORN),
            *_named(small, few, 512, TORN),
            *_named(_unaligned(small), few, 512, DAMAGING),
            *_named({n: w for n, w in named.items() if n == "rows"}, least, 1),
            *_otherwise(named, few, _OTHERWISE),
            *(_damages(replace(few, sample=2_000)) if workload is None else ()),
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
        *_otherwise(named, some, tuple(named), deep=True),
        *_faulty(named, some, deep=True),
        *_faulty(_unaligned(named), some),
        *(_damages(replace(some, sample=20_000), deep=True) if workload is None else ()),
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


_LATER = frozenset(RULES | SCHEMA | ARCHIVE | VACUUM)
"""Workloads of all that came later: all in "soak", fewer states in "ci"."""

_LEAST = ("one delete", "index split", "one migration", "archive, rows", "vacuum")
"""Those of them that also stand for the others, where each takes long."""

_OTHERWISE = ("creation", "rows", "three", "truncate", "recycled log", "normal", "off",
              "one delete", "one migration", "archive, rows")  # fmt: skip
"""The workloads whose recoveries and processes are crashed in the "ci" profile."""

_LARGE = ("far",)
"""Workloads with files so large that judging a disk takes long."""

_RECOVERED = ("creation", "three", "normal", "off")
"""The workloads in the openings of whose crashes calls fail in the "ci" profile."""


def _otherwise(
    workloads: dict[str, Workload],
    limits: Limits,
    names: tuple[str, ...],
    *,
    deep: bool = False,
    profiles: tuple[Profile, ...] = PROFILES,
) -> Iterator[Task]:
    """The crashes other than a power cut; of a workload of one's own always."""
    ways: tuple[Way, ...] = ("nested", "kill", "beside")
    for name, workload in workloads.items():
        if name not in names and len(workloads) > 1:
            continue
        for profile, way in product(profiles, ways):
            if way == "beside" and workload.migrates:
                continue  # its tables change under the other one: bazanite simulate has that
            yield Task(name, profile, 512, limits, workload, way=way, deep=deep)
        if workload.durability == "full":
            for profile in profiles:
                yield Task(name, profile, 512, limits, workload, tearing=TORN, way="nested",
                           deep=deep)  # fmt: skip


def _faulty(
    workloads: dict[str, Workload],
    limits: Limits,
    *,
    deep: bool = False,
    profiles: tuple[Profile, ...] = PROFILES,
    every: int = 1,
) -> Iterator[Task]:
    """Faults at each workload's calls, and at those of the openings of what its crashes leave."""
    ways: tuple[Way, ...] = ("error", "faulty opening")
    for (name, workload), profile, way in product(workloads.items(), profiles, ways):
        yield Task(name, profile, 512, limits, workload, way=way, deep=deep, every=every)


def _each_place(limits: Limits) -> Iterator[Task]:
    """Faults at each place of the engine from which any workload makes a call, once."""
    for profile in PROFILES:
        yield Task("each place", profile, 512, limits, way="error", catalogue=True)
    for profile, name in product(PROFILES, _RECOVERED):
        yield Task(name, profile, 512, limits, WORKLOADS[name], way="faulty opening")


def _damages(limits: Limits, *, deep: bool = False) -> Iterator[Task]:
    for scenario in damage.scenarios():
        yield Task(scenario.name, "journal", 512, limits, way="damage", deep=deep)
    yield Task("odd input", "journal", 512, limits, way="fuzz")


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
