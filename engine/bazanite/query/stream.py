"""Answering a query row by row, in memory that does not grow with the table.

A batch at a time is read, each of one state of the database; between two of them no lock is held,
unless the caller holds it.  A row that is there all the while and is not changed comes exactly
once.  Rows that have to be sorted go through runs in a temporary file (``order``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeVar

from bazanite_wal.layer import View
from bazanite_wal.shared import LAYOUT

from ..btree import Entry
from ..errors import SchemaMismatch
from ..join import with_joins
from ..known import LayoutChanged
from ..row import Row
from ..search import found
from .ask import Query
from .fetch import entries_behind, read
from .order import SlotRow, Sorter
from .plan import ByIndex, Plan, Whole, plan
from .select import keys_of, projected

if TYPE_CHECKING:
    from ..storage import Storage
    from ..table import Table

T = TypeVar("T")
_BATCH = 1000
"""So many entries of an index, or rows to join, are read at a time."""


def stream(storage: Storage, table: Table, query: Query) -> Iterator[Row]:
    """The rows that the query asks for, one after another.

    SchemaMismatch if meanwhile rows of a table were moved, by a vacuum or a migration: no row would
    be known by its place any more.  Within a transaction all of them are of one state.
    """
    reading = _Reading(storage, table)
    how = reading(lambda _: plan(keys_of(storage, table), query, stream=True))
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
    """Reads a batch of one state, without the lock where that is possible."""

    def __init__(self, storage: Storage, table: Table) -> None:
        self._storage = storage
        self.table = table
        self.layout = table.layout
        with storage.store.reading() as view:
            storage.verified(view, table)
            self._epoch = storage.store.word(LAYOUT)

    def __call__(self, read_batch: Callable[[View], T]) -> T:
        storage, table = self._storage, self.table
        known = storage.known
        if not storage.covered and known.epoch == self._epoch:
            try:
                return storage.quick_read(table, known, read_batch)
            except LayoutChanged:
                pass
        with storage.store.reading() as view:
            verified = storage.verified(view, table)
            if storage.store.word(LAYOUT) != self._epoch:
                raise SchemaMismatch(
                    f"table '{table.name}' may have been changed by a vacuum or a migration while"
                    " it was read: read it again, or within a transaction"
                )
            return read_batch(verified)


def _rows(reading: _Reading, how: Plan, query: Query) -> Iterator[SlotRow]:
    rows = _found(reading, query) if isinstance(how.way, Whole) else _along(reading, how, query)
    if how.ordered or not query.order:
        yield from rows
    else:
        yield from _sorted(rows, query)


def _found(reading: _Reading, query: Query) -> Iterator[SlotRow]:
    """The rows of the whole table, chunk by chunk."""
    codec = reading.layout.codec
    step = codec.rows_at_once

    def read_chunk(view: View) -> list[SlotRow] | None:
        if begin >= codec.slot_count(view):
            return None
        result: list[SlotRow] = []
        for slots, rows in found(view, codec, query.where, begin, begin + step):
            result += zip(slots, rows, strict=True)
        return result

    begin = 0
    while (chunk := reading(read_chunk)) is not None:
        begin += step
        yield from chunk


def _along(reading: _Reading, how: Plan, query: Query) -> Iterator[SlotRow]:
    """The rows on a way, in its order; of those that it does not tell apart, in the query's."""
    way = how.way
    group = way.group if how.ordered and isinstance(way, ByIndex) and way.sort else None
    last: Entry | None = None

    def read_batch(view: View) -> tuple[list[tuple[bytes, SlotRow]], Entry | None]:
        entries = entries_behind(view, reading.layout, way, query.backwards, last)
        batch = list(islice(entries, _BATCH))
        slots = [slot for _, slot in batch]
        keys = {slot: key for key, slot in batch}
        rows = read(view, reading.layout, slots, query.where)
        return [(keys[slot], (slot, row)) for slot, row in rows], batch[-1] if batch else None

    def batches() -> Iterator[tuple[bytes, SlotRow]]:
        nonlocal last
        while True:
            rows, last = reading(read_batch)
            yield from rows
            if last is None:
                return

    if group is None:
        yield from (item for _, item in batches())
        return
    for _, items in groupby(batches(), lambda item: item[0][:group]):
        yield from _sorted((item for _, item in items), query)


def _sorted(rows: Iterator[SlotRow], query: Query) -> Iterator[SlotRow]:
    with closing(Sorter(query.order)) as sorter:
        yield from islice(sorter.sorted(rows), query.wanted)
