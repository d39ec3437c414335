"""The planner: by which way the rows of a query are come at.  Pure.

A way gives candidates, among them every row that the condition is true of; the condition itself is
asked of each.  Rules, not statistics: an index that is used with more of its columns is the better
one, and whoever walks along a way gives up when reading the whole table is cheaper (``fetch``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

from ..cond import (
    BETWEEN,
    EQ,
    GE,
    GT,
    IN,
    ISNULL,
    LE,
    LT,
    PREFIX,
    And,
    BaseCond,
    FieldCond,
    Not,
    Or,
)
from ..errors import ValidationError
from ..keyed import TableIndex, TableKeys
from .ask import Order, Query

_MOST_SPANS = 1000
"""Of an IN with more values than this, reading the table is as cheap."""
_NARROW = 1000
"""A range of no more rows is read and sorted, although another index has the order."""
_EQUALS = (EQ, IN, ISNULL)
_RANGES = (LT, LE, GT, GE, BETWEEN)
_STRETCHES = (*_RANGES, PREFIX)
_COMPARED = {
    bool, int, float, Decimal, str, bytes, bytearray, date, datetime, type(None),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """What a condition demands of one field, among other things: all of them must be true."""

    kind: type[BaseCond]
    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class ByIds:
    """Rows by their ids, ascending ranges, both ends included; None: no bound."""

    ranges: tuple[tuple[int, int | None], ...]


@dataclass(frozen=True, slots=True)
class ByIndex:
    """Rows by stretches of an index: (lowest key, highest key), ascending, without an overlap.

    ``used``: so many of its columns are equal to something in all of these rows.

    ``group``: by so many bytes of the key the rows are in the query's order; 0: in no order that it
    asks for.  ``sort``: rows that agree in these bytes are still to be sorted.
    """

    index: TableIndex
    spans: tuple[tuple[bytes, bytes], ...]
    used: int = 0
    group: int = 0
    sort: bool = True


@dataclass(frozen=True, slots=True)
class Either:
    """Rows that come by one of these ways."""

    ways: tuple[ByIds | ByIndex, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole table."""


Way = ByIds | ByIndex | Either | Whole


@dataclass(frozen=True, slots=True)
class Plan:
    """``ordered``: the way leads along the rows in the query's order (backwards, if that is).

    ``most``: beyond so many rows along it ``otherwise`` is to be tried; None: see ``fetch``.
    """

    way: Way
    ordered: bool
    most: int | None = None
    otherwise: Plan | None = None


def plan(keys: TableKeys, query: Query, *, stream: bool = False) -> Plan:
    """How to answer this query.  ``stream``: rows are wanted one after another, and not all kept.

    Values that a field's own values do not compare with make no use of an index.
    """
    terms = list(_terms(query.where))
    found = _best(keys, terms, query.order)
    if found is None and query.where is not None and not stream:  # a row may come by several ways
        found = _either(keys, query.where)
    if found is not None and (_is_narrow(found) or not query.order):
        return Plan(found, _is_ordered(found, query))
    by_range = None if found is None else Plan(found, _is_ordered(found, query))
    if by_range is not None and by_range.ordered:
        return by_range
    if query.order and (query.limit is not None or stream):
        for way in _in_order(keys, terms, query.order):
            in_order = Plan(way, ordered=True)
            if stream or by_range is None:
                return in_order
            return replace(by_range, most=_NARROW, otherwise=in_order)
    return by_range or Plan(Whole(), ordered=not query.order)


def _is_narrow(way: Way) -> bool:
    """Whether it begins with what a field equals, and not with a range, which may be wide."""
    return not (isinstance(way, ByIndex) and way.used == 0) and not (
        isinstance(way, ByIds) and any(low != high for low, high in way.ranges)
    )


def _is_ordered(way: Way, query: Query) -> bool:
    if not query.order:
        return False
    if isinstance(way, ByIndex):
        return way.group > 0
    return isinstance(way, ByIds) and query.order[0].field == "id"


