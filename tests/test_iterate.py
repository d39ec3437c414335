"""``iterate``: one state of a table, its rows made one by one, without the lock."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from bazanite import DB, CorruptionError, Row
from engine_support import TableC, TableF, opened
from seam import Seam


def test_later_changes_do_not_show_and_nobody_waits(tmp_path: Path) -> None:
    db, other = (DB([TableC], str(tmp_path), system=Seam(), lock_timeout=0) for _ in range(2))
    rows = db.insert_many("c", [{"varchar": str(n), "int": n} for n in range(3)])
    db.delete_by_id("c", 2)
    iterator = db.tables["c"].iterate()
    assert next(iterator) == rows[0]
    other.update_by_id("c", 3, {"int": 7})
    other.insert("c", {"varchar": "new", "int": 0})
    assert list(iterator) == rows[2:]
    left = db.tables["c"].iterate()
    db.close()
    assert [row["int"] for row in left] == [0, 0, 7]


def test_a_transaction_iterates_over_its_own_changes(tmp_path: Path) -> None:
    with opened(tmp_path, TableC) as db, db.transaction():
        row = db.insert("c", {"varchar": "x", "int": 1})
        assert list(db.tables["c"].iterate()) == [row]


def test_texts_are_those_of_the_same_state(tmp_path: Path) -> None:
    with opened(tmp_path, TableF) as db:
        db.insert("f", {"text": "old"})
        iterator = db.tables["f"].iterate()
        db.update_by_id("f", 1, {"text": "new"})
        assert list(iterator) == [{"id": 1, "text": "old"}]


def test_damage_is_told_when_it_is_come_to(tmp_path: Path) -> None:
    with opened(tmp_path, TableC) as db:
        db.insert_many("c", [{"varchar": "x", "int": n} for n in range(20_000)])
        with (tmp_path / "c.dat").open("r+b") as file:
            file.seek(29 * 19_999)
            file.write(b"x")
        iterator = db.tables["c"].iterate()
        assert [next(iterator)["int"] for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(CorruptionError) as caught:
            list(iterator)
    assert caught.value.offset == 29 * 19_999


def peak(rows: Callable[[], Iterable[Row]]) -> int:
    """The most memory that going through these rows takes."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows()) == 50_000
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_it_takes_a_part_of_the_memory_of_all_rows(tmp_path: Path) -> None:
    with opened(tmp_path, TableC) as db:
        db.insert_many("c", [{"varchar": "x", "int": n} for n in range(50_000)])
        table = db.tables["c"]
        assert peak(table.iterate) < peak(table.find_all) / 2
