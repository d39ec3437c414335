"""Looking at a directory without changing a byte of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bazanite_wal.errors import DirectoryError, LockTimeout
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.offline import Live, open_offline
from seam import Seam
from store_support import LOG, SMALL, opened, put, unsynced


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_a_killed_directory_is_shown_as_recovery_would_leave_it_and_stays_as_it_is(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal", sync_seconds=1000)
    put(store, b"in the log only")
    seam.kill()
    before = contents(tmp_path)
    with open_offline(str(tmp_path), system=Seam()) as found:
        assert found.view.read("a.dat", 0, 99) == b"in the log only"
        assert found.file_names == ("a.dat",)
        assert found.unapplied == ("a.dat",)
        assert found.needs_recovery
        assert found.scan is not None
        assert len(found.scan.frames) == 1
        assert [header.generation for header in found.headers] == [2, 1]
    assert contents(tmp_path) == before


def test_a_closed_directory_needs_no_recovery(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"x")
    store.close()
    with open_offline(str(tmp_path)) as found:
        assert found.live == Live(None, (), None)
        assert found.locked
        assert not found.needs_recovery
        assert found.unapplied == ()
        assert found.view.read("a.dat", 0, 9) == b"x"


def test_a_directory_in_use_is_shown_with_who_uses_it_and_how(tmp_path: Path) -> None:
    seams = [Seam(), Seam()]
    stores = [opened(tmp_path, seam, durability="off") for seam in seams]
    put(stores[0], b"x")
    with open_offline(str(tmp_path), system=Seam()) as found:
        assert found.live.attached == tuple(seam.pid for seam in seams)
        assert found.live.durability == "off"
        assert found.live.holder is None
        assert not found.needs_recovery
    assert stores[1].stats()["repairs"] == 0
    put(stores[1], b"y")
    assert stores[1].stats()["repairs"] == 0


def test_frames_that_are_not_durable_yet_are_shown_as_recovery_would(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"old")
    unsynced(store, b"new")
    with open_offline(str(tmp_path), system=Seam()) as found:
        assert found.view.read("a.dat", 0, 9) == b"new"
        assert found.unapplied == ("a.dat",)
        assert not found.needs_recovery  # it is in use


def test_a_lock_that_is_kept_is_a_lock_timeout_that_names_the_holder(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    with (
        store.lock(),
        pytest.raises(LockTimeout),
        open_offline(str(tmp_path), lock_timeout=0, system=Seam()),
    ):
        pass


def test_a_lock_that_is_kept_need_not_stop_one_who_only_looks(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    with (
        store.lock(),
        open_offline(str(tmp_path), lock_timeout=0, must_lock=False, system=Seam()) as found,
    ):
        assert not found.locked
        assert found.live.holder is not None
        assert found.live.holder.pid == seam.pid
        assert found.view.read("a.dat", 0, 9) == b"x"


def test_a_directory_without_a_log_or_a_lock_is_shown_as_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(b"plain")
    with open_offline(str(tmp_path)) as found:
        assert (found.log, found.scan, found.headers) == (None, None, ())
        assert found.view.read("a.dat", 0, 9) == b"plain"
        assert not found.needs_recovery
    assert list(contents(tmp_path)) == ["a.dat"]


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_directory_is_a_directory_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DirectoryError, match="cannot look"), open_offline(str(tmp_path / name)):
        pass
    assert not (tmp_path / "missing").exists()


def test_a_damaged_log_is_shown_up_to_the_damage(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    put(store, b"one")
    second = 8192 + HEADER_SIZE + len(b"write a.dat 0 3\none\n")
    put(store, b"two")
    put(store, b"six")
    seam.kill()
    data = bytearray((tmp_path / LOG).read_bytes())
    data[second + HEADER_SIZE + 5] ^= 1
    (tmp_path / LOG).write_bytes(data)
    (tmp_path / "a.dat").write_bytes(b"")
    with open_offline(str(tmp_path)) as found:
        assert found.scan is not None
        assert (found.scan.tail, found.scan.bad_offset) == ("corrupt", second)
        assert found.view.read("a.dat", 0, 9) == b"one"
        assert found.needs_recovery


def test_a_log_without_a_header_has_no_verdict(tmp_path: Path) -> None:
    opened(tmp_path, Seam()).close()
    (tmp_path / LOG).write_bytes(b"rubbish")
    with open_offline(str(tmp_path)) as found:
        assert found.scan is None
        assert found.log == b"rubbish"


def test_a_file_that_the_log_names_and_is_missing_is_shown_as_it_would_be(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    seam.kill()
    (tmp_path / "a.dat").unlink()
    with open_offline(str(tmp_path)) as found:
        assert found.file_names == ("a.dat",)
        assert found.view.read("a.dat", 0, 9) == b"x"


def test_a_fifo_among_the_tables_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.dat")
    with pytest.raises(DirectoryError), open_offline(str(tmp_path)):
        pass
