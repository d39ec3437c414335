"""A table of rows as text: columns aligned by what a terminal shows, long values shortened.

Into a file or a pipe every value is whole.  On a terminal rich draws the table, if it is installed
(the extra ``terminal``); else a row takes one line if it can, and NULL and the heading stand out
(but see https://no-color.org).  Rows are printed as they come, a batch at
a time; only a later value that is wider than all of the first batch moves what follows it.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from typing import Any, TextIO

from .output import speaks_unicode
from .values import NULL

_BATCH = 1000
_GAP = "  "
_RICH_GAP = "   "
_NARROWEST = 4
_CUT = "\u2026"


class Grid:
    """Prints rows under their headings; ``right`` has the columns that are aligned to the right."""

    def __init__(self, stream: TextIO, headings: Sequence[str], right: Sequence[bool]) -> None:
        self._stream = stream
        self._headings = list(headings)
        self._right = list(right)
        self._columns = columns_of(stream)
        self._cut = _CUT if speaks_unicode(stream) else "~"
        self._rich = self._drawer()
        self._gap = _GAP if self._rich is None else _RICH_GAP
        self._colour = self._columns is not None and not os.environ.get("NO_COLOR")

    def print(self, rows: Iterable[Sequence[str]]) -> int:
        """Print all rows, and the headings above the first; returns how many there were."""
        iterator, count = iter(rows), 0
        widths = [width(heading) for heading in self._headings]
        while (batch := list(islice(iterator, _BATCH))) or not count:
            for row in batch:
                widths = [max(old, width(text)) for old, text in zip(widths, row, strict=True)]
            self._print_batch(batch, self._fitted(widths), first=not count)
            count += len(batch)
            if not batch:
                break
        return count

    def _print_batch(self, batch: list[Sequence[str]], widths: list[int], *, first: bool) -> None:
        if self._rich is not None:
            columns = zip(widths, self._right, strict=True)
            self._rich.print_batch(self._stream, self._headings, columns, batch, first=first)
            return
        if first:
            self._line(self._headings, widths, "\x1b[1m")
            self._line(["-" * size for size in widths], widths)
        for row in batch:
            self._line(row, widths)

    def _drawer(self) -> Any:
        """What draws the rows, if this is a terminal in which each column has some room."""
        narrowest = len(self._headings) * (_NARROWEST + len(_RICH_GAP))
        if self._columns is None or narrowest > self._columns:
            return None
        has_rich = rich_in(os.environ.get("TERM"))
        return import_module(".rich_grid", __package__) if has_rich else None

    def _fitted(self, widths: list[int]) -> list[int]:
        """The columns' widths, the widest ones less where the terminal has not so much room."""
        if self._columns is None:
            return widths
        room = self._columns - len(self._gap) * (len(widths) - 1)
        fitted = list(widths)
        while sum(fitted) > room:
            widest = max(fitted)
            if widest <= _NARROWEST:
                return widths  # there are too many columns for one line
            below = max([size for size in fitted if size < widest] + [_NARROWEST])
            at = [index for index, size in enumerate(fitted) if size == widest]
            less = min(widest - below, -(-(sum(fitted) - room) // len(at)))
            for index in at:
                fitted[index] -= less
        return fitted

    def _line(self, texts: Sequence[str], widths: list[int], style: str = "") -> None:
        cells = []
        for text, size, right in zip(texts, widths, self._right, strict=True):
            shown = text if self._columns is None else shortened(text, size, self._cut)
            space = " " * (size - width(shown))
            if self._colour and (style or text == NULL):
                shown = f"{style or chr(27) + '[2m'}{shown}\x1b[0m"
            cells.append(space + shown if right else shown + space)
        self._stream.write(_GAP.join(cells).rstrip() + "\n")


def rich_in(terminal: str | None) -> bool:
    """Whether this kind of terminal can show more than lines, and rich is installed."""
    return terminal not in {None, "", "dumb"} and find_spec("rich") is not None


def print_record(stream: TextIO, pairs: Sequence[tuple[str, str]]) -> None:
    """One row, a line for each of its fields, every value whole."""
    longest = max(width(name) for name, _ in pairs)
    colour = columns_of(stream) is not None and not os.environ.get("NO_COLOR")
    for name, text in pairs:
        shown = f"\x1b[2m{text}\x1b[0m" if colour and text == NULL else text
        heading = f"\x1b[1m{name}\x1b[0m" if colour else name
        stream.write(f"{heading}{' ' * (longest - width(name))}{_GAP}{shown}\n")


def columns_of(stream: TextIO) -> int | None:
    """How many columns the terminal has that this is; None if it is none."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def shortened(text: str, size: int, cut: str = _CUT) -> str:
    """The text, or its beginning and a sign that it was cut, in so many columns."""
    if width(text) <= size:
        return text
    return "".join(_beginning(text, size - width(cut))) + cut


def _beginning(text: str, room: int) -> Iterator[str]:
    for character in text:
        room -= _width_of(character)
        if room < 0:
            return
        yield character


def _width_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
