"""A reader without the lock went by an index that was gone, or that was not there yet.

Workers of one directory looked rows up by an index while another process dropped it and built it
anew, some hundred times.  Now and then a worker read an emptied index file: it had met the new
schema in a read of another kind, which renewed its layout number but not its list of indexes.  The
other way round, a list of indexes that came from the log could be used before the log was applied.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bazanite import (
    CHAR,
    DB,
    EQ,
    INT,
    PK,
    AddColumn,
    AddIndex,
    DropIndex,
    Field,
    Migration,
    Schema,
    SchemaMismatch,
    Table,
)
from bazanite.known import LayoutChanged
from bazanite_wal import shared


class Words(Table):
    """One column to look for."""

    name = "words"
    schema = Schema([Field("id", PK()), Field("word", CHAR(8))])


ADD = Migration(1, "find words", [AddIndex("words", "word")])
DROP = Migration(2, "or not", [DropIndex("words", "word")])


def test_an_index_that_another_handle_drops_is_not_read_again(tmp_path: Path) -> None:
    with DB([Words], tmp_path) as db, DB([Words], tmp_path) as other:
        for number in range(9):
            db.insert("words", {"word": f"w{number}"})
        db.migrate([ADD])
        assert [row["id"] for row in other.find_by_cond("words", EQ(word="w4"))] == [5]
        db.migrate([ADD, DROP])
        assert other.find_by_id("words", 99) is None  # with care: it meets the new schema
        assert [row["id"] for row in other.find_by_cond("words", EQ(word="w4"))] == [5]


def test_a_catalog_that_is_not_applied_yet_is_no_ground_to_read_without_the_lock(
    tmp_path: Path,
) -> None:
    with DB([Words], tmp_path) as db:
        storage = db.storage
        table = db.tables["words"]
        known = replace(storage.known, since=storage.store.word(shared.APPLIED) + 1)
        with pytest.raises(LayoutChanged):
            storage.quick_read(table, known, lambda _view: None)
        storage.quick_read(table, replace(known, since=known.since - 1), lambda _view: None)


def test_a_table_that_a_migration_replaced_reads_and_writes_nothing(tmp_path: Path) -> None:
    with DB([Words], tmp_path) as db:
        db.insert("words", {"word": "x"})
        old = db.tables["words"]
        assert old.find_by_id(1) == {"id": 1, "word": "x"}
        db.migrate([Migration(1, "length", [AddColumn("words", Field("length", INT(3)), 1)])])
        assert db.find_by_id("words", 1) == {"id": 1, "word": "x", "length": 1}
        calls = (
            lambda: old.find_by_id(1),
            lambda: old.find_by_cond(EQ(word="x")),
            old.find_all,
            lambda: old.insert({"word": "y"}),
            lambda: old.update_by_id(1, {"word": "y"}),
            lambda: old.delete_by_id(1),
        )
        for call in calls:
            with pytest.raises(SchemaMismatch, match="changed by a migration"):
                call()
        assert db.find_all("words") == [{"id": 1, "word": "x", "length": 1}]
        assert db.check().problems == []
