"""A backup that was opened while it was restored gave rows of two times, and said it was of one.

Only at its beginning a restore asked whether anybody had the backup open.  Who opened it then and
changed rows was seen in those files that were copied later: a row that was never together with the
others, in a copy that passed its check.  Now the backup's log is looked at again behind the copy,
as whoever opens a directory begins a new generation of its log first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bazanite import DB, INT, PK, DirectoryError, Field, Schema, Table, restore
from seam import Killed, Seam


class Numbers(Table):
    name = "numbers"
    schema = Schema([Field("id", PK()), Field("n", INT())])


def backup_of_five(tmp_path: Path) -> list[Any]:
    with DB([Numbers], tmp_path / "data") as db:
        db.insert_many("numbers", [{"n": n} for n in range(5)])
        db.backup(tmp_path / "backup")
        return db.find_all("numbers")


@pytest.mark.parametrize("durability", ["full", "off"])
@pytest.mark.parametrize("file", ["numbers.dat", "numbers__seqnum.dat", "wal.log.new"])
@pytest.mark.parametrize("dies", [False, True])
def test_whoever_opens_the_backup_ends_the_restore(
    tmp_path: Path, file: str, durability: str, dies: bool
) -> None:
    rows = backup_of_five(tmp_path)
    seam, writer = Seam(), Seam()

    def change() -> None:
        db = DB([Numbers], tmp_path / "backup", system=writer, durability=durability)
        db.delete_by_id("numbers", 1)
        db.insert("numbers", {"n": 77})
        if dies:
            writer.kill()
        else:
            db.close()

    seam.when("create", file, change)
    if file == "wal.log.new":  # by then all was copied
        restore(tmp_path / "backup", tmp_path / "new", system=seam)
        with DB([Numbers], tmp_path / "new") as db:
            assert db.find_all("numbers") == rows
        return
    with pytest.raises(DirectoryError, match="opened while it was copied"):
        restore(tmp_path / "backup", tmp_path / "new", system=seam)
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("step", range(0, 60, 4))
def test_an_opening_that_dies_does_no_harm(tmp_path: Path, step: int) -> None:
    rows = backup_of_five(tmp_path)
    seam, writer = Seam(), Seam(steady=True)

    def begin() -> None:
        writer.kill_at(step)
        with pytest.raises(Killed):
            DB([Numbers], tmp_path / "backup", system=writer).insert("numbers", {"n": 77})
            raise Killed

    seam.when("create", "numbers.dat", begin)
    try:
        restore(tmp_path / "backup", tmp_path / "new", system=seam)
    except DirectoryError as error:
        assert "opened while it was copied" in str(error)  # noqa: PT017  one of two right answers
        return
    with DB([Numbers], tmp_path / "new") as db:
        assert db.find_all("numbers") == rows
