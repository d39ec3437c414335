"""A call told of a transaction, and the next one showed the state before it.

A transaction was in the log, durable, when somebody else got the lock and was stopped.  Whoever
waits for such a transaction gives up in the end, and says truly that it is durable; who was refused
because of it says so.  But reads without the lock went on to show the files, which did not have it.
Schedules found it: one process saw no row 5, which another had deleted, and then found it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, PK, CommittedNotApplied, Field, LockTimeout, Schema, Table
from seam import Seam
from store_support import LOG, core, opened


class Things(Table):
    name = "things"
    schema = Schema([Field("id", PK()), Field("v", CHAR(8))])


def opened_db(path: Path, seam: Seam, **options: Any) -> DB:
    options = {"lock_timeout": 0.05, "commit_timeout": 0.05} | options
    return DB([Things], path, system=seam, **options)


def test_nobody_reads_what_is_older_than_a_durable_transaction_that_was_told(
    tmp_path: Path,
) -> None:
    seam = Seam()
    db, other = opened_db(tmp_path, seam, lock_timeout=20), opened_db(tmp_path, Seam())
    holder = opened(tmp_path, Seam())
    reader = DB([Things], tmp_path, system=Seam(), read_only=True, lock_timeout=0.05)
    everybody = (db, other, reader)
    db.insert("things", {"v": "old"})
    assert [one.find_by_id("things", 1) for one in everybody] == [{"id": 1, "v": "old"}] * 3
    lock = core(holder).lock
    seam.when("sync_data", LOG, lambda: lock.acquire(20))  # and stands still with it
    with pytest.raises(CommittedNotApplied):
        db.delete_by_id("things", 1)
    for one in (other, reader):
        with pytest.raises(LockTimeout):
            one.find_by_id("things", 1)
    lock.release()
    assert [one.find_by_id("things", 1) for one in everybody] == [None] * 3
