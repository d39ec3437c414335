"""What an exploration does to a database, as plain data that a file can hold.

A step is a list: the call's name, then its arguments.

    ["insert", table, values]            ["insert_many", table, [values, ...]]
    ["update", table, id, values]        ["delete", table, id]
    ["truncate", table, cascade]         ["find", table, id]
    ["read"]                             all rows of all tables
    ["checkpoint"]                       ["reopen"]
    ["transaction", [step, ...]]         all or nothing; inside another one a savepoint
    ["rollback", [step, ...]]            the same, left by an exception
    ["lock", [step, ...]]                under ``db.storage.lock()``

Steps may fail (a row that is not there): the model says so too, and nothing changes.  A checkpoint
and a reopen stand in no group: there the engine refuses them.  Nor does a read.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bazanite import CHAR, FK, INT, PK, TEXT, Field, Schema, Table

Step = list[Any]
"""A call's name and its arguments; JSON can hold it."""

Columns = Mapping[str, list[Any]]
"""Column name to type and arguments: ["char", 8], ["int"], ["text"], ["fk", "people"]."""

_KINDS = ("int", "char", "text", "fk")
GROUPS = ("transaction", "rollback", "lock")
DURABILITIES = ("full", "normal", "off")


@dataclass(frozen=True, slots=True)
class Workload:
    """Tables, how the directory is opened, what is there before, and what is explored.

    ``tables`` maps names to columns (the id comes by itself).  ``setup`` runs first and is closed
    and durable; None means that the directory does not exist yet, so that making it is explored.
    ``explore_from`` is the first step whose crash points are explored.
    """

    name: str
    tables: Mapping[str, Columns]
    steps: list[Step]
    setup: list[Step] | None = field(default_factory=list)
    durability: str = "full"
    options: Mapping[str, Any] = field(default_factory=lambda: {"log_size_bytes": 8192})
    explore_from: int = 0

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
        workload.classes()
        if workload.durability not in DURABILITIES:
            raise ValueError(f"no such durability: {workload.durability!r}")
        _check_steps(workload, [*(workload.setup or ()), *workload.steps])
        return workload


_SIGNATURES: dict[str, tuple[type, ...]] = {
    "insert": (str, dict),
    "insert_many": (str, list),
    "update": (str, int, dict),
    "delete": (str, int),
    "truncate": (str, bool),
    "find": (str, int),
    "read": (),
    "checkpoint": (),
    "reopen": (),
    **dict.fromkeys(GROUPS, (list,)),
}


def _check_steps(workload: Workload, steps: list[Any], group: str = "") -> None:
    """ValueError for a step that can never be carried out; what only fails is legal."""
    for step in steps:
        if not isinstance(step, list) or not step or step[0] not in _SIGNATURES:
            raise ValueError(f"no such step: {step!r}")
        name, *arguments = step
        kinds = _SIGNATURES[name]
        if len(kinds) != len(arguments) or not all(map(isinstance, arguments, kinds)):
            wanted = ", ".join(kind.__name__ for kind in kinds) or "nothing"
            raise ValueError(f"{step!r}: {name} takes {wanted}")
        if group and not kinds:
            raise ValueError(f"{step!r}: no {name} within a {group}")
        if name in GROUPS:
            _check_steps(workload, arguments[0], name)
        elif kinds:
            _check_table(workload, step)


def _check_table(workload: Workload, step: Step) -> None:
    columns = workload.tables.get(step[1])
    if columns is None:
        raise ValueError(f"{step!r}: no table {step[1]!r}")
    rows = step[2] if step[0] == "insert_many" else [step[-1]]
    for values in rows:
        for name in values if isinstance(values, dict) else ():
            if name not in columns and name != "id":
                raise ValueError(f"{step!r}: {step[1]} has no column {name!r}")


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


def table_class(name: str, columns: Columns) -> type[Table]:
    """A table with an id and these columns, all of which may be NULL."""
    fields = [Field("id", PK())]
    for column, (kind, *arguments) in columns.items():
        if kind not in _KINDS:
            raise ValueError(f"{name}.{column}: no such type: {kind!r}")
        made = {"int": INT, "char": CHAR, "text": TEXT, "fk": FK}[kind]
        fields.append(Field(column, made(*arguments, null=True)))
    return type(name.title(), (Table,), {"name": name, "schema": Schema(fields)})


def load_workload(reference: str) -> Workload:
    """The workload that ``module:name`` means; ValueError or TypeError say what is wrong."""
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"{reference!r}: a workload is named as module:name")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{reference}: {error}") from error
    found = found() if callable(found) and not isinstance(found, Workload) else found
    if not isinstance(found, Workload):
        raise TypeError(f"{reference} is a {type(found).__name__}, not a Workload")
    return Workload.from_json(found.as_json())
