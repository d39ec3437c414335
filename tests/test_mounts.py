"""Really full and really read-only file systems: small ones, mounted where nobody else sees them.

Each test works in a child with mounts of its own, which go when it ends; where the machine does not
let it mount, it is skipped.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, Field, Schema, Table
from bazanite.errors import CommittedNotApplied, DirectoryError, ReadOnlyError
from bazanite_tools.cli import main
from store_support import FORK, SMALL, frames_in, get, in_child, opened, put
from tools_support import READ_ONLY, City, Person, contents, fill

pytestmark = pytest.mark.filterwarnings(FORK)
_MS_RDONLY, _MS_REMOUNT, _MS_REC, _MS_PRIVATE = 1, 32, 1 << 14, 1 << 18
_CLONE_NEWNS = 0x20000
MANY = 10_000
"""More rows than fit."""


class Big(Table):
    name = "big"
    schema = Schema([Field("id", PK()), Field("text", CHAR(3000))])


def mount(path: Path | str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    texts = [None if text is None else os.fsencode(text) for text in (kind, path, kind, data)]
    if libc.mount(texts[0], texts[1], texts[2], flags, texts[3]):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))


def own_mounts() -> None:
    """Give this process mounts of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    mount("/", None, _MS_REC | _MS_PRIVATE)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where to mount; skips the test if nobody may."""

    def attempt() -> None:
        try:
            own_mounts()
            mount(path, "tmpfs", data="size=64k")
        except (OSError, AttributeError) as error:
            reason.write_text(str(error))

    path, reason = tmp_path / "disk", tmp_path / "reason"
    path.mkdir()
    assert in_child(attempt) == 0
    if reason.exists():
        pytest.skip(f"nothing can be mounted here: {reason.read_text()}")
    return path


def on_small_disk(disk: Path, work: Callable[[], object]) -> int:
    """Run ``work`` in a child with a mebibyte at ``disk``, a quarter of it taken by a ballast."""

    def child() -> None:
        own_mounts()
        mount(disk, "tmpfs", data="size=1m")
        (disk / "ballast").write_bytes(bytes(256 << 10))
        work()

    return in_child(child)


def big_database(path: Path, durability: str = "full") -> DB:
    return DB([Big], path, durability=durability, log_size_bytes=64 << 10)


def insert_until_full(db: DB) -> tuple[list[int], CommittedNotApplied | DirectoryError]:
    """The ids that were acknowledged, and the error that ended it."""
    kept: list[int] = []
    for _ in range(MANY):
        try:
            kept.append(db.insert("big", {"text": "x" * 3000})["id"])
        except (CommittedNotApplied, DirectoryError) as error:
            return kept, error
    raise AssertionError("a mebibyte is never full")


def ids(db: DB) -> list[int]:
    return [row["id"] for row in db.find_all("big")]


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_a_really_full_disk_loses_nothing_and_goes_on_when_there_is_space(
    disk: Path, durability: str
) -> None:
    def work() -> None:
        db = big_database(disk / "data", durability)
        kept, error = insert_until_full(db)
        assert "No space left" in str(error)
        assert len(kept) > 50
        for _ in range(3):
            with pytest.raises((DirectoryError, CommittedNotApplied), match="No space left"):
                db.insert("big", {"text": "never"})
        (disk / "ballast").unlink()
        found = ids(db)
        assert found[: len(kept)] == kept
        assert len(found) <= len(kept) + 4
        assert len(found) > len(kept) or not isinstance(error, CommittedNotApplied)
        db.insert("big", {"text": "there is space"})
        assert db.check().ok
        before = db.find_all("big")
        db.close()
        with big_database(disk / "data", durability) as again:
            assert again.find_all("big") == before

    assert on_small_disk(disk, work) == 0


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_a_process_killed_on_a_full_disk_is_recovered_when_there_is_space(
    disk: Path, durability: str
) -> None:
    def fill_and_die() -> None:
        kept, error = insert_until_full(big_database(disk / "data", durability))
        note.write_text(json.dumps([kept, isinstance(error, CommittedNotApplied)]))

    def work() -> None:
        assert in_child(fill_and_die) == 0  # it ends without closing
        kept, applied_later = json.loads(note.read_text())
        frames = frames_in(disk / "data")
        if applied_later:
            for _ in range(2):
                with pytest.raises(DirectoryError, match="No space left"):
                    big_database(disk / "data", durability)
            assert frames_in(disk / "data") == frames
        (disk / "ballast").unlink()
        with big_database(disk / "data", durability) as db:
            assert ids(db) == [*kept, len(kept) + 1][: len(kept) + applied_later]
            assert db.check().ok

    note = disk.with_name("note")
    assert on_small_disk(disk, work) == 0


def test_a_transaction_larger_than_the_disk_is_rolled_back_and_gives_its_space_back(
    disk: Path,
) -> None:
    def work() -> None:
        with big_database(disk / "data") as db:
            db.insert("big", {"text": "before"})
            for _ in range(2):
                with pytest.raises(DirectoryError, match="cannot grow the log"):
                    db.insert_many("big", [{"text": "x" * 3000}] * 400)
            assert ids(db) == [1]
            for _ in range(60):
                db.insert("big", {"text": "x" * 3000})
            assert db.check().ok

    assert on_small_disk(disk, work) == 0


def test_a_backup_and_a_new_database_on_a_full_disk_are_directory_errors(disk: Path) -> None:
    def work() -> None:
        with big_database(source) as db:
            db.insert_many("big", [{"text": "x" * 3000}] * 400)
            with pytest.raises(DirectoryError, match="No space left"):
                db.backup(disk / "copy")
            shutil.rmtree(disk / "copy")
            with pytest.raises(DirectoryError, match="No space left"):
                DB([Big], disk / "new", log_size_bytes=4 << 20)
            with big_database(disk / "new") as new:  # its log was not finished: it is made anew
                new.insert("big", {"text": "there is space"})
            assert len(ids(db)) == 400

    source = disk.with_name("source")
    assert on_small_disk(disk, work) == 0


@pytest.mark.parametrize("killed", [False, True])
def test_a_really_read_only_disk_can_be_looked_at_and_opens_when_it_is_writable(
    disk: Path, killed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        own_mounts()
        mount(disk, "tmpfs", data="size=16m")
        db = fill(disk / "data")
        if killed:
            shutil.copytree(disk / "data", disk / "copy")  # while it is open
            (disk / "copy" / ".shared").unlink()  # else it would name this process
        rows = db.find_all("person")
        db.close()
        path = disk / ("copy" if killed else "data")
        mount(disk, "tmpfs", _MS_REMOUNT | _MS_RDONLY)
        before = contents(path)
        for _ in range(2):
            with pytest.raises(DirectoryError, match="Read-only file system"):
                DB([City, Person], path)
        for command in READ_ONLY:
            assert main([*command, str(path)]) == 0, command
        assert "no problem found" in capsys.readouterr().out
        for command in (["find", "person", "id=1"], ["get", "person", "1"], ["rows", "city"]):
            assert main([command[0], str(path), *command[1:]]) == 0, command
        assert main(["dump", str(path), str(disk.with_name(f"dump of {killed}"))]) == 0
        assert main(["insert", str(path), "city", "name=Rome"]) != 0
        with DB.open(path, read_only=True) as db:
            assert db.find_all("person") == rows
            assert db.find_by_id("person", 1) == rows[0]
            assert db.check().ok
            with pytest.raises(ReadOnlyError):
                db.insert("city", {"name": "Rome"})
        assert contents(path) == before
        mount(disk, "tmpfs", _MS_REMOUNT)
        with DB([City, Person], path) as db:
            assert db.find_all("person") == rows
            db.insert("city", {"name": "Rome"})
            assert db.check().ok

    assert in_child(work) == 0


def test_a_file_system_with_a_smaller_limit_than_ours_refuses_before_it_logs(disk: Path) -> None:
    def work() -> None:
        image = disk.with_name("image")
        with image.open("wb") as file:
            file.truncate(8 << 20)
        own_mounts()
        try:
            for command in (
                ["mkfs.ext2", "-q", "-b", "1024", str(image)],
                ["mount", "-o", "loop", str(image), str(disk)],
            ):
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason.write_text(str(error))
            return
        store = opened(disk / "data", log_size_bytes=SMALL)
        put(store, b"before")
        limit = 0x404043000  # 16 GiB and a little: what ext2 has with blocks of 1 KiB
        with pytest.raises(DirectoryError, match=f"the limit is {limit} "):
            put(store, b"xy", offset=limit - 1)
        assert get(store) == b"before"
        put(store, b"y", offset=limit - 1)
        with store.reading() as view:
            assert view.size("a.dat") == limit
        store.close()

    reason = disk.with_name("reason")
    assert in_child(work) == 0
    if reason.exists():
        pytest.skip(f"no file system could be made: {reason.read_text()}")
