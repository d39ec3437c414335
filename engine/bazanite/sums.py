"""Row checksums: the file ``T.sums.dat`` beside a table's files, and how it is first made.

Each of the table's files is a column; each line has the checksums of one block of 512 bytes of each
of them, and two lines in front say how long the files are.  docs/format.md has the bytes.

Invariants: a block's checksum also covers the file's name and the block's number, so a block that
stands elsewhere is not taken for this one; every byte of the table's files, and the end of each,
is covered.  A line of zeros, which a hole of the file reads as, stands for blocks of zeros only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from bazanite_wal.layer import View, WriteSet

from .errors import CorruptionError
from .files import CHUNK_SIZE_BYTES, TableFiles, shown
from .specs import Catalog, TableSpec

BLOCK_SIZE = 512
DIGITS = 16
CELL = DIGITS + 1
"""A checksum's hexadecimal digits, and a space or newline behind them."""
HEADER_LINES = 2
NOTHING = b" " * DIGITS
"""Stands where a file has no such block."""

_ZEROS = bytes(BLOCK_SIZE)
_UNUSED = b"-" * DIGITS
ADVICE = (
    "Restore a backup, or save the rest with `bazanite repair DIR --output NEW`; or, if a program"
    " without checksums (Bazoola) changed the files, look at"
    " `bazanite check`, open them with checksums=False and then with checksums=True"
)


@dataclass(frozen=True, slots=True)
class SumFile:
    """One table's checksum file; ``columns`` are the files that it covers, in their order."""

    directory: str
    name: str
    columns: tuple[str, ...]

    @property
    def width(self) -> int:
        """Length of a line."""
        return CELL * len(self.columns)

    def offset(self, block: int) -> int:
        """Where the line of this block number stands."""
        return (HEADER_LINES + block) * self.width

    def header(self, sizes: Iterable[int]) -> bytes:
        """The first two lines: the files' sizes, and the checksum of that line."""
        line = join_cells((b"%d" % size).ljust(DIGITS) for size in sizes)
        check = block_sum(self.name, -1, line)
        return line + join_cells([check, *[_UNUSED] * (len(self.columns) - 1)])

    def sizes(self, header: bytes) -> list[int]:
        """The files' sizes by the first two lines; CorruptionError unless they are whole."""
        line = header[: self.width]
        digits = [line[start : start + DIGITS].rstrip(b" ") for start in self._cells()]
        if all(word.isdigit() for word in digits):
            sizes = [int(word) for word in digits]
            if self.header(sizes) == header:
                return sizes
        raise self.damaged(
            self.name, 0, "the sizes of the table's files and their checksum", shown(header)
        )

    def damaged(self, name: str, offset: int, expected: str, found: str) -> CorruptionError:
        """The error for a file that is not what its checksums say."""
        return CorruptionError(f"{self.directory}/{name}", offset, expected, found, ADVICE)

    def _cells(self) -> range:
        return range(0, self.width, CELL)


Covered = Mapping[str, tuple[SumFile, int]]
"""For each file that has checksums: where they are, and its column there."""


def sum_file(files: TableFiles, spec: TableSpec) -> SumFile:
    """The checksum file of a table."""
    return SumFile(files.directory, files.sums, tuple(spec.files(files.directory, files.table)))


def covered(sum_files: Iterable[SumFile]) -> Covered:
    """All files that these cover."""
    return {name: (sums, column) for sums in sum_files for column, name in enumerate(sums.columns)}


def covered_by(directory: str, catalog: Catalog) -> Covered:
    """All files of a directory that have checksums."""
    return covered(
        sum_file(TableFiles(directory, name), spec)
        for name, spec in catalog.tables.items()
        if spec.checksums
    )


def block_sum(name: str, number: int, data: bytes) -> bytes:
    """The checksum of a block, as it stands in the file; the last block counts with zeros after."""
    text = b"%s %d\n%s" % (name.encode(), number, data.ljust(BLOCK_SIZE, b"\0"))
    return blake2b(text, digest_size=8).hexdigest().encode()


def block_count(size: int) -> int:
    """How many blocks a file of this size has."""
    return -(-size // BLOCK_SIZE)


def join_cells(cells: Iterable[bytes]) -> bytes:
    """One line."""
    return b" ".join(cells) + b"\n"


def fresh_line(sums: SumFile, block: int, sizes: Iterable[int]) -> bytes:
    """The line of blocks that are zeros, or beyond the end, in files of these sizes."""
    return join_cells(
        block_sum(name, block, _ZEROS) if block * BLOCK_SIZE < size else NOTHING
        for name, size in zip(sums.columns, sizes, strict=True)
    )


def build(tx: WriteSet, sums: SumFile) -> None:
    """Make the checksums of files as they are now; holes stay holes."""
    sizes = [tx.size(name) for name in sums.columns]
    count = max(map(block_count, sizes))
    tx.truncate(sums.name, 0)
    tx.write(sums.name, 0, sums.header(sizes))
    step = CHUNK_SIZE_BYTES // BLOCK_SIZE
    block = 0
    while block < count:
        number = min(step, count - block)
        pieces = [tx.read(n, block * BLOCK_SIZE, number * BLOCK_SIZE) for n in sums.columns]
        if any(piece.strip(b"\0") for piece in pieces):
            tx.write(sums.name, sums.offset(block), _lines(sums, block, number, sizes, pieces))
            block += number
        else:
            block = _next_block(tx, sums, block + number, count)
    if tx.size(sums.name) < sums.offset(count):
        tx.truncate(sums.name, sums.offset(count))


def _lines(sums: SumFile, block: int, count: int, sizes: list[int], pieces: list[bytes]) -> bytes:
    lines: list[bytes] = []
    for i in range(count):
        start = i * BLOCK_SIZE
        cells = [
            block_sum(name, block + i, piece[start : start + BLOCK_SIZE])
            if (block + i) * BLOCK_SIZE < size
            else NOTHING
            for name, size, piece in zip(sums.columns, sizes, pieces, strict=True)
        ]
        lines.append(join_cells(cells))
    return b"".join(lines)


def _next_block(view: View, sums: SumFile, block: int, count: int) -> int:
    """The first block from this one on that is not all zeros in one of the files."""
    found = [view.next_data(name, block * BLOCK_SIZE) for name in sums.columns]
    return min((place // BLOCK_SIZE for place in found if place is not None), default=count)


def next_covered(view: View, sums: SumFile, name: str, offset: int) -> int:
    """The first place of a file, at or after a block's, that is not in a hole both of it and of
    its checksums: there is nothing that could differ before.  Its size if there is none.
    """
    size = view.size(name)
    data = view.next_data(name, offset)
    line = view.next_data(sums.name, sums.offset(offset // BLOCK_SIZE))
    told = size if line is None else (line // sums.width - HEADER_LINES) * BLOCK_SIZE
    return min(size if data is None else data // BLOCK_SIZE * BLOCK_SIZE, told, size)
