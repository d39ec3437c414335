"""A backup that was killed half-way opened as a good database with tables missing.

The tables were copied before the catalog.  A directory of tables without a catalog and a log is
Bazoola's, and is adopted: half of a backup became a database with fewer rows, and its check was
content.  Now the catalog is there first, and a catalog without a log is refused.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, DirectoryError, Field, Schema, Table
from seam import Killed, Seam


class People(Table):
    name = "people"
    schema = Schema([Field("id", PK()), Field("name", CHAR(10))])


class Places(Table):
    name = "places"
    schema = Schema([Field("id", PK()), Field("name", CHAR(10))])


TABLES = [People, Places]


@pytest.mark.parametrize("step", range(0, 60, 3))
def test_half_of_a_backup_is_no_database(tmp_path: Path, step: int) -> None:
    seam = Seam()
    db = DB(TABLES, tmp_path / "data", system=seam, log_size_bytes=8192)
    db.insert("people", {"name": "Ada"})
    db.insert("places", {"name": "London"})
    start = len(seam.calls)
    copy = tmp_path / "copy"
    working = ("directory", "create", "write_at", "truncate", "sync", "rename")
    left = step

    def die_later(operation: str, _name: str, index: int) -> None:
        nonlocal left
        if index > start and operation in working:
            left -= 1
            if left < 0:
                seam.kill()
                raise Killed

    seam.rules.append(die_later)
    try:
        db.backup(copy)
    except Killed:
        pass
    if not copy.exists():
        return
    try:
        with DB(TABLES, copy, log_size_bytes=8192) as found:
            names = [row["name"] for table in ("people", "places") for row in found.find_all(table)]
    except DirectoryError as error:
        assert "log" in str(error)  # noqa: PT017  refusing is one of two right answers
    else:
        assert names in ([], ["Ada", "London"])
        assert names or not (copy / "people.dat").stat().st_size
