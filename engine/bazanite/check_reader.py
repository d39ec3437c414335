"""Reading files of any size for the checker: in bounded memory, and without ever raising.

Whatever the view below cannot read (a bad sector, a file that went away) becomes a finding of the
file concerned and reads as nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from bazanite_wal.errors import DBError
from bazanite_wal.layer import View

CHUNK_SIZE = 1 << 18
_PAGE_SIZE = 4096
_CACHED_PAGES = 1024
_LISTED_PER_FILE = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: in which file, from which byte on, and with which row.

    ``row`` is the id of the row concerned, or None where no single row is, or its id is unreadable.
    """

    file: str
    offset: int
    row: int | None
    what: str

    def __str__(self) -> str:
        row = "" if self.row is None else f", row id {self.row}"
        return f"{self.file} offset {self.offset}{row}: {self.what}"


class Findings:
    """Problems as they are found: all are counted, the first of each file are listed."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.omitted = 0
        self._per_file: dict[str, int] = {}

    def problem(self, file: str, offset: int, row: int | None, what: str) -> None:
        """Count a problem, and list it unless its file has many already."""
        count = self._per_file[file] = self._per_file.get(file, 0) + 1
        if count <= _LISTED_PER_FILE:
            self.problems.append(Problem(file, offset, row, what))
        else:
            self.omitted += 1


class Reader:
    """A view with a cache for reads at random, and chunks for reads in order."""

    def __init__(self, view: View, findings: Findings) -> None:
        self._view = view
        self._findings = findings
        self._pages: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._unreadable: set[str] = set()

    def size(self, name: str) -> int:
        """The file's length in bytes; 0 if it does not exist or cannot be asked."""
        try:
            return self._view.size(name)
        except (DBError, OSError) as error:
            self._unreadable_at(name, 0, error)
            return 0

    def chunks(
        self, name: str, item_size: int, *, skip_zeros: bool = False
    ) -> Iterator[tuple[int, bytes]]:
        """The file in order, as (offset, bytes) pieces; a partial last item is left out.

        With ``skip_zeros`` pieces that are zeros all over are left out, and holes are not read.
        """
        step = max(CHUNK_SIZE // item_size, 1) * item_size
        end = self.size(name) // item_size * item_size
        offset = 0
        while offset < end:
            data = self._read(name, offset, min(step, end - offset))
            if skip_zeros and data and not data.strip(b"\0"):
                offset = self._next_item(name, offset + step, item_size, end)
                continue
            if data:
                yield offset, data[: len(data) // item_size * item_size]
            offset += step

    def _next_item(self, name: str, offset: int, item_size: int, end: int) -> int:
        """Where the first item from ``offset`` on starts that may not be zeros, else ``end``."""
        found = self.next_data(name, offset)
        return end if found is None else found // item_size * item_size

    def next_data(self, name: str, offset: int) -> int | None:
        """Where the first byte from ``offset`` on may be that is not zero; None: nowhere."""
        try:
            return self._view.next_data(name, offset)
        except (DBError, OSError) as error:
            self._unreadable_at(name, offset, error)
            return offset

    def at(self, name: str, offset: int, size: int) -> bytes:
        """A few bytes anywhere; fewer at the end of the file."""
        number, start = divmod(offset, _PAGE_SIZE)
        page = self._page(name, number)
        if start + size <= _PAGE_SIZE:
            return page[start : start + size]
        return self._read(name, offset, size)

    def _page(self, name: str, number: int) -> bytes:
        key = name, number
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = self._read(name, number * _PAGE_SIZE, _PAGE_SIZE)
            if len(self._pages) > _CACHED_PAGES:
                self._pages.popitem(last=False)
        return page

    def _read(self, name: str, offset: int, size: int) -> bytes:
        try:
            return self._view.read(name, offset, size)
        except (DBError, OSError) as error:
            self._unreadable_at(name, offset, error)
            return b""

    def _unreadable_at(self, name: str, offset: int, error: Exception) -> None:
        if name not in self._unreadable:
            self._unreadable.add(name)
            self._findings.problem(name, offset, None, f"cannot be read: {error}")


class BitSet:
    """A set of small numbers below ``size``, one bit each."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._bits = bytearray((size + 7) // 8)

    def __contains__(self, number: int) -> bool:
        return number < self.size and bool(self._bits[number >> 3] & 1 << (number & 7))

    def add(self, number: int) -> None:
        """Put a number in."""
        self._bits[number >> 3] |= 1 << (number & 7)

    def first(self, start: int, stop: int) -> int | None:
        """The smallest member from ``start`` up to and without ``stop``."""
        stop = min(stop, self.size)
        while start < stop and start & 7:
            if start in self:
                return start
            start += 1
        byte = start >> 3
        while start < stop:
            # Members are rare: a slice full of zeros is passed over at the speed of memory.
            piece = self._bits[byte : min(byte + 4096, (stop + 7) >> 3)]
            zeros = len(piece) - len(piece.lstrip(b"\0"))
            if zeros < len(piece):
                low = piece[zeros] & -piece[zeros]
                found = (byte + zeros << 3) + low.bit_length() - 1
                return found if found < stop else None
            byte += len(piece)
            start = byte << 3
        return None
