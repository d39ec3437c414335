"""Sorting rows; NULL is below every value.

``Sorter`` sorts more rows than memory should hold: runs of them are sorted, written to a temporary
file and merged (Knuth, The Art of Computer Programming, volume 3, section 5.4).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from bazanite_wal.posix import TemporaryFile

from ..errors import DirectoryError
from ..row import Row
from .ask import Order

SlotRow = tuple[int, Row]
"""A slot, and the row that stands there."""
_RUN_ROWS = 20_000
_PIECE_ROWS = 200
"""So many rows of each run are in memory while runs are merged."""


def sorted_rows(rows: Iterable[SlotRow], order: Sequence[Order]) -> list[SlotRow]:
    """The rows in this order; equal ones by slot, backwards if the last field is descending."""
    result = sorted(rows, key=_slot, reverse=bool(order) and order[-1].descending)
    for field, descending in reversed(order):
        result.sort(key=_by(field), reverse=descending)  # equal ones keep their order
    return result


def _slot(item: SlotRow) -> int:
    return item[0]


def _by(field: str) -> Callable[[SlotRow], Any]:
    return lambda item: sortable(item[1][field])


class Backwards:
    """A value that stands the other way round among others."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: Backwards) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and bool(other.value == self.value)

    __hash__ = None  # type: ignore[assignment]


class Sorter:
    """Sorts rows, of which some ten thousand are in memory at a time.  Close it."""

    def __init__(self, order: Sequence[Order]) -> None:
        self._order = order
        self._file: TemporaryFile | None = None

    def sorted(self, rows: Iterator[SlotRow]) -> Iterator[SlotRow]:
        """The rows, all of which are taken before the first one comes."""
        runs: list[list[tuple[int, int]]] = []
        run = list(islice(rows, _RUN_ROWS))
        while len(run) == _RUN_ROWS:
            runs.append(self._written(sorted_rows(run, self._order)))
            run = list(islice(rows, _RUN_ROWS))
        run = sorted_rows(run, self._order)
        if not runs:
            yield from run
            return
        yield from heapq.merge(*map(self._read, runs), run, key=self._key)

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            self._file.close()

    def _written(self, run: list[SlotRow]) -> list[tuple[int, int]]:
        """Where the pieces of this run begin in the file, and how long they are."""
        import pickle  # noqa: PLC0415  seldom used, and workers start often

        places: list[tuple[int, int]] = []
        try:
            if self._file is None:
                self._file = TemporaryFile()
            for start in range(0, len(run), _PIECE_ROWS):
                data = pickle.dumps(run[start : start + _PIECE_ROWS], pickle.HIGHEST_PROTOCOL)
                places.append((self._file.append(data), len(data)))
        except OSError as error:
            raise DirectoryError(
                f"so many rows are sorted in a temporary file, which cannot be written: {error}."
                " TMPDIR says where it is"
            ) from error
        return places

    def _read(self, places: list[tuple[int, int]]) -> Iterator[SlotRow]:
        import pickle  # noqa: PLC0415  as above

        assert self._file is not None
        for begin, size in places:
            yield from pickle.loads(self._file.read(begin, size))  # noqa: S301  nobody else has it

    def _key(self, item: SlotRow) -> Any:
        slot, row = item
        return sort_key([row[order.field] for order in self._order], slot, self._order)


def sortable(value: Any) -> tuple[bool, Any]:
    """What a field's values are sorted by, NULL included."""
    return (False, 0) if value is None else (True, value)


def sort_key(values: Sequence[Any], slot: int, order: Sequence[Order]) -> list[Any]:
    """What decides where a row stands that has these values in the fields to sort by."""
    keys: list[Any] = []
    for value, (_, descending) in zip(values, order, strict=True):
        key = sortable(value)
        keys.append(Backwards(key) if descending else key)
    keys.append(-slot if order[-1].descending else slot)
    return keys
