"""Checking a table's checksums: each block of each file, and every byte of the checksum file.

Time is linear in what the files hold: where all of them have holes, nothing is read.
"""

from __future__ import annotations

import re

from .check_reader import Findings, Reader
from .errors import CorruptionError
from .sums import BLOCK_SIZE, CELL, DIGITS, HEADER_LINES, NOTHING, SumFile, block_count, block_sum

_LINE = re.compile(rb"(?:(?:[0-9a-f]{16}| {16})[ \n])+\Z")
_STEP = 256
"""Lines looked at together."""


class SumCheck:
    """The check of one table's checksums; ``run`` once."""

    def __init__(self, sums: SumFile, reader: Reader, findings: Findings) -> None:
        self._sums = sums
        self._reader = reader
        self._findings = findings
        self._found = [reader.size(name) for name in sums.columns]

    def run(self) -> None:
        """Read everything, report every difference."""
        sums, reader = self._sums, self._reader
        header = reader.at(sums.name, 0, HEADER_LINES * sums.width)
        try:
            self._check_sizes(sums.sizes(header))
        except CorruptionError as error:
            what = f"expected {error.expected}, found {error.found}"
            self._findings.problem(sums.name, 0, None, what)
        count = max(map(block_count, self._found))
        size, expected = reader.size(sums.name), sums.offset(count)
        if size != expected:
            what = f"has {size} bytes: {count} lines of checksums end at {expected}"
            self._findings.problem(sums.name, min(size, expected), None, what)
        # Of blocks whose lines are cut off there is no more to say.
        count = min(count, max(0, size // sums.width - HEADER_LINES))
        block = 0
        while block < count:
            block = self._check_blocks(block, min(_STEP, count - block), count)

    def _check_sizes(self, recorded: list[int]) -> None:
        for name, found, size in zip(self._sums.columns, self._found, recorded, strict=True):
            if found != size:
                what = f"has {found} bytes, and {size} by its checksums ({self._sums.name})"
                self._findings.problem(name, min(found, size), None, what)

    def _check_blocks(self, first: int, number: int, count: int) -> int:
        """Check some lines; the number of the next one to look at."""
        sums, reader = self._sums, self._reader
        lines = reader.at(sums.name, sums.offset(first), number * sums.width)
        pieces = [reader.at(name, first * BLOCK_SIZE, number * BLOCK_SIZE) for name in sums.columns]
        if not lines.strip(b"\0") and not any(piece.strip(b"\0") for piece in pieces):
            return self._next_block(first + number, count)
        for i in range(number):
            line = lines[i * sums.width : (i + 1) * sums.width]
            blocks = [piece[i * BLOCK_SIZE : (i + 1) * BLOCK_SIZE] for piece in pieces]
            self._check_line(first + i, line, blocks)
        return first + number

    def _check_line(self, number: int, line: bytes, blocks: list[bytes]) -> None:
        sums = self._sums
        if len(line) == sums.width and not line.strip(b"\0"):
            for name, block in zip(sums.columns, blocks, strict=True):
                if block.strip(b"\0"):
                    self._different(name, number, b"\0" * DIGITS, block)
            return
        ends = line[DIGITS::CELL]
        if not _LINE.match(line) or ends != b" " * (len(sums.columns) - 1) + b"\n":
            what = f"is no line of checksums: {line[:40]!r}"
            self._findings.problem(sums.name, sums.offset(number), None, what)
        for column, (name, block) in enumerate(zip(sums.columns, blocks, strict=True)):
            cell = line[column * CELL : column * CELL + DIGITS]
            right = block_sum(name, number, block) if block else NOTHING
            if cell != right:
                self._different(name, number, cell, block)

    def _different(self, name: str, number: int, cell: bytes, block: bytes) -> None:
        if block:
            found = f"the {len(block)} bytes from here have checksum"
            found += f" {block_sum(name, number, block).decode()}"
        else:
            found = "the file ends here or before"
        what = f"{found}, and {self._sums.name} has {_told(cell)}"
        self._findings.problem(name, number * BLOCK_SIZE, None, what)

    def _next_block(self, block: int, count: int) -> int:
        sums = self._sums
        found = [self._reader.next_data(name, block * BLOCK_SIZE) for name in sums.columns]
        places = [place // BLOCK_SIZE for place in found if place is not None]
        line = self._reader.next_data(sums.name, sums.offset(block))
        if line is not None:
            places.append(line // sums.width - HEADER_LINES)
        return max(block, min(places, default=count))


def _told(cell: bytes) -> str:
    """What a cell says of its block, for a person."""
    if re.fullmatch(rb"[0-9a-f]{16}", cell):
        return cell.decode()
    if cell == NOTHING:
        return "none"
    return "zeros" if cell == bytes(DIGITS) else repr(cell)
