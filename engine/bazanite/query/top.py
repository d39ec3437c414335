"""The first rows of an order in which no index has them: one pass over the columns to sort by.

What cannot be among the first rows any more is left out by its first column, before anything else
of it is looked at; only the rows that are wanted are made in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import ge, le, lt
from typing import Any, NamedTuple

from bazanite_wal.layer import View

from ..codec import RowCodec
from ..columns import MANY_ROWS, numpy
from ..row import Row
from ..search import found, pieces_found, split
from .ask import Order, Query
from .order import sort_key
from .values import ColumnReader

MOST_ROWS = 10_000
"""Of more rows than this all are made and sorted."""


class _Candidate(NamedTuple):
    """What decides where a row stands, its slot last; the slot; its value of the first field."""

    key: list[Any]
    slot: int
    first: Any


def first_slots(view: View, codec: RowCodec, query: Query) -> list[int]:
    """The slots of the first rows that the query wants, in its order, those of its offset too."""
    assert query.wanted is not None
    wanted, order = query.wanted, query.order
    kind = codec.schema.type_of(order[0].field)
    best: list[_Candidate] = []
    for batch in _batches(view, codec, query) if wanted else ():
        places: Sequence[int] = range(len(batch.slots))
        if len(best) == wanted:
            worst = best[-1].first
            limit = kind.serialize(worst) if batch.raw else worst
            places = _not_behind(batch.first, limit, order, wanted, raw=batch.raw)
        for place, values in zip(places, zip(*batch.columns(places), strict=True), strict=True):
            slot = batch.slots[place]
            best.append(_Candidate(sort_key(values, slot, order), slot, values[0]))
        best.sort()
        del best[wanted:]
    return [candidate.slot for candidate in best]


class _Batch(NamedTuple):
    """Rows for which the condition is true.

    ``first`` is what the first field to sort by has in each, values or, if ``raw``, bytes in the
    order of the values; ``columns`` gives the values of all fields to sort by at some places.
    """

    slots: Sequence[int]
    first: Sequence[Any]
    raw: bool
    columns: Callable[[Sequence[int]], list[list[Any]]]


def _batches(view: View, codec: RowCodec, query: Query) -> Iterator[_Batch]:
    fields = [order.field for order in query.order]
    test, rest = split(codec, query.where)
    if rest is not None or codec.text_fields.keys() & set(fields):
        for live, rows in found(view, codec, query.where):
            yield _batch_of_rows(live, rows, fields)
        return
    readers = [ColumnReader(codec, field) for field in fields]
    size = codec.row_size

    def columns(slots: Sequence[int], data: bytes, places: Sequence[int]) -> list[list[Any]]:
        if len(places) < len(slots):
            data = b"".join([data[place * size : (place + 1) * size] for place in places])
        try:
            return [reader.values(data) for reader in readers]
        except ValueError:  # damage, which the look at each row tells of
            rows = codec.rows_of_slots([slots[place] for place in places], data)
            return [[row[field] for row in rows] for field in fields]

    np = numpy(wanted=codec.slot_count(view) >= MANY_ROWS)
    for slots, data in pieces_found(view, codec, test):
        raw = readers[0].in_order(data, np)
        if raw is not None:
            yield _Batch(slots, raw, True, partial(columns, slots, data))
            continue
        try:
            yield _Batch(slots, readers[0].values(data), False, partial(columns, slots, data))
        except ValueError:
            yield _batch_of_rows(slots, codec.rows_of_slots(slots, data), fields)


def _where(values: Any, compare: Callable[[Any, Any], Any], limit: bytes) -> list[int]:
    """Where this is true of bytes in a list or an array of NumPy's."""
    if isinstance(values, list):
        return [n for n, value in enumerate(values) if compare(value, limit)]
    places: list[int] = compare(values, limit).nonzero()[0].tolist()
    return places


def _batch_of_rows(slots: Sequence[int], rows: list[Row], fields: list[str]) -> _Batch:
    def columns(places: Sequence[int]) -> list[list[Any]]:
        return [[rows[place][field] for place in places] for field in fields]

    return _Batch(slots, [row[fields[0]] for row in rows], False, columns)


def _not_behind(
    values: Sequence[Any], limit: Any, order: Sequence[Order], wanted: int, *, raw: bool
) -> Sequence[int]:
    """Where in this column stand values that may come before the worst one that is wanted.

    ``raw``: they are bytes, of which those of NULL are the least.

    Rows behind in the table come behind equal ones if nothing else is sorted by, or, in descending
    order, before them; of these the last ones are enough.
    """
    alone = len(order) == 1
    if order[0].descending:
        if limit is None:
            found = list(range(len(values)))
        elif raw:
            found = _where(values, ge, limit)
        else:
            found = [n for n, value in enumerate(values) if value is not None and value >= limit]
        if not alone or len(found) <= wanted:
            return found
        spared = set([n for n in found if values[n] == limit][:-wanted])
        return [n for n in found if n not in spared]
    if limit is None:
        return [] if alone else [n for n, value in enumerate(values) if value is None]
    if raw:
        return _where(values, lt if alone else le, limit)
    if alone:
        return [n for n, value in enumerate(values) if value is None or value < limit]
    return [n for n, value in enumerate(values) if value is None or value <= limit]
