"""Checking a table's TEXT file: each value that a row refers to is whole, and alone there.

The file is a chain: a live value is a 9-byte length and its bytes, a deleted one is ``#`` all over,
so it can be walked from its start without knowing any row.  The rows' references, collected while
the rows were read, then have to be exactly the places where the walk finds a live value.
"""

from __future__ import annotations

import codecs

from .check_reader import CHUNK_SIZE, BitSet, Findings, Reader
from .fields import LongType

LENGTH_SIZE = 9
_OFFSETS = 10**9
"""A row's reference has 9 digits, so no value can start at or beyond this."""


class TextFile:
    """One table's TEXT file, and which of its places the rows refer to."""

    def __init__(self, name: str, reader: Reader, findings: Findings) -> None:
        self.name = name
        self.values = 0
        self.bytes = 0
        self.owners_wanted: dict[int, str] = {}
        """What is wrong with the value at an offset; whose value it is takes a second look."""
        self._reader = reader
        self._findings = findings
        self._size = reader.size(name)
        self._referenced = BitSet(min(self._size, _OFFSETS))

    def refer(self, offset: int) -> str | None:
        """Note that a row refers to this offset; the complaint if no value can stand there."""
        if offset < 0 or offset + LENGTH_SIZE > self._size:
            return f"refers to offset {offset} of {self.name}, which ends at {self._size}"
        if offset in self._referenced:
            return f"refers to offset {offset} of {self.name}, as another row does"
        self._referenced.add(offset)
        header = self._reader.at(self.name, offset, LENGTH_SIZE)
        length = parse_length(header)
        if length is None:
            what = "a deleted value" if header == b"#" * LENGTH_SIZE else f"no value: {header!r}"
            return f"refers to offset {offset} of {self.name}, where there is {what}"
        if offset + LENGTH_SIZE + length > self._size:
            return (
                f"its value at offset {offset} of {self.name} should have {length} bytes, "
                f"but the file ends at {self._size}"
            )
        return None

    def check_content(self, offset: int, kind: LongType) -> str | None:
        """What is wrong with the whole value at this offset, as one of this type, or None."""
        length = parse_length(self._reader.at(self.name, offset, LENGTH_SIZE))
        assert length is not None
        data = self._reader.at(self.name, offset + LENGTH_SIZE, length)
        try:
            kind.from_text(data)
        except ValueError as error:
            what = f"no {type(kind).__name__}: {error}"
            return f"refers to offset {offset} of {self.name}, where there is {what}"
        return None

    def walk(self) -> None:
        """Go through the whole file once: nothing overlaps, and nothing is of no kind."""
        position = orphans = 0
        first_orphan = 0
        while position < self._size:
            header = self._reader.at(self.name, position, LENGTH_SIZE)
            if header[:1] == b"#":
                position = self._skip_deleted(position)
                continue
            length = parse_length(header)
            end = position + LENGTH_SIZE + (length or 0)
            if length is None or end > self._size:
                position = self._resynchronise(position)
                continue
            if position in self._referenced:
                self.values += 1
                self.bytes += length
            else:
                first_orphan = first_orphan if orphans else position
                orphans += 1
            self._check_value(position, end)
            position = end
        if orphans:
            self._findings.notes.append(
                f"{self.name}: {orphans} values that no row refers to, the first at offset "
                f"{first_orphan}; they only take up space"
            )

    def _skip_deleted(self, position: int) -> int:
        """Where the run of ``#`` from ``position`` on ends."""
        while position < self._size:
            data = self._reader.at(self.name, position, 4096 - position % 4096)
            if not data:
                return self._size
            rest = data.lstrip(b"#")
            position += len(data) - len(rest)
            if rest:
                break
        return position

    def _resynchronise(self, position: int) -> int:
        """Report what is neither a value nor a deleted one; where the next known value starts."""
        found = self._referenced.first(position + 1, self._size)
        # A reference to this very place was complained about with its row.
        if position not in self._referenced:
            until = self._size if found is None else found
            self._findings.problem(
                self.name,
                position,
                None,
                f"{until - position} bytes that are neither a value nor a deleted one",
            )
        return self._size if found is None else found

    def _check_value(self, position: int, end: int) -> None:
        inside = self._referenced.first(position + 1, end)
        while inside is not None:
            self.owners_wanted[inside] = f"its value lies inside another one, at offset {position}"
            inside = self._referenced.first(inside + 1, end)
        decoder = codecs.getincrementaldecoder("utf-8")()
        start = position + LENGTH_SIZE
        try:
            for offset in range(start, end, CHUNK_SIZE):
                data = self._reader.at(self.name, offset, min(CHUNK_SIZE, end - offset))
                decoder.decode(data, final=offset + CHUNK_SIZE >= end)
        except UnicodeDecodeError:
            self.owners_wanted[position] = "its value is not UTF-8"


def parse_length(header: bytes) -> int | None:
    """The length that a value's header says, or None if this is none."""
    digits = header.rstrip(b" ")
    if len(header) < LENGTH_SIZE or not digits.isdigit() or (digits[0] == 48 and digits != b"0"):
        return None
    return int(digits)
