"""Finding the rows of a plan: along an index, by their ids, or through the whole table.

Pure over a view.  What is found is what the condition is true of, whatever way was taken, in the
order that the query asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, dropwhile, groupby, islice
from typing import NamedTuple

from bazanite_wal.layer import View

from ..btree import Entry
from ..codec import Layout
from ..cond import EQ, BaseCond
from ..errors import ValidationError
from ..keyed import TableIndex, TableKeys
from ..row import Row
from ..search import find, found
from .ask import Query
from .order import SlotRow, sorted_rows
from .plan import ByIds, ByIndex, Either, Plan, Way, Whole, compares_as_usual, plan
from .top import MOST_ROWS, first_slots

_SHARE = 16
"""Of more rows than one in so many, reading all of them costs less than each by itself."""
_FEW = 64
"""So many are read before it is asked how many rows there are, and at first of a whole table."""


class TooMany(Exception):
    """Reading the whole table is cheaper."""


def rows_of(view: View, layout: Layout, keys: TableKeys, query: Query) -> list[Row]:
    """The rows that the query asks for, as they are stored."""
    try:
        return by_plan(view, layout, plan(keys, query), query)
    except TooMany:
        return through_table(view, layout, query)


class Equality(NamedTuple):
    """What rows are to have in one column, and the key that they have in an index of it alone."""

    by: TableIndex
    key: bytes
    where: BaseCond


def key_of_equality(keys: TableKeys, query: Query) -> Equality | None:
    """How to find what a query asks for, if that is what one column equals that has an index."""
    where = query.where
    if type(where) is not EQ or len(where.params) != 1 or query.order or query.limit is not None:
        return None
    ((name, value),) = where.params.items()
    index = keys.alone.get(name)
    if index is None or query.offset or not compares_as_usual(value):
        return None
    try:
        key, _ = index.maker.bounds([value])
    except ValidationError:
        return None  # a value that does not compare: the search says what that means
    return Equality(index, key, where)


def by_equality(view: View, equality: Equality) -> list[Row]:
    """These rows, in slot order; TooMany if reading the whole table may be cheaper."""
    index, key, where = equality
    slots = index.tree.find(view, key)
    if len(slots) > _FEW:
        raise TooMany
    row_at = index.layout.codec.live_row_at
    rows = [row_at(view, slot) for slot in slots]
    return [row for row in rows if where.eval(row)]


def by_plan(view: View, layout: Layout, how: Plan, query: Query) -> list[Row]:
    """The same by this plan; TooMany if that is not the whole table, which would be cheaper."""
    if how.otherwise is not None:
        try:
            return _by_way(view, layout, how, query)
        except TooMany:
            return by_plan(view, layout, how.otherwise, query)
    return _by_way(view, layout, how, query)


def _by_way(view: View, layout: Layout, how: Plan, query: Query) -> list[Row]:
    if isinstance(how.way, Whole):
        return through_table(view, layout, query)
    along = entries_of(view, layout, how.way, query.backwards)
    entries = _affordable(view, layout, along, how.most)
    if query.where is None and not (query.order and (not how.ordered or _must_sort(how.way))):
        entries = islice(entries, query.offset, query.wanted)
        return [row for _, row in read(view, layout, (slot for _, slot in entries), None)]
    if how.ordered:
        if query.wanted is not None and query.wanted <= _FEW and not _must_sort(how.way):
            first = _first(view, layout, how.way, query, query.wanted)
            if first is not None:
                return first
        return _cut(_in_order(view, layout, how.way, entries, query), query, ordered=True)
    slots: Iterable[int] = (slot for _, slot in entries)
    if query.order or query.limit is None or isinstance(how.way, Either):
        slots = sorted(set(slots))
    return _cut(read(view, layout, slots, query.where), query, ordered=not query.order)


def _first(view: View, layout: Layout, way: Way, query: Query, wanted: int) -> list[Row] | None:
    """The first rows of a way, if all of its first entries fulfil the condition; else None."""
    row_at, where = layout.codec.live_row_at, query.where
    entries = list(islice(entries_of(view, layout, way, query.backwards), wanted))
    rows = [row_at(view, slot) for _, slot in entries]
    if where is not None and not all(map(where.eval, rows)):
        return None
    return rows[query.offset :]


def through_table(view: View, layout: Layout, query: Query) -> list[Row]:
    """The same by reading the whole table."""
    if query.order and query.wanted is not None and query.wanted <= MOST_ROWS:
        first = first_slots(view, layout.codec, query)[query.offset :]
        return [row for _, row in read(view, layout, first, None)]
    if query.order or query.limit is not None:
        return _cut(_whole(view, layout, query.where), query, ordered=not query.order)
    codec = layout.codec
    rows = codec.all_rows(view) if query.where is None else find(view, codec, query.where)
    return rows[query.offset :] if query.offset else rows


def _cut(rows: Iterator[SlotRow], query: Query, *, ordered: bool) -> list[Row]:
    """Those that are wanted, in the query's order."""
    if not ordered:
        rows = iter(sorted_rows(rows, query.order))
    return [row for _, row in islice(rows, query.offset, query.wanted)]


