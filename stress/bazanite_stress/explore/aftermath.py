"""What comes after a fault: the process goes on, dies, or closes, or the power goes; ``errors``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from bazanite import DB
from bazanite.errors import DBError, NotFoundError, SchemaMismatch, ValidationError
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.errors import (
    CommittedNotApplied,
    DirectoryError,
    PoisonedError,
    UnsafeShutdownError,
)

from .cutting import Cut, cuts
from .explorer import Violation, broken_rule, meet
from .faults import Fault, FaultySystem, Injector
from .model import Model, describe
from .poisoning import unheard_sync
from .runner import Point, Run
from .session import Session, opened, read_content
from .workload import Step

if TYPE_CHECKING:
    from .errors import Faulty


class Wrong(Exception):
    """This case is judged: something is wrong."""


class CarefulSession(Session):
    """A step whose part is struck fails whole: a fault's error is nobody's to go on from.

    What a model foresees leaves a part undone, as ever.
    """

    def _inner(self, steps: list[Step]) -> None:
        for step in steps:
            try:
                self.perform(step)
            except (ValidationError, NotFoundError):
                continue
            except DBError:
                raise
            except ValueError:
                continue


class Aftermath:
    """The run that the fault struck, and which states are right since.

    ``_right`` are the states of which one is there; ``_newer`` what inserts added to them.
    """

    def __init__(self, errors: Faulty, fault: Fault) -> None:
        self._errors = errors
        self._fault = fault
        self._machine = errors.machine()
        self._injector = Injector(fault, self._machine)
        self._acknowledged = self._durable = 0
        self._run = Run(
            errors.workload,
            self._machine,
            self._point,
            on_call=self._injector.before,
            make_system=self._system,
            make_session=CarefulSession,
        )
        self._table = errors.workload.steady_table
        self._level = errors.workload.durability
        self._right: list[Model] = []
        self._newer: list[Model] = []
        self._doing = "the workload"
        self._lossy = False
        self._process: FaultySystem | None = None

    def _system(self, machine: Machine, seed: str) -> FaultySystem:
        self._process = FaultySystem(machine, seed)
        self._process.after = self._injector.after
        return self._process

    def _point(self, point: Point) -> None:
        if not point.what.startswith("before "):
            self._acknowledged, self._durable = point.highest, point.lowest

    def _goes_on(self) -> None:
        """The same process goes on: with the fault, if it stays, and without it."""
        if self._injector.active:
            self._doing = "with the fault"
            self._use(self._handle(refusals=(DBError,)), (DBError,))
            self._cut("after use with the fault")
        self._injector.disarm()
        self._doing = "without the fault"
        refusals: tuple[type[DBError], ...] = (PoisonedError,) if self._may_poison() else ()
        if self._poisoned():
            self._is_refused()
        else:
            refused = self._refusal()
            self._use(self._handle((*refusals, refused) if refused else refusals), refusals)
        self._cut("after use without the fault")
        self._opened_after_a_kill()

    def _may_poison(self) -> bool:
        """Whether this fault may make the database refuse everyone: docs/protocol.md, section 7."""
        failed = bool(self._injector.failed_syncs)
        return failed or unheard_sync(self._machine, self._errors.workload)

    def _poisoned(self) -> bool:
        """Whether a sync failed for the handle that is open: then it must refuse."""
        return bool(self._injector.failed_syncs) and self._handle_is_open()

    def _is_refused(self) -> None:
        """Every use is refused, and nothing is synced: the system would say that all is well."""
        db, syncs = self._run.db, self._injector.syncs
        assert db is not None
        uses: dict[str, Callable[[], object]] = {
            "read": lambda: read_content(db, self._errors.workload),
            "insert": lambda: db.insert(self._table, {}),
            "checkpoint": db.checkpoint,
        }
        for name, use in uses.items():
            try:
                use()
            except PoisonedError:
                continue
            except Exception as error:  # noqa: BLE001  any other error is a verdict
                self._wrong("a use after a failed sync says something else", f"{name}: {error!r}")
            self._wrong("a sync failed, and the handle does not refuse", name)
        if self._injector.syncs != syncs:
            self._wrong("something is synced again after a failed sync", "")

    def _handle_is_open(self) -> bool:
        return self._run.db is not None and bool(self._run.db.tables)  # none once it is closed

    def _handle(self, refusals: tuple[type[DBError], ...]) -> DB | None:
        """The workload's handle, or a new one of the same process if it is closed."""
        run = self._run
        if self._handle_is_open():
            return run.db
        try:
            db = opened(self._errors.workload, run.system)
        except refusals:
            return None
        except Exception as error:  # noqa: BLE001  any other error is a verdict
            self._wrong("the same process cannot open it again", repr(error))
        run.session = CarefulSession(lambda: db)
        return db

    def _use(self, db: DB | None, refusals: tuple[type[DBError], ...]) -> None:
        """Read, insert, read: a right state, or refused with one of these errors."""
        if db is None:
            return
        try:
            db = self._not_stale(db)
            fitting = self._read(db)
            self._right = self._right[self._right.index(fitting[0]) :]
            self._insert(db)
            self._right = self._read(db)
        except refusals:
            return
        except Wrong:
            raise
        except PoisonedError as error:
            self._wrong("a fault has poisoned that may not", repr(error))
        except BaseException as error:  # noqa: BLE001  any other error is a verdict
            self._wrong("the handle is neither poisoned nor usable", repr(error))

    def _not_stale(self, db: DB) -> DB:
        """This handle, or a new one if a migration had changed the tables before it failed."""
        if not self._errors.workload.migrates:
            return db
        try:
            with db.transaction():  # it may be in the log only
                read_content(db, self._errors.workload)
        except SchemaMismatch:
            db.close()
            db = opened(self._errors.workload, self._run.system)
            self._run.session = CarefulSession(lambda: db)
        return db

    def _insert(self, db: DB) -> None:
        inserted = [model.clone() for model in self._right]
        self._newer += inserted
        rows = [model.apply(["insert", self._table, {}]) for model in inserted]
        try:
            row = dict(db.insert(self._table, {}))
        except CommittedNotApplied:
            self._right = inserted
            raise
        except DirectoryError:
            raise
        except DBError:
            self._right = [*self._right, *inserted]
            raise
        if row not in rows:
            self._wrong("an insert gave a wrong row", str(row))
        self._right = [m for m, given in zip(inserted, rows, strict=True) if given == row]

    def _read(self, db: DB) -> list[Model]:
        content = read_content(db, self._errors.workload)
        fitting = [model for model in self._right if model.content() == content]
        if not fitting:
            self._wrong("reads give rows of no state that is right", describe(content))
        return fitting

    def _closes(self) -> None:
        """Close, and let another process open it on this boot."""
        self._doing = "the close"
        db = self._run.db
        try:
            if db is not None:
                db.close()
        except Exception as error:  # noqa: BLE001  any error is a verdict
            self._wrong("the close failed though the fault is gone", repr(error))
        self._doing = "after the close"
        if self._process is not None:
            self._process.kill()
        self._opened(self._machine, "closed")

    def _opened_after_a_kill(self) -> None:
        """The process dies now; pages and names that no sync wrote are dropped, or are not."""
        self._opened(self._machine.after_kill(), "killed")
        machine = self._machine.after_kill()
        if machine.disk.evict():
            self._opened(machine, "killed, pages dropped")

    def _opened(self, machine: Machine, how: str) -> None:
        outcome = self._errors.opened(machine)
        refused = self._refusal()
        if refused is not None and outcome.refused.startswith(refused.__name__):
            return
        lossy = self._level == "normal" and self._injector.failed_syncs
        rule = broken_rule(outcome, self._possible() if lossy else self._right, "full")
        if rule:
            self._wrong(f"{how}, then opened: {rule}", outcome.describe())

    def _has_older_frames(self) -> bool:
        """Whether a failed sync may have lost frames that the table files have already.

        With "off" frames are applied before they are durable: rather refused than redone.
        """
        failed = self._injector.failed_syncs & {"sync", "sync_data"}
        return self._level == "off" and bool(failed) and self._run.db is not None

    def _refusal(self) -> type[DBError] | None:
        """With what opening may be refused as long as this machine runs, None if with nothing."""
        if "sync_own_name" in self._injector.failed_syncs:
            return DirectoryError  # it may be gone after a power cut: no log is made in it
        return UnsafeShutdownError if self._lossy else None

    def _possible(self) -> list[Model]:
        """What a power cut may leave."""
        if self._level == "full":
            return self._right
        return [*self._still_possible(), *self._newer]

    def _still_possible(self) -> list[Model]:
        """With "normal" and "off": what the power may take everything back to, up to now."""
        raise NotImplementedError

    def _cut(self, when: str) -> None:
        """Cut the power now: some of the legal disks."""
        errors = self._errors
        seed = f"{errors.limits.seed}/{self._fault}/{errors.how}"
        for cut in cuts(
            self._machine, errors.workload, errors.judge, errors.limits.cuts, errors.limits.torn,
            seed, errors.tally,
        ):  # fmt: skip
            rule = broken_rule(cut.outcome, self._possible(), self._level)
            if rule:
                self._wrong(f"power cut {when}: {rule}", cut.outcome.describe(), cut)

    def _wrong(self, rule: str, found: str, cut: Cut | None = None) -> NoReturn:
        errors, run = self._errors, self._run
        what = f"{self._fault.kind} at {self._injector.met}, {self._doing}"
        point = Point(self._fault.call, run.step, what, self._acknowledged, len(run.states) - 1)
        expected = tuple(describe(model.content()) for model in self._right)
        how = {"kind": "fault", "fault": self._fault.as_json(), "doing": self._doing} | errors.how
        violation = Violation(
            errors.workload, errors.profile, errors.sector, point, 0, (), (), expected, found, rule,
            errors.tally.visited, how,
        )  # fmt: skip
        if cut is not None:
            violation = cut.told(violation)
        meet(errors.tally, violation, errors.limits, errors.until)
        raise Wrong
