"""The first rows of an order in which no index has them: one pass over the columns to sort by.

What cannot be among the first rows any more is left out by its first column, before anything else
of it is looked at; only the rows that are wanted are made in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import le, lt
from typing import Any, NamedTuple

from bazanite_wal.layer import View

from ..codec import RowCodec
from ..row import Row
from ..search import found, pieces_found, split
from .ask import Order, Query
from .order import sort_key
from .values import ColumnReader

MOST_ROWS = 10_000
"""Of more rows than this all are made and sorted."""

_Candidate = tuple[list[Any], int]
"""What decides where a row stands, its slot last; and the slot."""


def first_slots(view: View, codec: RowCodec, query: Query) -> list[int]:
    """The slots of the first rows that the query wants, in its order, those of its offset too."""
    assert query.wanted is not None
    wanted, order = query.wanted, query.order
    best: list[_Candidate] = []
    for batch in _batches(view, codec, query) if wanted else ():
        places: Sequence[int] = range(len(batch.slots))
        if len(best) == wanted:
            places = _not_behind(batch.first, best[-1][0][0], order, wanted)
        columns = [[batch.first[place] for place in places], *batch.others(places)]
        for place, values in zip(places, zip(*columns, strict=True), strict=True):
            slot = batch.slots[place]
            best.append((sort_key(values, slot, order), slot))
        best.sort()
        del best[wanted:]
    return [slot for _, slot in best]


class _Batch(NamedTuple):
    """Rows for which the condition is true: slots, values of the first field to sort by, and a
    function that reads those of the others, at some places in the batch.
    """

    slots: list[int]
    first: list[Any]
    others: Callable[[Sequence[int]], list[list[Any]]]


def _batches(view: View, codec: RowCodec, query: Query) -> Iterator[_Batch]:
    fields = [order.field for order in query.order]
    test, rest = split(codec, query.where)
    if rest is not None or codec.text_fields.keys() & set(fields):
        for slots, rows in found(view, codec, query.where):
            yield _batch_of_rows(slots, rows, fields)
        return
    readers = [ColumnReader(codec, field) for field in fields]
    size = codec.row_size

    def others(slots: list[int], data: bytes, places: Sequence[int]) -> list[list[Any]]:
        if len(readers) == 1:
            return []
        wanted = b"".join([data[place * size : (place + 1) * size] for place in places])
        try:
            return [reader.values(wanted) for reader in readers[1:]]
        except ValueError:  # damage, which the look at each row tells of
            rows = codec.rows_of_slots([slots[place] for place in places], wanted)
            return [[row[field] for row in rows] for field in fields[1:]]

    for slots, data in pieces_found(view, codec, test):
        try:
            yield _Batch(slots, readers[0].values(data), partial(others, slots, data))
        except ValueError:
            yield _batch_of_rows(slots, codec.rows_of_slots(slots, data), fields)


def _batch_of_rows(slots: list[int], rows: list[Row], fields: list[str]) -> _Batch:
    def others(places: Sequence[int]) -> list[list[Any]]:
        return [[rows[place][field] for place in places] for field in fields[1:]]

    return _Batch(slots, [row[fields[0]] for row in rows], others)


def _not_behind(
    values: list[Any], worst: Any, order: Sequence[Order], wanted: int
) -> Sequence[int]:
    """Where in this column stand values that may come before the worst one that is wanted.

    Rows behind in the table come behind equal ones if nothing else is sorted by, or, in descending
    order, before them; of these the last ones are enough.
    """
    alone = len(order) == 1
    if order[0].descending:
        known, limit = worst.value
        if known:
            found = [n for n, v in enumerate(values) if v is not None and v >= limit]
        else:
            found = list(range(len(values)))
        if not alone or len(found) <= wanted:
            return found
        equal = [n for n in found if _is(values[n], known, limit)]
        spared = set(equal[:-wanted])
        return [n for n in found if n not in spared]
    known, limit = worst
    if known:
        below = lt if alone else le
        return [n for n, v in enumerate(values) if v is None or below(v, limit)]
    return [] if alone else [n for n, v in enumerate(values) if v is None]


def _is(value: Any, known: bool, limit: Any) -> bool:
    """Whether it is this value, or NULL if that is not known."""
    return bool(value == limit) if known and value is not None else known == (value is not None)
