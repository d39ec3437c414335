"""A directory as an SQLite file: tables with their keys, references, indexes and next ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from bazanite.db import DB
from bazanite.schema import Schema
from bazanite.specs import TableSpec

from ..output import FINDINGS, CommandError
from .bulk import last_id
from .opened import catalog_of
from .sql_names import listed, quoted
from .sqlite_types import declared_type, reference, to_sqlite

_MOST_COLUMNS = 2000


def export(
    db: DB, names: Sequence[str], path: str, notes: list[str], told: Callable[[], None]
) -> dict[str, int]:
    """Make the file; returns how many rows each table has.

    CommandError before anything is written if names differ only in what SQLite does not tell apart.
    ``told`` is called for each row.
    """
    catalog = catalog_of(db)
    _check_names(names, catalog.tables)
    notes += [
        f"table '{name}', column '{field.name}' refers to '{field.table}', which is not in the file"
        for name in names
        for field in catalog.tables[name].fields
        if field.table is not None and field.table not in names
    ]
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")  # the file appears whole or not at all
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            counts: dict[str, int] = {}
            for name in names:
                schema, spec = db.storage.table(name).schema, catalog.tables[name]
                connection.execute(_create_table(name, spec, schema))
                counts[name] = _fill(connection, name, schema, db.iterate(name), told)
                last = last_id(db, name)
                connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
                connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, last))
            for name in names:
                for statement in _create_indexes(name, catalog.tables[name]):
                    connection.execute(statement)
            connection.execute("COMMIT")
            return counts
    except sqlite3.Error as error:
        raise CommandError(f"{path}: SQLite says: {error}") from error


def _fill(
    connection: sqlite3.Connection,
    name: str,
    schema: Schema,
    rows: Iterable[dict[str, Any]],
    told: Callable[[], None],
) -> int:
    writers = [(field.name, to_sqlite(field.type)) for field in schema.schema]
    count = 0

    def values() -> Iterator[list[Any]]:
        nonlocal count
        for row in rows:
            yield [None if (v := row[column]) is None else write(v) for column, write in writers]
            count += 1
            told()

    marks = ", ".join("?" * len(writers))
    connection.executemany(f"INSERT INTO {quoted(name)} VALUES ({marks})", values())  # noqa: S608
    return count


def _create_table(name: str, spec: TableSpec, schema: Schema) -> str:
    lines: list[str] = []
    for field in schema.schema:
        null = "" if field.type.null else " NOT NULL"
        if field.name == "id":
            lines.append(f"{quoted('id')} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL")
        else:
            lines.append(f"{quoted(field.name)} {declared_type(field.type)}{null}")
    lines += [f"UNIQUE ({listed(i.columns)})" for i in spec.indexes if i.ready and i.unique]
    lines += [reference(field) for field in spec.fields if field.table is not None]
    return f"CREATE TABLE {quoted(name)} (\n  " + ",\n  ".join(lines) + "\n)"


def _create_indexes(name: str, spec: TableSpec) -> Iterator[str]:
    plain = [index for index in spec.indexes if index.ready and not index.unique]
    for number, index in enumerate(plain, 1):
        called = quoted(f"{name}.{number}.{'-'.join(index.columns)}")  # no table has a dot
        yield f"CREATE INDEX {called} ON {quoted(name)} ({listed(index.columns)})"


def _check_names(names: Sequence[str], specs: dict[str, TableSpec]) -> None:
    _refuse_alike("tables", names)
    for name in names:
        if name.lower().startswith("sqlite_"):
            raise CommandError(f"SQLite keeps names such as '{name}' for itself", FINDINGS)
        columns = [field.name for field in specs[name].fields]
        _refuse_alike(f"columns of table '{name}'", columns)
        if len(columns) > _MOST_COLUMNS:
            raise CommandError(f"table '{name}' has more than {_MOST_COLUMNS} columns", FINDINGS)


def _refuse_alike(what: str, names: Sequence[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        folded = name.translate(_FOLDED)
        if folded in known:
            both = f"'{known[folded]}' and '{name}'"
            raise CommandError(f"SQLite does not tell the {what} {both} apart", FINDINGS)
        known[folded] = name


_FOLDED = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
