"""Joins: rows of another table put into a row, under a key.

Subclass ``BaseJoin`` for your own: ``join`` is given the value of ``fk_attr`` and the other table.
For the built-in joins over many rows each other table is read once (a hash join), or each wanted
row once, instead of once a row: n + m steps for n rows and m others, not n x m.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .cond import EQ
from .errors import ValidationError, listed, shown_value
from .row import Row

if TYPE_CHECKING:
    from .table import Table

_LOOKUPS_PER_SCAN = 16
"""Reading a row by id costs about as much as scanning this many."""


class BaseJoin(ABC):
    """What to add to a row: ``join`` returns the keys and values."""

    fk_attr: str
    foreign_table_name: str

    @abstractmethod
    def join(self, fk: Any, foreign_table: Table) -> dict[str, Any]:
        """What to add to a row whose ``fk_attr`` has this value; it may read the other table."""


class Join(BaseJoin):
    """Adds under ``key`` the row that ``fk_attr`` refers to, or None.

    ``joins`` are done for that row in turn: joins through as many levels as are wanted.
    """

    def __init__(
        self, fk_attr: str, key: str, foreign_table_name: str, joins: Iterable[BaseJoin] = ()
    ) -> None:
        _check_texts([fk_attr, key, foreign_table_name])
        self.fk_attr = fk_attr
        self.key = key
        self.foreign_table_name = foreign_table_name
        self.joins = checked_joins(joins)

    def __repr__(self) -> str:
        return _shown(self, f", joins={self.joins!r}" if self.joins else "")

    def join(self, fk: Any, foreign_table: Table) -> dict[str, Any]:
        row = None if _refers_to_nothing(fk) else foreign_table.find_by_id(fk)
        return {self.key: None if row is None else with_joins([row], self.joins, foreign_table)[0]}


class InverseJoin(Join):
    """Adds under ``key`` the list of rows whose ``fk_attr`` refers to this row.

    ``joins`` are done for those rows in turn.
    """

    def join(self, fk: Any, foreign_table: Table) -> dict[str, Any]:
        rows = foreign_table.find_by_cond(EQ(**{self.fk_attr: fk}))
        return {self.key: with_joins(rows, self.joins, foreign_table)}


class InverseCount(BaseJoin):
    """Adds under ``key`` how many rows of another table refer to this row, by ``fk_attr``.

    ``through`` are the tables in between, from this one on, each with its foreign key:
    ``InverseCount("department", "employees", "employees", through=[("store", "departments")])``
    counts the employees of all departments of a store.  Each table is read once, however many rows
    are counted, and no row of it is made.
    """

    def __init__(
        self,
        fk_attr: str,
        key: str,
        foreign_table_name: str,
        through: Iterable[tuple[str, str]] = (),
    ) -> None:
        steps = listed(through, "a list of pairs of a foreign key and a table")
        _check_texts([fk_attr, key, foreign_table_name])
        for step in steps:
            pair: object = step
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise ValidationError("A step of `through` is a pair of a foreign key and a table")
            _check_texts(pair)
        self.fk_attr = fk_attr
        self.key = key
        self.foreign_table_name = foreign_table_name
        self.through = steps

    def __repr__(self) -> str:
        return _shown(self, f", through={self.through!r}" if self.through else "")

    def join(self, fk: Any, foreign_table: Table) -> dict[str, Any]:
        return {self.key: self.counts(foreign_table)[fk]}

    def counts(self, foreign_table: Table) -> Counter[Any]:
        """How many rows there are for each id of the table that is counted for."""
        counts = foreign_table.count_by(self.fk_attr)
        for fk_attr, name in reversed(self.through):
            parents = foreign_table.sibling(name).links(fk_attr)
            above: Counter[Any] = Counter()
            for pk, count in counts.items():
                if pk in parents:  # else a reference to a row that was deleted
                    above[parents[pk]] += count
            counts = above
        return counts


def checked_joins(joins: Iterable[BaseJoin]) -> list[BaseJoin]:
    """The joins as a list; ValidationError unless each of them is one."""
    result = listed(joins, "a list of joins")
    given: list[object] = [*result]
    for join in given:
        if not (
            isinstance(join, BaseJoin)
            and isinstance(getattr(join, "fk_attr", None), str)
            and isinstance(getattr(join, "foreign_table_name", None), str)
        ):
            raise ValidationError(f"{shown_value(join)} is not a join with a field and a table")
    return result


def with_joins(rows: list[Row], joins: Iterable[BaseJoin], table: Table) -> list[Row]:
    """The rows of this table with what the joins add to each, in the same order."""
    for join in joins:
        rows = perform(rows, join, table.sibling(join.foreign_table_name))
    return rows


def perform(rows: list[Row], join: BaseJoin, foreign_table: Table) -> list[Row]:
    """The rows with what the join adds to each, in the same order."""
    source = "id" if isinstance(join, (InverseJoin, InverseCount)) else join.fk_attr
    for row in rows:
        if source not in row:
            raise ValidationError(f"'{source}': no such field to join on")
    if type(join) is InverseJoin:
        foreign_table.schema.check_names([join.fk_attr])
        if len(rows) > 1:
            return _grouped(rows, join, foreign_table)
    if type(join) is InverseCount:
        counts = join.counts(foreign_table)
        return [Row({**row, join.key: counts[row["id"]]}) for row in rows]
    if type(join) is Join and len(rows) > 1 and all(_is_reference(row[source]) for row in rows):
        return _looked_up(rows, join, foreign_table)
    return [Row({**row, **_added(join, row[source], foreign_table)}) for row in rows]


def _shown(join: Join | InverseCount, more: str) -> str:
    given = f"{join.fk_attr!r}, {join.key!r}, {join.foreign_table_name!r}"
    return f"{type(join).__name__}({given}{more})"


def _check_texts(texts: Iterable[object]) -> None:
    for text in texts:
        if not isinstance(text, str) or not text:
            raise ValidationError("A join needs a field, a key and a table")


def _added(join: BaseJoin, fk: Any, foreign_table: Table) -> Mapping[str, Any]:
    added: object = join.join(fk, foreign_table)
    if not isinstance(added, Mapping):
        raise ValidationError(f"A join must give keys and values, not {shown_value(added)}")
    return added


def _refers_to_nothing(value: Any) -> bool:
    """None, or a number that is no id: Bazoola stores a 0 unchecked."""
    return value is None or (isinstance(value, int) and value <= 0)


def _is_reference(value: Any) -> bool:
    return value is None or isinstance(value, int)


def _grouped(rows: list[Row], join: InverseJoin, table: Table) -> list[Row]:
    groups: dict[Any, list[Row]] = {row["id"]: [] for row in rows}
    others: list[Row] = []
    for other in table.iterate():
        try:
            if other[join.fk_attr] in groups:
                others.append(other)
        except TypeError:
            continue  # a program's own type; what has no hash is no id
    targets = [other[join.fk_attr] for other in others]  # a join could add a key of that name
    for target, other in zip(targets, with_joins(others, join.joins, table), strict=True):
        groups[target].append(other)
    if len(groups) == len(rows):
        return [Row({**row, join.key: groups[row["id"]]}) for row in rows]
    return [Row({**row, join.key: [Row(other) for other in groups[row["id"]]]}) for row in rows]


def _looked_up(rows: list[Row], join: Join, table: Table) -> list[Row]:
    values = {row[join.fk_attr] for row in rows}
    wanted = {value for value in values if not _refers_to_nothing(value)}
    found: dict[Any, Row | None]
    if len(wanted) * _LOOKUPS_PER_SCAN < table.slot_count():
        found = {pk: table.find_by_id(pk) for pk in wanted}
    else:
        found = {other["id"]: other for other in table.iterate() if other["id"] in wanted}
    there = {pk: other for pk, other in found.items() if other is not None}
    found = dict(zip(there, with_joins([*there.values()], join.joins, table), strict=True))
    result: list[Row] = []
    for row in rows:
        other = found.get(row[join.fk_attr])
        result.append(Row({**row, join.key: None if other is None else Row(other)}))
    return result
