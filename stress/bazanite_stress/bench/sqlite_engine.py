"""SQLite through Python's sqlite3: a write-ahead log, one connection a thread.

A single statement is a transaction by itself, which takes the write lock at once and is the
cheapest that SQLite has; several statements begin with BEGIN IMMEDIATE.  Python's cache of
prepared statements is used: each statement has one text.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bazanite_stress.torture.schema import Table

from .engine import Counters, Session, grouped
from .tables import Values, names

_BUSY_SECONDS = 600.0
_AUTOCHECKPOINT_BYTES = 1000 * 4096  # SQLite's default: 1,000 pages

_TYPES = {"int": "INTEGER NOT NULL", "char": "TEXT NOT NULL"}


class SqliteEngine:
    """``synchronous``: FULL syncs the log at each commit, NORMAL at checkpoints only."""

    def __init__(self, synchronous: str) -> None:
        self._synchronous = synchronous

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """As ``Engine`` says."""
        directory.mkdir(exist_ok=True)
        session = SqliteSession(directory / "data.db", self._synchronous, names(tables))
        for table in tables:
            columns = [f"{column.name} {_type(column)}" for column in table.columns]
            session.run(
                f"CREATE TABLE IF NOT EXISTS {table.name}"
                f" (id INTEGER PRIMARY KEY, {', '.join(columns)})"
            )
            for column in table.columns:
                if column.index:
                    name = f"{table.name}_{column.name}"
                    session.run(f"CREATE INDEX IF NOT EXISTS {name} ON {table.name}({column.name})")
        return session


def _type(column: Any) -> str:
    if column.kind == "ref":
        return f"INTEGER NOT NULL REFERENCES {column.table}"
    return _TYPES[column.kind]


class SqliteSession:
    """One database; each thread gets its connection at its first call."""

    def __init__(self, path: Path, synchronous: str, columns: dict[str, tuple[str, ...]]) -> None:
        self._path = path
        self._synchronous = synchronous
        self._columns = columns
        self._selections, self._insertions = {}, {}
        for table, (row_id, *others) in columns.items():
            names_of = ", ".join(others)
            places = ", ".join(f":{name}" for name in others)
            self._selections[table] = f"SELECT {row_id}, {names_of} FROM {table}"  # noqa: S608
            self._insertions[table] = f"INSERT INTO {table} ({names_of}) VALUES ({places})"  # noqa: S608
        self._by_id = {table: f"{text} WHERE id = ?" for table, text in self._selections.items()}
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._all: list[sqlite3.Connection] = []

    def _connection(self) -> sqlite3.Connection:
        try:
            connection: sqlite3.Connection = self._mine.connection
        except AttributeError:
            # Closed by the thread that closes the session.
            connection = self._mine.connection = sqlite3.connect(
                self._path,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute("PRAGMA foreign_keys=ON")
            with self._lock:
                self._all.append(connection)
        return connection

    def run(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Execute one statement."""
        return self._connection().execute(statement, values)

    def _rows(self, table: str, rest: str, *values: object) -> list[Values]:
        columns = self._columns[table]
        cursor = self.run(self._selections[table] + rest, *values)
        return [dict(zip(columns, row, strict=True)) for row in cursor]

    def insert(self, table: str, values: Values) -> int:
        cursor = self._connection().execute(self._insertions[table], values)
        return cursor.lastrowid or 0

    def update(self, table: str, row_id: int, values: Values) -> None:
        changes = ", ".join([f"{name} = ?" for name in values])
        self.run(f"UPDATE {table} SET {changes} WHERE id = ?", *values.values(), row_id)  # noqa: S608

    def get(self, table: str, row_id: int) -> Values | None:
        row = self._connection().execute(self._by_id[table], (row_id,)).fetchone()
        return None if row is None else dict(zip(self._columns[table], row, strict=True))

    def insert_many(self, table: str, rows: Iterable[Values]) -> None:
        with self.transaction():
            self._connection().executemany(self._insertions[table], rows)

    @contextmanager
    def transaction(self) -> Generator[None]:
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def scan(self, table: str) -> list[Values]:
        return self._rows(table, "")

    def equal(self, table: str, column: str, value: int) -> list[Values]:
        return self._rows(table, f" WHERE {column} = ?", value)

    def greater(self, table: str, column: str, value: int) -> list[Values]:
        return self._rows(table, f" WHERE {column} > ?", value)

    def page(self, table: str, first: int, count: int) -> list[Values]:
        return self._rows(table, " WHERE id >= ? ORDER BY id LIMIT ?", first, count)

    def between(self, table: str, column: str, low: int, high: int, count: int) -> list[Values]:
        rest = f" WHERE {column} BETWEEN ? AND ? ORDER BY {column} LIMIT ?"
        return self._rows(table, rest, low, high, count)

    def first(self, table: str, column: str, count: int) -> list[Values]:
        return self._rows(table, f" ORDER BY {column} LIMIT ?", count)

    def totals(self, table: str, by: str, column: str) -> list[Values]:
        text = f"SELECT {by}, count(*), sum({column}) FROM {table} GROUP BY {by}"  # noqa: S608
        return [dict(zip((by, "rows", "sum"), row, strict=True)) for row in self.run(text)]

    def join(self, table: str, other: str, column: str, key: str) -> list[Values]:
        # Both tables are read once and put together here: for lists in rows SQL has no word.
        return grouped(self.scan(table), self.scan(other), column, key)

    def count(self, table: str) -> int:
        found: int = self.run(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        return found

    def counters(self) -> Counters | None:
        """It does not tell how often it synced."""
        return None

    def log_share(self) -> float:
        log = self._path.with_name(self._path.name + "-wal")
        return log.stat().st_size / _AUTOCHECKPOINT_BYTES if log.exists() else 0.0

    def close(self) -> None:
        for connection in self._all:
            connection.close()
