"""Answering a query row by row, in memory that does not grow with the table.

A batch at a time is read, each of one state of the database; between two of them no lock is held,
unless the caller holds it.  A row that is there all the while and is not changed comes exactly
once, though a vacuum moves it.  Rows that have to be sorted go through runs in a temporary file
(``order``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from itertools import groupby, islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bazanite_wal.layer import View
from bazanite_wal.shared import LAYOUT

from ..btree import Entry
from ..cond import BaseCond, is_built_in
from ..errors import SchemaMismatch
from ..join import with_joins
from ..keyed import TableKeys
from ..known import LayoutChanged
from ..row import Row
from ..search import found
from .ask import Query
from .fetch import entries_behind, read
from .order import SlotRow, Sorter
from .plan import ByIndex, Plan, Whole, plan
from .select import keys_of, projected, select
from .top import MOST_ROWS

if TYPE_CHECKING:
    from ..storage import Storage
    from ..table import Table

T = TypeVar("T")
_RECENT = 1000
"""So many rows are remembered, to go on behind one of them when a vacuum has moved all."""
_FIRST = 64
"""So many slots are read at first: perhaps the caller wants no more."""
_BATCH = 1000
"""So many entries of an index, or rows to join, are read at a time."""


def stream(storage: Storage, table: Table, query: Query) -> Iterator[Row]:
    """The rows that the query asks for, one after another.

    Within a transaction all of them are of one state.  SchemaMismatch if meanwhile a migration
    changed the table, or if a vacuum moved its rows and none of the last ones is there any more by
    which to know how far this has come.
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

    A batch is told whether rows may have moved since the one before: a vacuum keeps them in order,
    and in other slots.
    """

    def __init__(self, storage: Storage, table: Table, where: BaseCond | None) -> None:
        self._storage = storage
        self._quick = is_built_in(where)  # else as in ``stored``
        self.table = table
        self.layout = table.layout
        with storage.store.reading() as view:
            storage.verified(view, table)
            self._epoch = storage.store.word(LAYOUT)

    def __call__(self, read_batch: Callable[[View, bool], T]) -> T:
        storage, table = self._storage, self.table
        known = storage.known
        if self._quick and not storage.covered and known.epoch == self._epoch:
            with suppress(LayoutChanged):
                return storage.quick_read(table, known, lambda view: read_batch(view, False))
        with storage.store.reading() as view:
            verified = storage.verified(view, table)
            epoch = storage.store.word(LAYOUT)
            moved = epoch != self._epoch
            batch = read_batch(verified, moved)
            self._epoch = epoch
            return batch

    def keys(self) -> TableKeys:
        """The table's indexes now."""
        return keys_of(self._storage, self.table)

    def lost(self) -> SchemaMismatch:
        """The error if nobody knows how far this has come."""
        return SchemaMismatch(
            f"table '{self.table.name}' was changed by a vacuum or a migration while it was read:"
            " read it again, or within a transaction"
        )


class _Place(NamedTuple):
    """Where a row stood when it came, its key in the index by which it came."""

    pk: int
    slot: int
    key: bytes


class _Passed:
    """The last rows that came, to go on behind one of them when a vacuum has moved all."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading
        self._places: deque[_Place] = deque(maxlen=_RECENT)

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, rows: Iterable[tuple[bytes, SlotRow]]) -> None:
        """Rows that came, by their keys."""
        self._places.extend(_Place(row["id"], slot, key) for key, (slot, row) in rows)

    def again(self, view: View) -> list[_Place]:
        """Those that are still there, where they are now, in the order in which they came.

        SchemaMismatch if there are none, or if one of them can be another row that got the same id:
        a vacuum leaves rows in their order, and never farther from the beginning or each other.
        """
        latest = {place.pk: place for place in self._places}  # a changed row may come twice
        now: dict[int, int] = {}
        before: tuple[int, int] | None = None
        for place in sorted(latest.values(), key=lambda place: place.slot):
            slot = self._reading.layout.index.find(view, place.pk)
            if slot is None or slot > place.slot:
                continue
            if before and not 0 < slot - before[1] <= place.slot - before[0]:
                raise self._reading.lost()
            before = place.slot, slot
            now[place.pk] = slot
        if not now:
            raise self._reading.lost()
        kept = (p for p in self._places if p.pk in now and p is latest[p.pk])
        places = [p._replace(slot=now[p.pk]) for p in kept]
        self._places = deque(places, maxlen=_RECENT)
        return places


def _rows(reading: _Reading, how: Plan, query: Query) -> Iterator[SlotRow]:
    rows = _found(reading, query) if isinstance(how.way, Whole) else _along(reading, how, query)
    if how.ordered or not query.order:
        yield from rows
    else:
        yield from _sorted(rows, query)


def _found(reading: _Reading, query: Query) -> Iterator[SlotRow]:
    """The rows of the whole table, chunk by chunk."""
    codec = reading.layout.codec
    begin, size = 0, min(_FIRST, codec.rows_at_once)
    passed = _Passed(reading)

    def read_chunk(view: View, moved: bool) -> tuple[int, list[SlotRow]] | None:
        first = passed.again(view)[-1].slot + 1 if moved and passed else begin
        if first >= codec.slot_count(view):
            return None
        result: list[SlotRow] = []
        for slots, rows in found(view, codec, query.where, first, first + size):
            result += zip(slots, rows, strict=True)
        return first + size, result

    while (chunk := reading(read_chunk)) is not None:
        begin, rows = chunk
        size = min(2 * size, codec.rows_at_once)
        passed.add((b"", row) for row in rows[-_RECENT:])
        yield from rows


def _along(reading: _Reading, how: Plan, query: Query) -> Iterator[SlotRow]:
    """The rows on a way, in its order; of those that it does not tell apart, in the query's."""
    way = how.way
    group = way.group if how.ordered and isinstance(way, ByIndex) and way.sort else None
    last: Entry | None = None
    passed = _Passed(reading)

    def read_batch(view: View, moved: bool) -> tuple[list[tuple[bytes, SlotRow]], Entry | None]:
        begin = behind(view, way) if moved and isinstance(way, ByIndex) else last
        entries = entries_behind(view, reading.layout, way, query.backwards, begin)
        batch = list(islice(entries, _BATCH))
        keys = {slot: key for key, slot in batch}
        rows = read(view, reading.layout, [slot for _, slot in batch], query.where)
        return [(keys[slot], (slot, row)) for slot, row in rows], batch[-1] if batch else None

    def behind(view: View, by: ByIndex) -> Entry | None:
        """The last entry whose row came and is still there."""
        if by.index.spec not in [index.spec for index in reading.keys().all]:
            raise reading.lost()
        if not passed:
            return None
        for _, slot, key in reversed(passed.again(view)):
            if slot in by.index.tree.find(view, key):
                return key, slot
        raise reading.lost()

    def batches() -> Iterator[tuple[bytes, SlotRow]]:
        nonlocal last
        while True:
            rows, last = reading(read_batch)
            passed.add(rows)
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
