"""Readers without the lock, and tables that a program kept, after the schema was changed.

Rows are read by id without the lock, under the layout that the handle knows, and a word in shared
memory tells that somebody changed it.  Once a handle took the word for known while the change was
in the log and not yet in the files: afterwards it read new rows in the old layout.  The same befell
a forked child, for whom the word had begun again, and a ``Table`` that a program kept over its own
handle's migration: that one even wrote.  The word is known only when all of the log is applied, it
never takes an old value again, and a table that was replaced refuses.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    EQ,
    INT,
    AddColumn,
    AddIndex,
    DropIndex,
    Field,
    Migration,
    RenameColumn,
    SchemaMismatch,
    Table,
    TransactionError,
)
from engine_support import table_class
from seam import Seam
from store_support import FORK, start_child

WIDER = Migration(1, "wider", [AddColumn("t", Field("x", CHAR(2)), "zz")])
OLD = table_class("t", Field("n", INT()))


def database(path: Path, **options: Any) -> DB:
    """Three rows in it, if it is new."""
    db = DB([OLD], path, log_size_bytes=64 << 10, **options)
    if not db.find_all("t"):
        db.insert_many("t", [{"n": 10}, {"n": 20}, {"n": 30}])
    return db


def test_a_handle_that_looked_while_the_change_was_only_in_the_log_does_not_misread(
    tmp_path: Path,
) -> None:
    migrating = Seam()
    with database(tmp_path, system=migrating) as one, database(tmp_path, system=Seam()) as other:
        rows = other.find_all("t")
        assert other.find_by_id("t", 1) == rows[0]
        seen: list[Any] = []
        migrating.when("sync_data", "wal.log", lambda: seen.append(other.find_all("t")))
        one.migrate([Migration(1, "other name", [RenameColumn("t", "n", "m")])])
        assert seen == [rows]  # what is not durable shows nowhere
        with pytest.raises(SchemaMismatch):
            other.find_by_id("t", 2)


@pytest.mark.parametrize("durability", ["normal", "off"])
def test_a_change_that_is_not_on_disk_yet_is_noticed_as_well(
    tmp_path: Path, durability: str
) -> None:
    with (
        database(tmp_path, system=Seam(), durability=durability) as one,
        database(tmp_path, system=Seam(), durability=durability) as other,
    ):
        other.find_by_id("t", 1)
        one.migrate([WIDER])
        with pytest.raises(SchemaMismatch):
            other.find_by_id("t", 2)
        assert one.find_by_id("t", 2) == {"id": 2, "n": 20, "x": "zz"}
        with database_as_it_is(tmp_path, durability) as third:
            assert third.find_by_id("t", 3) == {"id": 3, "n": 30, "x": "zz"}


def database_as_it_is(path: Path, durability: str) -> DB:
    return DB.open(path, system=Seam(), durability=durability)


@pytest.mark.filterwarnings(FORK)
def test_a_forked_child_notices_a_change_that_was_made_while_nobody_was_attached(
    tmp_path: Path,
) -> None:
    db = database(tmp_path)
    assert db.find_by_id("t", 1) == {"id": 1, "n": 10}
    told, tell = os.pipe()

    def child() -> None:
        os.read(told, 1)  # until the parent has closed its handle
        with DB.open(tmp_path) as other:  # whose words end with it
            other.migrate([WIDER])
        with pytest.raises(SchemaMismatch):
            db.find_by_id("t", 2)

    pid = start_child(child)
    db.close()
    os.write(tell, b"!")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


CALLS: list[Callable[[Table], object]] = [
    lambda table: table.find_by_id(1),
    lambda table: table.find_all(),
    lambda table: list(table.iterate()),
    lambda table: table.find_by_cond(EQ(n=10)),
    lambda table: table.count_by("n"),
    lambda table: table.links("n"),
    lambda table: table.slot_count(),
    lambda table: table.insert({"n": 1}),
    lambda table: table.insert_many([{"n": 1}]),
    lambda table: table.insert_ids([{"n": 1}]),
    lambda table: table.update_by_id(1, {"n": 1}),
    lambda table: table.delete_by_id(1),
]


@pytest.mark.parametrize("checksums", [False, True])
def test_a_table_kept_over_a_migration_of_its_own_handle_refuses_every_call(
    tmp_path: Path, checksums: bool
) -> None:
    with database(tmp_path, checksums=checksums) as db:
        kept = db.tables["t"]
        kept.find_by_id(1)
        db.migrate([WIDER])
        rows = db.find_all("t")
        for call in CALLS:
            with pytest.raises(SchemaMismatch, match="take it from"):
                call(kept)
        assert db.find_all("t") == rows
        assert db.check().problems == []
        again = db.tables["t"]
        db.migrate([WIDER, Migration(2, "index", [AddIndex("t", "n")])])
        assert db.tables["t"] is again  # an index changes no layout
        assert again.find_by_id(2) == {"id": 2, "n": 20, "x": "zz"}
    with pytest.raises(TransactionError):
        kept.find_by_id(1)


def test_a_search_does_not_use_an_index_that_another_handle_has_dropped(tmp_path: Path) -> None:
    with database(tmp_path, system=Seam()) as one, database(tmp_path, system=Seam()) as other:
        one.migrate([Migration(1, "index", [AddIndex("t", "n")])])
        wanted = [{"id": 2, "n": 20}]
        for _ in range(2):
            assert other.find_by_cond("t", EQ(n=20)) == wanted
        one.migrate(
            [Migration(1, "index", [AddIndex("t", "n")]), Migration(2, "-", [DropIndex("t", "n")])]
        )
        for _ in range(2):
            assert other.find_by_cond("t", EQ(n=20)) == wanted


def test_functions_of_a_migration_cannot_use_the_database(tmp_path: Path) -> None:
    # Once a row that one of them inserted was lost, and its id pointed behind the end.
    with database(tmp_path) as db:

        def inserting(row: Any) -> str:
            db.insert("t", {"n": 1})
            return str(row["n"])

        step = AddColumn("t", Field("x", CHAR(2)), inserting)
        with pytest.raises(TransactionError):
            db.migrate([Migration(1, "inserting", [step])])
        assert [row["n"] for row in db.find_all("t")] == [10, 20, 30]
        assert db.check().problems == []
