"""The tables of any SQLite file, as they are to come into a directory.

A primary key of whole numbers becomes the id, and who refers to it a reference; a table without one
gets ids.  What has no like here, such as a CHECK or a key of text, is told in ``notes``.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bazanite_wal.errors import shown_value

from ..output import FINDINGS, CommandError, plural
from .incoming import MOST_COLUMNS, Record, Source
from .sql_names import listed, printable, quoted
from .sqlite_guess import SqliteGuess
from .sqlite_types import from_sqlite, reference_clause

_CHECK = re.compile(r"\bCHECK\s*\(", re.IGNORECASE)
_ACTIONS = {"CASCADE": "cascade", "SET NULL": "set_null"}


@contextmanager
def sources(
    path: str, wanted: list[str] | None, keep_dangling: bool, notes: list[str]
) -> Iterator[list[Source]]:
    """The tables, all of one state of the file; ``wanted`` are their names, None is all."""
    if not os.path.isfile(path):
        raise CommandError(f"{path}: {'is no file' if os.path.exists(path) else 'no such file'}")
    try:
        name = f"file:{quote(os.path.abspath(path))}?mode=ro"
        with closing(sqlite3.connect(name, uri=True, isolation_level=None)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("BEGIN")
            yield _File(connection, path, keep_dangling, notes).sources(wanted)
    except sqlite3.Error as error:
        raise CommandError(f"{path}: SQLite says: {printable(str(error))}", FINDINGS) from error
    except UnicodeError as error:
        raise CommandError(f"{path}: a name in it is not valid UTF-8", FINDINGS) from error


@dataclass(slots=True)
class _Table:
    """What SQLite says of a table; ``key`` is the column that becomes the id."""

    name: str
    sql: str
    columns: list[tuple[str, str, bool, int]]
    """Name, declared type, whether it may not be NULL, place in the primary key from 1 on."""
    key: str | None = None


class _File:
    def __init__(
        self, connection: sqlite3.Connection, path: str, keep_dangling: bool, notes: list[str]
    ) -> None:
        self._connection = connection
        self._path = path
        self._keep_dangling = keep_dangling
        self._notes = notes

    def sources(self, wanted: list[str] | None) -> list[Source]:
        tables = self._tables()
        for name in wanted or ():
            if name not in tables:
                there = ", ".join(tables) or "none"
                raise CommandError(f"{self._path}: there is no table '{name}'; there are: {there}")
        chosen = {name: table for name, table in tables.items() if not wanted or name in wanted}
        if not chosen:
            raise CommandError(f"{self._path}: there are no tables")
        return [self._source(table, chosen) for table in chosen.values()]

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def _tables(self) -> dict[str, _Table]:
        found: dict[str, _Table] = {}
        for kind, name, sql in self._rows("SELECT type, name, sql FROM sqlite_master"):
            if kind in ("view", "trigger"):
                self._notes.append(f"{kind} '{printable(name)}' is left out")
            if kind != "table" or name.lower().startswith("sqlite_"):
                continue
            if not name.isprintable():
                raise CommandError(f"{self._path}: {name!a} cannot be a table's name", FINDINGS)
            if (sql or "").upper().startswith("CREATE VIRTUAL"):
                self._notes.append(f"virtual table '{name}' is left out")
                continue
            found[name] = self._table(name, sql or "")
        return found

    def _table(self, name: str, sql: str) -> _Table:
        columns: list[tuple[str, str, bool, int]] = []
        for _, column, declared, not_null, default, place, hidden in self._rows(
            "SELECT * FROM pragma_table_xinfo(?)", name
        ):
            if hidden == 1:
                continue
            if not column.isprintable():
                raise CommandError(
                    f"{self._path}: table '{name}': {column!a} cannot be a column's name", FINDINGS
                )
            if hidden:
                self._note(name, column, "is computed in SQLite; its values are taken")
            if default is not None:
                self._note(name, column, f"its default {printable(default)} is left out")
            columns.append((column, declared or "", bool(not_null), place))
        if len(columns) > MOST_COLUMNS:
            raise CommandError(f"table '{name}' has more than {MOST_COLUMNS:,} columns")
        if _CHECK.search(sql):
            self._notes.append(f"table '{name}': a CHECK is left out")
        table = _Table(name, sql, columns)
        keys = [(column, declared) for column, declared, _, place in columns if place]
        if len(keys) == 1 and "INT" in keys[0][1].upper():
            column = quoted(keys[0][0])
            others = f"SELECT 1 FROM {quoted(name)} WHERE typeof({column}) != 'integer' LIMIT 1"  # noqa: S608
            if not self._rows(others):
                table.key = keys[0][0]
        return table

    def _has_null(self, table: str, column: str) -> bool:
        """Whether a key's column has NULL, which SQLite allows in spite of the standard."""
        found = f"SELECT 1 FROM {quoted(table)} WHERE {quoted(column)} IS NULL LIMIT 1"  # noqa: S608
        return bool(self._rows(found))

    def _note(self, table: str, column: str, what: str) -> None:
        self._notes.append(f"table '{table}', column '{column}': {what}")

    def _source(self, table: _Table, tables: dict[str, _Table]) -> Source:
        names = [column for column, *_ in table.columns]
        declared = {column: kind for column, kind, *_ in table.columns}
        source = Source(
            table.name,
            names,
            lambda: self._records(table, names),
            lambda number: f"{self._path}: row {number}",
            from_sqlite,
            lambda column, first: SqliteGuess(declared[column], first=first),
            null_declared=True,
        )
        self._choose_id(table, source)
        for column, _, not_null, place in table.columns:
            if not_null or (place and not self._has_null(table.name, column)):
                source.not_null.add(column)
        self._keys(table, source)
        self._references(table, source, tables)
        last = self._rows("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")
        if last and table.key is not None:
            rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = ?", table.name)
            source.last_id = rows[0][0] if rows and isinstance(rows[0][0], int) else 0
        return source

    def _choose_id(self, table: _Table, source: Source) -> None:
        if table.key is not None and table.key != "id":
            source.renamed[table.key] = "id"
        if "id" in source.columns and table.key != "id":
            new = next(
                name for name in ("old_id", *(f"old_id_{n}" for n in range(2, 2000)))
                if name not in source.columns
            )  # fmt: skip
            source.renamed["id"] = new
            self._note(table.name, "id", f"is called '{new}': 'id' are whole numbers above 0")

    def _records(self, table: _Table, columns: list[str]) -> Iterator[Record]:
        folded = {column.lower() for column in columns}
        rowid = next((n for n in ("rowid", "_rowid_", "oid") if n not in folded), "0")
        try:
            self._rows(f"SELECT {rowid} FROM {quoted(table.name)} LIMIT 0")  # noqa: S608
        except sqlite3.OperationalError:  # WITHOUT ROWID
            rowid = "0"
        cursor = self._connection.execute(
            f"SELECT {rowid}, {listed(columns)} FROM {quoted(table.name)}"  # noqa: S608
        )
        for count, (number, *values) in enumerate(cursor, 1):
            yield number or count, dict(zip(columns, values, strict=True))

    def _keys(self, table: _Table, source: Source) -> None:
        """What is unique, and the indexes."""
        key = [column for column, *_, place in sorted(table.columns, key=lambda c: c[3]) if place]
        if key and table.key is None:
            source.unique.append(tuple(source.renamed.get(column, column) for column in key))
        for name, unique, partial in reversed(
            self._rows(
                "SELECT name, \"unique\", partial FROM pragma_index_list(?) WHERE origin != 'pk'",
                table.name,
            )
        ):
            parts = self._rows(
                "SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno", name
            )
            kind = "unique index" if unique else "index"
            what = f"table '{table.name}': {kind} '{printable(name)}'"
            if partial or any(cid < 0 for cid, *_ in parts):
                self._notes.append(f"{what} is left out: it is of an expression or of some rows")
                continue
            if any(collation != "BINARY" for *_, collation in parts):
                self._notes.append(f"{what} tells capitals from small letters here")
            keys = source.unique if unique else source.indexes
            keys.append(tuple(source.renamed.get(column, column) for _, column, _ in parts))

    def _references(self, table: _Table, source: Source, tables: dict[str, _Table]) -> None:
        grouped: dict[int, list[tuple[Any, ...]]] = {}
        for row in self._rows(
            'SELECT id, "table", "from", "to", on_update, on_delete'
            " FROM pragma_foreign_key_list(?) ORDER BY id, seq",
            table.name,
        ):
            grouped.setdefault(row[0], []).append(row)
        by_name = {name.lower(): other for name, other in tables.items()}
        for rows in grouped.values():
            _, target, column, to, on_update, on_delete = rows[0]
            other = by_name.get(target.lower())
            own = next((name for name in source.columns if name.lower() == column.lower()), None)
            if own is None:  # SQLite declares what it is told
                self._note(table.name, printable(column), "is no column that could refer")
                continue
            if len(rows) > 1 or other is None or other.key is None or own == table.key or (
                to is not None and to.lower() != other.key.lower()
            ):  # fmt: skip
                self._note(
                    table.name,
                    own,
                    f"its reference to '{printable(target)}' is left out: it is"
                    " not one column that refers to whole numbers that are a primary key",
                )
                continue
            if on_update not in ("NO ACTION", "RESTRICT"):
                self._note(table.name, own, f"ON UPDATE {on_update} is left out")
            action = self._action(table, own, other, on_delete, source)
            source.references[own] = (other.name, action)

    def _action(
        self, table: _Table, column: str, other: _Table, on_delete: str, source: Source
    ) -> str:
        if reference_clause(column, other.name) in table.sql:
            return "keep"
        assert other.key is not None
        own, key = f"a.{quoted(column)}", f"b.{quoted(other.key)}"
        found = f"SELECT 1 FROM {quoted(other.name)} AS b WHERE {key} = {own}"  # noqa: S608
        condition = f"FROM {quoted(table.name)} AS a WHERE {own} NOT NULL AND NOT EXISTS ({found})"
        count = self._rows(f"SELECT count(*) {condition}")[0][0]
        if count:
            what = f"{plural(count, 'row refers', 'rows refer')} to what '{other.name}' lacks"
            if not self._keep_dangling:
                values = self._rows(f"SELECT {own} {condition} LIMIT 5")
                shown = ", ".join(shown_value(value) for (value,) in values)
                raise CommandError(
                    f"table '{table.name}', column '{column}': {what}: {shown}"
                    f"{', ...' if count > len(values) else ''}; --dangling keep takes them as they"
                    " are",
                    FINDINGS,
                )
            self._note(table.name, column, f"{what}: deletes keep such references")
            return "keep"
        action = _ACTIONS.get(on_delete, "restrict")
        if action == "set_null" and column in source.not_null:
            self._note(table.name, column, "may not be NULL: ON DELETE SET NULL restricts instead")
            return "restrict"
        if on_delete == "SET DEFAULT":
            self._note(table.name, column, "ON DELETE SET DEFAULT restricts instead")
        return action
