"""Storing rows in bulk, in any order of the tables: references are judged when all are there.

So rows may refer to rows that come later, in other tables or their own, in circles as well; and
those of a reference that keeps what dangles may dangle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from bazanite import sequence
from bazanite.db import DB
from bazanite.files import TableFiles
from bazanite.index import RowIndex
from bazanite.insert import RowBatch
from bazanite.verified import finish
from bazanite_wal.transaction import Transaction

_BATCH = 2000
_NAMED = 10


def store_rows(db: DB, name: str, rows: list[Mapping[str, Any]]) -> list[int]:
    """Store these rows and return their ids; like ``insert_ids``, but for the references."""
    storage = db.storage
    table = storage.table(name)

    def write(tx: Transaction) -> list[int]:
        writes = storage.writes(tx, table)
        foreign = storage.foreign_keys(table)
        foreign.relations = []
        batch = RowBatch(writes, table.layout, foreign, storage.rules.table(name).keys)
        ids = batch.add_ids(list(rows))
        batch.save()
        finish(writes)
        return ids

    return storage.store.run(write)


def set_last_id(db: DB, name: str, last: int) -> None:
    """Let the next automatic id be the one behind this."""
    storage = db.storage
    table = storage.table(name)

    def write(tx: Transaction) -> None:
        writes = storage.writes(tx, table)
        sequence.write(writes, table.layout.files, last)
        finish(writes)

    storage.store.run(write)


def last_id(db: DB, name: str) -> int:
    """The last automatic id of a table, 0 before the first."""
    table = db.storage.table(name)
    with db.storage.store.reading() as view:
        return sequence.read(db.storage.verified(view, table), table.layout.files)


def dangling(db: DB, name: str, column: str, target: str) -> tuple[int, list[int]]:
    """How many rows refer by this column to rows that do not exist, and the first of their ids."""
    count, ids = 0, list[int]()
    rows = iter(db.iterate(name, fields=["id", column]))
    while batch := list(islice(rows, _BATCH)):
        missing = _missing(db, name, target, {row[column] for row in batch} - {None})
        if missing:
            found = [row["id"] for row in batch if row[column] in missing]
            count += len(found)
            ids += found[: _NAMED - len(ids)]
    return count, ids


def _missing(db: DB, name: str, target: str, wanted: Iterable[int]) -> set[int]:
    """Those of the ids that the target does not have."""
    storage = db.storage
    table = storage.table(name)
    ids = sorted(wanted)
    with storage.store.reading() as view:
        verified = storage.verified(view, table)
        if target not in storage.catalog(view).tables:
            return set(ids)
        index = RowIndex(TableFiles(storage.base_dir, target), table.layout.int_width)
        limit = 10**table.layout.int_width
        possible = [pk for pk in ids if 0 < pk < limit]
        if len(possible) == len(ids) and index.has_all(verified, ids):
            return set()
        found = {pk for pk in possible if index.find(verified, pk) is not None}
        return set(ids) - found
