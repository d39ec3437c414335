"""Power cuts after something else went wrong: a few whole disks of a moment, a few torn ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bazanite_stress.simulation.legal import NO_TEARING, Choice, Space, Tearing, spaces
from bazanite_stress.simulation.machine import Machine

from .explorer import Tally, Violation, lost_units
from .judge import Judge, Outcome
from .sampling import few, torn
from .workload import Workload


@dataclass(frozen=True, slots=True)
class Cut:
    """One disk that the power cut may leave: its address, and what opening it gives."""

    space: Space
    choice: Choice
    tearing: Tearing
    outcome: Outcome

    def told(self, violation: Violation) -> Violation:
        """The same violation, with the address of this disk."""
        return replace(
            violation, prefix=self.space.prefix, choice=self.choice,
            lost=lost_units(self.space, self.choice), tearing=self.tearing,
        )  # fmt: skip


def tearing_of(workload: Workload) -> Tearing:
    """What a medium may do to a sector that is being written, as this workload's options say."""
    safe = workload.options.get("powersafe_overwrite", True)
    return Tearing(torn=True, neighbours=not safe)


def cuts(
    machine: Machine, workload: Workload, judge: Judge, whole: int, torn_too: int, seed: str,
    tally: Tally,
) -> Iterator[Cut]:  # fmt: skip
    """Cut the power now: at most ``whole`` and ``torn_too`` disks of each space, judged.

    ``tally`` counts them; its legal ones are those without a torn sector.
    """
    if machine.folder is None:
        return
    for space in spaces(machine.disk, machine.folder):
        tally.legal += space.count
        for choice in few(space, whole, f"{seed}/{space.prefix}"):
            tally.visited += 1
            yield Cut(space, choice, NO_TEARING, judge.outcome(space.image(choice)))
    tearing = tearing_of(workload)
    for space in spaces(machine.disk, machine.folder, tearing) if torn_too else ():
        for choice in torn(space, torn_too, f"{seed}/{space.prefix}"):
            tally.visited += 1
            yield Cut(space, choice, tearing, judge.outcome(space.image(choice)))
