"""diskcache: a dictionary of pickled values in SQLite; told to sync each commit and to evict none.

A row's key is its table's name and its id; the last automatic id of a table is an entry of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import diskcache

from bazanite_stress.torture.schema import Table

from .engine import Searching, Session
from .tables import Values

_BUSY_SECONDS = 600.0


class DiskcacheEngine:
    """Its defaults but for eviction and syncs."""

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """As ``Engine`` says; it needs no tables beforehand."""
        del tables
        cache = diskcache.Cache(
            str(directory),
            timeout=_BUSY_SECONDS,
            eviction_policy="none",
            cull_limit=0,
            sqlite_synchronous=2,
        )
        return DiskcacheSession(cache)


class DiskcacheSession(Searching):
    """An open cache."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self.close = cache.close

    def insert(self, table: str, values: Values) -> int:
        cache = self._cache
        with cache.transact(retry=True):
            row_id: int = cache.incr(table, retry=True)
            cache.set(f"{table} {row_id}", {"id": row_id, **values}, retry=True)
        return row_id

    def update(self, table: str, row_id: int, values: Values) -> None:
        key = f"{table} {row_id}"
        with self._cache.transact(retry=True):
            self._cache.set(key, {**self._cache[key], **values}, retry=True)

    def get(self, table: str, row_id: int) -> Values | None:
        found: Values | None = self._cache.get(f"{table} {row_id}", retry=True)
        return found

    def insert_many(self, table: str, rows: Iterable[Values]) -> None:
        with self.transaction():
            for values in rows:
                self.insert(table, values)

    def transaction(self) -> AbstractContextManager[object]:
        transaction: AbstractContextManager[object] = self._cache.transact(retry=True)
        return transaction

    def scan(self, table: str) -> list[Values]:
        cache = self._cache
        return [cache[key] for key in cache if key.startswith(f"{table} ")]

    def count(self, table: str) -> int:
        return sum(key.startswith(f"{table} ") for key in self._cache)
