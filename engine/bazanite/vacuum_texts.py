"""Steps of a vacuum over a table's text file: its values close up, in their order.

The file is three stretches: values without a hole, then ``#`` only, then what was not looked at
yet.  A step takes the next values, writes them one behind the other where the ``#`` begin, and
their new offsets into their rows, in one transaction.  Which row has which value is found before,
some slots at a time (``long_values``).

Invariants: a value is moved for the row that has it in the transaction that moves it, or not at
all; what is overwritten behind it was a hole, or nobody's.  That needs that all values up to there
were found: ``vacuum`` sees to it that since then no row was moved by others, and the file was not
cut.  So a row that has one of these values has had it all the while.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bazanite_wal.layer import View, WriteSet

from . import textfile
from .codec import Layout
from .fields import TEXT_WIDTH
from .newrows import merged
from .schema import DELETED
from .textfile import TextReader
from .vacuum_rows import moving_rows

STEP_BYTES = 1 << 20
"""A step takes so many bytes of values,"""
STEP_VALUES = 2000
"""or so many values,"""
STEP_SPAN = 8 << 20
"""from so long a stretch of the file."""
_REMEMBERED = 1000
_SPARSE = 4
_NO_OFFSET = b"*#"
"""A cell of a deleted row, or of NULL, begins so."""


class Value(NamedTuple):
    """Where a long value begins, and the slot and field that have it."""

    offset: int
    slot: int
    field: str


class Lost(Exception):
    """It cannot be told any more where the dense values end: all are to be looked at again."""


def long_values(view: View, layout: Layout, begin: int, end: int, least: int) -> list[Value]:
    """The long values at or behind offset ``least`` of the rows in these slots, in any order."""
    codec, size = layout.codec, layout.row_size
    places = [(name, codec.offsets[name]) for name in codec.text_fields]
    found: list[Value] = []
    for first, data in codec.chunks(view, begin, end):
        for name, start in places:
            cells = [data[at : at + TEXT_WIDTH] for at in range(start, len(data), size)]
            try:
                if b"".join(cells).translate(None, b"0123456789 #*"):
                    raise ValueError(f"not an offset in '{name}'")
                found += [
                    Value(offset, slot, name)
                    for slot, cell in enumerate(cells, first)
                    if cell[0] not in _NO_OFFSET and (offset := int(cell)) >= least
                ]
            except ValueError as error:
                codec.explain(first, data)
                files = layout.files
                raise files.damaged(files.rows, first * size, "offsets", str(error)) from error
    return found


class Compaction:
    """How far a text file is compacted; what is known of it holds as the module's text says."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.start_again()

    def start_again(self) -> None:
        """Nothing is known."""
        self._placed: deque[Value] = deque(maxlen=_REMEMBERED)
        """The last dense values.  Any may be gone by now, or longer than it was."""
        self.source = 0
        """What was not looked at yet begins here."""

    def step(
        self, tx: WriteSet, values: Sequence[Value], place: int, upto: int, *, whole: bool = False
    ) -> int:
        """Move the next values, from this place in the list on; returns how far that came.

        They ascend, and are all that there are between ``source``, which moves forward, and
        ``upto``.  One that its row has no longer is left out.  ``whole``: all in this step.  Lost
        if it is to be begun again; CorruptionError for a value that is damaged.
        """
        layout = self._layout
        begin = self._dense_end(tx)
        limit = upto if whole else min(upto, self.source + STEP_SPAN)
        stop = len(values) if whole else min(len(values), place + STEP_VALUES)
        lines = _lines_of(tx, layout, values[place:stop])
        taking = _Taking(tx, layout, lines, begin, self.source)
        while place < stop and values[place].offset < limit:
            taking.take(values[place])
            place += 1
            if taking.bytes >= STEP_BYTES and not whole:
                break
        left = values[place].offset if place < len(values) else upto
        taken = max(taking.taken, min(left, limit))
        taking.save(self.source, taken)
        self._placed += taking.placed
        self.source = taken
        return place

    def cut(self, tx: WriteSet) -> None:
        """Let the file end behind the dense values."""
        end, name = self._dense_end(tx), self._layout.files.text
        if end < tx.size(name):
            tx.truncate(name, end)

    def _dense_end(self, tx: WriteSet) -> int:
        """Where the last one of the dense values that is still there ends."""
        for value in reversed(self._placed):
            if _line_of(tx, self._layout, value) is not None:
                length = TextReader(tx, self._layout.files).length(value.offset)
                return value.offset + TEXT_WIDTH + length
        if len(self._placed) == _REMEMBERED:
            raise Lost
        return 0


