"""Counting by a TEXT field, and by a number in damaged rows.

Once, ``count_by`` and ``links`` gave a TEXT's offset in the text file for its value, and
``InverseCount`` took such offsets for ids.  A star where a number should be was left out of the
count in silence, or came out as a bare ValueError, and of a damaged deleted slot a number counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bazanite import DB, FK, INT, PK, TEXT, CorruptionError, Field, InverseCount, Schema, Table


class Owner(Table):
    name = "owners"
    schema = Schema([Field("id", PK())])


class Note(Table):
    name = "notes"
    schema = Schema(
        [Field("text", TEXT(null=True)), Field("id", PK()), Field("owner", FK("owners"))]
    )


class Account(Table):
    name = "accounts"
    schema = Schema([Field("id", PK()), Field("sum", INT(null=True))])


ROW_SIZE = 19


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([Owner, Note, Account], tmp_path / "data") as opened:
        yield opened


def test_a_text_is_counted_by_its_value(db: DB) -> None:
    db.insert_ids("owners", [{}] * 40)
    texts = ["a", "a", "b", None, ""]
    db.insert_ids("notes", [{"text": text, "owner": 1} for text in texts])
    notes = db.tables["notes"]
    assert notes.count_by("text") == {"a": 2, "b": 1, "": 1}
    assert notes.links("text") == {1: "a", 2: "a", 3: "b", 5: ""}
    assert notes.count_by("owner") == {1: 5}


def test_an_offset_of_a_text_is_no_reference(db: DB) -> None:
    db.insert_ids("owners", [{}] * 40)
    db.insert_ids("notes", [{"text": "abc", "owner": 1}] * 3)
    counted = db.find_all("owners", joins=[InverseCount("text", "notes", "notes")])
    assert {row["notes"] for row in counted} == {0}
    through = InverseCount("sum", "n", "accounts", through=[("text", "notes")])
    db.insert_ids("accounts", [{"sum": 1}, {"sum": 2}])
    assert {row["n"] for row in db.find_all("owners", joins=[through])} == {0}


def damaged(db: DB, tmp_path: Path, offset: int, data: bytes) -> None:
    db.insert_ids("accounts", [{"sum": n} for n in (7, 7, 8)])
    db.delete_by_id("accounts", 2)
    db.checkpoint()
    with (tmp_path / "data" / "accounts.dat").open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_a_star_in_a_live_row_is_damage_and_not_left_out(db: DB, tmp_path: Path) -> None:
    damaged(db, tmp_path, 2 * ROW_SIZE + 9, b"*" * 9)
    for call in (lambda: db.tables["accounts"].count_by("sum"), lambda: db.find_all("accounts")):
        with pytest.raises(CorruptionError) as caught:
            call()
        assert caught.value.offset == 2 * ROW_SIZE + 9


@pytest.mark.parametrize("offset, data", [(ROW_SIZE + 9, b"9        "), (ROW_SIZE + 1, b"2")])
def test_a_deleted_slot_is_not_counted_whatever_is_in_it(
    db: DB, tmp_path: Path, offset: int, data: bytes
) -> None:
    damaged(db, tmp_path, offset, data)
    assert [row["id"] for row in db.find_all("accounts")] == [1, 3]
    assert db.tables["accounts"].count_by("sum") == {7: 1, 8: 1}
    assert db.tables["accounts"].count_by("id") == {1: 1, 3: 1}