def _terms(where: BaseCond | None) -> Iterator[Term]:
    """The terms that must all be true where the condition is."""
    if type(where) is And:
        assert isinstance(where, And)
        for part in where.parts:
            yield from _terms(part)
    elif type(where) is Not:
        assert isinstance(where, Not)
        if type(where.part) is ISNULL and len(where.part.params) == 1:
            (name,) = where.part.params
            yield Term(Not, name, None)
    elif isinstance(where, FieldCond):
        for name, value in where.params.items():
            term = Term(type(where), name, value)
            if all(map(compares_as_usual, _values(term))):
                yield term


def compares_as_usual(value: Any) -> bool:
    """Whether it is what keys are made for: not of a class that has comparisons of its own."""
    own = type(value)
    if own in _COMPARED:
        return True
    base = next((base for base in own.__mro__ if base in _COMPARED), None)
    names = ("__eq__", "__lt__", "__le__", "__gt__", "__ge__")
    return base is not None and all(getattr(own, n) is getattr(base, n) for n in names)


def _best(keys: TableKeys, terms: Sequence[Term], order: Sequence[Order]) -> Way | None:
    """The way by ids or by the index that uses most of these terms; None if none can be used."""
    if not terms:
        return None
    by_ids = _by_ids(terms)
    if by_ids is not None and _is_narrow(by_ids):
        return by_ids
    best: tuple[tuple[int, bool, bool], ByIndex] | None = None
    known = {term.field for term in terms}
    for index in keys.all:
        columns = index.spec.columns
        way = None
        if columns[0] in known and index.spec.ready:
            way = _by_index(index, terms, order)
        if way is None:
            continue
        if not way.spans:
            return way  # nothing can be found
        whole = way.used == len(columns)
        rank = (2 * way.used + _has_range(way, index, terms), way.group > 0, whole)
        if rank[0] and (best is None or rank > best[0]):
            best = rank, way
    if best is not None and (best[1].used or by_ids is None):
        return best[1]
    return by_ids


def _has_range(way: ByIndex, index: TableIndex, terms: Sequence[Term]) -> bool:
    columns = index.spec.columns
    return way.used < len(columns) and any(
        term.field == columns[way.used] and term.kind in _STRETCHES for term in terms
    )


def _either(keys: TableKeys, where: BaseCond) -> Way | None:
    """The ways of the parts of an Or, if each of them has one."""
    parts = where.parts if type(where) is And and isinstance(where, And) else (where,)
    choices = [part for part in parts if type(part) is Or and isinstance(part, Or)]
    for choice in choices:
        ways: list[ByIds | ByIndex] = []
        for part in choice.parts:
            way = _best(keys, list(_terms(part)), ())
            if not isinstance(way, (ByIds, ByIndex)):
                break
            ways.append(way)
        else:
            return Either(tuple(ways))
    return None


def _in_order(keys: TableKeys, terms: Sequence[Term], order: Sequence[Order]) -> Iterator[Way]:
    """The ways that lead along all rows in this order, by its first field at least."""
    if order[0].field == "id":
        yield _by_ids(terms) or ByIds(((1, None),))
    for index in keys.all:
        if index.spec.ready:
            way = _by_index(index, terms, order)
            if way is not None and way.group:
                yield way


# ------------------------------------------------------------------------------------------- by id


def _by_ids(terms: Sequence[Term]) -> ByIds | None:
    """By what is demanded of the id; None if that is nothing that helps."""
    wanted: set[int] | None = None
    low, high = 1, None
    helps = False
    for term in terms:
        if term.field != "id":
            continue
        values = [None] if term.kind is ISNULL else _values(term)
        if term.kind in _EQUALS:
            ids = [value for value in values if type(value) is int and value > 0]
            if any(type(value) not in (int, type(None)) for value in values):
                continue  # True == 1, and 1.0: whoever asks that gets no help
            wanted = set(ids) if wanted is None else wanted & set(ids)
        elif term.kind in _RANGES and all(type(value) is int for value in values):
            first, last = _id_bounds(term)
            low = max(low, first)
            high = last if high is None else high if last is None else min(high, last)
            helps = True
    if wanted is not None:
        kept = [pk for pk in sorted(wanted) if low <= pk and (high is None or pk <= high)]
        return ByIds(tuple((pk, pk) for pk in kept))
    if not helps:
        return None
    return ByIds(((low, high),) if high is None or low <= high else ())


