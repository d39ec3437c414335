"""How a detector looks: over how many states, for which rule, at which cases and disks.

The same detector finds a bug, finds the same rule broken in a smaller scene, looks for the disk
that lost least, and goes straight to one case that was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bazanite_stress.explore.again import OtherSteps
from bazanite_stress.explore.explorer import Violation, newest_option, older_units
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.power import digest_of, judge_for, space_of, with_lost
from bazanite_stress.explore.sampling import addresses
from bazanite_stress.simulation.legal import NO_TEARING, Choice, Space, Tearing, spaces
from bazanite_stress.simulation.machine import Machine

from .scene import Scene


class Caught(BaseException):
    """A rule is broken; the violation says which, where, and after how many states.

    It passes through the engine, whose calls the detectors watch, so no handler may take it for an
    error of the engine's.
    """

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.rule)
        self.violation = violation


class Enough(BaseException):
    """All that was to be looked at was; passes through the engine like Caught."""


class Abandoned(BaseException):
    """This case broke another rule than the one that is looked for, and cannot go on."""


@dataclass(slots=True)
class Looking:
    """One look.  ``rule``: the one that is looked for, without its details; "" is any.

    ``only``: what a case must be, of what tells cases apart.  ``sample``: how many disks of one
    moment, instead of the detector's own number.  ``lost``: disks that lost just so many units.
    ``recorded``: this case, moment and disk, nothing else; then ``reached``, ``older`` and
    ``digest`` say what was looked at, or ``elsewhere`` why it does not exist, and ``newest`` (of an
    earlier disk ``first_newest``) is the address next to it at which nothing is lost.
    """

    limit: int | None = None
    rule: str = ""
    only: Mapping[str, Any] = field(default_factory=dict)
    sample: int | None = None
    lost: int | None = None
    recorded: Violation | None = None
    memory: dict[Any, Any] = field(default_factory=dict)
    states: int = 0
    reached: bool = False
    older: Mapping[str, int] = field(default_factory=dict)
    newest: Choice = ()
    first_newest: Choice = ()
    digest: str = ""
    elsewhere: str = ""

    def spend(self, states: int = 1) -> None:
        """So many more were looked at; Enough once the limit is passed."""
        self.states += states
        if self.limit is not None and self.states > self.limit:
            raise Enough

    def takes(self, **case: Any) -> bool:
        """Whether a case that has these is looked at."""
        return all(self.only.get(name, value) == value for name, value in case.items())

    def judge(self, scene: Scene) -> Judge:
        """The judge of this scene's disks."""
        return judge_for(scene.workload, scene.profile, 512, self.memory)

    def moment(self, case: Mapping[str, Any], number: int, what: str) -> bool:
        """Whether this moment is looked at; Enough if it is another one than was recorded."""
        if self.recorded is None:
            return True
        point = self.recorded.point
        if number != point.number or dict(case) != dict(self.only):
            return False
        if what != point.what:
            self.elsewhere = f"moment {number} is another one: {what}"
            raise Enough
        self.reached = True
        return True

    def fine(self) -> None:
        """Nothing is wrong at this moment; Enough if it is the one that was recorded."""
        if self.recorded is not None:
            raise Enough

    def first_disk(
        self, machine: Machine, prefix: int, choice: Choice
    ) -> Iterator[tuple[Space, Choice]]:
        """The recorded disk of an earlier power cut, if it exists."""
        try:
            space = space_of(machine, NO_TEARING, prefix, choice)
        except OtherSteps as error:
            self.elsewhere = str(error)
        else:
            self.first_newest = newest_options(space)
            yield space, choice

    def disks(
        self, machine: Machine, tearing: Tearing, sample: int, seed: str
    ) -> Iterator[tuple[Space, Choice]]:
        """Those that a power cut may leave now and that are looked at."""
        if self.recorded is not None:
            recorded = self.recorded
            try:
                space = space_of(machine, tearing, recorded.prefix, recorded.choice)
            except OtherSteps as error:
                self.reached, self.elsewhere = False, str(error)
                raise Enough from None
            self.older = older_units(space, recorded.choice)
            self.newest = newest_options(space)
            self.digest = digest_of(space.image(recorded.choice))
            yield space, recorded.choice
        elif self.lost is not None:
            yield from with_lost(machine, tearing, self.lost)
        elif machine.folder is not None:
            for space in spaces(machine.disk, machine.folder, tearing):
                for choice in addresses(space, self.sample or sample, seed):
                    yield space, choice


def newest_options(space: Space) -> Choice:
    """The address of the disk at which everything written reached it."""
    return tuple(newest_option(unit) for unit in space.units)
