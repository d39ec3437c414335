"""The processes and threads of one run: they carry out their steps and note what came of them."""

from __future__ import annotations

import copy
import copyreg
import struct
from contextlib import ExitStack
from itertools import count
from typing import Any

from bazanite import DB
from bazanite.errors import DBError, SchemaMismatch
from bazanite_stress.explore.session import REFUSALS, Session, opened
from bazanite_stress.explore.workload import Step
from bazanite_stress.history.events import Event
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import Killed, SimulatedLockFile
from bazanite_wal.errors import (
    CommittedNotApplied,
    CommitUncertain,
    DirectoryError,
    LockTimeout,
    PoisonedError,
    UnsafeShutdownError,
)
from bazanite_wal.posix import PerThread

from .calls import NOBODY_KNOWS, NOTHING_DONE, UNFORESEEN, perform, tells_position
from .processes import ScheduledSystem
from .programs import OPENS, Program, Thread
from .scheduler import Scheduler

copyreg.pickle(PerThread, lambda _mine: (PerThread, ()))  # a forked child's thread begins anew
copyreg.pickle(struct.Struct, lambda one: (struct.Struct, (one.format,)))


_AFTER_A_FAILURE = (CommitUncertain, CommittedNotApplied, DirectoryError)


def _columns(db: DB) -> object:
    """The tables and columns that a handle knows."""
    return {
        name: [(field.name, type(field.type), field.type.size) for field in table.schema.schema]
        for name, table in db.tables.items()
    }


class Failed(Exception):
    """A call raised what none may raise here; the cause is that."""


class Actors:
    """Everybody in one run.  ``events`` is the history so far."""

    def __init__(self, program: Program, machine: Machine, scheduler: Scheduler) -> None:
        self.program = program
        self.machine = machine
        self.scheduler = scheduler
        self.events: list[Event] = []
        patient = program.workload.options.get("lock_timeout") is None
        self.allowed: tuple[type[DBError], ...] = () if patient else (LockTimeout,)
        self._moments = count(1)

    def begin(self) -> None:
        """Let everybody be ready, with the database open as the program says."""
        for number, threads in enumerate(self.program.processes):
            Actor(self, f"process {number + 1}").begin(threads)

    def excused(self) -> tuple[type[DBError], ...]:
        """What may be raised because calls failed; nothing before the first one did."""
        if self.scheduler.syncs_failed:
            off = self.program.workload.durability == "off"  # then who comes later is refused
            unsafe = (UnsafeShutdownError,) if off else ()
            return (PoisonedError, *unsafe, *_AFTER_A_FAILURE)
        return _AFTER_A_FAILURE if self.scheduler.writes_failed else ()

    def now(self) -> int:
        """A moment; all are different."""
        return next(self._moments)


