"""Checking one table: rows, index, free stack, sequence and text file agree with each other.

Each file is read once in order, and looked into at random where it has to agree with another; what
is remembered takes two bits a slot and one bit a byte of the text file.  A BLOB or JSON is looked
at whole, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .check_layout import FieldPlace, TableLayout, parse_number
from .check_reader import Findings, Reader
from .check_slots import Slots, entry_of
from .check_text import TextFile
from .fields import FieldType, LongType, NullNotAllowed
from .kinds import LONG

_MOST_SLOTS = 1 << 30
"""More than 9 digits can name."""


@dataclass(frozen=True, slots=True)
class TableCounts:
    """What a table holds: live rows, deleted slots, and bytes of live TEXT values.

    ``checksums`` tells whether every byte of its files was held against a checksum.
    """

    rows: int
    free: int
    text_bytes: int
    checksums: bool = False


class TableCheck:
    """The check of one table; ``run`` once."""

    def __init__(
        self,
        layout: TableLayout,
        tables: Mapping[str, TableLayout],
        reader: Reader,
        findings: Findings,
    ) -> None:
        self.layout = layout
        self._tables = tables
        self._reader = reader
        self._findings = findings
        self._id = layout.id_field
        has_text = any(field.type in LONG for field in layout.fields)
        self._text = TextFile(layout.files.text, reader, findings) if has_text else None
        count = min(reader.size(layout.files.rows) // layout.row_size, _MOST_SLOTS)
        self._slots = Slots(layout, count, reader, findings)
        self._rows = 0
        self._free = 0
        self._dangling: dict[str, tuple[int, int | None]] = {}

    def run(self) -> TableCounts:
        """Read everything, report every finding, and count."""
        self._whole(self.layout.files.rows, self.layout.row_size, "rows")
        self._whole(self.layout.files.index, self.layout.int_width, "entries")
        self._whole(self.layout.files.free, self.layout.int_width, "entries")
        for offset, slot, row in self._each_row():
            self._check_row(offset, slot, row)
        self._slots.check_index()
        self._slots.check_free_stack()
        self._slots.check_sequence()
        if self._text is not None:
            self._text.walk()
            self._name_owners(self._text)
        for name, (count, first) in self._dangling.items():
            self._findings.notes.append(
                f"{self.layout.name}.{name}: {count} {'row refers' if count == 1 else 'rows refer'}"
                f" to a row that does not exist (any more), the first has id {first}"
            )
        return TableCounts(self._rows, self._free, self._text.bytes if self._text else 0)

    def _whole(self, name: str, item_size: int, items: str) -> None:
        size = self._reader.size(name)
        extra = size % item_size
        if extra:
            what = f"{extra} bytes at the end: not whole {items} of {item_size} bytes"
            self._findings.problem(name, size - extra, None, what)

    def _each_row(self) -> Iterator[tuple[int, int, bytes]]:
        size = self.layout.row_size
        for start, data in self._reader.chunks(self.layout.files.rows, size):
            for offset in range(0, len(data), size):
                position = start + offset
                if position // size >= self._slots.count:
                    return
                yield position, position // size, data[offset : offset + size]

    def _check_row(self, offset: int, slot: int, row: bytes) -> None:
        name = self.layout.files.rows
        if row[:1] == b"*":
            self._slots.deleted.add(slot)
            self._free += 1
            if row != b"*" * (len(row) - 1) + b"\n":
                what = "starts like a deleted slot, but is not * all over"
                self._findings.problem(name, offset, None, what)
            return
        self._rows += 1
        row_id = self._row_id(row)
        if row[-1:] != b"\n":
            what = f"the row ends in {row[-1:]!r}, not in a newline"
            self._findings.problem(name, offset + len(row) - 1, row_id, what)
        for field in self.layout.fields:
            what_is_wrong = self._check_field(field, row[field.start : field.end], row_id)
            if what_is_wrong:
                what = f"field '{field.name}' {what_is_wrong}"
                self._findings.problem(name, offset + field.start, row_id, what)
        if row_id is not None:
            wrong_entry = self._slots.check_entry_of(row_id, slot)
            if wrong_entry:
                self._findings.problem(name, offset, row_id, wrong_entry)

    def _row_id(self, row: bytes) -> int | None:
        if self._id is None:
            return None
        number = parse_number(row[self._id.start : self._id.end])
        return number if number is not None and number > 0 else None

    def _check_field(self, field: FieldPlace, raw: bytes, row_id: int | None) -> str | None:
        """What is wrong with the field's bytes, or None."""
        if field.type == "CHAR":
            return _check_char(field, raw)
        if field.later is not None and field.type not in LONG:
            return _check_later(field, field.later, raw)
        if field.type not in ("PK", "INT", "FK", *LONG):
            return None
        if raw[:1] == b"#":
            if raw != b"#" * len(raw):
                return f"starts like NULL, but is not # all over: {raw!r}"
            return None if field.null else "is NULL, which it may not be"
        number = parse_number(raw)
        if number is None:
            return f"is not a number: {raw!r}"
        if field.type == "PK" and number <= 0:
            return f"is {number}: ids are greater than 0"
        if field.type in LONG and self._text is not None:
            wrong = self._text.refer(number)
            if wrong is None and isinstance(field.later, LongType):
                wrong = self._text.check_content(number, field.later)
            return wrong
        if field.type == "FK" and not self._exists(field.table, number):
            count, first = self._dangling.get(field.name, (0, row_id))
            self._dangling[field.name] = count + 1, first
        return None

    def _exists(self, table: str | None, row_id: int) -> bool:
        layout = self._tables.get(table or "")
        return (
            layout is not None and row_id > 0 and entry_of(self._reader, layout, row_id) is not None
        )

    def _name_owners(self, text: TextFile) -> None:
        """Find the rows whose TEXT values are wrong, by a second look at all rows."""
        wanted = text.owners_wanted
        if not wanted:
            return
        for offset, _slot, row in self._each_row():
            for field in self.layout.fields:
                value = parse_number(row[field.start : field.end])
                if field.type in LONG and value in wanted and row[:1] != b"*":
                    what = f"field '{field.name}': {wanted[value]} ({text.name} offset {value})"
                    name = self.layout.files.rows
                    self._findings.problem(name, offset + field.start, self._row_id(row), what)


def _check_later(field: FieldPlace, kind: FieldType, raw: bytes) -> str | None:
    try:
        kind.deserialize(raw, 0)
    except NullNotAllowed:
        return "is NULL, which it may not be"
    except ValueError:
        return f"is no {field.type}: {raw[:40]!r}"
    return None


def _check_char(field: FieldPlace, raw: bytes) -> str | None:
    if raw[:1] == b"\0":
        if raw != bytes(len(raw)):
            return f"starts like NULL, but is not \\0 all over: {raw[:40]!r}"
        return None if field.null else "is NULL, which it may not be"
    try:
        raw.decode()
    except UnicodeDecodeError:
        return f"is not UTF-8: {raw[:40]!r}"
    return None
