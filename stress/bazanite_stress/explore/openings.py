"""Errors, short transfers and interrupts at every call of an opening that has something to recover.

``Errors`` strikes what a process does in a directory that was closed.  Here it finds what another
one left: killed at some call (stale shared words, pages that nobody synced, a write done in part),
or with the machine, at some crash point (one of the legal disks).  Each call of its opening is
struck; whatever that leads to, the next opening, in the same process and in others, after a kill
and after a power cut, must end in a state that was right.

Many machines lead to the same calls: one of each kind (*shape*) is opened.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bazanite_stress.simulation.disk import Image
from bazanite_stress.simulation.legal import spaces
from bazanite_stress.simulation.machine import Machine

from .deaths import Death, Deaths
from .errors import Faulty, Struck
from .explorer import Enough, Tally, prepared
from .fault_case import Case, Log
from .faults import Call, Fault
from .judge import image_key
from .model import Model
from .runner import Point, Run
from .sampling import few

OPENING = "left by"
"""What of ``how`` says that the fault struck an opening, and what had left its directory."""
_BOOT = 3
_DISKS = 3
"""Disks to take of each space of a crash point."""


@dataclass(frozen=True, slots=True)
class Start:
    """What an opening finds, and which states are right: after a kill, and after a power cut."""

    machine: Callable[[], Machine]
    right: list[Model]
    after_cut: list[Model]
    how: dict[str, Any]


class Openings(Struck):
    """Faults in the openings of what one workload's crashes left."""

    def explore(self, wanted: Callable[[Fault], bool] = lambda _fault: True) -> Tally:
        """Every fault at every call, or as the limits say; what was seen, violations included."""
        with suppress(Enough):
            for opening in self.shapes():
                opening.try_all(filter(wanted, opening.faults()))
        self.tally.unique = self.judge.unique
        return self.tally

    def shapes(self) -> list[Opening]:
        """One opening of each shape, those of most calls first: they have the most to redo."""
        found: dict[object, Opening] = {}
        for start in self.starts():
            opening = Opening(self, start)
            shape = tuple((call.operation, call.name) for call in opening.calls())
            found.setdefault(shape, opening)
        return sorted(found.values(), key=lambda opening: -len(opening.calls()))

    def starts(self) -> list[Start]:
        """What kills and power cuts leave, a seeded sample if there is too much."""
        kept = _Sample(self.limits.starts, f"{self.limits.seed}/kills")
        self._run(lambda run: self._deaths(run, kept))
        found = kept.found
        if self.workload.durability != "off":  # what the power leaves of it is refused anyway
            kept = _Sample(self.limits.starts, f"{self.limits.seed}/power cuts")
            self._run(lambda run: self._disks(run, kept))
            found = [*found, *kept.found]
        return found

    def replay(self, how: dict[str, Any], fault: Fault) -> Tally:
        """This fault alone, in the opening of what is described by ``how``."""
        everything = _Sample(0, "")
        everything.wanted = {name: how[name] for name in _ADDRESS if name in how}
        self._run(lambda run: (self._deaths if how[OPENING] == "kill" else self._disks)(
            run, everything))  # fmt: skip
        with suppress(Enough):
            for start in everything.found:
                Opening(self, start).try_all([fault])
        return self.tally

    def _run(self, watch: Callable[[Run], None]) -> None:
        machine = prepared(self.workload, self.profile, self.sector)
        run = Run(self.workload, machine, lambda _point: None)
        watch(run)
        run.start()
        run.finish()
        assert run.system is not None
        run.system.kill()

    def _deaths(self, run: Run, kept: _Sample) -> None:
        acknowledged = durable = 0

        def died(death: Death) -> None:
            how = {OPENING: "kill", "at call": death.call, "written": death.written}

            def start() -> Start:
                left = death.left()
                right, after_cut = run.states[acknowledged:], run.states[durable:]
                return Start(left.after_kill, right, after_cut, how)

            kept.offer(start, how)

        def returned(point: Point) -> None:
            nonlocal acknowledged, durable
            if not point.what.startswith("before "):
                acknowledged, durable = point.highest, point.lowest
                deaths.enter(acknowledged)

        deaths = Deaths(run.machine, died)
        run.on_call, run.on_point = deaths.watch, returned

    def _disks(self, run: Run, kept: _Sample) -> None:
        seen: set[object] = set()

        def visit(point: Point) -> None:
            machine = run.machine
            for space in spaces(machine.disk, machine.folder) if machine.folder else ():
                for choice in few(space, _DISKS, f"{self.limits.seed}/{point.number}"):
                    image = space.image(choice)
                    key = image_key(image)
                    if key in seen:
                        continue
                    seen.add(key)
                    how = {OPENING: "power cut", "at point": point.number,
                           "prefix": space.prefix, "choice": list(choice)}  # fmt: skip
                    right = run.states[point.lowest : point.highest + 1]
                    start = Start(self._restarted(image), right, right, how)
                    kept.offer(lambda start=start: start, how)  # type: ignore[misc]

        run.on_point = visit

    def _restarted(self, image: Image | None) -> Callable[[], Machine]:
        return lambda: Machine.from_image(image, self.profile, self.sector, _BOOT)


_ADDRESS = ("at call", "written", "at point", "prefix", "choice")


class _Sample:
    """At most ``most`` starts of all that are offered, each as likely as the others.

    With ``wanted`` only the one with this address.
    """

    def __init__(self, most: int, seed: str) -> None:
        self.found: list[Start] = []
        self.wanted: dict[str, Any] = {}
        self._most = most
        self._generator = random.Random(seed)
        self._offered = 0

    def offer(self, start: Callable[[], Start], how: dict[str, Any]) -> None:
        """Keep it or not; ``start`` is called if it is kept."""
        if self.wanted:
            if self.wanted.items() <= how.items():
                self.found.append(start())
            return
        self._offered += 1
        if len(self.found) < self._most:
            self.found.append(start())
        elif (i := self._generator.randrange(self._offered)) < self._most:
            self.found[i] = start()


class Opening(Faulty):
    """Faults in the opening of one machine."""

    def __init__(self, openings: Openings, start: Start) -> None:
        super().__init__(
            openings.workload, openings.profile, openings.sector, limits=openings.limits,
            judge=openings.judge, until=openings.until, known=openings.known,
        )  # fmt: skip
        self.tally = openings.tally
        self.start = start
        self.how = start.how
        self.outcomes = openings.outcomes
        self._calls: list[Call] = []

    def calls(self) -> list[Call]:
        """The calls that are made when nothing goes wrong."""
        self._calls = self._calls or super().calls()
        return self._calls

    def machine(self) -> Machine:
        return self.start.machine()

    def carry_out(self, run: Run) -> None:
        run.start()

    def case(self, fault: Fault, log: Log) -> Case:
        return _OpeningCase(self, fault, log)


class _OpeningCase(Case):
    """One fault in one opening: it changes nothing of what is right."""

    def __init__(self, opening: Opening, fault: Fault, log: Log) -> None:
        super().__init__(opening, fault, log)
        self._start = opening.start

    def _point(self, point: Point) -> None:
        del point  # the opening acknowledges nothing

    def _states_after(self, error: BaseException | None) -> list[Model]:
        del error
        if self._level == "normal" and self._injector.failed_syncs:
            return self._start.after_cut
        return self._start.right

    def _still_possible(self) -> list[Model]:
        return self._start.after_cut
