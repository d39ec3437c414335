"""Somebody who may write the directory plants links in it, for whoever opens it to write through.

Symbolic links are never followed; see test_posix.py for the names of a running store.  A second
name of somebody else's file (a hard link) would let the owner of a directory write into that file
by the hand of root, who only meant to check the directory.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB, INT, PK, DirectoryError, Field, Schema, Table
from bazanite_tools.cli import main
from bazanite_wal.posix import POSIX
from seam import Seam
from store_support import opened, put

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of several owners")
APP = 12_345
OURS = [".lock", ".sync", ".attached", ".shared", "wal.log", "schema.json", "rows.dat",
        "rows__seqnum.dat", "rows__id.idx.dat", "rows__free.dat", "wal.archive"]  # fmt: skip
PRECIOUS = b"precious: as many bytes as anybody may want to overwrite " * 200


class Rows(Table):
    name = "rows"
    schema = Schema([Field("id", PK()), Field("n", INT(index=True))])


def killed(path: Path) -> None:
    """A directory whose only process died, so that the next opener has to recover it."""
    seam = Seam()
    db = DB([Rows], path, system=seam, log_size_bytes=8192)
    db.archive(1 << 20)
    db.insert_many("rows", [{"n": n} for n in range(20)])
    seam.kill()


@pytest.fixture
def place() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp())
    yield found
    shutil.rmtree(found)


@root
@pytest.mark.parametrize("name", OURS)
def test_a_hard_link_to_somebody_elses_file_is_refused_and_not_written(
    place: Path, name: str
) -> None:
    data, precious = place / "data", place / "precious"
    killed(data)
    os.chown(data, APP, APP)
    for file in data.iterdir():
        os.chown(file, APP, APP)
    precious.write_bytes(PRECIOUS)  # root's
    (data / name).unlink()
    os.link(precious, data / name)
    attempts: list[Callable[[], DB]] = [lambda: DB([Rows], data), lambda: DB.open(data)]
    for attempt in attempts:
        with pytest.raises(DirectoryError, match="hard links") as caught:
            attempt()
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == errno.EMLINK
    for words in (["checkpoint"], ["insert", "rows", "n=1"]):
        assert main([words[0], str(data), *words[1:]]) == 2
    assert main(["rows", str(data), "rows"]) in (0, 2)  # it reads, and needs not all of them
    assert precious.read_bytes() == PRECIOUS


@root
def test_a_hard_link_of_the_owners_own_is_written_in_place(place: Path) -> None:
    data = place / "data"
    killed(data)
    os.chown(data, APP, APP)
    for file in data.iterdir():
        os.chown(file, APP, APP)
    os.link(data / "rows.dat", place / "snapshot.dat")
    with DB([Rows], data) as db:
        assert db.insert("rows", {"n": 1}) == {"id": 21, "n": 1}
    assert (data / "rows.dat").samefile(place / "snapshot.dat")


@pytest.mark.parametrize("name", [*OURS, "wal.log.new", "wal.archive.new"])
def test_a_symbolic_link_under_any_name_is_neither_followed_nor_kept_for_ours(
    tmp_path: Path, name: str
) -> None:
    data, precious = tmp_path / "data", tmp_path / "precious"
    killed(data)
    precious.write_bytes(PRECIOUS)
    precious.chmod(0o600)
    (data / name).unlink(missing_ok=True)
    (data / name).symlink_to(precious)
    if name.endswith(".new"):  # what is made anew does not matter
        with DB([Rows], data) as db:
            db.archive(1 << 20)
            assert db.find_by_id("rows", 20) == {"id": 20, "n": 19}
        assert not (data / name).is_symlink()
    else:
        with pytest.raises(DirectoryError):
            DB([Rows], data)
    assert precious.read_bytes() == PRECIOUS
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600


def _device(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))  # /dev/null: it forgets what it is told


KINDS = [os.mkdir, os.mkfifo, pytest.param(_device, marks=root)]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", OURS)
def test_what_is_no_file_under_any_name_is_refused_at_once(
    tmp_path: Path, name: str, make: Callable[[Path], Any]
) -> None:
    killed(tmp_path)
    (tmp_path / name).unlink()
    make(tmp_path / name)
    with pytest.raises(DirectoryError):
        DB([Rows], tmp_path)
    for command in (["checkpoint"], ["check"], ["info"], ["wal", "verify"], ["stats"], ["lock"]):
        assert main([*command, str(tmp_path)]) in (0, 1, 2)  # told, or not looked at


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", ["wal.log.new", "wal.archive.new"])
def test_what_is_no_file_in_the_place_of_a_new_one_is_removed_or_refused(
    tmp_path: Path, name: str, make: Callable[[Path], Any]
) -> None:
    killed(tmp_path)
    make(tmp_path / name)

    def use() -> None:
        with DB([Rows], tmp_path) as db:
            db.archive(1 << 20)

    if make is os.mkdir:  # nobody removes a directory of somebody's
        with pytest.raises(DirectoryError):
            use()
    else:
        use()
        assert not (tmp_path / name).exists()


def test_the_data_directory_may_be_a_symbolic_link_itself(tmp_path: Path) -> None:
    killed(tmp_path / "real")
    (tmp_path / "data").symlink_to("real")
    with DB([Rows], tmp_path / "data") as db, DB([Rows], tmp_path / "real") as other:
        db.insert("rows", {"n": 7})
        assert other.find_by_id("rows", 21) == {"id": 21, "n": 7}


def test_a_parent_swapped_while_it_is_open_does_not_lead_elsewhere(tmp_path: Path) -> None:
    killed(tmp_path / "parent" / "data")
    killed(tmp_path / "evil" / "data")
    before = {file.name: file.read_bytes() for file in (tmp_path / "evil" / "data").iterdir()}
    with DB([Rows], tmp_path / "parent" / "data", checkpoint_bytes=1) as db:
        (tmp_path / "parent").rename(tmp_path / "moved")
        (tmp_path / "parent").symlink_to("evil")
        db.insert("rows", {"n": 7})
        db.checkpoint()
        assert db.check().ok
    after = {file.name: file.read_bytes() for file in (tmp_path / "evil" / "data").iterdir()}
    assert after == before
    with DB([Rows], tmp_path / "moved" / "data") as db:
        assert db.find_by_id("rows", 21) == {"id": 21, "n": 7}


def test_a_backup_does_not_write_through_a_link_in_its_target(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(PRECIOUS)
    store = opened(tmp_path / "data", Seam())
    put(store, b"x")
    target = tmp_path / "target"
    target.mkdir()
    (target / "a.dat").symlink_to(precious)
    with pytest.raises(DirectoryError, match="empty"):
        store.backup(str(target))

    listing = POSIX.directory(str(target), create=False)
    with pytest.raises(OSError, match="symbolic links"):
        listing.create("a.dat")
    assert precious.read_bytes() == PRECIOUS


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, os.symlink])
def test_an_output_that_is_no_file_is_refused(
    tmp_path: Path, make: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    killed(tmp_path / "data")
    precious, out = tmp_path / "precious", tmp_path / "out"
    precious.write_bytes(PRECIOUS)
    if make is os.symlink:
        os.symlink(precious, out)
    else:
        make(out)
    assert main(["dump", str(tmp_path / "data"), str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert precious.read_bytes() == PRECIOUS
