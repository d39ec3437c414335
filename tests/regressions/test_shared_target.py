"""Two backups that were begun at once into the same new directory wrote into each other's files.

Both found it empty, as neither had made a file yet.  Each then opened what the other had made: one
returned a `Backup` and went on being overwritten, zeros of a copy (which are left out, as a new
file has them) let bytes of the other's through, and one that failed then removed "what was made",
which was the other's acknowledged backup.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal.backup import Backup
from bazanite_wal.errors import DirectoryError
from bazanite_wal.restore import restore
from seam import Seam
from store_support import opened, put
from test_hot_backup import state_of


def test_one_of_two_backups_into_one_directory_is_made_and_the_other_refused(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "other", Seam())
    put(store, b"{}", "schema.json")
    put(store, bytes(100), "a.dat")
    put(other, b"[]", "schema.json")
    put(other, b"x" * 100, "a.dat")
    made: list[Backup] = []
    # the first one has looked, and makes its first file now
    seam.when("create", "schema.json", lambda: made.append(other.backup(str(tmp_path / "copy"))))
    with pytest.raises(DirectoryError, match="somebody else writes into it"):
        store.backup(str(tmp_path / "copy"))
    assert made
    assert state_of(tmp_path / "copy") == {"schema.json": b"[]", "a.dat": b"x" * 100}
    store.checkpoint()
    put(store, b"y", "a.dat")


def test_so_it_is_with_two_restores(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"{}", "schema.json")
    put(store, b"x" * 100, "a.dat")
    backup, target = str(tmp_path / "backup"), str(tmp_path / "target")
    store.backup(backup)
    seam = Seam()
    seam.when("create", "schema.json", lambda: restore(backup, target))
    with pytest.raises(DirectoryError, match="somebody else writes into it"):
        restore(backup, target, system=seam)
    assert state_of(tmp_path / "target") == {"schema.json": b"{}", "a.dat": b"x" * 100}


def test_a_failed_backup_removes_only_what_it_made(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    put(store, b"{}", "schema.json")
    put(store, b"x" * 100, "a.dat")

    def note() -> None:
        (tmp_path / "copy" / "README").write_text("Monday's")
        seam.fail("write_at", "a.dat", OSError(5, "no disk"))

    seam.when("create", "a.dat", note)
    with pytest.raises(DirectoryError):
        store.backup(str(tmp_path / "copy"))
    assert [file.name for file in (tmp_path / "copy").iterdir()] == ["README"]
