"""Rows of one table as bytes of its file, and back: a slot, or a scan in large chunks.

Pure over a View.  The built-in types have their own decoders, made once, so that a scan costs about
a microsecond a row; other types are asked through ``deserialize``.

Invariant: bytes that are not a row of this schema are an error naming file, offset, what was
expected and what is there; a row is never made of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn

from bazanite_wal.layer import View

from . import columns
from .decoder import CompiledRows, DecodeMany
from .fields import FieldType, LongType, NullNotAllowed
from .files import TableFiles
from .index import RowIndex
from .kinds import NUMBERS
from .many import made_at_once
from .row import Row
from .schema import DELETED, Schema
from .textfile import TextReader

SCAN_SIZE_BYTES = 512 * 1024
"""How much of a table's rows is read at once, rounded to whole rows."""

_LEAST_ROWS = 500
"""In fewer rows of a chunk it is quicker to look at each number."""
_NEWLINE = ord("\n")
_TAKEN_BY_INT = (b"_", b"+", b"\t", b"\v", b"\f", b"\r")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Everything that decides where a table's bytes stand: files, bound schema, widths.

    Ids are below ``id_limit``.
    """

    files: TableFiles
    schema: Schema
    int_width: int
    row_size: int = field(init=False)
    codec: RowCodec = field(init=False)
    index: RowIndex = field(init=False)
    id_limit: int = field(init=False)
    has_text: bool = field(init=False)

    def __post_init__(self) -> None:
        codec = RowCodec(self.files, self.schema)
        id_width = next(kind.size for name, kind in self.schema.schema if name == "id")
        object.__setattr__(self, "row_size", codec.row_size)
        object.__setattr__(self, "codec", codec)
        object.__setattr__(self, "index", RowIndex(self.files, self.int_width))
        object.__setattr__(self, "id_limit", 10**id_width)
        object.__setattr__(self, "has_text", bool(codec.text_fields))


class RowCodec:
    """Decodes the rows of one table."""

    def __init__(self, files: TableFiles, schema: Schema) -> None:
        self.files = files
        self._name = files.rows
        self.schema = schema
        self.row_size = schema.row_size()
        self.rows_at_once = max(1, SCAN_SIZE_BYTES // self.row_size)
        self.text_fields: dict[str, Callable[[bytes], Any]] = {
            name: kind.from_text for name, kind in schema.schema if isinstance(kind, LongType)
        }
        """The fields whose values stand in the text file, and what makes values of the bytes."""
        self.offsets = schema.offsets()
        self._names = [name for name, _ in schema.schema]
        self._decoders = [_decoder(kind) for _, kind in schema.schema]
        self.compiled = CompiledRows(schema)
        self._numbers = [
            (self.offsets[name], kind) for name, kind in schema.schema if type(kind) in NUMBERS
        ]
        sizes = [kind.size for _, kind in schema.schema]
        self._struct = struct.Struct("".join(f"{size}s" for size in sizes) + "x")

    def slot_count(self, view: View) -> int:
        """How many slots the file has; CorruptionError if the last one is cut short."""
        size = view.size(self.files.rows)
        count, rest = divmod(size, self.row_size)
        if rest:
            raise self.files.damaged(
                self.files.rows,
                count * self.row_size,
                f"a row of {self.row_size} bytes",
                f"{rest} bytes at the end of the file",
            )
        return count

    def read_slot(self, view: View, slot: int) -> bytes:
        """A slot's bytes, checked for length and newline."""
        offset = slot * self.row_size
        data = view.read(self._name, offset, self.row_size)
        if len(data) != self.row_size or data[-1] != _NEWLINE:
            expected = f"a row of {self.row_size} bytes ending in a newline"
            raise self.files.damaged(self.files.rows, offset, expected, data)
        return data

    def row_at(self, view: View, slot: int, pk: int) -> tuple[Row, bytes]:
        """The row with this id, TEXT as offsets, and its bytes, from where the index says it is."""
        data = self.read_slot(view, slot)
        offset = slot * self.row_size
        row = None if data[0] == DELETED else self._decode_strictly(data, offset)
        if row is None or row["id"] != pk:
            raise self.files.damaged(self.files.rows, offset, f"the row with id {pk}", data)
        return row, data

    def full_row_at(self, view: View, slot: int, pk: int) -> Row:
        """The row with this id and its TEXT values, from where the index says it is."""
        row, _ = self.row_at(view, slot, pk)
        return self.with_text(row, TextReader(view, self.files)) if self.text_fields else row

    def live_row_at(self, view: View, slot: int) -> Row:
        """The row that an index has in this slot, with its TEXT values."""
        data = self.read_slot(view, slot)
        offset = slot * self.row_size
        if data[0] == DELETED:
            raise self.files.damaged(self.files.rows, offset, "a row, by an index", data)
        row = self._decode_strictly(data, offset)
        return self.with_text(row, TextReader(view, self.files)) if self.text_fields else row

    def with_text(self, row: Row, texts: TextReader) -> Row:
        """The same row with TEXT offsets replaced by their values."""
        for name, read in self.text_fields.items():
            if row[name] is not None:
                row[name] = texts.get(row[name], read)
        return row

    def chunks(
        self, view: View, begin: int = 0, end: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """(first slot, bytes of whole slots) through the file, or from one slot up to another.

        Newlines are checked.
        """
        size = self.row_size
        count = self.slot_count(view)
        count = count if end is None else min(count, end)
        step = self.rows_at_once
        for slot in range(begin, count, step):
            wanted = min(step, count - slot)
            data = view.read(self._name, slot * size, wanted * size)
            ends = data[size - 1 :: size]
            if len(data) != wanted * size or ends.count(b"\n") != wanted:
                bad = len(ends) - len(ends.lstrip(b"\n"))
                piece = data[bad * size : (bad + 1) * size]
                expected = f"a row of {size} bytes ending in a newline"
                raise self.files.damaged(self.files.rows, (slot + bad) * size, expected, piece)
            yield slot, data

    def scan(self, view: View) -> Iterator[tuple[int, Row | None]]:
        """(slot, row or None for a deleted one) in slot order, TEXT as offsets."""
        for first, data in self.chunks(view):
            yield from self._one_by_one(count(first), data)

    def lists(self, view: View) -> Iterator[list[Row]]:
        """Every row with its TEXT values, in slot order, in a list for each chunk."""
        texts = TextReader(view, self.files)
        for first, data in self.chunks(view):
            rows = self.live_rows(first, data)
            if self.text_fields:
                for row in rows:
                    self.with_text(row, texts)
            yield rows

    def slot_rows(
        self, view: View, begin: int = 0, end: int | None = None
    ) -> Iterator[tuple[int, Row]]:
        """(slot, row with its TEXT values) of each row from one slot up to another."""
        texts = TextReader(view, self.files)
        for first, data in self.chunks(view, begin, end):
            for place, row in self.placed_rows(first, data):
                yield first + place, self.with_text(row, texts)

    def placed_rows(self, first: int, data: bytes) -> Iterator[tuple[int, Row]]:
        """(place in the chunk, row with TEXT as offsets) of each row of one from ``first`` on."""
        firsts = data[:: self.row_size]
        places = [place for place, byte in enumerate(firsts) if byte != DELETED]
        return zip(places, self.live_rows(first, data), strict=True)

    def all_rows(self, view: View) -> list[Row]:
        """Every row with its TEXT values, in slot order."""

        def make() -> list[Row]:
            result: list[Row] = []
            for rows in self.lists(view):
                result += rows
            return result

        return made_at_once(make)

    def rows(self, view: View) -> Iterator[Row]:
        """Every row with its TEXT values, in slot order."""
        for rows in self.lists(view):
            yield from rows

    def rows_of(self, chunks: list[tuple[int, bytes]]) -> Iterator[Row]:
        """The rows of these chunks, TEXT as offsets; each chunk goes when it is used up."""
        chunks.reverse()
        while chunks:
            yield from self.live_rows(*chunks.pop())

    def live_rows(self, first: int, data: bytes) -> list[Row]:
        """The rows of a chunk that begins with slot ``first``, TEXT as offsets."""
        return self._decoded(data, range(first, first + len(data) // self.row_size))

    def _decoded(self, data: bytes, slots: Sequence[int]) -> list[Row]:
        """The rows in these slots that are not deleted, TEXT as offsets."""
        if not slots:
            return []
        try:
            numbers = self._number_columns(slots[-1], data)
            if numbers is not None:
                return self.compiled.beside(nulls=b"\0" in data)(data, numbers)
            return self._decoder_for(data)(data)
        except Exception:  # noqa: BLE001  whatever it was, the look at each row tells it
            return [row for _, row in self._one_by_one(slots, data) if row is not None]

    def _number_columns(self, last: int, data: bytes) -> list[list[int | None]] | None:
        """The values of every number column, with NumPy; None if that cannot be or is not worth it.

        All rows are live then.
        """
        if len(data) < _LEAST_ROWS * self.row_size or not self._numbers:
            return None
        if self._numbers[0][0] and DELETED in data[:: self.row_size]:
            return None  # else the first column is a number, and no number begins with a star
        np = columns.numpy(wanted=last >= columns.MANY_ROWS)
        if np is None:
            return None
        result: list[list[int | None]] = []
        for start, kind in self._numbers:
            place = columns.Place(self.row_size, start, kind.size)
            values = columns.values(data, place, kind.null, np)
            if values is None:
                return None
            result.append(values)
        return result

    def rows_of_slots(self, slots: Sequence[int], data: bytes) -> list[Row]:
        """The rows that these are the bytes of, but for deleted ones, TEXT as offsets."""
        return self._decoded(data, slots)

    def rows_at(self, slots: Sequence[int], data: bytes, texts: TextReader) -> list[Row]:
        """The same with their TEXT values."""
        rows = self._decoded(data, slots)
        if self.text_fields:
            for row in rows:
                self.with_text(row, texts)
        return rows

    def explain(self, first: int, data: bytes) -> None:
        """Raise the error that names the first row of a chunk which cannot be decoded, if any."""
        for _ in self._one_by_one(count(first), data):
            pass

    def _decoder_for(self, data: bytes) -> DecodeMany:
        return self.compiled.many(
            plain=self.is_plain(data),
            nulls=b"\0" in data,
            hashes=b"#" in data,
            deleted=b"*" in data,
        )

    def _one_by_one(self, slots: Iterable[int], data: bytes) -> Iterator[tuple[int, Row | None]]:
        # strict= is not for slots that never end
        for slot, fields in zip(slots, self._struct.iter_unpack(data)):  # noqa: B905
            if fields[0][0] == DELETED:
                yield slot, None
            else:
                yield slot, self._decode(fields, slot * self.row_size)

    def decode(self, data: bytes, slot: int) -> Row:
        """The row that these bytes are, TEXT as offsets; they are not a deleted slot."""
        return self._decode_strictly(data, slot * self.row_size)

    def is_plain(self, data: bytes) -> bool:
        """Whether number columns hold only what a number, a NULL or a deleted slot has there.

        ``int`` takes more than we write, such as " 1", "1_0" and "+1".  So one look through the
        chunk spares a look at each number; if a text has such a character, along each column.
        """
        size = self.row_size
        if data.count(b"\n") * size == len(data) and not any(map(data.__contains__, _TAKEN_BY_INT)):
            return not any(b" " in data[start::size] for start, _ in self._numbers)
        for start, kind in self._numbers:
            if data[start::size].translate(None, b"0123456789-#*"):
                return False
            for position in range(start + 1, start + kind.size):
                if data[position::size].translate(None, b"0123456789 #*"):
                    return False
        return True

    def _decode_strictly(self, data: bytes, offset: int) -> Row:
        try:
            return self.compiled.one()(data)
        except Exception:  # noqa: BLE001  whatever it was, the look at each field tells it
            return self._decode(self._struct.unpack(data), offset)

    def _decode(self, columns: tuple[bytes, ...], offset: int) -> Row:
        try:
            # Without strict= the loop is a tenth faster, and the lengths are equal by construction.
            values = [decode(c) for decode, c in zip(self._decoders, columns)]  # noqa: B905
            return Row(zip(self._names, values))  # noqa: B905
        except Exception:  # noqa: BLE001  a program's own type may raise anything; see below
            self._raise_for(columns, offset)

    def _raise_for(self, columns: tuple[bytes, ...], offset: int) -> NoReturn:
        """Raise the error of the first column that cannot be decoded."""
        for column, decode, (name, kind) in zip(
            columns, self._decoders, self.schema.schema, strict=True
        ):
            try:
                decode(column)
            except NullNotAllowed as error:
                raise self.files.inconsistent(offset, name) from error
            except Exception as error:
                expected = f"a {type(kind).__name__} value of '{name}'"
                raise self.files.damaged(self.files.rows, offset, expected, column) from error
            offset += kind.size
        raise AssertionError("decoding failed once and not again")


def _decoder(kind: FieldType) -> Callable[[bytes], Any]:
    """A function from a column's bytes to its value."""
    return lambda column: kind.deserialize(column, 0)[0]
