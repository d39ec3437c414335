"""What one frame of the log did to the rows of one table.

Pure.  A frame says which bytes stand where, not what was called; but of every row that was changed
it has the whole row, of every id that came or went it has the entry, and an entry is erased by a
fill and made by a write.  So the frame alone tells what became of each row; a long value that it
does not have was not changed.

A step of a vacuum cuts the rows to the length that they have, writes some of them elsewhere or with
other offsets, and cuts them once more; truncate cuts the rows and then the index to nothing.  A
migration that rewrites the rows cuts them to nothing once.  (A vacuum that earlier releases made in
one step cuts them to nothing, writes all of them and cuts them once more.)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bazanite_wal.frame import Fill, Operation, Truncate, Write

from .codec import Layout
from .errors import CorruptionError
from .fields import TEXT_WIDTH
from .row import Row
from .schema import DELETED

INSERT, UPDATE, DELETE = "insert", "update", "delete"
TRUNCATE, VACUUM, SCHEMA = "truncate", "vacuum", "schema"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a row, or (without an id) of a table.

    ``op`` is "insert", "update" or "delete" of the row with this id; or "truncate" (there is no row
    any more), "vacuum" (nothing changed for who reads rows) or "schema" (the table is new, or gone,
    or its columns, indexes or stored values were changed by a migration: read it anew).
    ``row`` are its values, but for long ones that stay as they were: ``unchanged`` names those.
    """

    table: str
    op: str
    id: int | None = None
    row: Row | None = None
    unchanged: tuple[str, ...] = ()


class _Fate:
    """One id in this frame: whether a row had it before, and which slot has its row now."""

    __slots__ = ("existed", "order", "slot")

    def __init__(self, order: int, *, existed: bool) -> None:
        self.order = order
        self.existed = existed
        self.slot: int | None = None


class _Piece(NamedTuple):
    start: int
    end: int
    data_start: int
    data: bytes | None