def _whole(view: View, layout: Layout, where: BaseCond | None) -> Iterator[SlotRow]:
    """The rows of the whole table for which the condition is true, in slot order.

    A few slots are read at first, as perhaps no more are needed, and then ever more.
    """
    begin, count = 0, layout.codec.slot_count(view)
    size = _FEW
    while begin < count:
        for slots, rows in found(view, layout.codec, where, begin, begin + size):
            yield from zip(slots, rows, strict=True)
        begin, size = begin + size, 2 * size


def read(
    view: View, layout: Layout, slots: Iterable[int], where: BaseCond | None
) -> Iterator[SlotRow]:
    """The rows of these slots for which the condition is true, one by one."""
    row_at = layout.codec.live_row_at
    for slot in slots:
        row = row_at(view, slot)
        if where is None or where.eval(row):
            yield slot, row


def _affordable(
    view: View, layout: Layout, entries: Iterator[Entry], most: int | None
) -> Iterator[Entry]:
    """The entries; TooMany if they are more than these, or than reading the whole table costs."""
    yield from islice(entries, _FEW)
    more = next(entries, None)
    if more is not None:
        cheaper = layout.codec.slot_count(view) // _SHARE
        most = cheaper if most is None else min(most, cheaper)
        yield from islice(chain((more,), entries), max(most - _FEW, 0))
        if most <= _FEW or next(entries, None) is not None:
            raise TooMany


def _in_order(
    view: View, layout: Layout, way: Way, entries: Iterator[Entry], query: Query
) -> Iterator[SlotRow]:
    """The rows of a way that leads along them in the query's order."""
    if not _must_sort(way):
        yield from read(view, layout, (slot for _, slot in entries), query.where)
        return
    assert isinstance(way, ByIndex)
    for _, group in groupby(entries, lambda entry: entry[0][: way.group]):
        slots = sorted(slot for _, slot in group)
        rows = read(view, layout, slots, query.where)
        yield from rows if len(slots) == 1 else sorted_rows(rows, query.order)


def _must_sort(way: Way) -> bool:
    """Whether rows that are equal by what leads along them are still to be sorted."""
    return isinstance(way, ByIndex) and way.sort


def entries_of(view: View, layout: Layout, way: Way, backwards: bool) -> Iterator[Entry]:
    """(key, slot) of the rows on this way, in its order or the other way round.

    By ids the key is the id.
    """
    if isinstance(way, ByIndex):
        spans = reversed(way.spans) if backwards else way.spans
        for low, high in spans:
            yield from _span(view, way, low, high, backwards)
    elif isinstance(way, ByIds):
        ranges = reversed(way.ranges) if backwards else way.ranges
        for first, last in ranges:
            if first == last:
                slot = layout.index.find(view, first) if first < layout.id_limit else None
                if slot is not None:
                    yield b"%d" % first, slot
            else:
                pairs = layout.index.range(view, first, last, backwards=backwards)
                yield from ((b"%d" % pk, slot) for pk, slot in pairs)
    elif isinstance(way, Either):
        for part in way.ways:
            yield from entries_of(view, layout, part, backwards)


def entries_behind(
    view: View, layout: Layout, way: Way, backwards: bool, last: Entry | None
) -> Iterator[Entry]:
    """The entries of the way behind this one, which need not be there any more; None: all."""
    if last is None:
        return entries_of(view, layout, way, backwards)
    key, _ = last
    if isinstance(way, ByIndex):
        spans = [span for low, high in way.spans if (span := _clip(low, high, key, backwards))]
        rest = entries_of(view, layout, replace(way, spans=tuple(spans)), backwards)
        return dropwhile(lambda e: e >= last if backwards else e <= last, rest)
    assert isinstance(way, ByIds)
    ranges: list[tuple[int, int | None]]
    if backwards:
        ranges = [(low, _least(high, int(key) - 1)) for low, high in way.ranges if low < int(key)]
    else:
        ranges = [
            (max(low, int(key) + 1), high)
            for low, high in way.ranges
            if high is None or high > int(key)
        ]
    return entries_of(view, layout, ByIds(tuple(ranges)), backwards)


def _least(high: int | None, other: int) -> int:
    return other if high is None else min(high, other)


def _clip(low: bytes, high: bytes, key: bytes, backwards: bool) -> tuple[bytes, bytes] | None:
    """What of a span is not before this key."""
    low, high = (low, min(high, key)) if backwards else (max(low, key), high)
    return (low, high) if low <= high else None


def _span(view: View, way: ByIndex, low: bytes, high: bytes, backwards: bool) -> Iterator[Entry]:
    tree = way.index.tree
    if low != high:
        return tree.range(view, low, high, reverse=backwards)
    slots = tree.find(view, low)
    return ((low, slot) for slot in (reversed(slots) if backwards else slots))
