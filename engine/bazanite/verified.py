"""Reading and changing files that have checksums: nothing unverified gets in or out.

``VerifiedView`` verifies each block that a read touches; ``VerifiedWrites`` also keeps the
checksums of what it changes, in the same transaction, so that both survive a crash together or not
at all.

Invariant: a block that is changed in part is verified first, so damage in its other bytes never
gets a checksum of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from bazanite_wal.layer import View, WriteSet

from .files import shown
from .sums import (
    BLOCK_SIZE,
    CELL,
    DIGITS,
    HEADER_LINES,
    NOTHING,
    Covered,
    SumFile,
    block_count,
    block_sum,
    fresh_line,
)


class VerifiedView:
    """A view of which every read is verified, where there are checksums.

    CorruptionError for a block that is not the one that its checksum tells of.  ``view`` does not
    change meanwhile, or the caller knows that it did and takes no result.
    """

    def __init__(self, view: View, files: Covered) -> None:
        self._view = view
        self._files = files
        self._sizes: dict[str, list[int]] = {}
        self._known: set[tuple[str, int]] = set()
        """Single blocks that are known to be right."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        place = self._files.get(name)
        if place is None or size <= 0:
            return self._view.read(name, offset, size)
        first = offset // BLOCK_SIZE
        start = first * BLOCK_SIZE
        wanted = block_count(offset + size) * BLOCK_SIZE - start
        data = self._view.read(name, start, wanted)
        if data:
            self._verify(name, *place, first, data)
        if len(data) < wanted:
            self._verify_size(name, *place)
        return data[offset - start : offset - start + size]

    def size(self, name: str) -> int:
        place = self._files.get(name)
        if place is not None:
            self._verify_size(name, *place)
        return self._view.size(name)

    def next_data(self, name: str, offset: int) -> int | None:
        return self._view.next_data(name, offset)

    def _verify(self, name: str, sums: SumFile, column: int, first: int, data: bytes) -> None:
        count = block_count(len(data))
        if count == 1 and (name, first) in self._known:
            return
        width = sums.width
        lines = self._view.read(sums.name, sums.offset(first), count * width)
        cell = column * CELL
        for i in range(count):
            block = data[i * BLOCK_SIZE : (i + 1) * BLOCK_SIZE]
            expected = lines[i * width + cell : i * width + cell + DIGITS]
            if block_sum(name, first + i, block) == expected:
                continue
            if self._is_known(name, sums, column, first + i):
                continue
            line = lines[i * width : (i + 1) * width]
            if line != bytes(width) or block.strip(b"\0"):
                raise self._mismatch(name, sums, column, first + i, block, expected)
        if count == 1:
            self._known.add((name, first))

    def _is_known(self, name: str, _sums: SumFile, _column: int, block: int) -> bool:
        return (name, block) in self._known

    def _mismatch(
        self, name: str, sums: SumFile, column: int, number: int, block: bytes, expected: bytes
    ) -> Exception:
        where = sums.offset(number) + column * CELL
        return sums.damaged(
            name,
            number * BLOCK_SIZE,
            f"{len(block)} bytes of checksum {shown(expected)} ({sums.name} offset {where})",
            f"checksum {shown(block_sum(name, number, block))}",
        )

    def _verify_size(self, name: str, sums: SumFile, column: int) -> None:
        expected, found = self._recorded(sums)[column], self._view.size(name)
        if found != expected:
            raise sums.damaged(
                name,
                min(expected, found),
                f"{expected} bytes ({sums.name} offset {column * CELL})",
                f"{found} bytes",
            )

    def _recorded(self, sums: SumFile) -> list[int]:
        sizes = self._sizes.get(sums.name)
        if sizes is None:
            header = self._view.read(sums.name, 0, HEADER_LINES * sums.width)
            sizes = self._sizes[sums.name] = sums.sizes(header)
        return sizes


def finish(tx: WriteSet) -> None:
    """At the end of a call that changed something: write the checksums, where there are any."""
    if isinstance(tx, VerifiedWrites):
        tx.finish()


class _Change:
    """What became of one table's files: their sizes before, cuts since, and blocks changed."""

    def __init__(self, sums: SumFile, sizes: list[int]) -> None:
        self.sums = sums
        self.before = list(sizes)
        self.floors = list(sizes)
        self.dirty: list[set[int]] = [set() for _ in sizes]