class _Bytes:
    """The bytes that a frame wrote to one file; ``None`` stands for a fill."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: list[_Piece] = []

    def put(self, start: int, size: int, data: bytes | None) -> None:
        self._cut(start, start + size)
        place = bisect_left(self._starts, start)
        self._starts.insert(place, start)
        self._pieces.insert(place, _Piece(start, start + size, start, data))

    def truncate(self, size: int) -> None:
        if self._pieces and self._pieces[-1].end > size:
            self._cut(size, self._pieces[-1].end)

    def _cut(self, start: int, end: int) -> None:
        """Let nothing be known of these bytes."""
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self._pieces[first].end <= start:
            first += 1
        last = bisect_left(self._starts, end)
        if first >= last:
            return
        before, after = self._pieces[first], self._pieces[last - 1]
        left: list[_Piece] = []
        if before.start < start:
            left.append(before._replace(end=start))
        if after.end > end:
            left.append(after._replace(start=end))
        self._pieces[first:last] = left
        self._starts[first:last] = [piece.start for piece in left]

    def text_at(self, offset: int) -> bytes | None:
        """The long value at this offset of a text file; None if the frame did not write it."""
        place = bisect_right(self._starts, offset) - 1
        if place < 0 or self._pieces[place].end <= offset:
            return None
        piece = self._pieces[place]
        if piece.data is None:
            raise ValueError("an erased value")
        start = offset - piece.data_start
        digits = piece.data[start : start + TEXT_WIDTH].rstrip(b" ")
        if not digits.isdigit():
            raise ValueError("not the length of a value")
        value = piece.data[start + TEXT_WIDTH : start + TEXT_WIDTH + int(digits)]
        if len(value) != int(digits):
            raise ValueError("only a part of a value")
        return value


class RowChanges:
    """Takes the operations of one frame on one table's files, in order, then tells the changes.

    CorruptionError if they are none that this engine makes: the log has whole pages, for example.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._name = layout.files.table
        self._rows: dict[int, bytes] = {}
        self._written: dict[int, int] = {}
        """The slots that were written one by one, and since when; vacuum's are not among them."""
        self._texts = _Bytes()
        self._fates: dict[int, _Fate] = {}
        self._image: dict[int, int] = {}
        """Where vacuum says that each row stands now."""
        self._cut = False
        self._moved: set[int] | None = None
        """The slots that a vacuum has written in the step that has begun."""
        self._wide: list[tuple[int, str]] = []

    def take(self, operation: Operation, order: int) -> None:
        """The next operation, if it is one on a file that tells of rows."""
        files = self._layout.files
        if operation.name == files.index:
            self._take_entries(operation, order)
        elif operation.name == files.rows:
            self._take_rows(operation, order)
        elif operation.name == files.text:
            if isinstance(operation, Write):
                self._texts.put(operation.offset, len(operation.data), operation.data)
            elif isinstance(operation, Fill):
                self._texts.put(operation.offset, operation.count, None)
            else:
                self._texts.truncate(operation.size)

    def result(self) -> list[tuple[int, Change]]:
        """The changes, each with the place in the frame at which it began."""
        if self._moved is not None:
            raise self._unfinished()
        if self._cut:  # by a migration that made the rows anew: no one row is known to change
            return [(0, Change(self._name, SCHEMA))]
        self._touch_rows()
        found = [(order, Change(self._name, op)) for order, op in self._wide]
        for pk, fate in self._fates.items():
            change = self._change(pk, fate)
            if change is not None:
                found.append((fate.order, change))
        return found

    # ---- the index: ids that come and go

    def _take_entries(self, operation: Operation, order: int) -> None:
        width = self._layout.int_width
        if isinstance(operation, Truncate):
            if self._cut and not operation.size:  # both: else it stands before a gap
                self._fates.clear()
                self._image.clear()
                self._cut, self._wide = False, [(order, TRUNCATE)]
            return
        if operation.offset % width:
            raise self._odd(operation)
        first = operation.offset // width + 1
        if isinstance(operation, Fill):
            if operation.count == width:  # else it fills a gap behind the end
                fate = self._fates.setdefault(first, _Fate(order, existed=True))
                fate.slot = None
            return
        if len(operation.data) % width:
            raise self._odd(operation)
        for place in range(0, len(operation.data), width):
            digits = operation.data[place : place + width].rstrip(b" ")
            pk = first + place // width
            if digits.isdigit() and (pk in self._fates or self._image.get(pk) != int(digits)):
                self._fates.setdefault(pk, _Fate(order, existed=False)).slot = int(digits)

    # ---- the rows: their values

    def _take_rows(self, operation: Operation, order: int) -> None:
        size = self._layout.row_size
        if isinstance(operation, Truncate):
            if self._cut or self._moved is not None:  # the second time: what was written has moved
                moved = self._rows.keys() if self._moved is None else self._moved
                self._cut, self._moved = False, None
                self._note_moved(moved)
                if VACUUM not in [op for _, op in self._wide]:
                    self._wide.append((order, VACUUM))
            else:
                self._touch_rows()
                if operation.size:
                    self._moved = set()
                else:
                    self._rows.clear()
                    self._cut = True
            return
        if isinstance(operation, Fill) or operation.offset % size or len(operation.data) % size:
            raise self._odd(operation)
        first = operation.offset // size
        for place in range(0, len(operation.data), size):
            slot = first + place // size
            self._rows[slot] = operation.data[place : place + size]
            if self._moved is not None:
                self._moved.add(slot)
            elif not self._cut:
                self._written.setdefault(slot, order)

    def _note_moved(self, slots: Iterable[int]) -> None:
        """Note where a vacuum says that the rows stand which it wrote to these slots."""
        for slot in slots:
            data = self._rows[slot]
            if data[0] != DELETED:
                self._image[self._id(slot, data)] = slot

    def _touch_rows(self) -> None:
        """Note whose rows were written: those of which the index says nothing are changed."""
        for slot, order in self._written.items():
            data = self._rows[slot]
            if data[0] != DELETED:
                fate = self._fates.setdefault(self._id(slot, data), _Fate(order, existed=True))
                fate.slot = slot
        self._written.clear()

    def _id(self, slot: int, data: bytes) -> int:
        pk: int = self._layout.codec.decode(data, slot)["id"]
        return pk

    def _change(self, pk: int, fate: _Fate) -> Change | None:
        if fate.slot is None:
            return Change(self._name, DELETE, pk) if fate.existed else None
        data = self._rows.get(fate.slot)
        live = data is not None and data[0] != DELETED
        row = self._layout.codec.decode(data, fate.slot) if data is not None and live else None
        if row is None or row["id"] != pk:
            expected = f"the row with id {pk}"
            raise self._layout.files.damaged(
                self._layout.files.rows,
                fate.slot * self._layout.row_size,
                expected,
                "a frame without it",
            )
        unchanged = self._with_texts(row, fate.slot)
        return Change(self._name, UPDATE if fate.existed else INSERT, pk, row, unchanged)

    def _with_texts(self, row: Row, slot: int) -> tuple[str, ...]:
        """Put the long values into the row; returns the names of those that were not written."""
        unchanged: list[str] = []
        read: Any
        for name, read in self._layout.codec.text_fields.items():
            offset = row[name]
            if offset is None:
                continue
            try:
                data = self._texts.text_at(offset)
                if data is not None:
                    row[name] = read(data)
            except ValueError as error:
                expected = f"the value of '{name}' of the row in slot {slot}"
                raise self._layout.files.damaged(
                    self._layout.files.text, offset, expected, str(error)
                ) from error
            if data is None:
                unchanged.append(name)
        for name in unchanged:
            del row[name]
        return tuple(unchanged)

    def _unfinished(self) -> CorruptionError:
        files = self._layout.files
        return files.damaged(files.rows, 0, "the end of a vacuum's step", "a frame without it")

    def _odd(self, operation: Operation) -> CorruptionError:
        files = self._layout.files
        offset = operation.size if isinstance(operation, Truncate) else operation.offset
        return files.damaged(
            operation.name, offset, "whole rows or entries in a frame", "another change"
        )