class _Taking:
    """The values of one step, and where they will stand."""

    def __init__(
        self, tx: WriteSet, layout: Layout, lines: dict[int, bytes], begin: int, source: int
    ) -> None:
        self._tx, self._layout = tx, layout
        self._reader = TextReader(tx, layout.files)
        self._read = lines
        self._lines: dict[int, bytes] = {}
        self._pieces: list[bytes] = []
        self._begin = self._end = begin
        self.placed: list[Value] = []
        self.taken = source
        """Where the last one ended before."""
        self.bytes = 0

    def take(self, value: Value) -> None:
        """The next one, if its row has it still."""
        layout, offset = self._layout, value.offset
        line = self._lines.get(value.slot) or self._read.get(value.slot)
        line = _line_of(self._tx, layout, value, line)
        if line is None:
            return
        files, name = layout.files, layout.files.text
        if offset < self.taken:
            raise files.damaged(name, offset, "a value of one row", "a part of another value")
        read = layout.codec.text_fields[value.field]
        if self._pieces or offset != self._end:
            piece = textfile.encode(self._reader.get(offset, _as_it_is(read)))
            if not self._pieces:
                self._begin = self._end
            self._pieces.append(piece)
            start = layout.codec.offsets[value.field]
            cell = _cell(self._end)
            self._lines[value.slot] = line[:start] + cell + line[start + TEXT_WIDTH :]
            size = len(piece)
        else:
            size = TEXT_WIDTH + self._reader.length(offset)
            if offset + size > self._tx.size(name):
                raise files.damaged(name, offset, "a whole value", "the file's end")
        self.placed.append(value._replace(offset=self._end))
        self._end += size
        self.taken = offset + size
        self.bytes += size

    def save(self, source: int, taken: int) -> None:
        """Write them, and ``#`` where nothing is any more: up to ``source`` that is so already."""
        tx, files = self._tx, self._layout.files
        if self._pieces:
            free = tx.read(files.text, self._begin, max(0, min(source, self._end) - self._begin))
            if free.strip(b"#"):
                at = self._begin + len(free) - len(free.lstrip(b"#"))
                raise files.damaged(files.text, at, "deleted values", free.lstrip(b"#")[:40])
            with moving_rows(tx, self._layout):
                for slot, data in merged([(slot, 1, line) for slot, line in self._lines.items()]):
                    tx.write(files.rows, slot * self._layout.row_size, data)
            tx.truncate(files.text, tx.size(files.text))  # no write of before takes these over
            tx.write(files.text, self._begin, b"".join(self._pieces))
        behind = max(self._end, source)
        if behind < taken and tx.read(files.text, behind, taken - behind).strip(b"#"):
            tx.fill(files.text, behind, ord("#"), taken - behind)


def _lines_of(tx: WriteSet, layout: Layout, values: Sequence[Value]) -> dict[int, bytes]:
    """The bytes of the rows that have these values, read at once; none if they are far apart."""
    codec, size = layout.codec, layout.row_size
    slots = sorted({value.slot for value in values})
    if not slots or slots[-1] - slots[0] > _SPARSE * len(slots):
        return {}
    found: dict[int, bytes] = {}
    for begin, data in codec.chunks(tx, slots[0], slots[-1] + 1):
        behind = begin + len(data) // size
        for slot in slots[bisect_left(slots, begin) : bisect_left(slots, behind)]:
            found[slot] = data[(slot - begin) * size : (slot - begin + 1) * size]
    return found


def _line_of(tx: WriteSet, layout: Layout, value: Value, line: bytes | None = None) -> bytes | None:
    """The row that has this value, its bytes; None if it has another one or is deleted.

    ``line`` are the row's bytes, if they are known.
    """
    codec = layout.codec
    if line is None:
        if value.slot >= codec.slot_count(tx):
            return None
        line = codec.read_slot(tx, value.slot)
    start = codec.offsets[value.field]
    if line[0] == DELETED:
        return None
    if line[start : start + TEXT_WIDTH] == _cell(value.offset):
        return line
    return line if codec.decode(line, value.slot)[value.field] == value.offset else None


def _cell(offset: int) -> bytes:
    return b"%d" % offset + b" " * (TEXT_WIDTH - len(b"%d" % offset))


def _as_it_is(read: Callable[[bytes], object]) -> Callable[[bytes], bytes]:
    """What gives a value's bytes if ``read`` can make a value of them, and else its error."""

    def verified(data: bytes) -> bytes:
        read(data)
        return data

    return verified
