"""A directory of a hundred tables could not be backed up, and one of seventy not be restored.

A process may have some number of files open, often 1024, and a table has five or six.  The copy had
all of its files open beside all those of the directory, a restore and a check those of the backup
as well, and a repair, too.  Now whatever looks at a directory from outside, or makes a new one, has
few of them open at a time.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, TEXT, Field, Schema, Table, repair, restore
from store_support import FORK, descriptors, in_child

pytestmark = pytest.mark.filterwarnings(FORK)
NAMES = [f"t{number}" for number in range(40)]
TABLES: list[type[Table]] = [
    type(
        "Numbered",
        (Table,),
        {
            "name": name,
            "schema": Schema([Field("id", PK()), Field("n", INT()), Field("text", TEXT())]),
        },
    )
    for name in NAMES
]
FILES = 5 * len(TABLES)


def with_descriptors(count: int, work: Callable[[], object]) -> None:
    def child() -> None:
        limit = descriptors() + count
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        work()

    assert in_child(child) == 0


def test_a_backup_takes_few_more_files_than_the_directory(tmp_path: Path) -> None:
    def work() -> None:
        with DB(TABLES, tmp_path / "data", durability="off") as db:
            for name in NAMES:  # all of them are in frames, and written again
                db.insert(name, {"n": 1, "text": "one"})
            db.backup(tmp_path / "backup")

    with_descriptors(FILES + 80, work)

    def others() -> None:
        restore(tmp_path / "backup", tmp_path / "restored")
        report = repair(tmp_path / "restored", tmp_path / "repaired")
        assert sum(table.saved for table in report.tables.values()) == len(TABLES)

    with_descriptors(FILES + 80, others)
    for name in ("backup", "restored", "repaired"):
        with DB.open(tmp_path / name) as db:
            assert db.check().ok
            assert [db.find_all(n)[0]["text"] for n in NAMES] == ["one"] * len(NAMES)


def test_a_restore_takes_few(tmp_path: Path) -> None:
    with DB(TABLES, tmp_path / "data", durability="off") as db:
        for name in NAMES:
            db.insert(name, {"n": 1, "text": "one"})
        db.backup(tmp_path / "backup")
        db.update_where("t7", None, {"n": 2})
        with_descriptors(
            120, lambda: restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
        )
    with DB.open(tmp_path / "new") as db:
        assert sum(db.find_all(name)[0]["n"] for name in NAMES) == len(NAMES) + 1
