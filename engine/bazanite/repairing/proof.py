"""Which bytes a table's checksums prove, in one view of the files.

A checksum covers its block's place, so what it confirms is right whatever else is damaged; what it
does not confirm may be right all the same, if it is the checksum that is damaged.
"""

from __future__ import annotations

from bazanite_wal.layer import View

from ..errors import CorruptionError
from ..files import TableFiles
from ..specs import TableSpec
from ..sums import BLOCK_SIZE, CELL, DIGITS, HEADER_LINES, block_sum, sum_file

_REMEMBERED = 1 << 14


class Proof:
    """Says of any bytes of a table's files whether their checksums are right."""

    def __init__(self, view: View, files: TableFiles, spec: TableSpec) -> None:
        self._view = view
        self._sums = sum_file(files, spec)
        self._columns = {name: place for place, name in enumerate(self._sums.columns)}
        self._known: dict[tuple[str, int], bool] = {}
        self._sizes = self._read_sizes()

    def holds(self, name: str, start: int, end: int) -> bool:
        """Whether all blocks of these bytes are as their checksums say."""
        return all(
            self._block(name, block) for block in range(start // BLOCK_SIZE, -(-end // BLOCK_SIZE))
        )

    def size(self, name: str) -> int | None:
        """How long the file should be; None if that cannot be told."""
        return None if self._sizes is None else self._sizes[self._columns[name]]

    def _read_sizes(self) -> list[int] | None:
        sums = self._sums
        try:
            return sums.sizes(self._view.read(sums.name, 0, HEADER_LINES * sums.width))
        except CorruptionError:
            return None

    def _block(self, name: str, number: int) -> bool:
        key = name, number
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._is_right(name, number)
        return self._known[key]

    def _is_right(self, name: str, number: int) -> bool:
        sums = self._sums
        start, size = number * BLOCK_SIZE, self.size(name)
        end = start + BLOCK_SIZE if size is None else min(start + BLOCK_SIZE, size)
        data = self._view.read(name, start, max(0, end - start))  # not what was appended
        place = sums.offset(number) + self._columns[name] * CELL
        cell = self._view.read(sums.name, place, DIGITS)
        if cell == bytes(DIGITS):
            return bool(data) and not data.strip(b"\0")
        return bool(data) and cell == block_sum(name, number, data)
