"""Answering a query row by row, in memory that does not grow with the table.

A batch at a time is read, each of one state of the database; between two of them no lock is held,
unless the caller holds it.  A row that is there all the while and is not changed comes exactly
once, though a vacuum moves it.  Rows that have to be sorted go through runs in a temporary file
(``order``).

A vacuum changes no id.  So where slots lead along the rows, the ids of those that came are kept, a
bit or so for each; once rows have moved, the others come by their ids.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeVar

from bazanite_wal.layer import View

from ..btree import Entry
from ..cond import BaseCond, is_built_in
from ..errors import SchemaMismatch
from ..join import with_joins
from ..keyed import TableIndex, TableKeys
from ..known import LayoutChanged
from ..row import Row
from ..search import found
from .ask import Query
from .fetch import entries_behind, read
from .idset import IdSet
from .order import SlotRow, Sorter
from .plan import ByIds, ByIndex, Plan, Whole, plan
from .select import keys_of, projected, select
from .top import MOST_ROWS

if TYPE_CHECKING:
    from ..storage import Storage
    from ..table import Table

T = TypeVar("T")
_MANY = 10_000
"""Where more rows have one key, and a vacuum moves them, all ids are gone through."""
_FIRST = 64
"""So many slots are read at first: perhaps the caller wants no more."""
_BATCH = 1000
"""So many entries of an index, or rows to join, are read at a time."""


def stream(storage: Storage, table: Table, query: Query) -> Iterator[Row]:
    """The rows that the query asks for, one after another.

    Within a transaction all of them are of one state.  SchemaMismatch if meanwhile a migration
    changed the table.
    """
    if query.order and query.wanted is not None and query.wanted <= MOST_ROWS:
        yield from select(storage, table, query)
        return
    reading = _Reading(storage, table, query.where)
    how = plan(reading.keys(), query, stream=True)
    rows = (row for _, row in islice(_rows(reading, how, query), query.offset, query.wanted))
    if not query.joins and query.fields is None:
        yield from rows
        return
    own = table.schema.names
    while batch := list(islice(rows, _BATCH)):
        if query.joins:
            with storage.store.reading():
                batch = with_joins(batch, query.joins, table)
        yield from projected(batch, query, own)


class _Reading:
    """Reads a batch of one state, without the lock where that is possible.

    A batch is told whether rows may have moved since the one before, to other slots; ``moved`` is
    whether they ever have.
    """

    def __init__(self, storage: Storage, table: Table, where: BaseCond | None) -> None:
        self._storage = storage
        self._quick = is_built_in(where)  # else as in ``stored``
        self.table = table
        self.layout = table.layout
        self.moved = False
        with storage.store.reading() as view:
            storage.verified(view, table)
            self._epoch = storage.layout_seen()

    def __call__(self, read_batch: Callable[[View, bool], T]) -> T:
        storage, table = self._storage, self.table
        known = storage.known
        if self._quick and not storage.covered and known.epoch == self._epoch:
            with suppress(LayoutChanged):
                return storage.quick_read(table, known, lambda view: read_batch(view, False))
        with storage.store.reading() as view:
            verified = storage.verified(view, table)
            epoch = storage.layout_seen()
            moved = epoch is None or epoch != self._epoch
            batch = read_batch(verified, moved)
            self._epoch = epoch
            self.moved |= moved
            return batch

    def keys(self) -> TableKeys:
        """The table's indexes now."""
        return keys_of(self._storage, self.table)

    def refuse_dropped(self, index: TableIndex) -> None:
        """SchemaMismatch if the table no longer has this index."""
        if index.spec not in [other.spec for other in self.keys().all]:
            raise SchemaMismatch(
                f"table '{self.table.name}' was changed by a migration while it was read:"
                " read it again, or within a transaction"
            )


def _rows(reading: _Reading, how: Plan, query: Query) -> Iterator[SlotRow]:
    rows = _found(reading, query) if isinstance(how.way, Whole) else _along(reading, how, query)
    if how.ordered or not query.order:
        yield from rows
    else:
        yield from _sorted(rows, query)


def _found(reading: _Reading, query: Query) -> Iterator[SlotRow]:
    """The rows of the whole table, chunk by chunk; once rows have moved, the rest by their ids."""
    codec = reading.layout.codec
    begin, size = 0, min(_FIRST, codec.rows_at_once)
    came = IdSet()

    def read_chunk(view: View, moved: bool) -> list[SlotRow] | None:
        if begin and (moved or begin >= codec.slot_count(view)):
            return None
        result: list[SlotRow] = []
        for slots, rows in found(view, codec, query.where, begin, begin + size):
            result += zip(slots, rows, strict=True)
        return result

    while (rows := reading(read_chunk)) is not None:
        begin, size = begin + size, min(2 * size, codec.rows_at_once)
        came.add([row["id"] for _, row in rows])
        yield from rows
        if reading.moved:
            break
    if reading.moved:
        yield from _by_ids(reading, query, came)


