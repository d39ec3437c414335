"""Backups: whole, consistent, durable, and never over something that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal.errors import DirectoryError
from seam import Killed, Seam
from store_support import LOG, get, opened, put, unsynced


def test_a_backup_opens_and_holds_what_was_committed(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x" * (3 << 20))
    put(store, b"{}", "schema.json")
    store.backup(str(tmp_path / "copy"))
    put(store, b"later")
    copy = opened(tmp_path / "copy")
    assert copy.file_names() == ["a.dat", "schema.json"]
    with copy.reading() as view:
        assert view.size("a.dat") == 3 << 20
        assert view.read("a.dat", 0, 5) == b"xxxxx"
    copy.close()


def test_a_backup_holds_what_other_processes_made_and_committed(tmp_path: Path) -> None:
    # Files that this process had not opened yet were once left out, silently.
    store, other = opened(tmp_path / "data", Seam()), opened(tmp_path / "data", Seam())
    put(other, b"theirs", "b.dat")
    put(store, b"0")
    unsynced(other, b"latest")
    store.backup(str(tmp_path / "copy"))
    copy = opened(tmp_path / "copy")
    assert get(copy, "b.dat") == b"theirs"
    assert get(copy) == b"latest"
    copy.close()


def test_a_backup_writes_only_into_an_empty_or_a_new_directory(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("keep")
    with pytest.raises(DirectoryError, match="empty or a new directory"):
        store.backup(str(tmp_path / "copy"))
    assert [file.name for file in (tmp_path / "copy").iterdir()] == ["mine"]
    (tmp_path / "copy" / "mine").unlink()
    store.backup(str(tmp_path / "copy"))
    with pytest.raises(DirectoryError):
        store.backup(str(tmp_path / "data"))


def test_a_backup_that_runs_out_of_space_is_a_directory_error(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    put(store, b"x")
    seam.when(
        "create", "a.dat", lambda: seam.fail("write_at", "a.dat", OSError(28, "No space left"))
    )
    with pytest.raises(DirectoryError, match="cannot back") as caught:
        store.backup(str(tmp_path / "copy"))
    assert isinstance(caught.value.__cause__, OSError)
    assert get(store) == b"x"


def test_a_backup_is_durable_before_it_gets_its_log(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    put(store, b"x")
    before = len(seam.calls)
    store.backup(str(tmp_path / "copy"))
    names = ("create", "sync", "rename")
    assert [call for call in seam.calls[before:] if call[0] in names] == [
        ("create", "a.dat"), ("sync", "a.dat"), ("create", "wal.log.new"), ("sync", "a.dat"),
        ("sync", "."), ("sync", "wal.log.new"), ("rename", "."), ("sync", "."),
    ]  # fmt: skip


def test_an_interrupted_backup_of_tables_is_refused_as_one_without_its_log(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    put(store, b"{}", "schema.json")
    put(store, b"x", "z.dat")
    seam.kill_before("create", "z.dat")
    with pytest.raises(Killed):
        store.backup(str(tmp_path / "copy"))
    assert not (tmp_path / "copy" / LOG).exists()
    with pytest.raises(DirectoryError, match="is missing"):
        opened(tmp_path / "copy")


def test_a_backup_whose_log_may_lose_its_name_is_taken_away(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    put(store, b"{}", "schema.json")
    failure = OSError(5, "Input/output error")
    seam.when("rename", ".", lambda: seam.fail("sync", ".", failure))
    with pytest.raises(DirectoryError, match="cannot back"):
        store.backup(str(tmp_path / "copy"))
    assert not list((tmp_path / "copy").iterdir())
    assert store.backup(str(tmp_path / "copy")).files == 1
