"""Recovery put a new ``wal.log`` in the old one's place, and more changed than its bytes.

It wrote the frames it had verified into a new file and renamed it.  An administrator who opened a
user's database after a crash took its log away: the user was refused from then on.  A log that only
its owner could read (made under umask 077) became readable by all after a recovery under umask 022.
And of two trees that share their files by hard links (``cp -al``) only one got the new log: the
other recovered from the old one, later, over rows that had been acknowledged since.
Now the new log has the old one's owner, group and mode; where it cannot, or the log has several
names, it is not replaced.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite_wal.errors import DirectoryError
from bazanite_wal.posix import PosixDirectory
from seam import Seam
from store_support import LOG, NEW, get, opened, put

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def killed(path: Path, **options: Any) -> Path:
    """A directory whose log holds an acknowledged row that recovery must redo; its log."""
    seam = Seam()
    put(opened(path, seam, **options), b"acknowledged")
    seam.kill()
    return path / LOG


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_recovered_log_has_the_mode_it_had(tmp_path: Path, mode: int) -> None:
    log = killed(tmp_path)
    log.chmod(mode)
    inode = log.stat().st_ino
    assert get(opened(tmp_path, Seam())) == b"acknowledged"
    assert stat.S_IMODE(log.stat().st_mode) == mode
    assert log.stat().st_ino != inode


@root
def test_a_recovered_log_belongs_to_whom_it_belonged(tmp_path: Path) -> None:
    log = killed(tmp_path)
    os.chown(log, 12345, 23456)
    log.chmod(0o620)
    assert get(opened(tmp_path, Seam())) == b"acknowledged"
    status = log.stat()
    found = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
    assert found == (12345, 23456, 0o620)


def test_two_trees_that_share_their_files_keep_one_log(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    killed(first)
    second.mkdir()
    for file in first.iterdir():
        os.link(file, second / file.name)
    store = opened(second, Seam())
    put(store, b"ACKNOWLEDGED LATER")
    store.close()
    assert (first / LOG).samefile(second / LOG)
    for path in (first, second):
        store = opened(path, Seam())
        assert get(store) == b"ACKNOWLEDGED LATER"
        store.close()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EMLINK, errno.EFBIG])
def test_a_log_that_cannot_be_replaced_is_recovered_where_it_is(
    tmp_path: Path, number: int
) -> None:
    log = killed(tmp_path)
    inode = log.stat().st_ino
    seam = Seam()
    seam.fail("create_successor", NEW, OSError(number, os.strerror(number)))
    assert get(opened(tmp_path, seam)) == b"acknowledged"
    assert log.stat().st_ino == inode


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPERM, errno.EMLINK])
def test_an_aligned_log_that_cannot_be_replaced_is_refused_and_says_why(
    tmp_path: Path, number: int
) -> None:
    log = killed(tmp_path, powersafe_overwrite=False)
    before = log.read_bytes()
    seam = Seam()
    seam.fail("create_successor", NEW, OSError(number, os.strerror(number)))
    with pytest.raises(DirectoryError, match=rf"in its place: .*{os.strerror(number)}") as caught:
        opened(tmp_path, seam, powersafe_overwrite=False)
    assert isinstance(caught.value.__cause__, OSError)
    assert log.read_bytes() == before
    assert get(opened(tmp_path, Seam(), powersafe_overwrite=False)) == b"acknowledged"


def test_a_successor_that_cannot_keep_the_owner_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LOG).touch(0o600)
    (tmp_path / LOG).chmod(0o604)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchown", refuse)
    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(PermissionError, match="cannot be kept"):
        PosixDirectory(str(tmp_path)).create_successor(NEW, LOG)
    assert os.listdir(tmp_path) == [LOG]


def test_a_file_with_several_names_has_no_successor(tmp_path: Path) -> None:
    (tmp_path / LOG).touch()
    os.link(tmp_path / LOG, tmp_path / "other")
    with pytest.raises(OSError, match="several names") as caught:
        PosixDirectory(str(tmp_path)).create_successor(NEW, LOG)
    assert caught.value.errno == errno.EMLINK
    assert sorted(os.listdir(tmp_path)) == ["other", LOG]
