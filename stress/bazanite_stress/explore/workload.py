"""What an exploration does to a database, as plain data that a file can hold.

A step is a list: the call's name, then its arguments.

    ["insert", table, values]            ["insert_many", table, [values, ...]]
    ["update", table, id, values]        ["delete", table, id]
    ["truncate", table, cascade]         ["find", table, id]
    ["vacuum", table]                    two rows at a time
    ["read"]                             all rows of all tables
    ["backup"]                           the same, of a backup that is made and opened
    ["checkpoint"]                       ["reopen"]
    ["transaction", [step, ...]]         all or nothing; inside another one a savepoint
    ["rollback", [step, ...]]            the same, left by an exception
    ["lock", [step, ...]]                under ``db.storage.lock()``
    ["migrate", version, [change, ...]]  the changes of ``schema_model``
    ["archive", bytes]                   archive the log, keeping so much; 0: no more

Ids given out automatically are 1, 2, ... in each table.  Steps may fail (a row that is not there,
an id that is taken): the model says so too, and nothing changes.  A checkpoint and a reopen stand
in no group: there the engine refuses them.  Nor does a read, a backup, a migration or an archive.

The tables of a workload that migrates are opened as the directory's catalog has them, not by
classes: after a crash nobody else knows which ones they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bazanite import CHAR, FK, INT, PK, TEXT, Field, Schema, Table
from bazanite.fields import KEEP

from .workload_check import GROUPS, check_workload

__all__ = ["GROUPS", "Columns", "Step", "Workload", "all_steps", "calls", "table_class"]

Step = list[Any]
"""A call's name and its arguments; JSON can hold it."""

Columns = Mapping[str, list[Any]]
"""Column name to type and arguments: ["char", 8], ["int"], ["text"], ["fk", "people"].

Last may come an object of keyword arguments: ["fk", "people", {"on_delete": "cascade"}] (else
"keep"), ["char", 8, {"unique": true}], ["int", {"index": true}].
"""

_TYPES = {"int": INT, "char": CHAR, "text": TEXT, "fk": FK}
_SMALL_LOG = {"log_size_bytes": 8192}


@dataclass(frozen=True, slots=True)
class Workload:
    """Tables, how the directory is opened, what is there before, and what is explored.

    ``tables`` maps names to columns (the id comes by itself).  ``setup`` runs first and is closed
    and durable; None means that the directory does not exist yet, so that making it is explored.
    ``options`` are what ``DB`` takes besides; the log has 8 KiB unless they say otherwise, since
    every simulated disk has it whole.  ``before`` says how the setup left the directory, where that
    differs: it was opened with other "options", with some "tables" only, or is as "bazoola" leaves
    it, without catalog and log; so that what the opening makes of it is explored.
    ``explore_from`` is the first step whose crash points are explored.
    """

    name: str
    tables: Mapping[str, Columns]
    steps: list[Step]
    setup: list[Step] | None = field(default_factory=list)
    durability: str = "full"
    options: Mapping[str, Any] = field(default_factory=dict)
    explore_from: int = 0
    before: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.options, Mapping):
            object.__setattr__(self, "options", _SMALL_LOG | dict(self.options))

    @property
    def migrates(self) -> bool:
        """Whether any step changes the schema."""
        return any(step[0] == "migrate" for step in self.steps)

    @property
    def steady_table(self) -> str:
        """The first table that no migration renames or drops."""
        gone = {
            change[1]
            for step in self.steps
            if step[0] == "migrate"
            for change in step[2]
            if change[0] in ("rename_table", "drop_table")
        }
        return next(name for name in self.tables if name not in gone)

    def classes(self) -> list[type[Table]]:
        """The table classes, made anew."""
        return [table_class(name, columns) for name, columns in self.tables.items()]

    def with_steps(self, steps: list[Step]) -> Workload:
        """The same with other steps, all of them explored."""
        return replace(self, steps=steps, explore_from=0)

    def as_json(self) -> dict[str, Any]:
        """For a replay file."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Workload:
        """What ``as_json`` gave; TypeError or ValueError for anything else."""
        workload = cls(**document)
        check_workload(workload)
        return workload

    def as_before(self) -> Workload:
        """What the setup does, with the tables and options that it was opened with."""
        names = self.before.get("tables", self.tables)
        tables = {name: columns for name, columns in self.tables.items() if name in names}
        options = self.before.get("options", self.options)
        return Workload("setup", tables, self.setup or [], None, "full", options)


def calls(steps: list[Step]) -> Iterator[Step]:
    """The steps that are atomic, in order: those under a lock, which is not, one by one."""
    for step in steps:
        if step[0] == "lock":
            yield from calls(step[1])
        else:
            yield step


def all_steps(steps: list[Step]) -> Iterator[Step]:
    """Every step, groups and those within them included."""
    for step in steps:
        yield step
        if step[0] in GROUPS:
            yield from all_steps(step[1])


def arguments(kind: list[Any]) -> list[Any]:
    """A column type's arguments by position."""
    return [argument for argument in kind[1:] if not isinstance(argument, dict)]


def more(kind: list[Any]) -> dict[str, Any]:
    """A column type's arguments by name."""
    return kind[-1] if isinstance(kind[-1], dict) else {}


def field_of(column: str, kind: list[Any]) -> Field:
    """A column, which may be NULL."""
    options = {"null": True} | ({"on_delete": KEEP} if kind[0] == "fk" else {})
    return Field(column, _TYPES[kind[0]](*arguments(kind), **options | more(kind)))


def table_class(name: str, columns: Columns) -> type[Table]:
    """A table with an id and these columns, all of which may be NULL."""
    fields = [Field("id", PK()), *(field_of(*column) for column in columns.items())]
    return type(name.title(), (Table,), {"name": name, "schema": Schema(fields)})
