"""Two repairs into one new directory wrote into each other's files, as two backups once did.

Both found it empty.  Now the first file of each is made as one that is not there yet.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, DirectoryError, Field, Schema, Table, ValidationError, repair
from seam import Seam


class People(Table):
    name = "people"
    schema = Schema([Field("id", PK()), Field("name", CHAR(10))])


def test_of_two_repairs_into_one_directory_one_is_refused(tmp_path: Path) -> None:
    for name in ("Ada", "Bob"):
        with DB([People], tmp_path / name) as db:
            db.insert("people", {"id": 1 if name == "Ada" else 900, "name": name})
    seam, target = Seam(), tmp_path / "new"
    seam.when("create", "schema.json", lambda: repair(tmp_path / "Bob", target))
    with pytest.raises(DirectoryError, match="File exists"):
        repair(tmp_path / "Ada", target, system=seam)
    with DB.open(target) as db:
        assert [row["name"] for row in db.find_all("people")] == ["Bob"]
        assert db.check().ok


def test_no_repair_into_the_directory_that_lends_its_schema(tmp_path: Path) -> None:
    """It would be in the way of that one's files."""
    for name in ("data", "other"):
        DB([People], tmp_path / name).close()
    with pytest.raises(ValidationError, match="never writes into"):
        repair(tmp_path / "data", tmp_path / "other" / "x.dat", schema=tmp_path / "other")
    DB([People], tmp_path / "other").close()
