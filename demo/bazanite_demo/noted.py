"""A handle whose calls are noted, so that each page can tell which ones it made.

A note has the call as a program would write it, how long it took, and the log position: of a read
that of the state it saw, of a transaction that of its commit.  Rows that it read or wrote are named
by table and id (``stored`` shows them as they lie in the files).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import g, has_request_context

from bazanite import DB
from bazanite.row import Row

LONGEST_VALUE = 48
"""In characters; what is longer is cut in a note."""


@dataclass(slots=True)
class Note:
    """One call.

    ``lsn`` is None within a transaction, which has one for all; ``depth`` is how many transactions
    it was made in, ``found`` how many rows it returned, None for calls that return none.
    """

    text: str
    depth: int
    milliseconds: float = 0.0
    lsn: int | None = None
    found: int | None = None


@dataclass(slots=True)
class Notes:
    """The calls of one request, in order, and the rows that came of them, each once."""

    calls: list[Note] = field(default_factory=list)
    rows: dict[tuple[str, int], None] = field(default_factory=dict)
    depth: int = 0


class NotedDB:
    """The calls of a DB that the pages make.  For all threads; notes belong to a request."""

    def __init__(self, db: DB) -> None:
        self.db = db

    def find(self, table: str, where: Any = None, **options: Any) -> list[Row]:
        """As ``DB.find``."""
        arguments = [table] if where is None else [table, where]
        with self._noted("find", arguments, options) as note:
            rows: list[Row] = self.db.find(table, where, **options)
            note.found = len(rows)
        if "fields" not in options:  # else what is offered to choose from, and not shown as rows
            _saw(table, rows, options.get("joins") or ())
        return rows

    def find_by_id(self, table: str, pk: int, **options: Any) -> Row | None:
        """As ``DB.find_by_id``."""
        with self._noted("find_by_id", [table, pk], options) as note:
            row = self.db.find_by_id(table, pk, **options)
            note.found = int(row is not None)
        _saw(table, [] if row is None else [row], options.get("joins") or ())
        return row

    def count(self, table: str, where: Any = None) -> int:
        """As ``DB.count``."""
        with self._noted("count", [table] if where is None else [table, where], {}):
            return self.db.count(table, where)

    def group_by(
        self, table: str, by: Any, aggregates: Mapping[str, Any], where: Any = None
    ) -> Any:
        """As ``DB.group_by``."""
        arguments = [table, by, aggregates] if where is None else [table, by, aggregates, where]
        with self._noted("group_by", arguments, {}) as note:
            groups = self.db.group_by(table, by, aggregates, where)
            note.found = len(groups)
            return groups

    def insert(self, table: str, values: dict[str, Any]) -> Row:
        """As ``DB.insert``."""
        with self._noted("insert", [table, values], {}):
            row = self.db.insert(table, values)
        _saw(table, [row])
        return row

    def update_by_id(self, table: str, pk: int, values: dict[str, Any]) -> Row:
        """As ``DB.update_by_id``."""
        with self._noted("update_by_id", [table, pk, values], {}):
            row = self.db.update_by_id(table, pk, values)
        _saw(table, [row])
        return row

    def delete_by_id(self, table: str, pk: int) -> None:
        """As ``DB.delete_by_id``."""
        with self._noted("delete_by_id", [table, pk], {}):
            self.db.delete_by_id(table, pk)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As ``DB.transaction``; durable behind the block."""
        notes = noted()
        note = Note("with db.transaction():", notes.depth)
        notes.calls.append(note)
        start = time.perf_counter()
        notes.depth += 1
        try:
            with self.db.transaction() as tx:
                yield
            note.lsn = tx.lsn
        except BaseException:
            note.text += "  # rolled back"
            raise
        finally:
            notes.depth -= 1
            note.milliseconds = (time.perf_counter() - start) * 1000

    @contextmanager
    def _noted(self, name: str, arguments: list[Any], options: dict[str, Any]) -> Iterator[Note]:
        notes = noted()
        shown = [source(argument) for argument in arguments]
        shown += [f"{key}={source(value)}" for key, value in options.items() if value is not None]
        note = Note(f"db.{name}({', '.join(shown)})", notes.depth)
        notes.calls.append(note)
        start = time.perf_counter()
        try:
            yield note
        except Exception as error:
            note.text += f"  # {type(error).__name__}"
            raise
        finally:
            note.milliseconds = (time.perf_counter() - start) * 1000
        if not notes.depth:
            note.lsn = self.db.read_lsn


def noted() -> Notes:
    """The notes of this request; outside of one, notes that nobody reads."""
    if not has_request_context():
        return Notes()
    if "notes" not in g:
        g.notes = Notes()
    notes: Notes = g.notes
    return notes


def source(value: Any) -> str:
    """The value as a program would write it, long texts cut."""
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{source(k)}: {source(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(source, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return repr(value)


def _saw(table: str, rows: list[Row], joins: Any = ()) -> None:
    seen = noted().rows
    for row in rows:
        if "id" in row:
            seen.setdefault((table, row["id"]))
    for join in joins:
        for row in rows:
            other = row.get(getattr(join, "key", ""))
            if isinstance(other, dict) and "id" in other:
                seen.setdefault((join.foreign_table_name, other["id"]))
