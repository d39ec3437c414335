"""The API of ``DB``: what each call gives, and transactions."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import bazanite
from bazanite import (
    DB,
    EQ,
    FK,
    CorruptionError,
    Field,
    FieldType,
    Row,
    ValidationError,
)
from bazanite_wal import errors as log_errors
from engine_support import (
    TableA,
    data_bytes,
    opened,
    table_class,
)


def test_every_public_name_is_there() -> None:
    for name in bazanite.__all__:
        assert hasattr(bazanite, name)


def test_every_error_that_the_log_raises_is_public() -> None:
    errors = [name for name, value in vars(log_errors).items() if isinstance(value, type)]
    assert "DBError" in errors
    assert set(errors) <= set(bazanite.__all__)


def test_insert_returns_the_row_as_it_reads(db: DB) -> None:
    row = db.insert("a", {"text": b"foo  "})
    assert row == {"id": 1, "text": "foo"} == db.find_by_id("a", 1)
    assert isinstance(row, Row)
    assert list(row) == ["id", "text"]


def test_texts_read_the_same_from_every_call(db: DB) -> None:
    long = "ñ" * 50_000
    rows = [db.insert("f", {"text": value}) for value in ("foo", b"eggs", "", long)]
    assert [row["text"] for row in rows] == ["foo", "eggs", "", long]
    assert db.find_all("f") == rows
    assert [db.find_by_id("f", row["id"]) for row in rows] == rows
    assert db.find_by_cond("f", EQ(text="eggs")) == [rows[1]]
    assert db.update_by_id("f", 4, {"text": "short"}) == {"id": 4, "text": "short"}
    assert db.check().ok


def test_an_update_returns_the_whole_row(db: DB) -> None:
    db.insert("c", {"varchar": "x", "int": 5})
    assert db.update_by_id("c", 1, {"int": 6}) == {"id": 1, "varchar": "x", "int": 6}
    assert db.update_by_id("c", 1, {}) == {"id": 1, "varchar": "x", "int": 6}


def test_a_row_may_refer_to_another_of_the_same_table(db: DB) -> None:
    assert db.insert("tree", {})["parent"] is None
    assert db.insert("tree", {"parent": 1})["parent"] == 1
    assert db.insert_many("tree", [{}, {"parent": 3}])[1]["parent"] == 3
    with pytest.raises(ValueError, match="Item id=9 does not exist in 'tree'"):
        db.insert("tree", {"parent": 9})
    db.truncate("tree")
    assert db.find_all("tree") == []


@pytest.mark.parametrize("count", [0, 1, 50, 5000])
def test_insert_ids_stores_what_insert_many_stores_and_returns_the_ids(db: DB, count: int) -> None:
    db.insert("a", {"id": 3, "text": "taken"})
    rows = [{"text": f"{number % 97}"} for number in range(count)]
    ids = db.insert_ids("a", iter(rows))
    assert ids == [1, 2, *range(4, count + 2)][:count]
    assert [db.find_by_id("a", pk) for pk in ids] == [
        {"id": pk, **row} for pk, row in zip(ids, rows, strict=True)
    ]
    with pytest.raises(ValidationError, match="no such field"):
        db.insert_ids("a", [{"text": "x"}] * 40 + [{"nothing": 1}])
    assert len(db.find_all("a")) == count + 1


def test_insert_many_takes_any_iterable_and_returns_the_rows(db: DB) -> None:
    rows = db.insert_many("a", ({"text": str(number)} for number in range(3)))
    assert rows == db.find_all("a")
    assert db.insert_many("a", []) == []


def test_truncate_starts_the_ids_again_and_cascades(db: DB) -> None:
    db.insert("a", {"text": "x"})
    db.insert("b", {"text": "y", "a_id": 1})
    db.truncate("a", cascade=True)
    assert (db.find_all("a"), db.find_all("b")) == ([], [])
    assert db.insert("a", {"text": "x"})["id"] == 1


def test_truncate_of_tables_that_refer_to_each_other_ends(tmp_path: Path) -> None:
    first = table_class("first", Field("other", FK("second", null=True)))
    second = table_class("second", Field("other", FK("first", null=True)))
    with opened(tmp_path, first, second) as db:
        db.insert("first", {})
        db.insert("second", {"other": 1})
        db.truncate("first", cascade=True)
        assert db.find_all("second") == []


def test_rows_without_a_reference_do_not_stop_truncate(db: DB) -> None:
    db.insert("a", {"text": "x"})
    db.insert("b2", {"text": "y", "a_id": None})
    db.truncate("a")
    assert len(db.find_all("b2")) == 1


def test_tables_of_the_handle_work_by_themselves(db: DB) -> None:
    table = db.tables["a"]
    assert table.insert({"text": "x"}) == {"id": 1, "text": "x"}
    assert list(table.iterate()) == table.find_all() == [{"id": 1, "text": "x"}]
    assert table.update_by_id(1, {"text": "y"})["text"] == "y"
    table.delete_by_id(1)
    assert table.find_by_id(1) is None
    assert isinstance(table, TableA)


def test_the_lock_is_held_over_several_calls(db: DB) -> None:
    with db.storage.lock():
        count = len(db.find_all("a"))
        db.insert("a", {"text": str(count)})
        with db.storage.lock():
            assert db.find_by_id("a", 1) == {"id": 1, "text": "0"}


def test_an_own_type_is_asked_for_its_bytes(tmp_path: Path) -> None:
    class BOOL(FieldType):
        def __init__(self) -> None:
            super().__init__(1)

        def serialize(self, val: bool) -> bytes:
            return b"y" if val else b"n"

        def deserialize(self, row: bytes, start: int) -> tuple[bool, int]:
            return {b"y": True, b"n": False}[row[start : start + 1]], start + 1

        def validate_type(self, val: object) -> None:
            if not isinstance(val, bool):
                raise ValidationError("Type mismatch")

    made = table_class("t", Field("flag", BOOL()))
    with opened(tmp_path, made) as db:
        assert db.insert_many("t", [{"flag": True}, {"flag": False}])[0]["flag"] is True
        with pytest.raises(ValidationError, match="'flag': Type mismatch"):
            db.insert("t", {"flag": 1})
    (tmp_path / "t.dat").write_bytes(b"1        y\n2        ?\n")
    with opened(tmp_path, made) as db:
        assert db.find_by_id("t", 1) == {"id": 1, "flag": True}
        with pytest.raises(CorruptionError, match="a BOOL value of 'flag'"):
            db.find_all("t")


def test_a_transaction_sees_its_own_writes_and_commits_them_together(db: DB) -> None:
    with db.transaction() as tx:
        db.insert("a", {"text": "x"})
        db.insert("b", {"text": "y", "a_id": 1})
        assert len(db.find_all("b")) == 1
        assert db.find_by_id("a", 1) == {"id": 1, "text": "x"}
        assert tx.lsn == 0
    assert tx.lsn > 0
    assert db.find_all("a") == [{"id": 1, "text": "x"}]
    assert db.read_lsn >= tx.lsn


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError, SystemExit])
def test_any_exception_takes_back_the_whole_transaction(
    db: DB, tmp_path: Path, error: type[BaseException]
) -> None:
    db.insert("f", {"text": "kept"})
    before = data_bytes(tmp_path)

    def failing() -> None:
        with db.transaction():
            db.insert("f", {"text": "gone"})
            db.update_by_id("f", 1, {"text": "changed"})
            db.truncate("a")
            raise error

    with pytest.raises(error):
        failing()
    assert data_bytes(tmp_path) == before
    assert db.find_all("f") == [{"id": 1, "text": "kept"}]
    assert db.insert("f", {"text": "next"})["id"] == 2


def test_a_nested_transaction_is_a_savepoint(db: DB) -> None:
    def failing() -> None:
        with db.transaction():
            db.insert("a", {"text": "inner"})
            raise RuntimeError

    with db.transaction():
        db.insert("a", {"text": "outer"})
        with pytest.raises(RuntimeError):
            failing()
        with pytest.raises(ValidationError):
            db.insert("a", {"text": "too long"})
        with db.transaction():
            db.insert("a", {"text": "kept"})
    assert [row["text"] for row in db.find_all("a")] == ["outer", "kept"]
    assert [row["id"] for row in db.find_all("a")] == [1, 2]


def test_another_threads_call_waits_for_the_transaction(db: DB) -> None:
    seen: list[Row | None] = []
    thread = threading.Thread(target=lambda: seen.append(db.insert("a", {"text": "them"})))
    with db.transaction():
        thread.start()
        db.insert("a", {"text": "ours"})
        assert seen == []
    thread.join()
    assert seen == [{"id": 2, "text": "them"}]


def test_a_reader_that_collects_a_snapshot_may_write_meanwhile(db: DB) -> None:
    db.insert_many("a", [{"text": "x"}, {"text": "y"}])
    for row in db.tables["a"].iterate():
        db.update_by_id("a", row["id"], {"text": row["text"] * 2})
        db.insert("a", {"text": "new"})
    assert [row["text"] for row in db.find_all("a")] == ["xx", "yy", "new", "new"]
