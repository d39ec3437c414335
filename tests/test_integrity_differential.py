"""Constraints against sqlite3: the same tables, the same random calls, the same rows and refusals.

What each side says no to must be the same, call by call, and after each call all rows are.  Deletes
that restrict are NO ACTION in SQL: decided when all that goes with a delete is known.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import CHAR, DB, FK, INT, PK, Field, IntegrityError, NotFoundError, Schema, Table

ACTIONS = {"restrict": "NO ACTION", "cascade": "CASCADE", "set_null": "SET NULL"}


class Houses(Table):
    """Refers to nobody."""

    name = "houses"
    schema = Schema([Field("id", PK()), Field("name", CHAR(4, null=True))], unique=["name"])


class People(Table):
    """Refers to houses, and to itself."""

    name = "people"
    schema = Schema(
        [
            Field("id", PK()),
            Field("house", FK("houses", null=True, on_delete="cascade")),
            Field("boss", FK("people", null=True, on_delete="set_null")),
            Field("first", CHAR(3, null=True)),
            Field("last", INT(2, null=True)),
        ],
        unique=[("first", "last")],
        indexes=["house"],
    )


class Keys(Table):
    """Refers to both, each in another way."""

    name = "keys"
    schema = Schema(
        [
            Field("id", PK()),
            Field("owner", FK("people", null=True, on_delete="restrict")),
            Field("house", FK("houses", null=True, on_delete="set_null")),
            Field("number", INT(3, null=True)),
        ],
        indexes=["number", ("owner", "house")],
    )


TABLES: dict[str, type[Table]] = {t.name: t for t in (Houses, People, Keys)}
IDS = st.integers(1, 6)
MAYBE_ID = st.none() | IDS
VALUES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "houses": {"name": st.none() | st.sampled_from(["a", "b", "c", "żó"])},
    "people": {
        "house": MAYBE_ID,
        "boss": MAYBE_ID,
        "first": st.none() | st.sampled_from(["x", "y"]),
        "last": st.none() | st.integers(-1, 2),
    },
    "keys": {"owner": MAYBE_ID, "house": MAYBE_ID, "number": st.none() | st.integers(0, 3)},
}


def _calls() -> st.SearchStrategy[tuple[Any, ...]]:
    """insert, insert_many, update and delete of any table."""
    names = st.sampled_from(sorted(TABLES))

    def free_of_itself(values: dict[str, Any]) -> bool:
        # A row that is stored or renumbered in this very call cannot be its own boss here, as in
        # Bazoola; SQL looks when all is done.
        return values.get("boss") is None or "id" not in values

    def of_table(name: str) -> st.SearchStrategy[tuple[Any, ...]]:
        row = st.fixed_dictionaries({"id": IDS} | VALUES[name])
        row = row.filter(lambda values: values.get("boss") != values["id"])
        change = st.fixed_dictionaries({}, optional=VALUES[name] | {"id": IDS}).filter(bool)
        change = change.filter(free_of_itself)
        return st.one_of(
            st.tuples(st.just("insert"), st.just(name), row),
            st.tuples(st.just("insert"), st.just(name), row),
            st.tuples(st.just("many"), st.just(name), st.lists(row, min_size=1, max_size=3)),
            st.tuples(st.just("update"), st.just(name), IDS, change),
            st.tuples(st.just("delete"), st.just(name), IDS),
        )

    return names.flatmap(of_table)


class _Sqlite:
    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.execute("PRAGMA foreign_keys=ON")
        for name, cls in TABLES.items():
            lines = []
            for field in cls.schema.schema:
                line = f'"{field.name}" {"INTEGER PRIMARY KEY" if field.name == "id" else ""}'
                if isinstance(field.type, FK):
                    target, action = field.type.params["rel_name"], field.type.on_delete or ""
                    line += f' REFERENCES "{target}"(id) ON DELETE {ACTIONS[action]}'
                lines.append(line)
            lines += [
                f"UNIQUE ({', '.join(columns)})" for columns, unique in cls.schema.keys if unique
            ]
            self.db.execute(f'CREATE TABLE "{name}" ({", ".join(lines)})')

    def perform(self, call: tuple[Any, ...]) -> str:
        self.db.execute("BEGIN")
        try:
            said = self._perform(*call)
        except sqlite3.IntegrityError:
            self.db.execute("ROLLBACK")
            return "refused"
        self.db.execute("COMMIT")
        return said

    def _perform(self, kind: str, table: str, *more: Any) -> str:
        if kind == "insert":
            self._insert(table, more[0])
        elif kind == "many":
            for row in more[0]:
                self._insert(table, row)
        elif kind == "update":
            places = ", ".join(f'"{name}" = ?' for name in more[1])
            found = self.db.execute(
                f'UPDATE "{table}" SET {places} WHERE id = ?', (*more[1].values(), more[0])
            )
            return "" if found.rowcount else "not found"
        else:
            found = self.db.execute(f'DELETE FROM "{table}" WHERE id = ?', (more[0],))
            return "" if found.rowcount else "not found"
        return ""

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        self.db.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(row.values()))

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        return self.db.execute(f'SELECT * FROM "{table}" ORDER BY id').fetchall()


def _perform(db: DB, call: tuple[Any, ...]) -> str:
    kind, table, *more = call
    try:
        if kind == "insert":
            db.insert(table, more[0])
        elif kind == "many":
            db.insert_many(table, more[0])
        elif kind == "update":
            db.update_by_id(table, more[0], more[1])
        else:
            db.delete_by_id(table, more[0])
    except NotFoundError:
        return "not found"
    except ValueError:  # a reference to nothing is one, and so is IntegrityError
        return "refused"
    except Exception as error:
        if "already exists" in str(error):  # the id
            return "refused"
        raise
    return ""


def _rows(db: DB, table: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in db.find_all(table)), key=lambda row: row[0])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("integrity")


@settings(max_examples=120)
@given(calls=st.lists(_calls(), min_size=1, max_size=30), checksums=st.booleans())
def test_the_same_calls_give_the_same_rows_and_refusals(
    scratch: Path, calls: list[tuple[Any, ...]], checksums: bool
) -> None:
    count = len(list(scratch.iterdir()))
    sqlite = _Sqlite()
    path = scratch / str(count)
    with DB(list(TABLES.values()), path, durability="off", checksums=checksums) as db:
        for call in calls:
            expected = sqlite.perform(call)
            said = _perform(db, call)
            if said != expected and {said, expected} == {"not found", "refused"}:
                said = expected  # an update of no row with a wrong reference: either may be first
            assert said == expected, call
            for name in TABLES:
                assert _rows(db, name) == sqlite.rows(name), call
        assert db.check().problems == []


def test_refusals_are_integrity_errors_that_name_the_rows(tmp_path: Path) -> None:
    with DB(list(TABLES.values()), tmp_path / "data") as db:
        db.insert("houses", {"name": "a"})
        with pytest.raises(IntegrityError, match=r"'name': row with name 'a' already exists"):
            db.insert("houses", {"name": "a"})
        db.insert("people", {"house": 1})
        db.insert("keys", {"owner": 1})
        with pytest.raises(IntegrityError, match=r"by 'keys\.owner': row with id 1") as refused:
            db.delete_by_id("houses", 1)
        error = refused.value
        assert (error.table, error.columns, error.ids) == ("keys", ("owner",), (1,))
        assert [len(db.find_all(name)) for name in ("houses", "people", "keys")] == [1, 1, 1]