class VerifiedWrites(VerifiedView):
    """A write set of which every read is verified; ``finish`` writes the checksums of the changes.

    One for each call that changes something; the transaction may have several in turn.
    """

    def __init__(self, tx: WriteSet, files: Covered) -> None:
        super().__init__(tx, files)
        self._tx = tx
        self._changes: dict[str, _Change] = {}

    @property
    def changes(self) -> int:
        """How many changes were made."""
        return self._tx.changes

    def write(self, name: str, offset: int, data: bytes) -> None:
        self._before_write(name, offset, len(data))
        self._tx.write(name, offset, data)

    def fill(self, name: str, offset: int, byte: int, count: int) -> None:
        self._before_write(name, offset, count)
        self._tx.fill(name, offset, byte, count)

    def truncate(self, name: str, size: int) -> None:
        place = self._files.get(name)
        if place is not None:
            sums, column = place
            change = self._change(sums)
            block, within = divmod(size, BLOCK_SIZE)
            if size < self._tx.size(name):
                if within:
                    self._touch(change, name, column, block)
                dirty = change.dirty[column]
                dirty.difference_update([b for b in dirty if b * BLOCK_SIZE >= size])
                change.floors[column] = min(change.floors[column], size)
        self._tx.truncate(name, size)

    def finish(self) -> None:
        """Write the checksums of all that was changed."""
        for change in self._changes.values():
            self._finish(change)
        self._changes.clear()
        self._sizes.clear()
        self._known.clear()

    def _verify_size(self, name: str, sums: SumFile, column: int) -> None:
        if sums.name not in self._changes:  # else they were verified before the first change
            super()._verify_size(name, sums, column)

    def _is_known(self, name: str, sums: SumFile, column: int, block: int) -> bool:
        change = self._changes.get(sums.name)
        if change is None:
            return super()._is_known(name, sums, column, block)
        return block in change.dirty[column] or block >= block_count(change.floors[column])

    def _change(self, sums: SumFile) -> _Change:
        change = self._changes.get(sums.name)
        if change is None:
            for column, name in enumerate(sums.columns):
                self._verify_size(name, sums, column)
            change = self._changes[sums.name] = _Change(sums, self._recorded(sums))
        return change

    def _before_write(self, name: str, offset: int, count: int) -> None:
        place = self._files.get(name)
        if place is None or count <= 0:
            return
        sums, column = place
        change = self._change(sums)
        end = offset + count
        first, last = offset // BLOCK_SIZE, (end - 1) // BLOCK_SIZE
        size = self._tx.size(name)
        for block in (first, last):
            start = block * BLOCK_SIZE
            kept = start < offset or end < min(start + BLOCK_SIZE, size)
            if start < size and kept:
                self._touch(change, name, column, block)
        change.dirty[column].update(range(first, last + 1))

    def _touch(self, change: _Change, name: str, column: int, block: int) -> None:
        """Verify a block that is about to be changed in part."""
        if block not in change.dirty[column]:
            self.read(name, block * BLOCK_SIZE, BLOCK_SIZE)
            change.dirty[column].add(block)

    def _finish(self, change: _Change) -> None:
        sums, tx = change.sums, self._tx
        after = [tx.size(name) for name in sums.columns]
        old_count = max(map(block_count, change.before))
        count = max(map(block_count, after))
        lines = self._changed_cells(change, after, old_count, count)
        if count < old_count:
            tx.truncate(sums.name, sums.offset(count))
        if after != change.before:
            for number in range(-HEADER_LINES, 0):
                lines[number] = {}
        header = sums.header(after)
        for first, numbers in _runs(lines):
            old = tx.read(sums.name, sums.offset(first), numbers * sums.width)
            new = b"".join(
                self._line(sums, n, old, (n - first) * sums.width, lines[n], after)
                if n >= 0
                else header[sums.offset(n) : sums.offset(n + 1)]
                for n in range(first, first + numbers)
            )
            _write_difference(tx, sums.name, sums.offset(first), old, new)
        if tx.size(sums.name) < sums.offset(count):
            tx.truncate(sums.name, sums.offset(count))

    def _changed_cells(
        self, change: _Change, after: list[int], old_count: int, count: int
    ) -> dict[int, dict[int, bytes]]:
        """The new cells, by line and column."""
        lines: dict[int, dict[int, bytes]] = {}
        for column, name in enumerate(change.sums.columns):
            blocks = block_count(after[column])
            dirty = change.dirty[column]
            # Of a gap, which reads as zeros, only lines that are there already need an entry.
            gap = range(block_count(change.floors[column]), min(blocks, old_count))
            for block in (*(b for b in dirty if b < blocks), *(b for b in gap if b not in dirty)):
                data = self._tx.read(name, block * BLOCK_SIZE, BLOCK_SIZE)
                lines.setdefault(block, {})[column] = block_sum(name, block, data)
            for block in range(blocks, min(block_count(change.before[column]), count)):
                lines.setdefault(block, {})[column] = NOTHING
        return lines

    def _line(
        self,
        sums: SumFile,
        number: int,
        old: bytes,
        start: int,
        cells: dict[int, bytes],
        sizes: list[int],
    ) -> bytes:
        line = bytearray(old[start : start + sums.width])
        if len(line) < sums.width or not line.strip(b"\0"):
            line = bytearray(fresh_line(sums, number, sizes))
        for column, cell in cells.items():
            line[column * CELL : column * CELL + DIGITS] = cell
        return bytes(line)


def _runs(lines: dict[int, dict[int, bytes]]) -> Iterator[tuple[int, int]]:
    """(first, how many) of each run of consecutive numbers."""
    numbers = sorted(lines)
    start = 0
    for position in range(1, len(numbers) + 1):
        if position == len(numbers) or numbers[position] != numbers[position - 1] + 1:
            yield numbers[start], position - start
            start = position


def _write_difference(tx: WriteSet, name: str, offset: int, old: bytes, new: bytes) -> None:
    """Write ``new`` without what it begins and ends with as ``old`` does."""
    if len(old) != len(new):
        tx.write(name, offset, new)
        return
    changed = [i for i in range(0, len(new), DIGITS) if old[i : i + DIGITS] != new[i : i + DIGITS]]
    if changed:
        start, end = changed[0], min(changed[-1] + DIGITS, len(new))
        tx.write(name, offset + start, new[start:end])
