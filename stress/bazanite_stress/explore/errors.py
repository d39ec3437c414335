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
"""

from __future__ import annotations

from dataclasses import dataclass

from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.machine import Machine

from .explorer import Enough, Tally, Until, no_end, prepared
from .fault_case import CarefulSession, Case, Log
from .faults import Call, Fault, FaultySystem, faults_of
from .judge import Judge
from .runner import SYNCS, Run
from .workload import Workload


@dataclass(frozen=True, slots=True)
class ErrorLimits:
    """``every``: of how many faults one is tried (seeded); ``cuts``: power cuts at a moment after.

    ``torn``: more of them that tear sectors (R16); ``sectors``: whether each dirty sector of a
    failed sync is also lost, or kept, alone.
    """

    every: int = 1
    cuts: int = 12
    torn: int = 3
    sectors: bool = True
    violations: int = 5
    seed: str = "0"


QUICK = ErrorLimits(every=13, cuts=3, torn=1)


class Errors:
    """Faults in one workload, under one profile and sector size."""

    def __init__(
        self,
        workload: Workload,
        profile: Profile = "journal",
        sector: int = 512,
        *,
        limits: ErrorLimits | None = None,
        judge: Judge | None = None,
        until: Until = no_end,
    ) -> None:
        self.workload = workload
        self.profile: Profile = profile
        self.sector = sector
        self.limits = limits or ErrorLimits()
        self.judge = judge or Judge(workload, profile, sector)
        self.tally = Tally()
        self.until = until
        start = prepared(workload, profile, sector)
        self._start = start if start.folder is None else None
        self._image = start.image()

    def explore(self) -> Tally:
        """Every fault at every call; what was seen, violations included."""
        before = self.judge.unique
        faults = [fault for call in self.calls() for fault in
                  faults_of(call, one_sector=self.limits.sectors)]  # fmt: skip
        shift = sum(self.limits.seed.encode()) % self.limits.every
        log = Log()
        log.logger.addHandler(log)
        try:
            for fault in faults[shift :: self.limits.every]:
                log.told.clear()
                self.tally.points += 1
                Case(self, fault, log).judge()
        except Enough:
            pass
        finally:
            log.logger.removeHandler(log)
        self.tally.unique += self.judge.unique - before
        return self.tally

    def replay(self, fault: Fault) -> Tally:
        """This fault alone."""
        log = Log()
        log.logger.addHandler(log)
        try:
            Case(self, fault, log).judge()
        except Enough:
            pass
        finally:
            log.logger.removeHandler(log)
        return self.tally

    def calls(self) -> list[Call]:
        """The calls of the workload when nothing goes wrong."""
        found: list[Call] = []
        machine = self.machine()

        def note(operation: str, name: str, size: int) -> None:
            dirty: tuple[int, ...] = ()
            if operation in SYNCS and name and machine.folder is not None:
                dirty = tuple(sorted(machine.disk.files[machine.folder.names[name]].chains))
            elif operation == "sync_names" and machine.folder is not None:
                dirty = tuple(range(machine.disk.steps_of_names(machine.folder)))
            found.append(Call(len(found), operation, name, size, dirty))

        run = Run(self.workload, machine, lambda _point: None, on_call=note,
                  make_system=FaultySystem, make_session=CarefulSession)  # fmt: skip
        run.start()
        run.finish()
        assert run.system is not None
        run.system.kill()
        return found

    def machine(self) -> Machine:
        """The machine as the workload finds it."""
        if self._start is not None:
            return self._start.after_kill()
        return Machine.from_image(self._image, self.profile, self.sector, boot=2)