def _by_ids(reading: _Reading, query: Query, came: IdSet) -> Iterator[SlotRow]:
    """The rows that did not come yet, in the order of their ids, which a vacuum leaves alone."""
    last: Entry | None = None

    def read_batch(view: View, _moved: bool) -> tuple[list[SlotRow], Entry | None]:
        entries = entries_behind(view, reading.layout, ByIds(((1, None),)), False, last)
        batch = list(islice(entries, _BATCH))
        slots = [slot for pk, slot in batch if int(pk) not in came]
        rows = list(read(view, reading.layout, slots, query.where))
        return rows, batch[-1] if batch else None

    while True:
        rows, last = reading(read_batch)
        yield from rows
        if last is None:
            return


def _along(reading: _Reading, how: Plan, query: Query) -> Iterator[SlotRow]:
    """The rows on a way, in its order; of those that it does not tell apart, in the query's."""
    way = how.way
    if not isinstance(way, ByIndex):
        yield from (item for _, item in _batches(reading, how, query))
        return
    group = way.group if how.ordered and way.sort else None
    batches = _batches(reading, how, query)
    if group is None:
        yield from (item for _, item in batches)
        return
    for _, items in groupby(batches, lambda item: item[0][:group]):
        yield from _sorted((item for _, item in items), query)


def _batches(reading: _Reading, how: Plan, query: Query) -> Iterator[tuple[bytes, SlotRow]]:
    """The rows on a way, with their keys.

    Along an index rows with one key come by their slots.  So once rows have moved, the others of
    the key that it had come to come by their ids, and then those of the keys behind it.
    """
    way, last_of_key = how.way, -1 if query.backwards else sys.maxsize
    last: Entry | None = None
    came = IdSet()  # by the last key

    def read_batch(view: View, moved: bool) -> _Batch | None:
        if moved and isinstance(way, ByIndex):
            reading.refuse_dropped(way.index)
            if last is not None and last[1] != last_of_key:
                return None
        entries = entries_behind(view, reading.layout, way, query.backwards, last)
        batch = list(islice(entries, _BATCH))
        keys = {slot: key for key, slot in batch}
        rows = read(view, reading.layout, [slot for _, slot in batch], query.where)
        return [(keys[slot], (slot, row)) for slot, row in rows], batch[-1] if batch else None

    while True:
        batch = reading(read_batch)
        if batch is None:
            assert isinstance(way, ByIndex)
            assert last is not None
            key = last[0]
            yield from ((key, item) for item in _rest_of(reading, query, way.index, key, came))
            last = (key, last_of_key)
            continue
        rows, end = batch
        if end is not None:
            if last is None or last[0] != end[0]:
                came = IdSet()
            came.add([row["id"] for key, (_, row) in rows if key == end[0]])
            last = end
        yield from rows
        if end is None:
            return


_Batch = tuple[list[tuple[bytes, SlotRow]], Entry | None]


def _rest_of(
    reading: _Reading, query: Query, index: TableIndex, key: bytes, came: IdSet
) -> Iterator[SlotRow]:
    """The rows with this key that did not come yet, by their ids."""
    layout = reading.layout

    def read_ids(view: View, moved: bool) -> list[int] | None:
        if moved:
            reading.refuse_dropped(index)
        slots = [slot for _, slot in islice(index.tree.range(view, key, key), _MANY + 1)]
        if len(slots) > _MANY:
            return None
        rows = (layout.codec.live_row_at(view, slot) for slot in slots)
        return sorted(row["id"] for row in rows if row["id"] not in came)

    def read_some(view: View, moved: bool) -> list[SlotRow]:
        if moved:
            reading.refuse_dropped(index)
        slots = [slot for pk in some if (slot := layout.index.find(view, pk)) is not None]
        rows = read(view, layout, slots, query.where)
        return [(slot, row) for slot, row in rows if index.maker.key(row) == key]

    ids = reading(read_ids)
    if ids is None:  # whoever waits for the lock should not wait for all of them
        rows = _by_ids(reading, query, came)
        yield from (item for item in rows if index.maker.key(item[1]) == key)
        return
    for start in range(0, len(ids), _BATCH):
        some = ids[start : start + _BATCH]
        yield from reading(read_some)


def _sorted(rows: Iterator[SlotRow], query: Query) -> Iterator[SlotRow]:
    with closing(Sorter(query.order)) as sorter:
        yield from islice(sorter.sorted(rows), query.wanted)
