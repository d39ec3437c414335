"""Vacuum: the same rows in shorter files, whatever was deleted before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import BLOB, CHAR, DB, EQ, JSON, PK, TEXT, Field, Schema, Table, TransactionError


class Notes(Table):
    """Two long values, one of them indexed."""

    name = "notes"
    schema = Schema(
        [
            Field("id", PK()),
            Field("title", TEXT(null=True, index=True)),
            Field("mark", CHAR(3, null=True, unique=True)),
            Field("body", JSON(null=True)),
            Field("raw", BLOB(null=True)),
        ]
    )


def _row(number: int) -> dict[str, Any]:
    return {
        "title": None if number % 5 == 0 else f"title {number % 7} #" * (number % 4),
        "mark": f"{number}" if number % 3 else None,
        "body": [number, {"#": "####"}],
        "raw": bytes(number % 11),
    }


@settings(max_examples=40)
@given(
    gone=st.sets(st.integers(1, 30)),
    changed=st.sets(st.integers(1, 30)),
    checksums=st.booleans(),
)
def test_the_same_rows_are_there_and_everything_agrees(
    tmp_path_factory: pytest.TempPathFactory, gone: set[int], changed: set[int], checksums: bool
) -> None:
    path = tmp_path_factory.mktemp("vacuum") / "data"
    with DB([Notes], path, durability="off", checksums=checksums) as db:
        db.insert_many("notes", [_row(number) for number in range(1, 31)])
        for number in sorted(changed):
            db.update_by_id("notes", number, {"title": "title 3 #" * (number % 6), "raw": b"\n"})
        for number in sorted(gone):
            db.delete_by_id("notes", number)
        before = db.find_all("notes")
        freed = db.vacuum("notes")
        assert db.find_all("notes") == before
        assert (freed > 0) >= bool(gone)
        assert db.check().problems == []
        assert (path / "notes.dat").stat().st_size == len(before) * db.tables["notes"].row_size
        assert db.vacuum("notes") == 0
        for row in before:
            assert row in db.find_by_cond("notes", EQ(title=row["title"]))
            assert db.find_by_id("notes", row["id"]) == row
        assert db.insert("notes", {})["id"] == 31
        assert db.check().problems == []
    text = (path / "notes.text.dat").read_bytes()
    assert b"########" not in text.replace(b'"####"', b"")


def test_a_table_that_was_emptied_has_no_bytes_left(tmp_path: Path) -> None:
    with DB([Notes], tmp_path) as db:
        for row in db.insert_many("notes", [_row(number) for number in range(1, 9)]):
            db.delete_by_id("notes", row["id"])
        assert db.vacuum("notes") > 0
        assert (tmp_path / "notes.dat").stat().st_size == 0
        assert (tmp_path / "notes.text.dat").stat().st_size == 0
        assert (tmp_path / "notes__free.dat").stat().st_size == 0
        assert db.insert("notes", _row(9))["id"] == 9


def test_it_takes_part_in_a_transaction(tmp_path: Path) -> None:
    with DB([Notes], tmp_path) as db:
        db.insert_many("notes", [_row(1), _row(2)])
        db.delete_by_id("notes", 1)
        size = (tmp_path / "notes.dat").stat().st_size
        with pytest.raises(TransactionError), db.transaction():
            db.vacuum("notes")
            assert [row["id"] for row in db.find_all("notes")] == [2]
            raise TransactionError("not today")
        assert (tmp_path / "notes.dat").stat().st_size == size
        assert [row["id"] for row in db.find_all("notes")] == [2]
        assert db.check().problems == []