def _values(term: Term) -> list[Any]:
    return list(term.value) if term.kind in (IN, BETWEEN) else [term.value]


def _id_bounds(term: Term) -> tuple[int, int | None]:
    value = term.value
    if term.kind is BETWEEN:
        return value[0], value[1]
    bounds: dict[type[BaseCond], tuple[int, int | None]] = {
        LT: (1, value - 1), LE: (1, value), GT: (value + 1, None), GE: (value, None),
    }  # fmt: skip
    return bounds[term.kind]


# ---------------------------------------------------------------------------------------- by index


def _by_index(index: TableIndex, terms: Sequence[Term], order: Sequence[Order]) -> ByIndex | None:
    """What these terms leave of an index; None if that is all of it, in no order that is wanted."""
    columns = index.spec.columns
    choices: list[list[Any]] = []
    for name in columns:
        values = next((_values(t) for t in terms if t.field == name and t.kind in _EQUALS), None)
        if values is None:
            break
        choices.append(values)
    used = len(choices)
    single = all(len(values) == 1 for values in choices)
    group, sort = _group(index, used, order) if order and single else (0, True)
    ranges = [t for t in terms if used < len(columns) and t.field == columns[used]]
    spans: list[tuple[bytes, bytes]] = []
    count = 1
    for values in choices:
        count *= len(values)
    if count > _MOST_SPANS:
        return None
    with suppress(ValidationError):  # a value that does not compare: the search says what it means
        for equal in product(*choices):
            spans += _spans(index, equal, ranges)
        if used or group or any(t.kind in _STRETCHES for t in ranges):
            return ByIndex(index, _apart(spans), used, group, sort)
    return None


def _spans(
    index: TableIndex, equal: Sequence[Any], ranges: Sequence[Term]
) -> list[tuple[bytes, bytes]]:
    """The keys of rows whose first columns have these values, and whose next one is in a range."""
    maker = index.maker
    low, high = maker.bounds(equal)
    for term in ranges:
        if term.kind is Not:
            bounds: tuple[bytes, bytes] | None = maker.not_null_bounds(equal)
        elif term.kind is PREFIX:
            bounds = maker.prefix_bounds(equal, term.value)
        elif term.kind is BETWEEN:
            bounds = maker.bounds(equal, *term.value)
        elif term.kind in (LT, LE):
            bounds = maker.bounds(equal, high=_not_null(term.value))
        elif term.kind in (GT, GE):
            bounds = maker.bounds(equal, _not_null(term.value))
        else:
            continue
        if bounds is not None:
            low, high = max(low, bounds[0]), min(high, bounds[1])
    return [(low, high)] if low <= high else []


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValidationError("nothing is less or greater than NULL")
    return value


def _apart(spans: list[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """The spans in order, those that overlap joined: values that differ may have one key."""
    if len(spans) <= 1:
        return tuple(spans)
    result: list[tuple[bytes, bytes]] = []
    for low, high in sorted(spans):
        if result and low <= result[-1][1]:
            result[-1] = result[-1][0], max(high, result[-1][1])
        else:
            result.append((low, high))
    return tuple(result)


def _group(index: TableIndex, used: int, order: Sequence[Order]) -> tuple[int, bool]:
    """By how many bytes of its keys the index has the rows in this order, and whether rows that
    agree in these are still to be sorted; its first ``used`` columns are the same in all of them.
    """
    columns, maker = index.spec.columns, index.maker
    wanted = [column for column in order if column.field not in columns[:used]]
    backwards = order[-1].descending
    matching, exact = 0, True
    for name, column in zip(columns[used:], wanted, strict=False):
        if name != column.field or column.descending != backwards or not exact:
            break
        exact = maker.is_exact(used + matching)
        matching += 1
    if not matching and wanted:
        return 0, True
    same = used + matching
    sorted_ = (
        matching == len(wanted) and same == len(columns) and all(map(maker.is_exact, range(same)))
    )
    return maker.size_of(same), not sorted_
