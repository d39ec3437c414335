"""The row index: for each id the slot of its row, at entry ``id - 1``.

Invariants: an entry is ``int_width`` bytes, a slot number padded with spaces, or all ``#`` or all
zeros for none; a row is live if and only if the entry of its id names its slot.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from bazanite_wal.layer import View, WriteSet

from .errors import ValidationError
from .files import CHUNK_SIZE_BYTES, TableFiles

FILLED_GAP_BYTES = 1 << 20
"""Gaps below this are filled with ``#``, as Bazoola does; larger ones stay sparse, zeros."""

_WINDOW_SIZE_BYTES = 16 * 1024
"""How much is read at once where many ids are looked up."""
_SPARSE = 64
"""Of fewer than one in so many each is read alone."""


class RowIndex:
    """One table's index, with entries of ``width`` bytes."""

    def __init__(self, files: TableFiles, width: int) -> None:
        self._files = files
        self._name = files.index
        self._width = width

    def find(self, view: View, pk: int) -> int | None:
        """The slot of the row with this positive id, None if there is no such row."""
        offset = (pk - 1) * self._width
        entry = view.read(self._name, offset, self._width)
        return self._decode(entry, offset) if entry else None

    def put(self, tx: WriteSet, pk: int, slots: list[int]) -> None:
        """Let ids from ``pk`` on stand at these slots."""
        self.put_entries(tx, pk, b"".join([encode(slot, self._width) for slot in slots]))

    def put_entries(self, tx: WriteSet, pk: int, entries: bytes) -> None:
        """Let these be the entries of the ids from ``pk`` on."""
        offset = (pk - 1) * self._width
        size = tx.size(self._name)
        if offset - size == self._width:  # a fill of one entry would say that it was erased
            tx.write(self._name, size, b"#" * self._width + entries)
            return
        if size < offset < size + FILLED_GAP_BYTES:
            tx.fill(self._name, size, ord("#"), offset - size)
        tx.write(self._name, offset, entries)

    def has_all(self, view: View, ids: Sequence[int]) -> bool:
        """Whether each of these ids, in ascending order, has a row.

        False also for a damaged entry, which ``find`` tells of.
        """
        return all(entry.rstrip(b" ").isdigit() for entry in self._entries_of(view, ids))

    def has_none(self, view: View, ids: Sequence[int]) -> bool:
        """Whether none of these ids, in ascending order, has a row; False as above."""
        if isinstance(ids, range):
            offset = (ids.start - 1) * self._width
            if not view.read(self._name, offset, self._width):
                return True  # behind the end
        none = (b"", b"#" * self._width, b"\0" * self._width)
        return all(entry in none for entry in self._entries_of(view, ids))

    def says(self, view: View, ids: Sequence[int], slots: Sequence[int]) -> bool:
        """Whether these ids, in ascending order, stand at these slots; False as above."""
        entries = self._entries_of(view, ids)
        wanted = (encode(slot, self._width) for slot in slots)
        return all(entry == other for entry, other in zip(entries, wanted, strict=True))

    def _entries_of(self, view: View, ids: Sequence[int]) -> Iterator[bytes]:
        """The entries of ascending ids, with one read for many that lie side by side."""
        width = self._width
        step = max(1, _WINDOW_SIZE_BYTES // width)
        start = end = 0
        data = b""
        for position, pk in enumerate(ids):
            if pk >= end:
                last = bisect_left(ids, pk + step, position) - 1
                dense = ids[last] - pk < _SPARSE * (last - position)
                start, end = pk, ids[last] + 1 if dense else pk + 1
                data = view.read(self._name, (start - 1) * width, (end - start) * width)
            yield data[(pk - start) * width : (pk - start + 1) * width]

    def erase(self, tx: WriteSet, pk: int) -> None:
        """Let this id, which has one, have no row.

        A fill, as no write takes that over: so a frame tells which ids had a row before it.
        """
        tx.fill(self._name, (pk - 1) * self._width, ord("#"), self._width)

    def entries(self, view: View) -> Iterator[tuple[int, int]]:
        """(id, slot) of every entry that names one, in id order."""
        size = view.size(self._name)
        step = max(1, CHUNK_SIZE_BYTES // self._width) * self._width
        start = 0
        while start < size:
            data = view.read(self._name, start, min(step, size - start))
            if not data.strip(b"\0"):
                found = view.next_data(self._name, start + step)
                start = size if found is None else found // self._width * self._width
                continue
            for position in range(0, len(data), self._width):
                slot = self._decode(data[position : position + self._width], start + position)
                if slot is not None:
                    yield (start + position) // self._width + 1, slot
            start += step

    def range(
        self, view: View, first: int, last: int | None, *, backwards: bool = False
    ) -> Iterator[tuple[int, int]]:
        """(id, slot) of the rows with ids from ``first`` to ``last``, None: to the end.

        In their order, or the other way round.
        """
        width = self._width
        end = view.size(self._name) // width * width
        start = (first - 1) * width
        end = end if last is None else min(end, last * width)
        step = max(1, _WINDOW_SIZE_BYTES // width) * width
        while start < end:
            begin = max(start, end - step) if backwards else start
            data = view.read(self._name, begin, min(step, end - begin))
            if backwards:
                end = begin
            else:
                start = begin + len(data)
                if not data.strip(b"\0"):
                    found = view.next_data(self._name, start)
                    start = end if found is None else max(start, found // width * width)
                    continue
            places = range(0, len(data), width)
            for place in reversed(places) if backwards else places:
                slot = self._decode(data[place : place + width], begin + place)
                if slot is not None:
                    yield (begin + place) // width + 1, slot

    def _decode(self, entry: bytes, offset: int) -> int | None:
        if len(entry) == self._width:
            digits = entry.rstrip(b" ")
            if digits.isdigit():
                return int(digits)
            if entry == b"#" * self._width or entry == b"\0" * self._width:
                return None
        expected = f"a slot number in {self._width} bytes"
        raise self._files.damaged(self._name, offset, expected, entry)


def encode(slot: int, width: int) -> bytes:
    """A slot number's bytes; ValidationError if the table has more slots than the width allows."""
    data = b"%d" % slot
    if len(data) > width:
        raise ValidationError(f"The table is full: slot {slot} does not fit {width} digits")
    return data.ljust(width)
