"""CSV as text (RFC 4180): records from lines, and cells to text.

Pure.  Other than the module ``csv``, it tells an empty cell in quotes, which is a text without
characters, from one without, which is NULL; and it refuses what it would have to guess about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SPECIAL = re.compile(r'["\r\n]|^\s|\s$|\A\Z')


class BadRecord(ValueError):
    """A record that is not CSV; ``line`` is where."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True, slots=True)
class Dialect:
    """What separates cells, and which cell is NULL: one with this text, unless it is in quotes.

    ``quoted_null``: one in quotes, too.
    """

    delimiter: str = ","
    null: str = ""
    quoted_null: bool = False

    def cell(self, value: str | None) -> str:
        """The text of a cell."""
        if value is None:
            return self.null
        if value == self.null or self.delimiter in value or _SPECIAL.search(value):
            return '"' + value.replace('"', '""') + '"'
        return value

    def record(self, values: Iterable[str | None]) -> str:
        """The text of a record, with its end."""
        return self.delimiter.join(map(self.cell, values)) + "\n"

    def records(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str | None]]]:
        """Each record and the number of its first line; empty lines are none.

        BadRecord for one that is not CSV.
        """
        numbered = enumerate(lines, 1)
        null, delimiter = self.null, self.delimiter
        for number, line in numbered:
            if '"' in line:
                yield number, self._quoted(number, line, numbered)
            elif text := line.rstrip("\r\n"):
                cells = text.split(delimiter)
                yield number, [None if cell == null else cell for cell in cells]

    def _quoted(
        self, number: int, line: str, numbered: Iterator[tuple[int, str]]
    ) -> list[str | None]:
        """The cells of a record of which one may be in quotes, and have line ends in it."""
        first = number
        cells: list[str | None] = []
        position = 0
        while True:
            if not line.startswith('"', position):
                end = line.find(self.delimiter, position)
                text = line[position:].rstrip("\r\n") if end < 0 else line[position:end]
                cells.append(None if text == self.null else text)
            else:
                pieces: list[str] = []
                begin = position = position + 1
                while (end := line.find('"', position)) < 0 or line[end + 1 : end + 2] == '"':
                    if end >= 0:
                        position = end + 2
                        continue
                    pieces.append(line[begin:])
                    number, line = next(numbered, (0, ""))
                    if not line:
                        raise BadRecord(first, "a cell in quotes does not end")
                    begin = position = 0
                pieces.append(line[begin:end])
                text = "".join(pieces).replace('""', '"')
                cells.append(None if self.quoted_null and text == self.null else text)
                end += 1
                rest = line[end:]
                if not rest.startswith(self.delimiter):
                    if rest.rstrip("\r\n"):
                        raise BadRecord(number, "text stands behind a cell in quotes")
                    end = -1
            if end < 0:
                return cells
            position = end + 1
