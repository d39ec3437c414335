"""Checking how slots are found: the index, the free stack and the sequence.

Invariants looked for: an index entry names a slot that holds the row of this id, and each row's
entry names its slot, so ids are unique; the free stack lists exactly the deleted slots, each once.
"""

from __future__ import annotations

from .check_layout import TableLayout, is_no_entry, parse_number
from .check_reader import BitSet, Findings, Reader

_SEQUENCE_SIZE = 64
"""More digits than any sequence has."""


class Slots:
    """The slots of one table as its rows have them, and the files that lead to them."""

    def __init__(self, layout: TableLayout, count: int, reader: Reader, findings: Findings) -> None:
        self.layout = layout
        self.count = count
        self.deleted = BitSet(count)
        self._reader = reader
        self._findings = findings
        self._id = layout.id_field

    def check_entry_of(self, row_id: int, slot: int) -> str | None:
        """What is wrong with the index entry of the row with this id in this slot."""
        entry = entry_of(self._reader, self.layout, row_id)
        if entry is None:
            return "the index has no entry for this row"
        if parse_number(entry) == slot:
            return None
        return f"the row stands in slot {slot}, but the index says {entry!r} for this id"

    def check_index(self) -> None:
        """Each entry names a slot, and the row there has the entry's id."""
        width = self.layout.int_width
        for start, data in self._reader.chunks(self.layout.files.index, width, skip_zeros=True):
            if data.count(b"#") == len(data):
                continue
            for offset in range(0, len(data), width):
                entry = data[offset : offset + width]
                if is_no_entry(entry):
                    continue
                row_id = (start + offset) // width + 1
                what = self._check_entry(entry, row_id)
                if what:
                    name = self.layout.files.index
                    self._findings.problem(name, start + offset, row_id, what)

    def _check_entry(self, entry: bytes, row_id: int) -> str | None:
        slot = parse_number(entry)
        if slot is None:
            return f"is not a slot number: {entry!r}"
        if not 0 <= slot < self.count:
            return f"names slot {slot}, and the table has {self.count} slots"
        if slot in self.deleted:
            return f"names slot {slot}, which is deleted"
        if self._id is None:
            return None
        start = slot * self.layout.row_size + self._id.start
        raw = self._reader.at(self.layout.files.rows, start, self._id.end - self._id.start)
        if parse_number(raw) != row_id:
            return f"names slot {slot}, which holds the row with id {raw!r}"
        return None

    def check_free_stack(self) -> None:
        """The stack lists exactly the deleted slots, each once."""
        name, width = self.layout.files.free, self.layout.int_width
        listed = BitSet(self.count)
        for start, data in self._reader.chunks(name, width):
            for offset in range(0, len(data), width):
                entry = data[offset : offset + width]
                slot = parse_number(entry)
                if slot is None:
                    what = f"is not a slot number: {entry!r}"
                elif not 0 <= slot < self.count:
                    what = f"lists slot {slot}, and the table has {self.count} slots"
                elif slot not in self.deleted:
                    what = f"lists slot {slot}, which holds a row: an insert would overwrite it"
                elif slot in listed:
                    what = f"lists slot {slot} a second time"
                else:
                    listed.add(slot)
                    continue
                self._findings.problem(name, start + offset, None, what)
        deleted = self.deleted.first(0, self.count)
        while deleted is not None:
            if deleted not in listed:
                what = f"slot {deleted} is deleted, but not on the free stack"
                offset = deleted * self.layout.row_size
                self._findings.problem(self.layout.files.rows, offset, None, what)
            deleted = self.deleted.first(deleted + 1, self.count)

    def check_sequence(self) -> None:
        """The last automatic id is a number, and a next one still fits."""
        name = self.layout.files.sequence
        text = self._reader.at(name, 0, _SEQUENCE_SIZE)
        if not text.isdigit() or len(text) == _SEQUENCE_SIZE:
            found = "empty" if not text else f"not a number: {text!r}"
            self._findings.problem(name, 0, None, f"the last automatic id is {found}")
        elif len(str(int(text) + 1)) > self.layout.int_width:
            self._findings.notes.append(
                f"{self.layout.name}: automatic ids are used up at {int(text)}"
            )


def entry_of(reader: Reader, layout: TableLayout, row_id: int) -> bytes | None:
    """The index entry of an id, None if there is none."""
    width = layout.int_width
    entry = reader.at(layout.files.index, (row_id - 1) * width, width)
    return None if len(entry) < width or is_no_entry(entry) else entry
