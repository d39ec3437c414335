"""Crashes during recovery: at every operation of it, and again in the recovery after that.

A *first image* is what one legal crash of a workload left.  Recovery of it, left alone, gives rows
and bytes.  Whatever cuts that recovery off, the next one must end in the same rows and the same
bytes of the data files:

- a power cut at any moment (depth 2): the legal disks there, all of them or a sample;
- a power cut in the recovery of what that left, too (depth 3): sampled;
- a kill at every call, a write in flight done to any part: another process recovers on the same
  boot, on stale shared words and unsynced pages; or the power is cut then; or that process's
  recovery is cut off by a power cut.

Between two syncs the set of legal disks only grows, and what follows a sync is part of what
precedes the next one: so the moments are those before each sync, and the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bazanite_stress.simulation.disk import Image, Profile
from bazanite_stress.simulation.legal import NO_TEARING, Choice, Legal, Space, Tearing, spaces
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import Killed, SimulatedSystem
from bazanite_wal.errors import UnsafeShutdownError

from .deaths import Death, Deaths
from .explorer import Enough, Tally, Until, Violation, lost_units, meet, no_end, prepared
from .judge import data_files, image_key
from .model import Content, describe
from .runner import SYNCS, Point, Run
from .sampling import few
from .session import opened, read_content
from .workload import Workload

_LAST_BOOT = 9
"""That of a recovery which is not crashed: no file was written in it."""
_BOOT = 7


@dataclass(frozen=True, slots=True)
class NestedLimits:
    """``images``: first images to take of a workload (sampled if there are more).

    ``first``, ``exhaustive``, ``sample``: legal disks of one space to take as first images; to list
    all of in a recovery; to sample if there are more.  ``deeper``: depth-3 crashes for each first
    image.  ``kills``: of how many first images one is killed at every call; ``cuts``: power cuts
    after each kill.
    """

    images: int = 3_000
    first: int = 300
    exhaustive: int = 2_000
    sample: int = 60
    deeper: int = 10
    kills: int = 10
    cuts: int = 3
    violations: int = 5
    seed: str = "0"


QUICK = NestedLimits(images=60, first=40, exhaustive=60, sample=15, deeper=3, kills=20, cuts=1)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery ends in: rows and data files, or the error that it ended with."""

    content: Content | None
    files: tuple[tuple[str, bytes], ...]
    error: str = ""

    def differs(self, alone: Recovered, durability: str = "full") -> str:
        """The rule that this recovery breaks if it should have ended as ``alone`` did.

        With "off", which the recovery that was cut off had announced, it may refuse.
        """
        if durability == "off" and self.error.startswith(UnsafeShutdownError.__name__):
            return ""
        if self.error != alone.error:
            return f"recovery cut off: {self.error or 'no error'}, left alone: {alone.error}"
        if self.content != alone.content:
            return "a recovery that was cut off leads to other rows"
        if self.files != alone.files:
            return "a recovery that was cut off leads to other bytes"
        return ""


@dataclass(slots=True)
class _First:
    """A first image, how it came about, and what its recovery alone gives."""

    image: Image | None
    point: Point
    prefix: int
    choice: Choice
    lost: tuple[str, ...]
    alone: Recovered = field(default_factory=lambda: Recovered(None, ()))


