"""What a detector looks at: a workload, and which process carries out each of its steps.

A scene holds every call of the session, also those that come after a crash or beside another
process, so it can be made small as any workload can.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.legal import NO_TEARING, Tearing


@dataclass(frozen=True, slots=True)
class Scene:
    """``part`` says which of the detector's ways to look this is, where it has several.

    ``by``: a process's name for each step; empty if one process carries out all of them.
    ``reads``: which of the reads that other processes make within calls are carried out, each as
    [step, number, table, id]; None: all of them.
    """

    letter: str
    workload: Workload
    profile: Profile
    by: tuple[str, ...] = ()
    part: str = ""
    tearing: Tearing = NO_TEARING
    reads: tuple[list[Any], ...] | None = None

    def steps_by(self, *names: str) -> list[int]:
        """The numbers of the steps that these processes carry out."""
        return [number for number, name in enumerate(self.by) if name in names]

    def steps(self, numbers: Iterable[int]) -> list[Step]:
        """The steps of these numbers."""
        return [self.workload.steps[number] for number in numbers]

    def with_workload(self, workload: Workload) -> Scene:
        """The same with a simpler workload: each step that is left stays with its process."""
        origins = origins_of(workload.steps, self.workload.steps)
        by = tuple(self.by[number] for number in origins) if self.by else ()
        return replace(self, workload=workload, by=by)


def origins_of(steps: list[Step], old: list[Step]) -> list[int]:
    """For each step of a simplification of ``old``, the number of the step that it comes from."""
    if len(steps) == len(old):
        return list(range(len(old)))
    shorter = min(len(steps), len(old))
    head = 0
    while head < shorter and steps[head] == old[head]:
        head += 1
    tail = 0
    while tail < shorter - head and steps[-1 - tail] == old[-1 - tail]:
        tail += 1
    between = [min(head, len(old) - 1)] * (len(steps) - head - tail)
    return [*range(head), *between, *range(len(old) - tail, len(old))]
