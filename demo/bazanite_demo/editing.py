"""Saving what people edit, and telling them when somebody else was faster.

A form says which ``version`` of the row it was filled in for.  Looking and changing are one
transaction, so between them nobody comes, in whichever process.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bazanite.row import Row

from .noted import NotedDB


class Gone(Exception):
    """The row was deleted meanwhile."""


class Conflict(Exception):
    """Somebody saved ``row`` since the form was made; nothing was changed."""

    def __init__(self, row: Row) -> None:
        super().__init__(f"version {row['version']} is there")
        self.row = row


def now() -> datetime:
    """The time, for a row."""
    return datetime.now(UTC).replace(microsecond=0)


def save(db: NotedDB, table: str, pk: int, version: int, values: dict[str, Any]) -> Row:
    """Change the row if it is of this version still, and return it; durable on return.

    Conflict or Gone: nothing was changed.
    """
    with db.transaction():
        _current(db, table, pk, version)
        return db.update_by_id(table, pk, {**values, "version": version + 1})


def remove(db: NotedDB, table: str, pk: int, version: int) -> None:
    """Delete the row, and what its table's references say, if it is of this version still."""
    with db.transaction():
        _current(db, table, pk, version)
        db.delete_by_id(table, pk)


def _current(db: NotedDB, table: str, pk: int, version: int) -> None:
    row = db.find_by_id(table, pk)
    if row is None:
        raise Gone
    if row["version"] != version:
        raise Conflict(row)
