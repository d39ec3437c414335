"""Migrations against sqlite3: the same steps among the same calls, the same rows and refusals."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import (
    CHAR,
    DB,
    INT,
    TEXT,
    AddColumn,
    AddIndex,
    AddUnique,
    ChangeColumn,
    DropColumn,
    DropIndex,
    DropUnique,
    Field,
    FieldType,
    IntegrityError,
    Migration,
    MigrationError,
    RenameColumn,
    RenameTable,
)
from engine_support import sound, table_class

NAMES = ["a", "b", "c"]
KINDS: dict[str, Callable[[], FieldType]] = {
    "n": lambda: INT(4, null=True),
    "c": lambda: CHAR(4, null=True),
    "t": lambda: TEXT(null=True),
}
VALUES = st.none() | st.integers(-1, 2)
SOME = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(NAMES), st.sampled_from(sorted(KINDS)), VALUES),
    st.tuples(st.just("drop"), st.sampled_from(NAMES)),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("change"), st.sampled_from(NAMES), st.sampled_from(sorted(KINDS))),
    st.tuples(st.just("table"), st.sampled_from("tu")),
    st.tuples(st.just("index"), SOME),
    st.tuples(st.just("unique"), SOME),
    st.tuples(st.just("unindex"), st.integers(0, 1)),
    st.tuples(st.just("insert"), st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))),
    st.tuples(st.just("insert"), st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))),
    st.tuples(st.just("delete"), st.integers(1, 6)),
    st.tuples(st.just("update"), st.integers(1, 6), st.sampled_from(NAMES), VALUES),
)  # fmt: skip


class Both:
    """A table in both, and what is known of its columns and indexes."""

    def __init__(self, db: DB) -> None:
        self.db = db
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None)
        self.sqlite.execute('CREATE TABLE "t" (id INTEGER PRIMARY KEY, "a")')
        self.table = "t"
        self.columns = {"a": "n"}
        self.indexes: list[tuple[str, list[str], bool]] = []
        self.version = 0
        self.made: list[Migration] = []

    def shown(self, column: str, value: Any) -> Any:
        return value if value is None or self.columns[column] == "n" else str(value)

    def both(self, sql: str, step: Any, values: tuple[Any, ...] = ()) -> bool:
        """Make it on both; whether it was made, on which they agree."""
        try:
            self.sqlite.execute(sql, values)
            expected = True
        except sqlite3.IntegrityError:
            expected = False
        self.version += 1
        migrations = [*self.made, Migration(self.version, str(step), [step])]
        if expected:
            assert self.db.migrate(migrations) == [self.version]
            self.made = migrations
        else:
            with pytest.raises(MigrationError):
                self.db.migrate(migrations)
        return expected

    def add(self, name: str, kind: str, value: Any) -> None:
        if name in self.columns:
            return
        self.columns[name] = kind
        value = self.shown(name, value)
        default = "NULL" if value is None else repr(value)
        step = AddColumn(self.table, Field(name, KINDS[kind]()), value)
        self.both(f'ALTER TABLE "{self.table}" ADD COLUMN "{name}" DEFAULT {default}', step)

    def drop(self, name: str) -> None:
        if name in self.columns and not any(name in columns for _, columns, _ in self.indexes):
            self.both(
                f'ALTER TABLE "{self.table}" DROP COLUMN "{name}"', DropColumn(self.table, name)
            )
            del self.columns[name]

    def rename(self, name: str, to: str) -> None:
        if name in self.columns and to not in self.columns:
            self.both(
                f'ALTER TABLE "{self.table}" RENAME COLUMN "{name}" TO "{to}"',
                RenameColumn(self.table, name, to),
            )
            self.columns = {(to if n == name else n): kind for n, kind in self.columns.items()}
            for _, columns, _ in self.indexes:
                columns[:] = [to if column == name else column for column in columns]

    def change(self, name: str, kind: str) -> None:
        if name not in self.columns:
            return
        self.columns[name] = kind
        convert = int if kind == "n" else str
        type_name = "INTEGER" if kind == "n" else "TEXT"
        step = ChangeColumn(
            self.table, name, KINDS[kind](), lambda v: None if v is None else convert(v)
        )
        self.both(f'UPDATE "{self.table}" SET "{name}" = CAST("{name}" AS {type_name})', step)

    def rename_table(self, to: str) -> None:
        if to != self.table:
            step = RenameTable(self.table, to)
            self.both(f'ALTER TABLE "{self.table}" RENAME TO "{to}"', step)
            self.table = to

    def index(self, columns: list[str], *, unique: bool) -> None:
        columns = [column for column in columns if column in self.columns]
        if not columns or any((c, u) == (columns, unique) for _, c, u in self.indexes):
            return
        name = f"i{self.version}"
        listed = ", ".join(f'"{column}"' for column in columns)
        kind = "UNIQUE INDEX" if unique else "INDEX"
        step = (AddUnique if unique else AddIndex)(self.table, columns)
        if self.both(f'CREATE {kind} "{name}" ON "{self.table}" ({listed})', step):
            self.indexes.append((name, columns, unique))

    def unindex(self, number: int) -> None:
        if number < len(self.indexes):
            name, columns, unique = self.indexes.pop(number)
            step = (DropUnique if unique else DropIndex)(self.table, columns)
            self.both(f'DROP INDEX "{name}"', step)

    def call(self, sql: str, values: tuple[Any, ...], ours: Any) -> None:
        try:
            self.sqlite.execute(sql, values)
        except sqlite3.IntegrityError:
            with pytest.raises(IntegrityError):
                ours()
        else:
            ours()

    def insert(self, values: dict[str, Any]) -> None:
        row = {name: self.shown(name, values[name]) for name in self.columns}
        places = "".join(f', "{name}"' for name in row)
        marks = ", ?" * len(row)
        pk = 1 + max((found["id"] for found in self.db.find_all(self.table)), default=0)
        sql = f'INSERT INTO "{self.table}" (id{places}) VALUES (?{marks})'
        row_values = (pk, *row.values())
        self.call(sql, row_values, lambda: self.db.insert(self.table, {"id": pk, **row}))

    def update(self, pk: int, name: str, value: Any) -> None:
        if name in self.columns and self.db.find_by_id(self.table, pk) is not None:
            value = self.shown(name, value)
            sql = f'UPDATE "{self.table}" SET "{name}" = ? WHERE id = ?'
            self.call(sql, (value, pk), lambda: self.db.update_by_id(self.table, pk, {name: value}))

    def delete(self, pk: int) -> None:
        if self.db.find_by_id(self.table, pk) is not None:
            self.sqlite.execute(f'DELETE FROM "{self.table}" WHERE id = ?', (pk,))
            self.db.delete_by_id(self.table, pk)

    def perform(self, step: tuple[Any, ...]) -> None:
        kind, *arguments = step
        if kind in ("index", "unique"):
            self.index(*arguments, unique=kind == "unique")
        elif kind == "table":
            self.rename_table(*arguments)
        else:
            getattr(self, kind)(*arguments)

    def compare(self) -> None:
        found = self.sqlite.execute(f'SELECT * FROM "{self.table}" ORDER BY id')
        names = [column[0] for column in found.description]
        theirs = [dict(zip(names, row, strict=True)) for row in found]
        ours = sorted(self.db.find_all(self.table), key=lambda row: row["id"])
        assert [list(row.items()) for row in ours] == [list(row.items()) for row in theirs]
        sound(self.db)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("migrations")


@settings(max_examples=50)
@given(steps=st.lists(STEPS, min_size=15, max_size=40), checksums=st.booleans())
def test_the_same_steps_give_the_same_rows_and_refusals(
    scratch: Path, steps: list[tuple[Any, ...]], checksums: bool
) -> None:
    path = scratch / str(len(list(scratch.iterdir())))
    table = table_class("t", Field("a", KINDS["n"]()))
    with DB([table], path, durability="off", checksums=checksums, log_size_bytes=64 << 10) as db:
        both = Both(db)
        for step in steps:
            both.perform(step)
            both.compare()
        name = both.table
        rows = db.find_all(name)
    with DB.open(path, durability="off", migrations=both.made) as db:
        assert db.find_all(name) == rows
        assert sorted(db.tables) == [name]
