"""TinyDB: one JSON file, which every read parses, and every change writes anew and syncs.

It is overwritten in place: a crash meanwhile may cut it.  Made for one thread of one process, and
without transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import tinydb

from bazanite_stress.torture.schema import Table

from .engine import Searching, Session
from .tables import Values


class TinydbEngine:
    """Its default storage, without a cache."""

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """As ``Engine`` says; it needs no tables beforehand."""
        del tables
        directory.mkdir(exist_ok=True)
        return TinydbSession(tinydb.TinyDB(directory / "data.json"))


def _row(document: tinydb.table.Document) -> Values:
    return {"id": document.doc_id, **document}


class TinydbSession(Searching):
    """The open file."""

    def __init__(self, db: tinydb.TinyDB) -> None:
        self._db = db
        self.close = db.close

    def _table(self, name: str) -> tinydb.table.Table:
        # Without its cache of results: a query is asked again and again here, and is to be done.
        return self._db.table(name, cache_size=0)

    def insert(self, table: str, values: Values) -> int:
        return self._table(table).insert(values)

    def update(self, table: str, row_id: int, values: Values) -> None:
        self._table(table).update(values, doc_ids=[row_id])

    def get(self, table: str, row_id: int) -> Values | None:
        found = self._table(table).get(doc_id=row_id)
        return _row(found) if isinstance(found, tinydb.table.Document) else None

    def insert_many(self, table: str, rows: Iterable[Values]) -> None:
        self._table(table).insert_multiple(rows)

    def transaction(self) -> AbstractContextManager[object]:
        return nullcontext()

    def scan(self, table: str) -> list[Values]:
        return [_row(document) for document in self._table(table).all()]

    def equal(self, table: str, column: str, value: int) -> list[Values]:
        found = self._table(table).search(tinydb.where(column) == value)
        return [_row(document) for document in found]

    def greater(self, table: str, column: str, value: int) -> list[Values]:
        found = self._table(table).search(tinydb.where(column) > value)
        return [_row(document) for document in found]

    def page(self, table: str, first: int, count: int) -> list[Values]:
        found = self._table(table).get(doc_ids=list(range(first, first + count)))
        assert isinstance(found, list)
        return [_row(document) for document in found]

    def count(self, table: str) -> int:
        return len(self._table(table))
