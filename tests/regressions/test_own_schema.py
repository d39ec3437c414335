"""`bazanite repair DIR --output NEW --schema DIR` waited for a lock that it held itself.

The schema's directory is locked like the damaged one, each by an open file of its own: the command
ended after its timeout with "held by another process", and `lock_timeout=None` never did.  It is
refused at once, whatever the directory is called.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import DB, ValidationError, repair
from tools_support import City, Person, contents, fill


@pytest.mark.parametrize("name", ["data", "link", "data/../data/"])
def test_the_damaged_directory_is_no_schema_of_its_own(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "data").close()
    (tmp_path / "link").symlink_to("data")
    before = contents(tmp_path / "data")
    with pytest.raises(ValidationError, match="is the damaged directory itself"):
        repair(tmp_path / "data", tmp_path / "new", schema=f"{tmp_path}/{name}", lock_timeout=0.0)
    assert not (tmp_path / "new").exists()
    assert contents(tmp_path / "data") == before
    with DB([City, Person], tmp_path / "data", lock_timeout=0.0) as db:  # no lock was left
        assert db.count("city") == 1


def test_another_one_is(tmp_path: Path) -> None:
    for directory in ("data", "other"):
        fill(tmp_path / directory).close()
    report = repair(tmp_path / "data", tmp_path / "new", schema=tmp_path / "other")
    assert report.tables["city"].saved == 1
