"""What a query asks for, checked against the table: which rows, in which order, how many, of which
fields.  Pure.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict, Unpack

from ..cond import BaseCond
from ..errors import ValidationError, listed, shown_value
from ..join import BaseJoin, checked_joins
from ..keys import key_size
from ..schema import Schema


class Order(NamedTuple):
    """A field to sort by; NULL is below every value."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """``fields``: those of each row, None for all.  ``limit``: so many rows at the most, None: all.

    Rows that are equal in what is sorted by come in the order of their slots, backwards if the last
    field to sort by is descending.
    """

    where: BaseCond | None = None
    fields: tuple[str, ...] | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    joins: tuple[BaseJoin, ...] = ()

    @property
    def wanted(self) -> int | None:
        """How many rows are needed to answer it; None: all."""
        return None if self.limit is None else min(self.offset + self.limit, sys.maxsize)

    @property
    def backwards(self) -> bool:
        """Whether equal rows come in the order of falling slots."""
        return bool(self.order) and self.order[-1].descending


class Options(TypedDict, total=False):
    """What a call may say of a query besides its condition."""

    fields: Iterable[str] | None
    order_by: str | Iterable[str] | None
    limit: int | None
    offset: int
    joins: Sequence[BaseJoin] | None


def query(schema: Schema, where: BaseCond | None = None, **options: Unpack[Options]) -> Query:
    """The query that these arguments of a call describe; ValidationError if they describe none."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"no such option of a query: {', '.join(sorted(unknown))}")
    check_where(schema, where)
    fields, limit, offset = options.get("fields"), options.get("limit"), options.get("offset", 0)
    names = None
    if fields is not None:
        names = tuple(checked_names(fields, "a list of fields"))
        schema.check_names(names)
    if limit is not None:
        limit = _count("limit", limit)
    offset = _count("offset", offset)
    order = orders(schema, options.get("order_by"))
    joins = tuple(checked_joins(options.get("joins") or ()))
    return Query(where, names, order, limit, offset, joins)


def check_where(schema: Schema, where: object) -> None:
    """ValidationError unless it is a condition that makes sense for such a table, or None."""
    if where is None:
        return
    if not isinstance(where, BaseCond):
        raise ValidationError(f"{shown_value(where)} is not a condition")
    where.check_fields(schema)


def orders(schema: Schema, order_by: str | Iterable[str] | None) -> tuple[Order, ...]:
    """The fields of ``order_by``: a name, or a list of them, descending with ``-`` in front.

    Those that decide nothing, as all behind the id, are left out.
    """
    if order_by is None:
        return ()
    result: list[Order] = []
    for name in checked_names(order_by, "a field to sort by, or a list of them"):
        order = Order(name)
        if name not in schema.names and name.startswith("-"):
            order = Order(name[1:], descending=True)
        schema.check_names([order.field])
        check_has_order(schema, order.field)
        if not {order.field, "id"} & {other.field for other in result}:
            result.append(order)  # else it decides nothing
    return tuple(result)


def check_has_order(schema: Schema, name: str) -> None:
    """ValidationError unless the values of this field can be sorted."""
    kind = schema.type_of(name)
    if key_size(kind) is None:
        raise ValidationError(f"'{name}': the values of a {type(kind).__name__} have no order")


def checked_names(given: str | Iterable[str], expected: str) -> list[str]:
    """A name, or several, as a list; ValidationError if one is none."""
    names: list[str] = [given] if isinstance(given, str) else listed(given, expected)
    texts: list[object] = [*names]
    for name in texts:
        if not isinstance(name, str):
            raise ValidationError(f"{shown_value(name)} is not {expected}")
    return names


def _count(what: str, value: object) -> int:
    """The number of rows that this is, at most as many as Python can count in a sequence."""
    if type(value) is not int or value < 0:
        raise ValidationError(f"{what}={shown_value(value)}: must be a number from 0 on")
    return min(value, sys.maxsize)
