"""LMDB, through py-lmdb: a B+ tree in a mapped file, written by C; each commit syncs.

It knows keys and values as bytes: a row is pickled, its key is its id in eight bytes.  The next
automatic id is that of the last key and one more, found in the same transaction.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from bazanite_stress.torture.schema import Table

from .engine import Searching, Session
from .tables import Values

_MAP_BYTES = 64 << 30
_MOST_READERS = 1024


class LmdbEngine:
    """One environment a process; writers wait for each other at its mutex."""

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """As ``Engine`` says."""
        environment = lmdb.open(
            str(directory), map_size=_MAP_BYTES, max_dbs=len(tables), max_readers=_MOST_READERS
        )
        return LmdbSession(environment, [table.name for table in tables])


def _key(row_id: int) -> bytes:
    return row_id.to_bytes(8, "big")


class LmdbSession(Searching):
    """An environment; ``_mine`` has the transaction that a thread is in."""

    def __init__(self, environment: Any, tables: Sequence[str]) -> None:
        self._environment = environment
        self._databases = {name: environment.open_db(name.encode()) for name in tables}
        self._mine = threading.local()

    @contextmanager
    def transaction(self) -> Generator[Any]:
        inside = getattr(self._mine, "transaction", None)
        if inside is not None:
            yield inside
            return
        with self._environment.begin(write=True) as transaction:
            self._mine.transaction = transaction
            try:
                yield transaction
            finally:
                self._mine.transaction = None

    def insert(self, table: str, values: Values) -> int:
        with self.transaction() as transaction:
            database = self._databases[table]
            row_id = self._last(transaction, database) + 1
            _put(transaction, database, row_id, values)
            return row_id

    def update(self, table: str, row_id: int, values: Values) -> None:
        with self.transaction() as transaction:
            database = self._databases[table]
            row = pickle.loads(transaction.get(_key(row_id), db=database))  # noqa: S301
            _put(transaction, database, row_id, {**row, **values})

    def get(self, table: str, row_id: int) -> Values | None:
        with self._environment.begin(db=self._databases[table]) as transaction:
            data = transaction.get(_key(row_id))
        return None if data is None else pickle.loads(data)  # noqa: S301

    def insert_many(self, table: str, rows: Iterable[Values]) -> None:
        with self.transaction() as transaction:
            database = self._databases[table]
            first = self._last(transaction, database) + 1
            for row_id, values in enumerate(rows, first):
                _put(transaction, database, row_id, values)

    def scan(self, table: str) -> list[Values]:
        with self._environment.begin(db=self._databases[table]) as transaction:
            values = transaction.cursor().iternext(keys=False, values=True)
            return [pickle.loads(data) for data in values]  # noqa: S301

    def page(self, table: str, first: int, count: int) -> list[Values]:
        with self._environment.begin(db=self._databases[table]) as transaction:
            cursor = transaction.cursor()
            if not cursor.set_range(_key(first)):
                return []
            values = cursor.iternext(keys=False, values=True)
            # zip draws from the shorter one first, so that no row is read in vain.
            return [pickle.loads(data) for _, data in zip(range(count), values)]  # noqa: S301, B905

    def count(self, table: str) -> int:
        with self._environment.begin(db=self._databases[table]) as transaction:
            return int(transaction.stat(self._databases[table])["entries"])

    def close(self) -> None:
        self._environment.close()

    def _last(self, transaction: Any, database: Any) -> int:
        cursor = transaction.cursor(db=database)
        return int.from_bytes(cursor.key(), "big") if cursor.last() else 0


def _put(transaction: Any, database: Any, row_id: int, values: Values) -> None:
    data = pickle.dumps({"id": row_id, **values}, pickle.HIGHEST_PROTOCOL)
    transaction.put(_key(row_id), data, db=database)
