"""Carrying steps out on the real engine: what the explorer and the torture have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from bazanite import DB
from bazanite.errors import DBError, SchemaMismatch
from bazanite.table import Table
from bazanite_stress.simulation.machine import PATH
from bazanite_stress.simulation.system import SimulatedSystem

from .copied import content_of_backup
from .migrations import built_bit_by_bit, migration
from .model import content_of
from .vacuuming import vacuumed_bit_by_bit
from .workload import Step, Workload

REFUSALS = (DBError, ValueError)
"""What a call may raise that a model foresees."""


class _RolledBack(Exception):
    """What leaves a transaction that is to be rolled back."""


class Session:
    """An open database.  ``reopen`` opens it, now and for the step of that name."""

    def __init__(self, reopen: Callable[[], DB]) -> None:
        self._reopen = reopen
        self.db = reopen()

    def perform(self, step: Step) -> Any:
        """Carry one step out; returns what the call returned and raises what it raised."""
        db = self.db
        match step:
            case ["transaction", inner]:
                with db.transaction():
                    self._inner(inner)
            case ["rollback", inner]:
                with suppress(_RolledBack), db.transaction():
                    self._inner(inner)
                    raise _RolledBack
            case ["lock", inner]:
                with db.storage.lock():
                    self._inner(inner)
            case ["read"]:
                return _rows(db, db.tables)
            case ["backup"]:
                return content_of_backup(db, db.tables)
            case ["checkpoint"]:
                db.checkpoint()
            case ["archive", keep]:
                db.archive(keep or None)
            case ["migrate", version, changes]:
                with built_bit_by_bit():
                    return db.migrate([migration(version, changes)])
            case ["reopen"]:
                db.close()
                self.db = self._reopen()
            case [call, *arguments]:
                return _CALLS[call](db, *arguments)
        return None

    def _inner(self, steps: list[Step]) -> None:
        for step in steps:
            try:
                self.perform(step)
            except SchemaMismatch:
                raise  # the handle is stale: the transaction is refused as a whole
            except REFUSALS:
                continue


def opened(
    workload: Workload,
    system: SimulatedSystem | None,
    classes: list[type[Table]] | None = None,
    **more: Any,
) -> DB:
    """The workload's database on a simulated machine, opened by this process.

    One that migrates has the tables of its catalog, any other one its ``classes``.
    """
    options = {**workload.options, **more, "durability": workload.durability, "system": system}
    if workload.migrates:
        return DB.open(PATH, **options)
    return DB(classes or workload.classes(), PATH, **options)


def read_content(db: DB, workload: Workload) -> Any:
    """All rows that the engine gives, in the model's form."""
    return _rows(db, (workload.migrates and db.tables) or workload.tables)


def _rows(db: DB, tables: Iterable[str]) -> Any:
    return content_of(
        {name: {row["id"]: dict(row) for row in db.find_all(name)} for name in tables}
    )


_CALLS: dict[str, Callable[..., Any]] = {
    "insert": lambda db, table, values: dict(db.insert(table, values)),
    "insert_many": lambda db, table, rows: [dict(row) for row in db.insert_many(table, rows)],
    "update": lambda db, table, number, values: dict(db.update_by_id(table, number, values)),
    "delete": lambda db, table, number: db.delete_by_id(table, number),
    "truncate": lambda db, table, cascade: db.truncate(table, cascade),
    "vacuum": vacuumed_bit_by_bit,
    "find": lambda db, table, number: db.find_by_id(table, number),
}
