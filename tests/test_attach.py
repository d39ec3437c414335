"""Attaching and detaching: who is first, who must start over, who is refused, who cleans up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import (
    CommittedNotApplied,
    CommitUncertain,
    CorruptionError,
    DirectoryError,
    DurabilityMismatch,
    LockTimeout,
    NetworkFileSystemError,
    PoisonedError,
)
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.posix import POSIX, PosixLockFile
from seam import Killed, Seam
from store_support import LOG, SMALL, core, get, opened, put, word


def test_only_the_first_opener_recovers_and_touches_the_shared_words(tmp_path: Path) -> None:
    first, late = Seam(), Seam()
    one = opened(tmp_path, first)
    put(one, b"x")
    two = opened(tmp_path, late)
    assert one.recovery is not None
    assert two.recovery is None
    stores = {name for operation, name in late.calls if operation == "store"}
    assert all(int(name) >= 64 for name in stores)  # its own slot only
    assert two.stats()["attached_processes"] == 2


def test_ready_is_cleared_before_and_set_after_everything_else(tmp_path: Path) -> None:
    opened(tmp_path, Seam()).close()
    seam = Seam()
    opened(tmp_path, seam)
    changes = ("store", "write_at", "sync_data")
    order = [name for operation, name in seam.calls if operation in changes]
    assert order[0] == str(shared.READY)
    last = len(order) - 1 - order[::-1].index(str(shared.READY))
    assert all(name.isdigit() and int(name) >= 64 for name in order[last + 1 :])


def test_an_opener_beside_one_that_never_got_ready_starts_over_and_is_first(
    tmp_path: Path,
) -> None:
    # A dying process frees its locks one by one: .lock may be free while it still is attached.
    dying = Seam()
    store = opened(tmp_path, dying)
    put(store, b"kept")
    core(store).words[shared.READY] = 0
    seam = Seam()
    seam.when("sleep", "", dying.kill)
    again = opened(tmp_path, seam)
    assert seam.count("sleep") == 1
    assert again.recovery is not None
    assert get(again) == b"kept"


def test_an_opener_that_finds_attached_held_exclusively_waits_until_it_is_free(
    tmp_path: Path,
) -> None:
    opened(tmp_path, Seam()).close()
    blocker = POSIX.directory(str(tmp_path), create=False).open_lock(".attached")
    assert blocker.try_lock()
    seam = Seam()
    seam.when("sleep", "", lambda: seam.when("sleep", "", blocker.close))
    store = opened(tmp_path, seam)
    assert seam.count("sleep") == 2
    assert store.recovery is not None


def test_an_opener_does_not_wait_for_a_dying_process_longer_than_its_timeout(
    tmp_path: Path,
) -> None:
    opened(tmp_path, Seam()).close()
    blocker = POSIX.directory(str(tmp_path), create=False).open_lock(".attached")
    assert blocker.try_lock()
    with pytest.raises(LockTimeout, match="dying"):
        opened(tmp_path, Seam(), lock_timeout=0.02)
    blocker.close()
    opened(tmp_path, Seam()).close()


def test_a_first_opener_that_loses_its_attachment_starts_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try_lock = PosixLockFile.try_lock
    lost: list[int] = []

    def lose_once(self: PosixLockFile, *, shared: bool = False) -> bool:
        if shared and not lost:
            lost.append(1)
            self.unlock()
            return False
        return try_lock(self, shared=shared)

    monkeypatch.setattr(PosixLockFile, "try_lock", lose_once)
    seam = Seam()
    store = opened(tmp_path, seam)
    assert seam.count("sleep") == 1
    assert store.recovery is not None
    put(store, b"x")
    assert get(store) == b"x"


@pytest.mark.parametrize("used,asked", [("full", "normal"), ("normal", "off"), ("off", "full")])
def test_another_durability_than_that_in_use_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, used: str, asked: str
) -> None:
    store = opened(tmp_path, Seam(), durability=used)
    put(store, b"x")
    with pytest.raises(DurabilityMismatch, match=f"durability='{used}'"):
        opened(tmp_path, Seam(), durability=asked)
    assert store.stats()["attached_processes"] == 1
    store.close()
    other = opened(tmp_path, Seam(), durability=asked)
    assert get(other) == b"x"


@pytest.mark.parametrize("errno", [30, 13])
def test_a_directory_that_cannot_be_written_is_a_directory_error(
    tmp_path: Path, errno: int
) -> None:
    seam = Seam()
    seam.fail("open_lock", ".lock", OSError(errno, os.strerror(errno), str(tmp_path)))
    with pytest.raises(DirectoryError, match="cannot open the database directory") as caught:
        opened(tmp_path, seam)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_path_that_is_a_file_is_a_directory_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DirectoryError):
            opened(path)
    assert (tmp_path / "file").read_text() == "not a directory"


@pytest.mark.parametrize("name", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "lustre"])
def test_a_network_file_system_is_refused_unless_the_caller_takes_the_risk(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(NetworkFileSystemError, match=name):
        opened(tmp_path, Seam(file_system=name))
    assert list(tmp_path.iterdir()) == []
    store = opened(tmp_path, Seam(file_system=name), allow_network_fs=True)
    put(store, b"at your own risk")


@pytest.mark.parametrize("name", ["ext4", "tmpfs", "overlay", "btrfs", "fuse.other", ""])
def test_a_local_file_system_is_accepted(tmp_path: Path, name: str) -> None:
    opened(tmp_path, Seam(file_system=name)).close()


def test_the_last_to_close_leaves_complete_files_and_an_empty_log(tmp_path: Path) -> None:
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(first, b"first")
    put(second, b"second", offset=5)
    first.close()
    second.close()
    assert (tmp_path / "a.dat").read_bytes() == b"firstsecond"
    again = opened(tmp_path, Seam())
    assert again.recovery is not None
    assert (again.recovery.frames, again.recovery.torn) == (0, False)


def test_the_last_to_close_checkpoints_and_the_others_only_leave_a_mark(tmp_path: Path) -> None:
    seam, last = Seam(), Seam()
    first, second = opened(tmp_path, seam), opened(tmp_path, last)
    lsn = put(first, b"first")
    first.close()
    assert word(second, shared.END) == lsn + HEADER_SIZE
    assert (tmp_path / LOG).read_bytes().count(b"MARK  ") == 1
    assert seam.count("sync", "a.dat") == 0
    second.close()
    assert last.count("sync", "a.dat") == 1


def test_damage_before_the_mark_of_a_closed_process_is_corruption_not_a_torn_tail(
    tmp_path: Path,
) -> None:
    seam = Seam()
    first, _ = opened(tmp_path, Seam()), opened(tmp_path, seam)
    put(first, b"durable")
    first.close()
    seam.kill()
    data = bytearray((tmp_path / LOG).read_bytes())
    data[8192 + HEADER_SIZE + 5] ^= 1
    (tmp_path / LOG).write_bytes(data)
    with pytest.raises(CorruptionError) as caught:
        opened(tmp_path, Seam())
    assert caught.value.offset == 8192
    assert caught.value.path.endswith(LOG)
    assert (tmp_path / LOG).read_bytes() == data


def test_a_close_that_cannot_get_the_lock_leaves_everything_to_the_next_opener(
    tmp_path: Path,
) -> None:
    store, holder = opened(tmp_path, Seam(), lock_timeout=0.01), opened(tmp_path, Seam())
    put(store, b"x")
    with holder.lock(), pytest.raises(LockTimeout, match="closed, but the log"):
        store.close()
    assert store.closed
    assert holder.stats()["attached_processes"] == 1
    assert get(holder) == b"x"


def test_a_close_whose_sync_nobody_confirms_says_so_and_is_closed_all_the_same(
    tmp_path: Path,
) -> None:
    store, other = opened(tmp_path, Seam(), commit_timeout=0.01), opened(tmp_path, Seam())
    put(store, b"x")
    assert core(other).sync_file.try_lock()
    with pytest.raises(CommitUncertain):
        store.close()
    assert store.closed
    core(other).sync_file.unlock()
    put(other, b"y")


def test_closing_while_the_disk_is_full_loses_nothing(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    seam.fail("write_at", "a.dat", OSError(28, "No space left on device"), times=3)
    with pytest.raises(CommittedNotApplied):
        put(store, b"new")
    with pytest.raises(DirectoryError):
        store.close()
    assert store.closed
    assert get(opened(tmp_path, Seam())) == b"new"


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_a_killed_last_closer_has_lost_nothing(tmp_path: Path, durability: str) -> None:
    for step in range(0, 400, 3):
        path = tmp_path / str(step)
        seam = Seam()
        store = opened(path, seam, durability=durability, log_size_bytes=SMALL)
        put(store, b"kept")
        seam.kill_at(step)
        try:
            store.close()
            seam.kill()
            closed = True
        except Killed:
            closed = False
        again = opened(path, Seam(), durability=durability)
        assert get(again) == b"kept"
        again.close()
        if closed:
            return
    raise AssertionError("the close never ended")


def test_a_lock_timeout_at_attach_names_the_holder(tmp_path: Path) -> None:
    seam = Seam()
    holder = opened(tmp_path, seam)
    with holder.lock(), pytest.raises(LockTimeout) as caught:
        opened(tmp_path, Seam(), lock_timeout=0)
    assert caught.value.holder is not None
    assert caught.value.holder.pid == seam.pid
    assert f"held by pid {seam.pid} (process {seam.pid}), since 20" in caught.value.message


def test_a_lock_timeout_without_a_known_holder_names_who_attached_last(tmp_path: Path) -> None:
    seam = Seam()
    opened(tmp_path, seam).close()
    (tmp_path / ".shared").unlink()
    lock = POSIX.directory(str(tmp_path), create=False).open_lock(".lock")
    assert lock.try_lock()
    with pytest.raises(LockTimeout, match=f"last to attach was pid {seam.pid}") as caught:
        opened(tmp_path, Seam(), lock_timeout=0)
    assert caught.value.holder is None
    lock.close()


def test_a_full_disk_for_the_lock_text_keeps_nobody_out(tmp_path: Path) -> None:
    seam = Seam()
    seam.fail("write_text", ".lock", OSError(28, "No space left on device"))
    assert get(opened(tmp_path, seam)) == b""


def test_an_interrupt_while_waiting_to_attach_frees_everything(tmp_path: Path) -> None:
    seam = Seam()
    seam.fail("try_lock", ".lock", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path, seam)
    store = opened(tmp_path, seam, lock_timeout=0)
    put(store, b"x")
    other = opened(tmp_path, Seam(), lock_timeout=0)
    assert get(other) == b"x"


def test_a_poisoned_words_file_of_a_dead_process_does_not_outlive_it(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    seam.fail("sync_data", LOG, OSError(5, "no"))
    with pytest.raises(PoisonedError):
        put(store, b"y")
    seam.kill()
    assert get(opened(tmp_path, Seam())) in (b"x", b"y")
