"""Adding rows up: how many there are, sums, least and greatest values, of all or by groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Context, localcontext
from operator import gt, lt
from typing import TYPE_CHECKING, Any, cast

from bazanite_wal.layer import View

from ..codec import Layout
from ..cond import ISNULL, BaseCond
from ..decimals import DECIMAL, MOST_DIGITS
from ..errors import ValidationError, shown_value
from ..freestack import FreeStack
from ..kinds import NUMBERS
from ..row import Row
from ..schema import Schema
from .ask import Order, Query, check_has_order, checked_names
from .fetch import TooMany, by_plan
from .order import sortable
from .plan import Whole, plan
from .select import keys_of
from .values import Columns, column_values

if TYPE_CHECKING:
    from ..storage import Storage
    from ..table import Table

_EXACT = Context(prec=2 * MOST_DIGITS, traps=[])
"""Rounds no sum of as many numbers as a table can have, each of as many digits as it may."""
Totals = dict[Hashable, Any]
"""What was added up for each group."""


class Aggregate(ABC):
    """What a group of rows adds up to; of a field, NULL left out."""

    def __init__(self, field: str) -> None:
        given: object = field
        if not isinstance(given, str):
            raise ValidationError(f"{shown_value(field)}: no such field")
        self.field: str | None = field

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.field is None else repr(self.field)})"

    def check(self, schema: Schema) -> None:
        """ValidationError if the table has no such field, or it cannot be added up so."""
        if self.field is not None:
            schema.check_names([self.field])

    @abstractmethod
    def add(self, totals: Totals, groups: Sequence[Hashable], values: Sequence[Any]) -> None:
        """Add a batch of rows: the group of each and its value, which may be None."""

    @abstractmethod
    def none(self) -> Any:
        """What a group without values adds up to."""


class COUNT(Aggregate):
    """How many rows there are; with a field, those of which it is not NULL."""

    def __init__(self, field: str | None = None) -> None:
        if field is None:
            self.field = None
        else:
            super().__init__(field)

    def add(self, totals: Totals, groups: Sequence[Hashable], values: Sequence[Any]) -> None:
        if self.field is not None:
            groups = [g for g, value in zip(groups, values, strict=True) if value is not None]
        for group, count in Counter(groups).items():
            totals[group] = totals.get(group, 0) + count

    def none(self) -> int:
        return 0


class SUM(Aggregate):
    """The sum of a field of numbers; 0 of none."""

    def check(self, schema: Schema) -> None:
        super().check(schema)
        assert self.field is not None
        kind = schema.type_of(self.field)
        if type(kind) not in (*NUMBERS, DECIMAL):
            raise ValidationError(f"'{self.field}': a {type(kind).__name__} cannot be added up")

    def add(self, totals: Totals, groups: Sequence[Hashable], values: Sequence[Any]) -> None:
        get = totals.get
        with localcontext(_EXACT):  # the program's own may round to a few digits
            for group, value in zip(groups, values, strict=True):
                if value is not None:
                    totals[group] = get(group, 0) + value

    def none(self) -> int:
        return 0


class MIN(Aggregate):
    """The least value; None of none."""

    _before: Callable[[Any, Any], bool] = staticmethod(lt)

    def check(self, schema: Schema) -> None:
        super().check(schema)
        assert self.field is not None
        check_has_order(schema, self.field)

    def add(self, totals: Totals, groups: Sequence[Hashable], values: Sequence[Any]) -> None:
        before, get = self._before, totals.get
        for group, value in zip(groups, values, strict=True):
            if value is not None:
                known = get(group)
                if known is None or before(value, known):
                    totals[group] = value

    def none(self) -> None:
        return None


class MAX(MIN):
    """The greatest value; None of none."""

    _before = staticmethod(gt)


def total(storage: Storage, table: Table, where: BaseCond | None, aggregate: Aggregate) -> Any:
    """What all rows for which the condition is true add up to."""
    aggregate.check(table.schema)
    if isinstance(aggregate, MIN) and aggregate.field is not None:
        found = _outermost(storage, table, where, aggregate.field, isinstance(aggregate, MAX))
        if found is not None:
            return found[0][aggregate.field] if found else None
    if where is None and aggregate.field is None:
        with storage.store.reading() as view:
            return live_count(storage.verified(view, table), table.layout)
    totals: Totals = {}

    def add(count: int, columns: Columns) -> None:
        aggregate.add(totals, [()] * count, columns[0] if columns else ())

    field = aggregate.field
    _each_batch(storage, table, where, [] if field is None else [field], add)
    return totals.get((), aggregate.none())


def _outermost(
    storage: Storage, table: Table, where: BaseCond | None, field: str, greatest: bool
) -> list[Row] | None:
    """The row with the least or the greatest value, if there is one, by an index; else None."""
    not_null = ~ISNULL(field)
    both = not_null if where is None else not_null & where
    query = Query(both, order=(Order(field, greatest),), limit=1)
    with storage.store.reading() as view:
        verified = storage.verified(view, table)
        how = plan(keys_of(storage, table), query)
        if how.ordered and not isinstance(how.way, Whole):
            with suppress(TooMany):
                return by_plan(verified, table.layout, how, query)
    return None


def live_count(view: View, layout: Layout) -> int:
    """How many rows a table has: its slots but for those that wait to be used again."""
    free = FreeStack(view, layout.files, layout.int_width).count
    return layout.codec.slot_count(view) - free


def group_by(
    storage: Storage,
    table: Table,
    by: str | Iterable[str],
    aggregates: Mapping[str, Aggregate],
    where: BaseCond | None,
) -> list[Row]:
    """A row for each group of rows that have the same values in the fields ``by``, NULL included.

    It has these values and, by their names, what the aggregates say of the group; in the order of
    the values, NULL first.
    """
    names = _groupable(table.schema, by)
    _check(table.schema, names, aggregates)
    fields = list(dict.fromkeys([*names, *(a.field for a in aggregates.values() if a.field)]))
    seen: dict[Hashable, None] = {}
    totals: dict[str, Totals] = {name: {} for name in aggregates}

    def add(_count: int, columns: Columns) -> None:
        found = dict(zip(fields, columns, strict=True))
        keys = [found[name] for name in names]
        groups: list[Hashable] = keys[0] if len(keys) == 1 else list(zip(*keys, strict=True))
        seen.update(dict.fromkeys(groups))
        for name, aggregate in aggregates.items():
            aggregate.add(totals[name], groups, found[aggregate.field] if aggregate.field else ())

    _each_batch(storage, table, where, fields, add)
    result: list[Row] = []
    for group in seen:
        values: Iterable[Any] = (group,) if len(names) == 1 else cast("tuple[Any, ...]", group)
        row = Row(zip(names, values, strict=True))
        for name, aggregate in aggregates.items():
            row[name] = totals[name].get(group, aggregate.none())
        result.append(row)
    result.sort(key=lambda row: [sortable(row[name]) for name in names])
    return result


def _groupable(schema: Schema, by: str | Iterable[str]) -> list[str]:
    names = list(dict.fromkeys(checked_names(by, "a field to group by, or a list of them")))
    schema.check_names(names)
    if not names:
        raise ValidationError("There is no field to group by")
    for name in names:
        check_has_order(schema, name)
    return names


def _check(schema: Schema, names: Sequence[str], aggregates: object) -> None:
    if not isinstance(aggregates, Mapping):
        raise ValidationError(f"{shown_value(aggregates)} does not map names to aggregates")
    for name, aggregate in aggregates.items():
        if not isinstance(name, str) or not isinstance(aggregate, Aggregate):
            shown = shown_value(aggregate)
            raise ValidationError(f"{shown_value(name)}: {shown} is no aggregate such as COUNT()")
        if name in names:
            raise ValidationError(f"'{name}': an aggregate and a field have this name")
        aggregate.check(schema)


def _each_batch(
    storage: Storage,
    table: Table,
    where: BaseCond | None,
    fields: Sequence[str],
    add: Callable[[int, Columns], None],
) -> None:
    """Give ``add`` the rows for which the condition is true: how many, and their values of these
    fields.  All are of one state.
    """
    with storage.store.reading() as view:
        verified = storage.verified(view, table)
        query = Query(where)
        how = plan(keys_of(storage, table), query)
        if not isinstance(how.way, Whole):
            with suppress(TooMany):
                rows = by_plan(verified, table.layout, how, query)
                add(len(rows), [[row[name] for row in rows] for name in fields])
                return
        for count, columns in column_values(verified, table.layout.codec, where, fields):
            add(count, columns)
