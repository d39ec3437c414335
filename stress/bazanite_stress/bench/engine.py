"""What the benchmark asks of an engine: one adapter each, in a file of its own.

A ``Session`` is one open database; the threads of a process share it, and the adapter gives each
its own connection where the engine wants that.  Rows are dicts with their id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from heapq import nsmallest
from operator import itemgetter
from pathlib import Path
from typing import Protocol

from bazanite_stress.torture.schema import Table

from .tables import Values


@dataclass(frozen=True, slots=True)
class Counters:
    """What an engine counts itself, of this process: commits, syncs, bytes written to its log."""

    commits: int
    syncs: int
    log_bytes: int


class Session(Protocol):
    """An open database.  Any thread may call; what is changed is as durable as the engine says."""

    def insert(self, table: str, values: Values, /) -> int:
        """Store a row durably; its automatic id."""
        ...

    def update(self, table: str, row_id: int, values: Values, /) -> object:
        """Change columns of a row durably."""
        ...

    def get(self, table: str, row_id: int, /) -> Values | None:
        """The row as a dict."""
        ...

    def insert_many(self, table: str, rows: Iterable[Values], /) -> None:
        """Store all these rows in one transaction."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """What this thread changes inside is one commit, where the engine can."""
        ...

    def scan(self, table: str, /) -> list[Values]:
        """All rows."""
        ...

    def equal(self, table: str, column: str, value: int, /) -> list[Values]:
        """The rows whose column equals the value; by an index where the table has one."""
        ...

    def greater(self, table: str, column: str, value: int, /) -> list[Values]:
        """The rows whose column is greater than the value; there is no index."""
        ...

    def page(self, table: str, first: int, count: int, /) -> list[Values]:
        """So many rows from this id on, in the order of ids; fewer at the end of the table."""
        ...

    def between(self, table: str, column: str, low: int, high: int, count: int, /) -> list[Values]:
        """The first so many rows, by a column, from one value to another, both included."""
        ...

    def first(self, table: str, column: str, count: int, /) -> list[Values]:
        """The first so many of all rows by a column that has no index."""
        ...

    def totals(self, table: str, by: str, column: str, /) -> list[Values]:
        """For each value of ``by``: it, ``rows``, how many there are, and ``sum`` of the column."""
        ...

    def join(self, table: str, other: str, column: str, key: str, /) -> list[Values]:
        """All rows, each with the list of rows of ``other`` whose column holds its id."""
        ...

    def count(self, table: str, /) -> int:
        """How many rows the table has."""
        ...

    def counters(self) -> Counters | None:
        """What the engine counts itself, if it does."""
        ...

    def log_share(self) -> float | None:
        """How full the log is, 1.0 being when the engine empties it; None: it has none."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Engine(Protocol):
    """What opens databases of one kind."""

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """Open the database in this directory, with what it lacks made."""
        ...


class Searching:
    """For engines that know rows by id only: every other search goes through all rows."""

    def get(self, table: str, row_id: int) -> Values | None:
        """As ``Session`` says."""
        raise NotImplementedError

    def scan(self, table: str) -> list[Values]:
        """As ``Session`` says."""
        raise NotImplementedError

    def equal(self, table: str, column: str, value: int) -> list[Values]:
        """As ``Session`` says."""
        return [row for row in self.scan(table) if row[column] == value]

    def greater(self, table: str, column: str, value: int) -> list[Values]:
        """As ``Session`` says."""
        return [row for row in self.scan(table) if row[column] > value]

    def page(self, table: str, first: int, count: int) -> list[Values]:
        """As ``Session`` says: ids are dense here, so each row is read by its id."""
        rows = []
        for row_id in range(first, first + count):
            row = self.get(table, row_id)
            if row is None:
                break
            rows.append(row)
        return rows

    def between(self, table: str, column: str, low: int, high: int, count: int) -> list[Values]:
        """As ``Session`` says."""
        rows = [row for row in self.scan(table) if low <= row[column] <= high]
        return nsmallest(count, rows, key=itemgetter(column))

    def first(self, table: str, column: str, count: int) -> list[Values]:
        """As ``Session`` says."""
        return nsmallest(count, self.scan(table), key=itemgetter(column))

    def totals(self, table: str, by: str, column: str) -> list[Values]:
        """As ``Session`` says."""
        rows: Counter[int] = Counter()
        sums: Counter[int] = Counter()
        for row in self.scan(table):
            rows[row[by]] += 1
            sums[row[by]] += row[column]
        return [{by: value, "rows": rows[value], "sum": sums[value]} for value in rows]

    def join(self, table: str, other: str, column: str, key: str) -> list[Values]:
        """As ``Session`` says: both tables are read once."""
        return grouped(self.scan(table), self.scan(other), column, key)

    def counters(self) -> Counters | None:
        """Nothing is counted."""
        return None

    def log_share(self) -> float | None:
        """There is no log."""
        return None


def grouped(rows: list[Values], others: list[Values], column: str, key: str) -> list[Values]:
    """Each row with the list of those of ``others`` whose column holds its id."""
    groups: dict[int, list[Values]] = {row["id"]: [] for row in rows}
    for other in others:
        groups[other[column]].append(other)
    for row in rows:
        row[key] = groups[row["id"]]
    return rows
