"""Writing the new directory: rows in their old slots, everything else made anew from them.

No log is needed: nobody can open the directory before it has one, and it gets that last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, pairwise

from bazanite_wal.datafiles import FewFiles
from bazanite_wal.frame import Fill, Truncate, Write
from bazanite_wal.system import Directory

from .. import sequence, sums
from ..codec import Layout
from ..errors import IntegrityError
from ..fields import TEXT_WIDTH
from ..files import TableFiles
from ..index import encode
from ..keyed import StoredKeys, TableKeys
from ..specs import IndexSpec, TableSpec
from ..stored_schema import layout_of

_SLOTS_AT_ONCE = 1 << 14
"""So many rows are put into an index at once."""
_FLUSHED = 1 << 18


class FileWrites:
    """A WriteSet that writes into the files of a directory that nobody has open."""

    def __init__(self, directory: Directory) -> None:
        self.files = FewFiles(directory)
        self.changes = 0

    def read(self, name: str, offset: int, size: int) -> bytes:
        return self.files.read(name, offset, size)

    def size(self, name: str) -> int:
        return self.files.size(name)

    def next_data(self, name: str, offset: int) -> int | None:
        return self.files.next_data(name, offset)

    def write(self, name: str, offset: int, data: bytes) -> None:
        self.changes += 1
        self.files.apply([Write(name, offset, data)])

    def fill(self, name: str, offset: int, byte: int, count: int) -> None:
        self.changes += 1
        self.files.apply([Fill(name, offset, byte, count)])

    def truncate(self, name: str, size: int) -> None:
        self.changes += 1
        self.files.apply([Truncate(name, size)])


class TableWriter:
    """Writes one table's rows, in the order of their slots; then ``finish``."""

    def __init__(self, writes: FileWrites, table: str, spec: TableSpec, int_width: int) -> None:
        self._writes = writes
        self._files = TableFiles("", table)
        self._spec = spec
        self._layout: Layout = layout_of(self._files, spec, int_width)
        self._rows: list[bytes] = []
        self._first = 0
        self._texts: list[bytes] = []
        self._text_start = self._text_end = 0
        self._entries: list[tuple[int, int]] = []
        self._deleted: list[int] = []
        self._freed = 0
        self._stars = b"*" * (self._layout.row_size - 1) + b"\n"
        self.highest = 0

    def put(self, slot: int, row_id: int, raw: bytes, longs: Iterable[tuple[int, bytes]]) -> None:
        """The row of a slot, above all before; ``longs`` are, by where their offsets stand in the
        row, the values as they stand in the text file.
        """
        while self._first + len(self._rows) < slot:
            self._deleted.append(self._first + len(self._rows))
            self._rows.append(self._stars)
            self._flush_if_large()
        for start, value in longs:
            column = (b"%d" % self._text_end).ljust(TEXT_WIDTH)
            raw = raw[:start] + column + raw[start + TEXT_WIDTH :]
            self._texts.append(value)
            self._text_end += len(value)
        self._rows.append(raw)
        self._entries.append((row_id, slot))
        self.highest = max(self.highest, row_id)
        self._flush_if_large()

    def finish(self, last_id: int) -> tuple[TableSpec, list[str]]:
        """Write what is left, and the other files, indexes and checksums too.

        Returns the table as it is now, and why indexes were left out that must be unique.
        """
        self._flush()
        sequence.write(self._writes, self._files, max(last_id, self.highest))
        kept: list[IndexSpec] = []
        left_out: list[str] = []
        for index in self._spec.indexes:
            try:
                self._build(index)
            except IntegrityError as error:
                columns = [*index.columns]
                left_out.append(
                    f"{error.message}. Both were kept, and the constraint was left out: change one"
                    f" of them, then AddUnique('{self._files.table}', {columns}) in a migration"
                )
                self._writes.truncate(self._files.keyed(index.name), 0)
            else:
                kept.append(index)
        spec = replace(self._spec, indexes=tuple(kept))
        if spec.checksums:
            sums.build(self._writes, sums.sum_file(self._files, spec))
        return spec, left_out

    def _build(self, index: IndexSpec) -> None:
        keys = TableKeys(self._layout, [index])
        keys.clear(self._writes)
        codec = self._layout.codec
        for begin in range(0, codec.slot_count(self._writes), _SLOTS_AT_ONCE):
            rows = codec.slot_rows(self._writes, begin, begin + _SLOTS_AT_ONCE)
            StoredKeys(keys, self._writes, rows).save(self._writes)

    def _flush_if_large(self) -> None:
        size = len(self._rows) * self._layout.row_size + self._text_end - self._text_start
        if size >= _FLUSHED:
            self._flush()

    def _flush(self) -> None:
        files, writes, width = self._files, self._writes, self._layout.int_width
        if self._rows:
            writes.write(files.rows, self._first * self._layout.row_size, b"".join(self._rows))
        if self._texts:
            writes.write(files.text, self._text_start, b"".join(self._texts))
        for first, slots in _runs(sorted(self._entries)):
            self._layout.index.put(writes, first, slots)
        if self._deleted:
            entries = b"".join(encode(slot, width) for slot in self._deleted)
            writes.write(files.free, self._freed * width, entries)
        self._freed += len(self._deleted)
        self._first += len(self._rows)
        self._text_start = self._text_end
        for waiting in (self._rows, self._texts, self._entries, self._deleted):
            waiting.clear()


def _runs(entries: list[tuple[int, int]]) -> Iterator[tuple[int, list[int]]]:
    """(first id, slots) of each run of ids that follow each other."""
    steps = [0]
    for (before, _), (after, _) in pairwise(entries):
        steps.append(steps[-1] + (after != before + 1))
    for _, group in groupby(zip(steps, entries, strict=False), key=lambda pair: pair[0]):
        run = [entry for _, entry in group]
        yield run[0][0], [slot for _, slot in run]
