"""Giving back the room of deleted rows and of deleted or outgrown long values.

Rows move to the front of their file, in their order, and the values of the text file close up: in
many short transactions, between which others read and write.  Each leaves everything in agreement,
so a crash or an interrupt costs nothing but that the rest is still to be done.  A small table takes
one transaction, and so does a vacuum within one.

Others' changes in between are met by looking again; holes that they make where it is over are left
to the next vacuum.  Long values that they write meanwhile are taken in a next round; if that would
be no shorter than the last one, or the last of some, it is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bazanite_wal.layer import WriteSet
from bazanite_wal.shared import LAYOUT

from .many import made_at_once
from .rules import TableRules
from .vacuum_rows import move_rows, rows_at_once
from .vacuum_texts import Compaction, Lost, Value, long_values
from .verified import finish

if TYPE_CHECKING:
    from .storage import Storage
    from .table import Table

Told = Callable[[str, int, int], None]
"""What is told of a table's name, how many bytes were dealt with, and of how many."""

SMALL_BYTES = 1 << 19
"""A table with no more takes one transaction."""
SLOTS_AT_ONCE = 20_000
"""So many rows are looked at for their long values at a time,"""
MOST_VALUES = 100_000
"""and so many long values are remembered."""
MOST_ROWS: int | None = None
"""A step moves no more; None: as ``rows_at_once`` says."""
ROUNDS = 3


class _Found(NamedTuple):
    """All long values from some offset up to ``upto``, ascending; it was to be ``target``."""

    values: list[Value]
    upto: int
    target: int


class Vacuum:
    """One vacuum of one table; ``run`` once."""

    def __init__(self, storage: Storage, table: Table, told: Told | None = None) -> None:
        self._storage, self._table = storage, table
        self._told = told or (lambda _table, _done, _of: None)
        self._epoch = 0
        """The layout number behind the last step: as long as it stays, nobody else moved rows."""
        self._freed = 0
        self._rows_size = 0

    def run(self) -> int:
        """Close the holes; returns by how many bytes the files became shorter.

        SchemaMismatch if a migration changes the table meanwhile; what is done stays.
        """
        if self._storage.store.in_transaction() or self._is_small():
            with self._step() as (tx, rules):
                move_rows(tx, rules, self._storage.known.catalog, 0)
                if rules.layout.has_text:
                    self._finish_texts(tx, Compaction(rules.layout))
        else:
            self._move_rows()
            if self._table.layout.has_text:
                self._move_texts()
        return self._freed

    def _is_small(self) -> bool:
        files = self._table.layout.files
        with self._storage.store.reading() as view:
            return view.size(files.rows) + view.size(files.text) <= SMALL_BYTES

    @contextmanager
    def _step(self) -> Iterator[tuple[WriteSet, TableRules]]:
        """A transaction over the table; if it moves anything, readers are told to look again."""
        storage, table = self._storage, self._table
        store = storage.store
        with store.transaction(private=True) as tx:
            writes = storage.writes(tx, table)
            rules = storage.rules.table(table.name)
            files, changes = table.layout.files, tx.changes
            names = (files.rows, files.free, files.text)
            before = sum(map(tx.size, names))
            yield writes, rules
            finish(writes)
            freed = before - sum(map(tx.size, names))
            if tx.changes != changes:
                store.layout_changed()
            self._epoch = store.word(LAYOUT)
        self._freed += freed

    @contextmanager
    def _next_step(self) -> Iterator[tuple[WriteSet, TableRules]]:
        """The same; Lost if others moved rows, or cut a file, since the last one."""
        epoch = self._epoch
        with self._step() as step:
            if self._storage.store.word(LAYOUT) != epoch:
                raise Lost
            yield step

    # ---- rows

    def _move_rows(self) -> None:
        files, width = self._table.layout.files, self._table.layout.int_width
        begin, finished = 0, False
        while not finished:
            with self._step() as (tx, rules):
                most = MOST_ROWS or rows_at_once(rules, tx.size(files.free) // width)
                catalog = self._storage.known.catalog
                step = made_at_once(partial(move_rows, tx, rules, catalog, begin, most))
                self._rows_size = rules.layout.row_size * step.slots
                of = self._rows_size + tx.size(files.text)
            begin, finished = step.begin, step.finished
            self._tell(self._table.layout.row_size * step.end, of)

    def _tell(self, done: int, of: int) -> None:
        self._told(self._table.name, min(done, of), of)

    # ---- long values

    def _move_texts(self) -> None:
        compaction = Compaction(self._table.layout)
        for _ in range(ROUNDS):
            try:
                begin = compaction.source
                left = self._round(compaction)
                if left is None:
                    return
                if left > (compaction.source - begin) // 2:
                    break  # writers are faster
            except Lost:
                compaction.start_again()
        try:
            with self._next_step() as (tx, _):
                self._finish_texts(tx, compaction)
        except Lost:
            with self._step() as (tx, _):
                self._finish_texts(tx, Compaction(self._table.layout))

    def _round(self, compaction: Compaction) -> int | None:
        """Move the values that are there when it begins.

        Returns how many bytes were written behind them; None if there are none, and the file is
        cut.  Lost as above.
        """
        name, target = self._table.layout.files.text, None
        while True:
            found = self._found(compaction.source, target)
            target, is_over = found.target, False
            place, behind = 0, False
            while not behind:
                with self._next_step() as (tx, _):
                    place = compaction.step(tx, found.values, place, found.upto)
                    behind = compaction.source >= found.upto
                    size = tx.size(name)
                    if behind and found.upto == target == size:
                        compaction.cut(tx)
                        is_over = True
                self._tell(self._rows_size + compaction.source, self._rows_size + size)
            if is_over:
                return None
            if found.upto == target:
                return size - target

    def _found(self, least: int, target: int | None) -> _Found:
        """The long values from this offset up to ``target`` on, None: to the end that there is.

        Some rows at a time; if they are too many, the first ones.  Lost as above.
        """
        layout = self._table.layout
        found: list[Value] = []
        begin, count, upto = 0, 1, target or 0
        while begin < count:
            first = not (begin or least)  # then there is nothing yet that could have changed
            with self._step() if first else self._next_step() as (tx, _):
                count = layout.codec.slot_count(tx)
                if target is None:
                    upto = target = tx.size(layout.files.text)
                some = long_values(tx, layout, begin, begin + SLOTS_AT_ONCE, least)
            begin += SLOTS_AT_ONCE
            found += [value for value in some if value.offset < upto]
            if len(found) > 2 * MOST_VALUES or (begin >= count and len(found) > MOST_VALUES):
                found.sort()
                del found[MOST_VALUES:]
                upto = found[-1].offset + 1
        assert target is not None
        found.sort()
        return _Found(found, upto, target)

    def _finish_texts(self, tx: WriteSet, compaction: Compaction) -> None:
        """Move all that are left, and cut the file."""
        layout = self._table.layout
        count, size = layout.codec.slot_count(tx), tx.size(layout.files.text)
        values = sorted(long_values(tx, layout, 0, count, compaction.source))
        compaction.step(tx, values, 0, size, whole=True)
        compaction.cut(tx)
