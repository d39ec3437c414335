"""A file is removed or replaced while processes have it open.

Nobody can help who does that, but nothing may be called stored that is nowhere.  Found by it: every
process went on writing into a table's old file, which has no name any more, and the checkpoint
forgot the log: all that was acknowledged since was gone without a word.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, TEXT, CorruptionError, DBError, DirectoryError, Field, Schema
from bazanite import Table as BaseTable
from seam import Seam


class Rows(BaseTable):
    name = "t"
    schema = Schema([Field("id", PK()), Field("n", INT(index=True)), Field("x", TEXT(null=True))])


TABLES = ["t.dat", "t.text.dat", "t__id.idx.dat", "t__seqnum.dat", "t.n.index.dat", "schema.json"]


def used(path: Path) -> tuple[DB, DB, bytes, list[int]]:
    """Two processes, the table's bytes as they were at a checkpoint, and what came since."""
    one = DB([Rows], path, system=Seam(), log_size_bytes=1 << 16)
    one.insert_many("t", [{"n": n, "x": "before"} for n in range(5)])
    one.checkpoint()
    old = (path / "t.dat").read_bytes()
    two = DB([Rows], path, system=Seam(), log_size_bytes=1 << 16)
    ids = [db.insert("t", {"n": n, "x": "since"})["id"] for n in range(5) for db in (one, two)]
    return one, two, old, ids


def put_back(file: Path, data: bytes) -> None:
    """As ``mv`` or an editor does it: a new file gets the name."""
    other = file.with_suffix(".other")
    other.write_bytes(data)
    other.rename(file)


@pytest.mark.parametrize("name", TABLES)
def test_a_checkpoint_is_refused_when_a_tables_file_is_another_one(
    tmp_path: Path, name: str
) -> None:
    one, two, _, _ = used(tmp_path)
    put_back(tmp_path / name, (tmp_path / name).read_bytes())
    for db in (one, two):
        with pytest.raises(DirectoryError, match="removed or replaced"):
            db.checkpoint()
    assert one.stats()["log_used_bytes"] > 0


def test_what_was_acknowledged_since_the_last_checkpoint_comes_back_from_the_log(
    tmp_path: Path,
) -> None:
    one, two, old, ids = used(tmp_path)
    put_back(tmp_path / "t.dat", old)
    ids += [db.insert("t", {"n": 7, "x": "after"})["id"] for db in (one, two)]
    one.close()
    with pytest.raises(DirectoryError, match="removed or replaced"):
        two.close()
    with DB([Rows], tmp_path) as db:
        assert {row["id"] for row in db.find_all("t")} == {1, 2, 3, 4, 5, *ids}
        assert db.check().ok


def test_a_tables_file_that_is_gone_is_told_and_can_be_put_back(tmp_path: Path) -> None:
    one, two, _, ids = used(tmp_path)
    (tmp_path / "t.dat").rename(tmp_path / "elsewhere")
    with pytest.raises(DirectoryError, match="removed or replaced"):
        one.checkpoint()
    (tmp_path / "elsewhere").rename(tmp_path / "t.dat")
    one.checkpoint()
    two.close()
    one.close()
    with DB([Rows], tmp_path) as db:
        assert {row["id"] for row in db.find_all("t")} == {1, 2, 3, 4, 5, *ids}


def gone(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    put_back(file, b"")


INTERNAL = ["wal.log", ".lock", ".sync", ".attached", ".shared"]


@pytest.mark.parametrize("how", [gone, emptied])
@pytest.mark.parametrize("name", [*TABLES, *INTERNAL])
def test_whatever_file_goes_all_errors_are_typed_and_nothing_is_lost_silently(
    tmp_path: Path, name: str, how: Callable[[Path], None]
) -> None:
    one, two, _, ids = used(tmp_path)
    how(tmp_path / name)
    told: list[str] = []

    def tried(work: Callable[[], object]) -> None:
        try:
            work()
        except DBError as error:
            told.append(type(error).__name__)

    def insert(db: DB) -> None:
        ids.append(db.insert("t", {"n": 7, "x": "after"})["id"])

    for db in (one, two):
        tried(partial(insert, db))
        tried(db.checkpoint)
    tried(lambda: DB([Rows], tmp_path, system=Seam(), lock_timeout=1).close())
    tried(two.close)
    tried(one.close)
    try:
        with DB([Rows], tmp_path, lock_timeout=1) as db:
            found = {row["id"] for row in db.find_all("t")}
            whole = db.check().ok
    except (DirectoryError, CorruptionError):
        return
    assert told or found == {1, 2, 3, 4, 5, *ids}
    assert found == {1, 2, 3, 4, 5, *ids} or not whole


@pytest.mark.parametrize("operation", ["open", "list", "directory", "open_lock", "open_words"])
def test_an_opener_out_of_descriptors_gets_a_typed_error_and_others_go_on(
    tmp_path: Path, operation: str
) -> None:
    db, seam = DB([Rows], tmp_path, system=Seam()), Seam()

    def no_more(found: str, _name: str, _index: int) -> None:
        if found == operation:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    seam.rules.append(no_more)
    with pytest.raises(DirectoryError, match="Too many open files"):
        DB([Rows], tmp_path, system=seam)
    assert db.insert("t", {"n": 1})["id"] == 1
    seam.rules.clear()
    assert DB([Rows], tmp_path, system=seam).insert("t", {"n": 1})["id"] == 2
