"""Putting durable frames into the files: all of them, in order, again if need be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import (
    CommittedNotApplied,
    CorruptionError,
    DirectoryError,
    PoisonedError,
)
from seam import Killed, Seam
from store_support import LOG, SMALL, core, get, opened, put, unsynced, word

FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("errno", [28, 5])
def test_a_write_refused_while_applying_is_committed_and_the_next_use_finishes(
    tmp_path: Path, errno: int
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    seam.fail("write_at", "a.dat", OSError(errno, "no"))
    with pytest.raises(CommittedNotApplied, match="durable in the log") as caught:
        put(store, b"new")
    assert isinstance(caught.value.__cause__, OSError)
    assert word(store, shared.SEQUENCE) & 1
    assert get(store) == b"new"
    assert not word(store, shared.SEQUENCE) & 1


def test_nobody_gets_in_while_a_durable_frame_cannot_be_applied(tmp_path: Path) -> None:
    seams = [Seam(), Seam()]
    store, other = (opened(tmp_path, seam) for seam in seams)
    put(store, b"old")
    for seam in seams:
        seam.fail("write_at", "a.dat", FULL, times=5)
    with pytest.raises(CommittedNotApplied):
        put(store, b"new")
    for handle in (store, other):
        with pytest.raises(DirectoryError, match="nothing was done"):
            get(handle)
        with pytest.raises(DirectoryError, match="nothing was done"):
            handle.quick_read(lambda view: view.read("a.dat", 0, 3))
        with pytest.raises(DirectoryError, match="nothing was done"):
            put(handle, b"more")
    for seam in seams:
        seam.rules.clear()
    assert other.quick_read(lambda view: view.read("a.dat", 0, 3)) == b"new"


def test_a_process_killed_between_two_writes_of_an_apply_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    put(store, b"old", "b.dat")
    sequence = word(other, shared.SEQUENCE)
    seam.kill_before("write_at", "b.dat")
    with pytest.raises(Killed), store.transaction() as tx:
        tx.write("a.dat", 0, b"new")
        tx.write("b.dat", 0, b"new")
    assert (tmp_path / "a.dat").read_bytes() == b"new"
    assert (tmp_path / "b.dat").read_bytes() == b"old"
    assert word(other, shared.SEQUENCE) == sequence + 1
    assert get(other, "b.dat") == b"new"
    assert word(other, shared.SEQUENCE) == sequence + 2


def test_an_apply_reads_the_durable_mark_once(tmp_path: Path) -> None:
    # While the frames are being written into the files, another leader makes more durable: what
    # was not applied must not be called so.
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    during: list[int] = []

    def commit_more() -> None:
        words = core(other).words
        during.append(words[shared.DURABLE])
        words[shared.DURABLE] += 1000

    def restore() -> None:
        during.append(word(other, shared.APPLIED))
        core(other).words[shared.DURABLE] -= 1000

    seam.when("write_at", "a.dat", commit_more)
    seam.when("store", str(shared.APPLIED), restore, after=True)
    put(store, b"new")
    assert during[0] == during[1]


def test_a_damaged_frame_in_a_running_system_poisons_and_is_no_torn_tail(tmp_path: Path) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(store, b"old")
    lsn = word(store, shared.END)
    unsynced(store, b"new")
    offset = core(store).header.file_offset(lsn)
    with open(tmp_path / LOG, "r+b") as file:
        file.seek(offset + 98)
        file.write(b"\xff")
    with pytest.raises(PoisonedError) as caught:
        put(other, b"more")
    assert isinstance(caught.value.__cause__, CorruptionError)
    assert caught.value.__cause__.offset == offset
    with pytest.raises(PoisonedError):
        get(store)


def test_a_damaged_frame_found_while_applying_poisons(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"old")
    lsn = word(store, shared.END)
    unsynced(store, b"new")
    with open(tmp_path / LOG, "r+b") as file:
        file.seek(core(store).header.file_offset(lsn) + 98)
        file.write(b"\xff")
    with pytest.raises(PoisonedError), store.lock():
        pass
    assert (tmp_path / "a.dat").read_bytes() == b"old"


def test_a_log_that_ends_in_another_frame_than_was_published_poisons(tmp_path: Path) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(store, b"old")
    unsynced(store, b"new")
    core(store).words[shared.TAIL] ^= 1
    with pytest.raises(PoisonedError) as caught:
        put(other, b"more")
    assert "the last frame" in str(caught.value.__cause__)


def test_a_full_disk_and_a_full_log_roll_back_without_losing_the_earlier_one(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(
        tmp_path, seam, log_size_bytes=SMALL, checkpoint_bytes=1 << 20, durability="normal"
    )
    put(store, b"." * 7900)  # in the log only
    seam.fail("write_at", "a.dat", FULL)
    with pytest.raises(DirectoryError, match=r"the log is full"):
        put(store, b"new" * 3000)
    assert get(store) == b"." * 7900


def test_nothing_is_done_inside_the_lock_while_an_earlier_transaction_cannot_be_applied(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"...")
    with store.lock():
        seam.fail("write_at", "a.dat", FULL, times=2)
        with pytest.raises(CommittedNotApplied):
            put(store, b"old")
        with pytest.raises(DirectoryError, match=r"nothing was done"):
            put(store, b"new")
        assert get(store) == b"old"


def test_a_long_fill_is_applied_in_pieces(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    with store.transaction() as tx:
        store.create_files(["a.dat"])
        tx.fill("a.dat", 3, 0x23, (2 << 20) + 5)
        tx.fill("a.dat", 1, 0x24, 0)
    assert (tmp_path / "a.dat").read_bytes() == bytes(3) + b"#" * ((2 << 20) + 5)


def test_a_committed_frame_for_a_file_that_vanished_names_it(tmp_path: Path) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(store, b"old")
    with store.transaction() as tx:
        store.create_files(["b.dat"])
        tx.write("b.dat", 0, b"x")
        (tmp_path / "b.dat").unlink()
    assert get(store, "b.dat") == b"x"  # its own descriptor still has it
    lsn = word(other, shared.APPLIED)
    core(other).words[shared.APPLIED] = core(other).header.base
    with pytest.raises(DirectoryError, match=r"b\.dat is missing"):
        get(other)
    core(other).words[shared.APPLIED] = lsn