class Nested:
    """Crashes in the recovery of one workload's crashes, under one profile and sector size."""

    def __init__(
        self,
        workload: Workload,
        profile: Profile = "journal",
        sector: int = 512,
        *,
        limits: NestedLimits | None = None,
        tearing: Tearing = NO_TEARING,
        until: Until = no_end,
    ) -> None:
        self.tearing = tearing
        self.workload = workload
        self.profile: Profile = profile
        self.sector = sector
        self.limits = limits or NestedLimits()
        self.tally = Tally()
        self.until = until
        self._classes = workload.classes()
        self._recovered: dict[object, Recovered] = {}
        self._explored: set[object] = set()

    def explore(self) -> Tally:
        """All of the above; what was seen, violations included."""
        try:
            for number, first in enumerate(self.first_images()):
                self.explore_image(first, kills=number % self.limits.kills == 0)
        except Enough:
            pass
        self.tally.unique = len(self._recovered)
        return self.tally

    def first_images(self) -> list[_First]:
        """The different crash images of the workload, seeded sample if there are too many."""
        found: dict[object, _First] = {}

        def visit(point: Point) -> None:
            folder = run.machine.folder
            for space in spaces(run.machine.disk, folder, self.tearing) if folder else ():
                for legal in self._legal(space, self.limits.first, f"{point.number}"):
                    key = image_key(legal.image)
                    if key not in found:
                        lost = lost_units(space, legal.choice)
                        found[key] = _First(legal.image, point, space.prefix, legal.choice, lost)

        run = Run(self.workload, prepared(self.workload, self.profile, self.sector), visit)
        run.start()
        run.finish()
        assert run.system is not None
        run.system.kill()
        images = list(found.values())
        if len(images) > self.limits.images:
            images = random.Random(self.limits.seed).sample(images, self.limits.images)
        return images

    def explore_image(self, first: _First, *, kills: bool) -> None:
        """Cut the recovery of this image off in every way."""
        first.alone = self.recover(first.image)
        below: list[Image | None] = []

        def cut(machine: Machine, moment: str) -> None:
            self.tally.points += 1
            how = {"kind": "nested", "cut off": moment}
            below.extend(legal.image for legal in self._cut(machine, moment, first, how))

        self._stopping(Machine.from_image(first.image, self.profile, self.sector, _BOOT), cut)
        generator = random.Random(f"{self.limits.seed}/{first.point.number}/{len(below)}")
        for _ in range(self.limits.deeper if below else 0):
            self._deeper(first, generator.choice(below), generator)
        if kills:
            self._kills(first)

    # ---- power cuts

    def _cut(
        self, machine: Machine, moment: str, first: _First, how: dict[str, Any], most: int = 0
    ) -> Iterator[Legal]:
        """Legal disks of this moment, each judged and given."""
        if machine.folder is None:
            return
        for space in spaces(machine.disk, machine.folder, self.tearing):
            self.tally.legal += space.count
            for legal in self._legal(space, most or self.limits.exhaustive, moment):
                self.tally.visited += 1
                self.tally.covered += legal.multiplicity
                rule = self.recover(legal.image).differs(first.alone, self.workload.durability)
                if rule:
                    lost = lost_units(space, legal.choice)
                    self._report(first, rule, self.recover(legal.image), how | {
                        "second prefix": space.prefix, "second choice": legal.choice,
                        "second lost": lost})  # fmt: skip
                yield legal

    def _deeper(self, first: _First, image: Image | None, generator: random.Random) -> None:
        """Depth 3: the recovery of a recovery that was cut off is cut off too."""
        moments: list[tuple[str, list[Space]]] = []

        def note(machine: Machine, moment: str) -> None:
            if machine.folder is not None:
                disk, folder = machine.disk.clone(), machine.folder.clone()
                moments.append((moment, spaces(disk, folder, self.tearing)))

        self._stopping(Machine.from_image(image, self.profile, self.sector, _BOOT + 1), note)
        if not moments:
            return
        moment, found = generator.choice(moments)
        space = generator.choice(found)
        choice = tuple(generator.randrange(len(unit.options)) for unit in space.units)
        self.tally.points += 1
        self.tally.legal += space.count
        self.tally.visited += 1
        recovered = self.recover(space.image(choice))
        rule = recovered.differs(first.alone, self.workload.durability)
        if rule:
            how = {"kind": "nested", "depth": 3, "cut off": moment, "third choice": choice}
            self._report(first, rule, recovered, how)

    # ---- kills

    def _kills(self, first: _First) -> None:
        """A kill at every call of this recovery."""

        def died(death: Death) -> None:
            self.tally.points += 1
            how: dict[str, Any] = {"kind": "recovery killed", "call": death.call,
                                   "what": death.what, "written": death.written}  # fmt: skip
            same_boot = self._open(death.left(), lambda _machine, _moment: None)
            rule = same_boot.differs(first.alone)
            if rule:
                self._report(first, rule, same_boot, how | {"then": "opened"})
            number = f"kill {death.call} {death.written}"
            for _ in self._cut(
                death.left(), number, first, how | {"then": "power cut"}, self.limits.cuts
            ):
                pass

            def cut(machine: Machine, moment: str) -> None:
                second = how | {"then": "opened", "cut off": moment}
                for _ in self._cut(machine, f"{number} {moment}", first, second, self.limits.cuts):
                    pass

            self._open(death.left(), cut)

        machine = Machine.from_image(first.image, self.profile, self.sector, _BOOT)
        deaths = Deaths(machine, died)
        system = SimulatedSystem(machine, "killed recovery")
        system.watch = deaths.watch
        self._use(system)
        deaths.end()

    # ---- recovering

    def recover(self, image: Image | None) -> Recovered:
        """What recovery of this image gives, left alone; equal images are recovered once."""
        key = image_key(image)
        found = self._recovered.get(key)
        if found is None:
            machine = Machine.from_image(image, self.profile, self.sector, _LAST_BOOT)
            system = SimulatedSystem(machine, "recovery")
            found = self._recovered[key] = self._use(system)
        return found

    def _stopping(self, machine: Machine, on_moment: Callable[[Machine, str], None]) -> None:
        """Recover on this machine, stopping before each sync and at the end."""
        self._open(machine, on_moment)

    def _open(self, machine: Machine, on_moment: Callable[[Machine, str], None]) -> Recovered:
        system = SimulatedSystem(machine, "recovery")
        syncs = 0

        def watch(operation: str, name: str, _size: int) -> None:
            nonlocal syncs
            if operation in SYNCS:
                syncs += 1
                on_moment(machine, f"before sync {syncs}: {operation} {name}".rstrip())

        system.watch = watch
        return self._use(system, lambda: on_moment(machine, "at the end"))

    def _use(
        self, system: SimulatedSystem, at_the_end: Callable[[], None] | None = None
    ) -> Recovered:
        """Open the database as this process, and look."""
        machine = system.machine
        try:
            db = opened(self.workload, system, self._classes)
            if at_the_end is not None:
                at_the_end()
            system.watch = None
            content = read_content(db, self.workload)
        except (Enough, Killed):
            raise
        except Exception as error:  # noqa: BLE001  any error is a verdict
            return Recovered(None, (), f"{type(error).__name__}: {error}"[:300])
        finally:
            system.kill()
        return Recovered(content, tuple(sorted(data_files(machine.image()).items())))

    def _legal(self, space: Space, exhaustive: int, seed: str) -> Iterator[Legal]:
        listed = space.merged(exhaustive)
        if listed is not None:
            yield from listed
            return
        count = min(exhaustive, self.limits.sample)
        for choice in few(space, count, f"{self.limits.seed}/{seed}/{space.prefix}"):
            yield Legal(space.image(choice), 1, choice)

    def _report(self, first: _First, rule: str, found: Recovered, how: dict[str, Any]) -> None:
        expected = first.alone
        violation = Violation(
            self.workload, self.profile, self.sector, first.point, first.prefix, first.choice,
            first.lost, (_shown(expected),), _shown(found), rule, self.tally.visited, how,
        )  # fmt: skip
        meet(self.tally, violation, self.limits, self.until)


def _shown(recovered: Recovered) -> str:
    return recovered.error or describe(recovered.content or ())