class Actor:
    """One process."""

    def __init__(self, actors: Actors, name: str, system: ScheduledSystem | None = None) -> None:
        self.actors = actors
        self.name = name
        self.system = system or ScheduledSystem(actors.machine, actors.scheduler, name)
        self.session: Session | None = None
        self._children = 0
        self._busy = 0

    def begin(self, threads: list[Thread]) -> None:
        """Open the database, unless that is the first step, and let the threads be ready."""
        first = threads[0]
        if not first or first[0][0] not in OPENS:
            try:
                self.session = Session(self._open)
            except Exception as failure:
                raise Failed(f"{self.name}: opening raised {failure!r}") from failure
        self._spawn(self.name, first, threads[1:])

    def _spawn(self, name: str, steps: Thread, others: list[Thread]) -> None:
        def live() -> None:
            mine = list(steps)
            if mine and mine[0][0] in OPENS:
                self._carry_out(name, mine.pop(0))
            for number, other in enumerate(others):
                self._spawn(f"{name}, thread {number + 2}", other, [])
            for step in mine if self.session is not None else ():
                if step[0] == "close":
                    self.actors.scheduler.wait("its threads", lambda: self._busy == 1)
                self._carry_out(name, step)
            self._busy -= 1

        self._busy += 1
        self.actors.scheduler.spawn(name, self.system, live)

    def _open(self) -> DB:
        return opened(self.actors.program.workload, self.system)

    def _look(self) -> DB:
        return opened(self.actors.program.workload, self.system, read_only=True)

    # ---- calls

    def _carry_out(self, who: str, step: Step) -> None:
        if self.session is None and step[0] not in OPENS:
            return  # it could not be opened (who stopped for ever has it): nothing to do it on
        if step[0] == "fork":
            self._fork(step[1])
            return
        if step[0] == "lock":  # each call inside is one of its own
            self._locked(who, step)
            return
        actors, start = self.actors, self.actors.now()
        answer: Any = None
        refused: Exception | None = None
        try:
            answer = self._perform_on_known_tables(step)
        except Killed:
            actors.events.append(Event(who, step, start, actors.now(), known=False))
            raise
        except REFUSALS as failure:
            refused = failure
            if isinstance(failure, UNFORESEEN):
                self._check_allowed(step, failure)
        except Exception as failure:
            raise Failed(f"{who}: {step} raised {failure!r}") from failure
        lsn = None
        if self.session is not None and tells_position(step, refused):
            try:
                lsn = self.session.db.read_lsn
            except DBError as failure:  # it answered, and is closed: nobody closed it before
                raise Failed(f"{who}: after {step} read_lsn raised {failure!r}") from failure
        error = type(refused).__name__ if refused is not None else ""
        known = not isinstance(refused, NOBODY_KNOWS)
        if step[0] == "migrate":
            if refused is not None and not isinstance(refused, UNFORESEEN):
                raise Failed(f"{who}: {step} raised {refused!r}") from refused
            known = False  # of its many transactions none tells where the schema changed
            lsn = None
        actors.events.append(Event(who, step, start, actors.now(), answer, error, lsn, known))

    def _locked(self, who: str, step: Step) -> None:
        session = self.session
        assert session is not None
        try:
            with ExitStack() as stack:
                try:
                    stack.enter_context(session.db.storage.lock())
                except (*NOTHING_DONE, PoisonedError) as failure:
                    self._check_allowed(step, failure)
                    return
                for inner in step[1]:
                    self._carry_out(who, inner)
        except Failed:
            raise
        except Exception as failure:
            raise Failed(f"{who}: {step} raised {failure!r}") from failure

    def _check_allowed(self, step: Step, failure: Exception) -> None:
        if not isinstance(failure, self.actors.allowed + self.actors.excused()):
            raise Failed(f"{self.name}: {step} raised {failure!r}") from failure

    def _perform_on_known_tables(self, step: Step) -> Any:
        """Carry it out; with the tables opened anew, and once more, if another one changed them."""
        session = self.session
        if session is None or not self.actors.program.workload.migrates:
            return self._perform(step)
        before = _columns(session.db)
        while True:
            try:
                return self._perform(step)
            except SchemaMismatch as stale:
                self.session = None  # until it is open again: a failure leaves no handle
                session.perform(["reopen"])
                self.session = session
                after = _columns(session.db)
                if after == before:
                    raise Failed(f"{self.name}: {step}: nothing changed, but {stale!r}") from stale
                before = after

    def _perform(self, step: Step) -> Any:
        if step[0] in OPENS:
            self.session = None
            self.session = Session(self._open if step[0] == "open" else self._look)
            return None
        session = self.session
        assert session is not None
        if step[0] == "close":
            session.db.close()
            return None
        return perform(session, step, self.actors.program.workload)

    # ---- fork

    def _fork(self, steps: Thread) -> None:
        """The child has a copy of all memory, and shares open files until it has closed them."""
        self.system.call("fork", "")
        self._children += 1
        name = f"{self.name}, child {self._children}"
        actors, parent = self.actors, self.system
        child = Actor(actors, name, ScheduledSystem(actors.machine, actors.scheduler, name))
        shared: list[Any] = [actors, actors.machine, actors.scheduler, actors.machine.disk]
        shared += [*actors.machine.disk.files.values(), *actors.machine.disk.folders.values()]
        shared += [*actors.machine.words.values(), *actors.scheduler.tasks]
        shared += [file.opened for file in parent.open_locks]
        memory: dict[int, Any] = {id(one): one for one in shared}
        memory |= {id(parent): child.system, id(self): child}
        child.session = copy.deepcopy(self.session, memory)
        child.system.places = copy.deepcopy(parent.places, memory)
        inherited: list[SimulatedLockFile] = copy.deepcopy(list(parent.open_locks), memory)
        child.system.open_locks = inherited
        for file in inherited:
            file.opened.descriptors += 1

        def live() -> None:
            for file in list(inherited):  # at once, and never an unlock
                child.system.call("close inherited", file.name)
                file.drop()
            for step in steps:
                child._carry_out(name, step)

        actors.scheduler.spawn(name, child.system, live)
