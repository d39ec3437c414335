"""A backup was acknowledged although a power cut could take the whole directory away.

All that is in it was synced, and its own name never: neither that of the directory that the backup
made, nor those of the directories above it that it may have made, too.  So it is with a restore.
A new database has always synced them before it got its log.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, DirectoryError, Field, Schema, Table, restore
from seam import Seam


class People(Table):
    name = "people"
    schema = Schema([Field("id", PK()), Field("name", CHAR(10))])


@pytest.mark.parametrize("copy", ["backup", "restore"])
def test_a_copys_own_name_is_durable_before_it_has_its_log(tmp_path: Path, copy: str) -> None:
    seam = Seam()
    with DB([People], tmp_path / "data", system=seam) as db:
        db.insert("people", {"name": "Ada"})
        db.backup(tmp_path / "kept")
        for fails in (True, False):
            target = tmp_path / f"new{fails}" / "monday"
            began = len(seam.calls)
            if fails:
                seam.fail("sync_name", ".", OSError(5, "Input/output error"))
            try:
                if copy == "backup":
                    db.backup(target)
                else:
                    restore(tmp_path / "kept", target, system=seam)
                assert not fails
                calls = seam.calls[began:]
                assert calls.index(("sync_name", ".")) < calls.index(("rename", "."))
            except DirectoryError as error:
                assert fails
                assert "Input/output error" in str(error)  # noqa: PT017  the other run succeeds
                assert not list(target.iterdir())
