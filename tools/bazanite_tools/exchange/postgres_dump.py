"""A directory as SQL that psql loads into a PostgreSQL database, in one transaction.

Order: all tables; their rows; then keys, next ids and indexes, whose names PostgreSQL chooses so
that none is a table's; then references, as a table's rows may refer to any other's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from bazanite.db import DB
from bazanite.fields import KEEP
from bazanite.schema import Schema
from bazanite.specs import Catalog, FieldSpec, IndexSpec, TableSpec

from ..output import FINDINGS, CommandError, plural
from .bulk import dangling, last_id
from .opened import catalog_of
from .outputs import Outputs
from .postgres_types import (
    LONGEST_KEY_BYTES,
    LONGEST_NAME_BYTES,
    MOST_COLUMNS,
    MOST_KEY_COLUMNS,
    NULL,
    RESERVED_COLUMNS,
    NulCharacter,
    is_long,
    sql_type,
    to_copy,
)
from .sql_names import listed, quoted

_HEAD = """\
-- Made by bazanite export. Load it with
--   psql -v ON_ERROR_STOP=1 -f FILE
-- into a database that has none of these tables: all of it is loaded, or nothing.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
BEGIN;
"""
_ACTIONS = {
    "restrict": " ON DELETE RESTRICT",
    "cascade": " ON DELETE CASCADE",
    "set_null": " ON DELETE SET NULL",
    KEEP: "",
}


def export(
    db: DB,
    names: Sequence[str],
    outputs: Outputs,
    out: str,
    notes: list[str],
    told: Callable[[], None],
) -> dict[str, int]:
    """Write the SQL; returns how many rows each table has.

    CommandError for names, or texts, that PostgreSQL cannot have.  ``told`` is called for each row.
    """
    catalog = catalog_of(db)
    for name in names:
        _check_names(name, catalog.tables[name])
    writer = _Writer(db, catalog, names, notes, told)
    with outputs.open(out) as file:
        file.write(_HEAD)
        for name in names:
            file.write(writer.table(name))
        for name in names:
            writer.rows(name, file)
        for name in names:
            file.writelines(writer.keys(name))
        for name in names:
            file.writelines(writer.references(name))
        file.write("\nCOMMIT;\n")
    return writer.counts


class _Writer:
    def __init__(
        self,
        db: DB,
        catalog: Catalog,
        names: Sequence[str],
        notes: list[str],
        told: Callable[[], None],
    ) -> None:
        self._db, self._catalog, self._names = db, catalog, names
        self._notes, self._told = notes, told
        self.counts: dict[str, int] = {}
        self._longest: dict[tuple[str, str], int] = {}
        self._largest_id: dict[str, int] = {}

    def _schema(self, name: str) -> Schema:
        return self._db.storage.table(name).schema

    def table(self, name: str) -> str:
        lines = [
            f"  {quoted(field.name)} {sql_type(field.type)}{'' if field.type.null else ' NOT NULL'}"
            for field in self._schema(name).schema
        ]
        return f"\nCREATE TABLE {quoted(name)} (\n" + ",\n".join(lines) + "\n);\n"

    def rows(self, name: str, file: TextIO) -> None:
        schema = self._schema(name).schema
        writers = [(field.name, to_copy(field.type), is_long(field.type)) for field in schema]
        columns = [field.name for field in schema]
        longest = dict.fromkeys(columns, 0)
        count = largest = 0
        file.write(f"\nCOPY {quoted(name)} ({listed(columns)}) FROM stdin;\n")
        for row in self._db.iterate(name):
            cells: list[str] = []
            for column, write, long in writers:
                value = row[column]
                if value is None:
                    cells.append(NULL)
                    continue
                try:
                    cells.append(write(value))
                except NulCharacter as error:
                    raise CommandError(
                        f"table '{name}', row with id {row['id']}: '{column}' {error}", FINDINGS
                    ) from error
                if long:
                    size = len(value.encode() if isinstance(value, str) else value)
                    longest[column] = max(longest[column], size)
            file.write("\t".join(cells) + "\n")
            count += 1
            largest = max(largest, row["id"])
            self._told()
        file.write("\\.\n")
        self.counts[name] = count
        self._largest_id[name] = largest
        self._longest |= {(name, column): size for column, size in longest.items()}

    def keys(self, name: str) -> Iterator[str]:
        """Primary key, next id, what is unique, indexes."""
        table, key = quoted(name), quoted("id")
        yield f"\nALTER TABLE {table} ADD PRIMARY KEY ({key});\n"
        kind = next(field.type for field in self._schema(name).schema if field.name == "id")
        if kind.size <= 18:
            following = max(last_id(self._db, name), self._largest_id[name]) + 1
            yield f"ALTER TABLE {table} ALTER COLUMN {key} ADD GENERATED BY DEFAULT AS IDENTITY;\n"
            yield f"ALTER TABLE {table} ALTER COLUMN {key} RESTART WITH {following};\n"
        for index in self._catalog.tables[name].indexes:
            if index.ready:
                yield self._index(name, index)

    def _index(self, name: str, index: IndexSpec) -> str:
        table = quoted(name)
        if len(index.columns) > MOST_KEY_COLUMNS:
            return self._left_out(f"table '{name}': {index} has too many columns")
        most = LONGEST_KEY_BYTES // len(index.columns)
        hashed = [c for c in index.columns if self._longest[name, c] > most]
        if hashed:
            self._notes.append(f"table '{name}': {index} goes by md5 of {', '.join(hashed)},"
                               " whose values are too long for an index")  # fmt: skip
            parts = [f"md5({quoted(c)})" if c in hashed else quoted(c) for c in index.columns]
            kind = "UNIQUE INDEX" if index.unique else "INDEX"
            return f"CREATE {kind} ON {table} ({', '.join(parts)});\n"
        if index.unique:
            return f"ALTER TABLE {table} ADD UNIQUE ({listed(index.columns)});\n"
        return f"CREATE INDEX ON {table} ({listed(index.columns)});\n"

    def references(self, name: str) -> Iterator[str]:
        """The foreign keys; in place of one that cannot be, a comment."""
        for field in self._catalog.tables[name].fields:
            if field.table is not None:
                yield self._reference(name, field, field.table)

    def _reference(self, name: str, field: FieldSpec, target: str) -> str:
        what = f"table '{name}', column '{field.name}'"
        if target not in self._names:
            return self._left_out(f"{what}: refers to '{target}', which is not in here")
        count, ids = dangling(self._db, name, field.name, target)
        if count:
            shown = ", ".join(map(str, ids)) + (", ..." if count > len(ids) else "")
            rows = plural(count, "row refers", "rows refer")
            return self._left_out(
                f"{what}: {rows} to what '{target}' does not have, with id {shown}"
            )
        if field.on_delete == KEEP:
            self._notes.append(f"{what}: references are enforced, which were kept after a delete")
        return (
            f"ALTER TABLE {quoted(name)} ADD FOREIGN KEY ({quoted(field.name)}) REFERENCES"
            f" {quoted(target)} ({quoted('id')}){_ACTIONS[field.on_delete or 'restrict']};\n"
        )

    def _left_out(self, what: str) -> str:
        self._notes.append(f"{what}: not declared")
        return f"-- not declared: {what}\n"


def _check_names(name: str, spec: TableSpec) -> None:
    for what in (name, *(field.name for field in spec.fields)):
        if len(what.encode()) > LONGEST_NAME_BYTES:
            raise CommandError(
                f"table '{name}': the name {what!r} has more than {LONGEST_NAME_BYTES} bytes, which"
                " PostgreSQL cuts off; rename it with a migration",
                FINDINGS,
            )
    for field in spec.fields:
        if field.name in RESERVED_COLUMNS:
            raise CommandError(
                f"table '{name}': PostgreSQL has a column '{field.name}' of its own", FINDINGS
            )
    if len(spec.fields) > MOST_COLUMNS:
        raise CommandError(f"table '{name}' has more than {MOST_COLUMNS:,} columns", FINDINGS)
