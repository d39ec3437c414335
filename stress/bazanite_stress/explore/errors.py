"""Errors, short transfers and interrupts at every call of a workload.

``faults`` says what is legal where.  After each:

- the fault surfaced as a typed error that leads to it by ``__cause__`` (an interrupt as itself), or
  the call truly succeeded; what was put off was logged;
- the error says truly what became of the step: DirectoryError and LockTimeout, nothing was done;
  CommittedNotApplied, all of it; CommitUncertain, PoisonedError and interrupts, all or nothing;
- a failed sync has poisoned the handle: every use is refused, and nothing is synced again; after
  any other fault it reads a right state, takes a new transaction and keeps both (docs/protocol.md,
  section 7, names the one exception);
- whoever opens the directory next on this boot (after a kill, clean pages dropped; after a close)
  finds a right state, and so does a power cut.

A process that is alone syncs and applies under the lock, others in company: on journal disks it is
alone, on hostile ones somebody died without letting go of a slot.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import FrameType
from typing import Any

from bazanite import DB
from bazanite_stress.simulation.disk import Image, Profile
from bazanite_stress.simulation.machine import Machine
from bazanite_wal import shared
from bazanite_wal.system import Words

from .aftermath import CarefulSession
from .deaths import opening_key
from .explorer import Enough, Tally, Until, no_end, prepared
from .fault_case import Case, Log
from .faults import Call, Fault, FaultySystem, faults_of
from .judge import Judge, Outcome
from .runner import SYNCS, Run
from .workload import Workload

_DEAD_PID = 999_999


@dataclass(frozen=True, slots=True)
class ErrorLimits:
    """``each``: at how many calls of each place in the engine faults are tried, 0 for all (seeded).

    ``every``: of how many of those faults one is tried; ``cuts``: power cuts at a moment after it;
    ``torn``: more of them that tear sectors (R16); ``sectors``: whether each dirty sector of a
    failed sync is also lost, or kept, alone; ``starts``: of how many kills, and of how many power
    cuts, the openings are considered (``openings``).
    """

    each: int = 0
    every: int = 1
    cuts: int = 12
    torn: int = 3
    sectors: bool = True
    starts: int = 400
    violations: int = 5
    seed: str = "0"


QUICK = ErrorLimits(each=1, cuts=3, torn=1, starts=60)


class Struck:
    """What is struck, how often, and what was seen so far.

    ``known`` counts the calls of each place at which faults were tried, by whomever shares it.
    ``how`` says, for a replay, what led to the machine; ``outcomes`` what opening equal ones gave.
    """

    def __init__(
        self,
        workload: Workload,
        profile: Profile = "journal",
        sector: int = 512,
        *,
        limits: ErrorLimits | None = None,
        judge: Judge | None = None,
        until: Until = no_end,
        known: Counter[object] | None = None,
    ) -> None:
        self.workload = workload
        self.profile: Profile = profile
        self.sector = sector
        self.limits = limits or ErrorLimits()
        self.judge = judge or Judge(workload, profile, sector)
        self.tally = Tally()
        self.until = until
        self.known: Counter[object] = Counter() if known is None else known
        self.how: dict[str, Any] = {}
        self.outcomes: dict[object, Outcome] = {}


class Faulty(Struck):
    """Faults at the calls of something that a process does; subclasses say of what."""

    def try_all(self, faults: Iterable[Fault]) -> None:
        """Each of these faults alone; Enough if enough violations were met."""
        log = Log()
        log.logger.addHandler(log)
        try:
            for fault in faults:
                log.told.clear()
                self.tally.points += 1
                self.case(fault, log).judge()
        finally:
            log.logger.removeHandler(log)

    def replay(self, fault: Fault) -> Tally:
        """This fault alone."""
        with suppress(Enough):
            self.try_all([fault])
        return self.tally

    def faults(self) -> list[Fault]:
        """The faults to try: as the limits say, chosen by the seed."""
        calls = self.calls()
        if self.limits.each:
            calls = self._some_of_each_place(calls)
        found = [
            fault for call in calls for fault in faults_of(call, one_sector=self.limits.sectors)
        ]
        return found[sum(self.limits.seed.encode()) % self.limits.every :: self.limits.every]

    def _some_of_each_place(self, calls: list[Call]) -> list[Call]:
        generator = random.Random(self.limits.seed)
        places: dict[object, list[Call]] = {}
        for call in calls:
            key = (self.workload.durability, call.operation, call.place)
            places.setdefault(key, []).append(call)
        chosen: list[Call] = []
        for place, found in places.items():
            count = min(self.limits.each - self.known[place], len(found))
            self.known[place] += count
            chosen += generator.sample(found, count)
        return sorted(chosen, key=lambda call: call.number)

    def case(self, fault: Fault, log: Log) -> Case:
        """This fault in a fresh run."""
        return Case(self, fault, log)

    def machine(self) -> Machine:
        """A fresh machine as the process finds it."""
        raise NotImplementedError

    def carry_out(self, run: Run) -> None:
        """What the process does."""
        raise NotImplementedError

    def opened(self, machine: Machine) -> Outcome:
        """What opening the directory gives, where nobody runs; equal machines are opened once."""
        key = opening_key(machine)
        found = self.outcomes.get(key)
        if found is None:
            found = self.outcomes[key] = self.judge.judge_machine(machine)
        return found

    def calls(self) -> list[Call]:
        """The calls that are made when nothing goes wrong."""
        found: list[Call] = []
        machine = self.machine()

        def note(operation: str, name: str, size: int) -> None:
            dirty: tuple[int, ...] = ()
            if operation in SYNCS and name and machine.folder is not None:
                dirty = tuple(sorted(machine.disk.files[machine.folder.names[name]].chains))
            elif operation == "sync_names" and machine.folder is not None:
                dirty = tuple(range(machine.disk.steps_of_names(machine.folder)))
            found.append(Call(len(found), operation, name, size, dirty, place_of_call()))

        run = Run(self.workload, machine, lambda _point: None, on_call=note,
                  make_system=FaultySystem, make_session=CarefulSession)  # fmt: skip
        self.carry_out(run)
        if run.system is not None:
            run.system.kill()
        return found


class Errors(Faulty):
    """Faults in one workload, under one profile and sector size."""

    def explore(self) -> Tally:
        """Every fault at every call; what was seen, violations included."""
        before = self.judge.unique
        with suppress(Enough):
            self.try_all(self.faults())
        self.tally.unique += self.judge.unique - before
        return self.tally

    def carry_out(self, run: Run) -> None:
        run.start()
        if self.profile == "hostile" and run.db is not None:
            shared.claim_slot(attached_words(run.db), _DEAD_PID, lambda _pid: True)
        run.finish()

    def machine(self) -> Machine:
        """The machine as the workload finds it."""
        if self._start.folder is None:
            return self._start.after_kill()
        return Machine.from_image(self._image, self.profile, self.sector, boot=2)

    @cached_property
    def _start(self) -> Machine:
        return prepared(self.workload, self.profile, self.sector)

    @cached_property
    def _image(self) -> Image | None:
        return self._start.image()


def attached_words(db: DB) -> Words:
    """The shared words of a directory, as an open handle sees them."""
    attachment = db.storage.store._attachment
    assert attachment is not None
    return attachment.core.words


def place_of_call() -> int:
    """Where in the engine the call under way comes from: the lines of all its frames."""
    frame: FrameType | None = sys._getframe(1)
    lines: list[tuple[str, int]] = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(("bazanite_wal.", "bazanite.")):
            lines.append((module, frame.f_lineno))
        frame = frame.f_back
    return zlib.crc32(repr(lines).encode())
