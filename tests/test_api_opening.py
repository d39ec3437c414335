"""Opening and closing: tables, names, widths, missing files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    FK,
    TEXT,
    DirectoryError,
    Field,
    Schema,
    SchemaMismatch,
    Table,
    TransactionError,
    ValidationError,
)
from engine_support import (
    TableA,
    TableB,
    TableF,
    data_bytes,
    opened,
    table_class,
)


def test_close_twice_is_fine_and_use_after_it_is_not(tmp_path: Path) -> None:
    db = opened(tmp_path, TableA)
    table, storage = db.tables["a"], db.storage
    db.close()
    db.close()
    assert db.tables == {}
    uses: list[Callable[[], object]] = [
        lambda: db.insert("a", {"text": "x"}),
        lambda: db.find_all("a"),
        lambda: db.find_by_id("a", 1),
        lambda: db.read_lsn,
        db.transaction,
        db.checkpoint,
        db.check,
        db.stats,
        storage.lock,
        lambda: table.find_by_id(1),
        lambda: table.insert({"text": "x"}),
    ]
    for use in uses:
        with pytest.raises(TransactionError, match="closed"):
            use()


def test_close_with_an_open_transaction_is_an_error_and_leaves_it_open(tmp_path: Path) -> None:
    db = opened(tmp_path, TableA)
    with db.transaction():
        db.insert("a", {"text": "x"})
        with pytest.raises(TransactionError):
            db.close()
        db.insert("a", {"text": "y"})
    assert len(db.find_all("a")) == 2
    db.close()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../a",
        "a/b",
        "/a",
        "a.text",
        "a b",
        "a\n",
        "a\0",
        "ä",
        "-a",
        "a__free",
        "a__seqnum",
        "a__id.idx",
        "x" * 201,
        None,
        5,
    ],
)
def test_a_table_name_that_escapes_or_clashes_is_refused_before_anything_is_made(
    tmp_path: Path, name: Any
) -> None:
    with pytest.raises(ValidationError, match="name"):
        opened(tmp_path / "new", table_class(name))
    with pytest.raises(ValidationError, match="name"):
        opened(tmp_path / "new", table_class("a", Field("r", FK(name))))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "tables, message",
    [
        ([], "at least one table"),
        ([table_class("a"), table_class("a")], "two tables have this name"),
        ([type("NoSchema", (Table,), {"name": "a"})], "needs a schema"),
        ([type("NoName", (Table,), {"schema": TableA.schema})], "name"),
        (
            [type("NoId", (Table,), {"name": "a", "schema": Schema([Field("x", CHAR(1))])})],
            "'id'",
        ),
        ([table_class("a", Field("t", type("T", (TEXT,), {})()))], "TEXT cannot be subclassed"),
    ],
)
def test_tables_that_cannot_be_opened_are_refused_before_anything_is_made(
    tmp_path: Path, tables: list[type[Table]], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        opened(tmp_path / "new", *tables)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("width", [0, 1, 19, True, "9", 6.0])
def test_integers_have_a_sensible_width(tmp_path: Path, width: Any) -> None:
    with pytest.raises(ValidationError, match="int_width"):
        opened(tmp_path / "new", TableA, int_width=width)


@pytest.mark.parametrize("path", ["", None, 5, "a\0b", b"bytes"])
def test_the_directory_is_a_path(path: Any) -> None:
    with pytest.raises(ValidationError, match="path"):
        DB([TableA], path)


def test_the_directory_may_be_a_path_object(tmp_path: Path) -> None:
    with DB([TableA], tmp_path / "data") as db:
        db.insert("a", {"text": "x"})
        db.backup(tmp_path / "copy")
    with DB([TableA], str(tmp_path / "copy")) as copy:
        assert copy.find_all("a") == [{"id": 1, "text": "x"}]


def test_the_same_class_twice_is_one_table(tmp_path: Path) -> None:
    with opened(tmp_path, TableA, TableA) as db:
        assert list(db.tables) == ["a"]


def test_a_handle_may_open_some_tables_and_add_new_ones(tmp_path: Path) -> None:
    with opened(tmp_path, TableA) as db:
        db.insert("a", {"text": "x"})
    with opened(tmp_path, TableB) as db:
        assert db.insert("b", {"text": "y", "a_id": 1})["a_id"] == 1
        with pytest.raises(ValueError, match="Item id=2 does not exist in 'a'"):
            db.insert("b", {"text": "y", "a_id": 2})
        with pytest.raises(ValidationError, match="No such table"):
            db.find_all("a")
    with opened(tmp_path, TableA) as db:
        with pytest.raises(ValueError, match="table 'b' has referring rows"):
            db.truncate("a")
        db.truncate("a", cascade=True)
    with opened(tmp_path, TableA, TableB) as db:
        assert (db.find_all("a"), db.find_all("b")) == ([], [])


def test_a_table_that_another_handle_adds_is_known_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, TableB) as one:
        with pytest.raises(ValidationError, match="table 'a', which does not exist"):
            one.insert("b", {"text": "x", "a_id": 1})
        with opened(tmp_path, TableA) as two:
            two.insert("a", {"text": "y"})
            assert one.insert("b", {"text": "x", "a_id": 1})["id"] == 1


def test_opening_again_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, TableA, TableF) as db:
        db.insert("a", {"text": "x"})
        lsn = db.stats()["end_lsn"]
        before = data_bytes(tmp_path)
        with opened(tmp_path, TableA, TableF) as other:
            assert other.stats()["end_lsn"] == lsn
    assert data_bytes(tmp_path) == before


@pytest.mark.parametrize(
    "suffix", [".dat", "__id.idx.dat", "__free.dat", "__seqnum.dat", ".text.dat"]
)
def test_a_missing_file_is_named_and_the_other_tables_still_open(
    tmp_path: Path, suffix: str
) -> None:
    with opened(tmp_path, TableA, TableF) as db:
        db.insert("f", {"text": "x"})
        db.insert("a", {"text": "x"})
    (tmp_path / f"f{suffix}").unlink()
    before = data_bytes(tmp_path)
    with pytest.raises(DirectoryError, match=f"f{suffix}: this file of table 'f' is missing"):
        opened(tmp_path, TableA, TableF)
    assert data_bytes(tmp_path) == before
    with opened(tmp_path, TableA) as db:
        assert db.find_all("a") == [{"id": 1, "text": "x"}]


def test_another_width_than_the_stored_one_is_a_mismatch(tmp_path: Path) -> None:
    opened(tmp_path, TableA, int_width=6).close()
    with pytest.raises(SchemaMismatch, match="stored int_width is 6, declared 9"):
        opened(tmp_path, TableA, int_width=9)
    with opened(tmp_path, TableA) as db:
        assert db.tables["a"].row_size == 12


def test_close_while_the_lock_is_held_is_an_error_and_leaves_it_open(tmp_path: Path) -> None:
    db = opened(tmp_path, TableA)
    with db.storage.lock():
        with pytest.raises(TransactionError):
            db.close()
        db.insert("a", {"text": "x"})
    assert db.find_by_id("a", 1) == {"id": 1, "text": "x"}
    db.close()


def test_a_new_table_inside_a_transaction_is_refused_and_a_known_one_is_not(tmp_path: Path) -> None:
    """A rollback would take the new table's entry from the catalog, and its handle go on."""
    with opened(tmp_path, TableA) as db:
        with db.transaction():
            db.insert("a", {"text": "x"})
            with pytest.raises(TransactionError, match="before it begins"):
                opened(tmp_path, TableF)
            second = opened(tmp_path, TableA)
            assert second.find_by_id("a", 1) == {"id": 1, "text": "x"}
        second.close()
        assert db.find_all("a") == [{"id": 1, "text": "x"}]


def test_files_that_a_crash_left_empty_before_the_first_commit_are_new_tables(
    tmp_path: Path,
) -> None:
    opened(tmp_path / "log", TableA).close()
    (tmp_path / "log" / "wal.log").rename(tmp_path / "wal.log")
    for name in ("schema.json", "a.dat", "a__id.idx.dat", "a__seqnum.dat", "f.dat"):
        (tmp_path / name).touch()
    with opened(tmp_path, TableA, TableF) as db:
        assert db.insert("a", {"text": "x"})["id"] == 1
        assert db.insert("f", {"text": "x"})["id"] == 1
        assert db.check().ok
