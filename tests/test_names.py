"""Names: what a failed sync of the directory leaves is never believed, it is made anew."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import DirectoryError, PoisonedError
from bazanite_wal.frame import is_data_file_name
from seam import Killed, Seam
from store_support import LOG, NEW, get, opened, put, word

EIO = OSError(errno.EIO, os.strerror(errno.EIO))


def inodes(path: Path) -> dict[str, int]:
    """The files that a power cut must leave, and which inode each name means."""
    names = [name for name in os.listdir(path) if name == LOG or is_data_file_name(name)]
    return {name: (path / name).stat().st_ino for name in names}


def poisoned_by_its_names(path: Path) -> None:
    """A directory with rows, in which a new file's name could not be made durable."""
    seam = Seam()
    store = opened(path, seam)
    put(store, b"row")
    seam.fail("sync", ".", EIO)
    with pytest.raises(PoisonedError) as caught:
        put(store, b"more", "b.dat")
    assert caught.value.__cause__ is EIO
    assert word(store, shared.POISONED) == shared.NAMES_FAILED
    store.close()


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_after_a_failed_sync_of_the_directory_recovery_gives_each_name_to_a_copy(
    tmp_path: Path, durability: str
) -> None:
    poisoned_by_its_names(tmp_path)
    before, seam = inodes(tmp_path), Seam()
    os.chmod(tmp_path / "a.dat", 0o640)
    store = opened(tmp_path, seam, durability=durability)
    after = inodes(tmp_path)
    assert after.keys() == before.keys() == {LOG, "a.dat", "b.dat"}
    assert all(after[name] != before[name] for name in before)
    assert not (tmp_path / NEW).exists()
    assert (tmp_path / "a.dat").stat().st_mode & 0o777 == 0o640
    renames = [i for i, call in enumerate(seam.calls) if call[0] == "rename"]
    assert renames[-1] < seam.calls.index(("sync", "."))
    assert get(store) == b"row"
    put(store, b"new", "b.dat")
    store.close()
    names = inodes(tmp_path)
    opened(tmp_path, Seam()).close()
    assert inodes(tmp_path) == names  # once is enough


def test_a_copy_keeps_its_holes(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"far", offset=1 << 22)
    store.close()
    poisoned_by_its_names(tmp_path)
    store = opened(tmp_path, Seam())
    found = (tmp_path / "a.dat").stat()
    assert found.st_blocks * 512 < found.st_size == (1 << 22) + 3
    with store.reading() as view:
        assert view.read("a.dat", 1 << 22, 3) == b"far"


@pytest.mark.parametrize("call", [("create_successor", NEW), ("write_at", NEW), ("sync", NEW)])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_names_that_cannot_be_made_anew_are_refused_and_tried_again(
    tmp_path: Path, call: tuple[str, str], code: int
) -> None:
    poisoned_by_its_names(tmp_path)
    for of_the_log in (False, True):
        seam = Seam()
        error = OSError(code, os.strerror(code))
        if of_the_log:
            then = partial(seam.when, "rename", ".", partial(seam.fail, *call, error))
            seam.when("rename", ".", then)
        else:
            seam.fail(*call, error)
        with pytest.raises(DirectoryError, match="only copies of its files") as caught:
            opened(tmp_path, seam)
        assert caught.value.__cause__ is error
        assert not (tmp_path / NEW).exists()
    assert get(opened(tmp_path, Seam())) == b"row"


def test_making_names_anew_can_be_killed_anywhere(tmp_path: Path) -> None:
    poisoned_by_its_names(tmp_path)
    for number in range(1_000):
        dying = Seam(steady=True)
        dying.kill_at(7 * number)
        try:
            store = opened(tmp_path, dying)
        except Killed:
            continue
        break
    assert number > 10
    dying.rules.clear()
    assert get(store) == b"row"


def test_a_name_with_two_links_is_refused_rather_than_parted(tmp_path: Path) -> None:
    poisoned_by_its_names(tmp_path)
    os.link(tmp_path / "a.dat", tmp_path / "twin")
    with pytest.raises(DirectoryError, match="several names"):
        opened(tmp_path, Seam())
    os.unlink(tmp_path / "twin")
    assert get(opened(tmp_path, Seam())) == b"row"


@pytest.mark.parametrize("step", range(2))
def test_a_sync_of_the_directory_that_failed_in_recovery_is_remembered(
    tmp_path: Path, step: int
) -> None:
    dying = Seam()
    put(opened(tmp_path, dying), b"kept")
    dying.kill()
    seam = Seam()
    if step:
        seam.when("sync", ".", lambda: seam.fail("sync", ".", EIO))
    else:
        seam.fail("sync", ".", EIO)
    with pytest.raises(DirectoryError):
        opened(tmp_path, seam)
    before = inodes(tmp_path)
    assert get(opened(tmp_path, Seam())) == b"kept"
    after = inodes(tmp_path)
    assert all(after[name] != before[name] for name in before)


def test_an_interrupt_may_swallow_a_failure_so_nobody_makes_files_until_a_fresh_start(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"row")
    put(other, b"row")
    seam.fail("sync", ".", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        put(store, b"more", "b.dat")
    put(other, b"ROW")  # files that are there are used as before
    assert get(store) == b"ROW"
    with pytest.raises(PoisonedError):
        put(other, b"more", "b.dat")
    store.close()
    other.close()
    before = inodes(tmp_path)
    store = opened(tmp_path, Seam())
    put(store, b"more", "b.dat")
    assert get(store) == b"ROW"
    assert inodes(tmp_path)["b.dat"] != before["b.dat"]


@pytest.mark.parametrize("code, refused", [(errno.EIO, True), (errno.EMFILE, False)])
def test_a_directory_whose_own_name_may_go_is_refused_as_long_as_the_machine_runs(
    tmp_path: Path, code: int, refused: bool
) -> None:
    path = tmp_path / "new"
    first, second = Seam(boot="a" * 36), Seam(boot="a" * 36)
    first.fail("sync_name", ".", OSError(code, os.strerror(code)))
    with pytest.raises(DirectoryError):
        opened(path, first)
    if refused:
        for _ in range(2):
            with pytest.raises(DirectoryError, match=r"own name.*restart the machine"):
                opened(path, second)
        second = Seam(boot="b" * 36)
    assert not (path / LOG).exists()
    put(opened(path, second), b"row")


def test_words_of_another_boot_make_no_copies(tmp_path: Path) -> None:
    seam = Seam(boot="a" * 36)
    store = opened(tmp_path, seam)
    put(store, b"row")
    seam.fail("sync", ".", EIO)
    with pytest.raises(PoisonedError):
        put(store, b"more", "b.dat")
    store.close()
    before = inodes(tmp_path)["a.dat"]
    assert get(opened(tmp_path, Seam(boot="b" * 36))) == b"row"
    assert inodes(tmp_path)["a.dat"] == before
