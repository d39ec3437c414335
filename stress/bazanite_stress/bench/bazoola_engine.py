"""Bazoola 0.0.7, the original: its files are written and never synced, and it has no transactions.

Its lock is not reentrant between processes (an flock has no count), so inside the lock held over
several calls they go to the tables, which take none.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bazoola

from bazanite_stress.torture.adapters import table_classes
from bazanite_stress.torture.schema import Table

from .engine import Searching, Session
from .tables import Values


class BazoolaEngine:
    """It locks for threads and processes; its integers have six digits."""

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """As ``Engine`` says."""
        classes = table_classes(bazoola, tables, text=False)
        return BazoolaSession(bazoola.DB(classes, base_dir=str(directory)))


class BazoolaSession(Searching):
    """A handle; ``_inside`` tells a thread whether it holds the lock."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self._inside = threading.local()
        self.get = db.find_by_id  # type: ignore[method-assign]
        self.scan = db.find_all  # type: ignore[method-assign]
        self.close = db.close

    def insert(self, table: str, values: Values) -> int:
        if getattr(self._inside, "locked", False):
            return int(self._db.tables[table].insert(values)["id"])
        return int(self._db.insert(table, values)["id"])

    def update(self, table: str, row_id: int, values: Values) -> None:
        if getattr(self._inside, "locked", False):
            self._db.tables[table].update_by_id(row_id, values)
        else:
            self._db.update_by_id(table, row_id, values)

    def insert_many(self, table: str, rows: Iterable[Values]) -> None:
        with self.transaction():
            for values in rows:
                self.insert(table, values)

    @contextmanager
    def transaction(self) -> Generator[None]:
        with self._db.storage.lock():
            self._inside.locked = True
            try:
                yield
            finally:
                self._inside.locked = False

    def equal(self, table: str, column: str, value: int) -> list[Values]:
        return list[Values](self._db.find_by_cond(table, bazoola.EQ(**{column: value})))

    def greater(self, table: str, column: str, value: int) -> list[Values]:
        return list[Values](self._db.find_by_cond(table, bazoola.GT(**{column: value})))

    def join(self, table: str, other: str, column: str, key: str) -> list[Values]:
        joins = [bazoola.InverseJoin(column, key, other)]
        return list[Values](self._db.find_all(table, joins=joins))

    def count(self, table: str) -> int:
        return len(self._db.find_all(table))
