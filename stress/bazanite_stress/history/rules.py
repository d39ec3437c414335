"""What the tables of a history demand of each other's rows, at any time of it.

A migration changes the rules while others work, and one without an answer may have or not; so here
are those of before and those of after, all that any call can have met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bazanite_stress.explore.model import TableModel
from bazanite_stress.explore.workload import Step, more


class Reference(NamedTuple):
    """Rows of ``table`` refer to rows of ``target`` in this column; a delete of these does that."""

    table: str
    column: str
    target: str
    on_delete: str


class Unique(NamedTuple):
    """No two rows of the table may have the same values in these columns."""

    table: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """Those of all tables; a column may be in several, of different times."""

    references: frozenset[Reference] = frozenset()
    unique: frozenset[Unique] = frozenset()

    @classmethod
    def of(cls, tables: Mapping[str, TableModel], steps: Iterable[Step] = ()) -> Rules:
        """Of these tables, and of what the migrations among these steps make of them."""
        references: set[Reference] = set()
        unique: set[Unique] = set()
        for name, table in tables.items():
            references |= {
                found for column in table.columns.items() for found in _reference(name, *column)
            }
            unique |= {Unique(name, frozenset(key.columns)) for key in table.keys if key.unique}
        changes = [change for step in steps if step[0] == "migrate" for change in step[2]]
        size = -1
        while size != len(references) + len(unique):  # one may build on another, in any order
            size = len(references) + len(unique)
            for change in changes:
                _widen(references, unique, change)
        return cls(frozenset(references), frozenset(unique))

    def to(self, target: str) -> list[Reference]:
        """Those that refer to the rows of this table."""
        return [one for one in self.references if one.target == target]

    def of_table(self, table: str, columns: Iterable[str] | None = None) -> list[Reference]:
        """Those of the rows of this table, in these columns."""
        found = [one for one in self.references if one.table == table]
        return found if columns is None else [one for one in found if one.column in columns]


def _reference(table: str, column: str, kind: list[object]) -> list[Reference]:
    if kind[0] != "fk":
        return []
    return [Reference(table, column, str(kind[1]), more(kind).get("on_delete", "keep"))]


def _widen(references: set[Reference], unique: set[Unique], change: list[object]) -> None:
    """Add what holds behind this change to what held before it."""
    match change:
        case ["add_column" | "change_column", str(table), str(column), list(kind), *_]:
            references.update(_reference(table, column, kind))
        case ["set_on_delete", str(table), str(column), str(action)]:
            found = [one for one in references if (one.table, one.column) == (table, column)]
            references.update(one._replace(on_delete=action) for one in found)
        case ["add_unique", str(table), list(columns)]:
            unique.add(Unique(table, frozenset(columns)))
        case ["rename_column", str(table), str(column), str(to)]:
            found = [one for one in references if (one.table, one.column) == (table, column)]
            references.update(one._replace(column=to) for one in found)
            keys = [one for one in unique if one.table == table and column in one.columns]
            unique.update(one._replace(columns=one.columns - {column} | {to}) for one in keys)
        case ["rename_table", str(table), str(to)]:
            references.update([one._replace(table=to) for one in references if one.table == table])
            references.update(
                [one._replace(target=to) for one in references if one.target == table]
            )
            unique.update([one._replace(table=to) for one in unique if one.table == table])
