"""A read-only handle showed a transaction, and a later read by somebody else did not have it.

Under the lock such a handle laid over the table files what was durable in the log and not yet in
them.  Attached processes that read without the lock went on to see the files alone, as long as the
writer stood still between its sync and its apply; and once all writers were dead, other read-only
handles did so until somebody recovered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, PK, Field, Schema, Table
from seam import Killed, Seam
from store_support import LOG

STATES = ["old", "new"]


class Things(Table):
    name = "things"
    schema = Schema([Field("id", PK()), Field("v", CHAR(8))])


def opened_db(path: Path, seam: Seam, **options: Any) -> DB:
    return DB([Things], path, system=seam, **({"lock_timeout": 20} | options))


def value(db: DB) -> str:
    row = db.find_by_id("things", 1)
    assert row is not None
    found: str = row["v"]
    return found


def test_no_reader_is_ahead_of_those_who_read_without_the_lock(tmp_path: Path) -> None:
    seam = Seam()
    db, other = opened_db(tmp_path, seam), opened_db(tmp_path, Seam())
    reader = opened_db(tmp_path, Seam(), read_only=True)
    db.insert("things", {"v": "old"})
    assert [value(other), value(reader)] == ["old", "old"]
    found: list[str] = []

    def look() -> None:
        figures = other.stats()
        assert figures["applied_lsn"] < figures["durable_lsn"]
        with opened_db(tmp_path, Seam(), read_only=True) as locked:
            found.extend(map(value, (reader, locked, other, reader)))

    seam.when("unlock", ".sync", look)
    db.update_by_id("things", 1, {"v": "new"})
    assert found == sorted(found, key=STATES.index)
    assert len(found) == 4
    assert [value(other), value(reader)] == ["new", "new"]


def test_who_reads_without_the_lock_sees_what_others_saw_when_the_writers_are_dead(
    tmp_path: Path,
) -> None:
    seam = Seam()
    db, reader = opened_db(tmp_path, seam), opened_db(tmp_path, Seam(), read_only=True)
    db.insert("things", {"v": "old"})
    assert value(reader) == "old"
    seam.kill_before("unlock", ".sync")
    with pytest.raises(Killed):
        db.update_by_id("things", 1, {"v": "new"})
    with opened_db(tmp_path, Seam(), read_only=True) as locked:
        assert value(locked) == "new"
    assert value(reader) == "new"


def test_nor_is_one_ahead_where_an_interrupt_came_between_log_and_files(tmp_path: Path) -> None:
    seam = Seam()
    db, other = (opened_db(tmp_path, one, durability="off") for one in (seam, Seam()))
    db.insert("things", {"v": "old"})
    assert value(other) == "old"
    seam.when("write_at", LOG, _interrupt, after=True)
    with pytest.raises(KeyboardInterrupt):
        db.update_by_id("things", 1, {"v": "new"})
    with opened_db(tmp_path, Seam(), read_only=True) as locked:
        found = [value(locked), value(other)]
    assert found == sorted(found, key=STATES.index)


def _interrupt() -> None:
    raise KeyboardInterrupt
