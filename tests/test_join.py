"""Joins, one row at a time and many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bazanite
from bazanite import DB, EQ, BaseJoin, InverseJoin, Join, Row, Table, ValidationError
from engine_support import TableA, TableB2, opened

A1, A2 = {"id": 1, "text": "foo"}, {"id": 2, "text": "bar"}
B1 = {"id": 1, "text": "x", "a_id": 1}
B2 = {"id": 2, "text": "y", "a_id": None}
B3 = {"id": 3, "text": "z", "a_id": 1}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with opened(tmp_path, TableA, TableB2) as database:
        database.insert_many("a", [{"text": "foo"}, {"text": "bar"}])
        database.insert_many("b2", [{"text": "x", "a_id": 1}, {"text": "y"}])
        database.insert("b2", {"text": "z", "a_id": 1})
        yield database


class CountRows(BaseJoin):
    fk_attr = "a_id"
    foreign_table_name = "a"

    def join(self, fk: Any, foreign_table: Table) -> dict[str, Any]:
        return {"n": len(foreign_table.find_all()), "row": fk and foreign_table.find_by_id(fk)}


class LoudJoin(Join):
    """A join of one's own that builds on a built-in one."""

    def join(self, fk: Any, foreign_table: Table) -> dict[str, Any]:
        return {key: str(row) for key, row in super().join(fk, foreign_table).items()}


@pytest.mark.parametrize(
    "table, join, expected",
    [
        ("b2", Join("a_id", "a", "a"), [B1 | {"a": A1}, B2 | {"a": None}, B3 | {"a": A1}]),
        ("a", InverseJoin("a_id", "bs", "b2"), [A1 | {"bs": [B1, B3]}, A2 | {"bs": []}]),
        ("a", InverseJoin("text", "bs", "b2"), [A1 | {"bs": []}, A2 | {"bs": []}]),
        (
            "b2",
            CountRows(),
            [B1 | {"n": 2, "row": A1}, B2 | {"n": 2, "row": None}, B3 | {"n": 2, "row": A1}],
        ),
        (
            "b2",
            LoudJoin("a_id", "a", "a"),
            [B1 | {"a": str(A1)}, B2 | {"a": "None"}, B3 | {"a": str(A1)}],
        ),
    ],
)
def test_a_join_adds_the_same_to_one_row_as_to_many(
    db: DB, table: str, join: BaseJoin, expected: list[dict[str, Any]]
) -> None:
    assert db.find_all(table, joins=[join]) == expected
    assert [db.find_by_id(table, row["id"], joins=[join]) for row in expected] == expected
    assert [db.find_by_cond(table, EQ(id=row["id"]), [join])[0] for row in expected] == expected


def test_joined_rows_are_separate_objects(db: DB) -> None:
    first, _, third = db.find_all("b2", joins=[Join("a_id", "a", "a")])
    assert isinstance(first, Row)
    assert isinstance(first["a"], Row)
    assert first["a"] is not third["a"]


def test_joins_follow_each_other(db: DB) -> None:
    rows = db.find_all("a", joins=[InverseJoin("a_id", "b", "b2"), Join("id", "self", "a")])
    assert rows[1] == A2 | {"b": [], "self": A2}


def test_a_reference_to_a_row_that_is_gone_joins_none(db: DB) -> None:
    db.delete_by_id("a", 1)
    join = Join("a_id", "a", "a")
    assert [row["a"] for row in db.find_all("b2", joins=[join])] == [None, None, None]
    assert db.find_by_id("b2", 1, joins=[join]) == B1 | {"a": None}


def test_no_row_joins_nothing(db: DB) -> None:
    assert db.find_by_id("b2", 99, joins=[Join("a_id", "a", "a")]) is None
    db.truncate("b2")
    assert db.find_all("b2", joins=[Join("a_id", "a", "a")]) == []


@pytest.mark.parametrize(
    "join, message",
    [
        (Join("nothing", "a", "a"), "'nothing': no such field"),
        (InverseJoin("nothing", "bs", "b2"), "'nothing': no such field"),
        (Join("a_id", "a", "zzz"), "No such table"),
        (Join("text", "a", "a"), "Type mismatch"),
    ],
)
def test_a_join_that_makes_no_sense_is_refused(db: DB, join: Join, message: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: db.find_all("b2", joins=[join]),
        lambda: db.find_by_id("b2", 1, joins=[join]),
    ]
    for call in calls:
        with pytest.raises(ValidationError, match=message):
            call()


@pytest.mark.parametrize("arguments", [("", "k", "t"), ("f", "", "t"), ("f", "k", "")])
def test_a_join_needs_a_field_a_key_and_a_table(arguments: tuple[str, str, str]) -> None:
    with pytest.raises(ValidationError):
        Join(*arguments)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read: the name of each table scanned, and "row" for each row by id."""
    seen: list[str] = []
    find_by_id, find_all, iterate = Table.find_by_id, Table.find_all, Table.iterate

    def watched_read(table: Table, pk: int) -> Row | None:
        seen.append("row")
        return find_by_id(table, pk)

    def watched_scan(table: Table) -> list[Row]:
        seen.append(table.name)
        return find_all(table)

    def watched_iteration(table: Table) -> Iterator[Row]:
        seen.append(table.name)
        return iterate(table)

    monkeypatch.setattr(Table, "find_by_id", watched_read)
    monkeypatch.setattr(Table, "iterate", watched_iteration)
    monkeypatch.setattr(Table, "find_all", watched_scan)
    return seen


@pytest.mark.parametrize(
    "table, join", [("a", InverseJoin("a_id", "bs", "b2")), ("b2", Join("a_id", "a", "a"))]
)
def test_a_join_over_many_rows_reads_the_other_table_once(
    db: DB, reads: list[str], table: str, join: Join
) -> None:
    db.insert_many("a", [{"text": str(number)} for number in range(50)])
    db.insert_many("b2", [{"text": "t", "a_id": number % 50 + 1} for number in range(100)])
    db.find_all(table, joins=[join])
    assert reads == [table, join.foreign_table_name]


def test_a_join_of_few_rows_to_a_large_table_reads_only_those(db: DB, reads: list[str]) -> None:
    db.insert_many("a", [{"text": str(number)} for number in range(200)])
    db.insert("b2", {"text": "w", "a_id": 150})
    rows = db.find_all("b2", joins=[Join("a_id", "a", "a")])
    assert [row["a"] and row["a"]["id"] for row in rows] == [1, None, 1, 150]
    assert reads == ["b2", "row", "row"]


@pytest.mark.parametrize(
    "join",
    [
        "Join('a_id', 'a', 'a')",
        "InverseJoin('a_id', 'bs', 'b2', joins=[Join('a_id', 'a', 'a')])",
        "InverseCount('a_id', 'n', 'b2')",
        "InverseCount('b', 'n', 'c', through=[('a_id', 'b2')])",
        "COUNT()",
        "COUNT('a_id')",
        "SUM('a_id')",
    ],
)
def test_joins_and_sums_are_shown_as_one_writes_them(join: str) -> None:
    assert repr(eval(join, vars(bazanite))) == join
