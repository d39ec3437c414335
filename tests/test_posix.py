"""The real operating system behind the seam."""

from __future__ import annotations

import ast
import fcntl
import os
import threading
from pathlib import Path

import pytest

import bazanite_wal
from bazanite_wal.errors import DirectoryError, LockTimeout
from bazanite_wal.posix import POSIX
from seam import Seam
from store_support import FORK, descriptors, get, in_child, opened, put


def test_files_are_read_and_written_by_position(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=False)
    file = directory.create("a.dat")
    assert file.write_at(b"0123456789", 2) == 10
    assert file.read_at(99, 4) == b"23456789"
    file.truncate(5)
    assert file.size() == 5
    file.sync_data()
    file.sync()
    file.close()
    file.close()
    reader = directory.open("a.dat", write=False)
    assert reader.read_at(9, 0) == b"\0\x00012"
    with pytest.raises(OSError, match="Bad file descriptor"):
        reader.write_at(b"x", 0)
    assert directory.list() == ["a.dat"]
    directory.rename("a.dat", "b.dat")
    assert (directory.exists("a.dat"), directory.exists("b.dat")) == (False, True)
    directory.remove("b.dat")
    directory.sync()
    assert directory.list() == []


def test_an_error_of_opening_names_the_whole_path(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=False)
    for opener in (directory.open, directory.open_lock):
        with pytest.raises(FileNotFoundError) as caught:
            opener("missing/file")
        assert caught.value.filename == f"{tmp_path}/missing/file"
    directory.close()


@pytest.mark.parametrize("name", ["a.dat", "wal.log", ".lock", ".shared", ".attached", ".sync"])
def test_a_symbolic_link_in_the_directory_is_refused_and_not_followed(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "data" / name).symlink_to(tmp_path / "target")
    with pytest.raises(DirectoryError, match="symbolic links"):
        opened(tmp_path / "data")
    assert (tmp_path / "target").read_bytes() == b"precious"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
@pytest.mark.parametrize("name", ["a.dat", "wal.log"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, name: str, make: object) -> None:
    assert callable(make)
    make(tmp_path / name)
    before = descriptors()
    with pytest.raises(DirectoryError):
        opened(tmp_path)
    assert descriptors() == before


def test_descriptors_do_not_survive_exec(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"x")
    flags: dict[str, int] = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
            if target.startswith(str(tmp_path)):
                flags[Path(target).name] = fcntl.fcntl(int(fd), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        except OSError:  # the listing's own descriptor
            continue
    names = {".lock", ".sync", ".attached", ".shared", "wal.log", "a.dat", tmp_path.name}
    assert set(flags) == names
    assert all(flags.values())
    store.close()


def test_locks_shut_out_other_open_files_and_may_be_shared(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=False)
    one, two, three = (directory.open_lock(".lock") for _ in range(3))
    assert one.try_lock()
    assert not two.try_lock()
    assert not two.try_lock(shared=True)
    assert one.try_lock(shared=True)
    assert two.try_lock(shared=True)
    assert not three.try_lock()
    one.unlock()
    two.close()
    three.lock()
    assert not one.try_lock()
    waiter = threading.Thread(target=one.lock)
    waiter.start()
    three.close()
    waiter.join(30)
    assert not waiter.is_alive()
    one.close()


def test_a_locks_text_is_cut_and_cleaned(tmp_path: Path) -> None:
    lock = POSIX.directory(str(tmp_path), create=False).open_lock(".lock")
    lock.write_text("x" * 2000)
    assert lock.read_text() == "x" * 511
    lock.write_text("short \udcff")
    assert lock.read_text() == "short ?"
    assert (tmp_path / ".lock").read_bytes() == b"short ?\n"


def test_shared_words_are_seen_by_others_and_completed_only_by_who_may(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=False)
    with pytest.raises(FileNotFoundError):
        directory.open_words(".shared", 512, create=False)
    one = directory.open_words(".shared", 512, create=True)
    two = directory.open_words(".shared", 512, create=False)
    reader = directory.open_words(".shared", 512, create=False, write=False)
    one.words[7] = (1 << 64) - 1
    assert two.words[7] == reader.words[7] == (1 << 64) - 1
    with pytest.raises(TypeError):
        reader.words[7] = 1
    for mapping in (one, two, reader):
        mapping.close()
    (tmp_path / ".shared").write_bytes(b"short")
    before = descriptors()
    with pytest.raises(OSError, match="incomplete"):
        directory.open_words(".shared", 512, create=False)
    assert descriptors() == before
    directory.open_words(".shared", 512, create=True).close()
    assert (tmp_path / ".shared").stat().st_size == 4096


def test_shared_words_with_no_room_on_the_disk_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A store into a mapped page that has no room on the disk would kill the process.
    directory = POSIX.directory(str(tmp_path), create=False)
    before, pwrite = descriptors(), os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:1024], offset))
    with pytest.raises(OSError, match="No space") as caught:
        directory.open_words(".shared", 512, create=True)
    assert caught.value.filename == f"{tmp_path}/.shared"
    assert descriptors() == before
    directory.close()


def test_missing_parents_are_made_and_their_names_synced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    with pytest.raises(FileNotFoundError):
        POSIX.directory(str(path), create=False)
    directory = POSIX.directory(str(path), create=True)
    assert path.is_dir()
    again = POSIX.directory(f"{tmp_path}/a/../a/b/c", create=True)
    assert again.identity == directory.identity
    assert again.path == str(path)


def test_the_file_system_of_a_directory_is_told_by_its_innermost_mount(tmp_path: Path) -> None:
    assert POSIX.directory("/proc", create=False).file_system() == "proc"
    assert POSIX.directory(str(tmp_path), create=False).file_system() not in ("", "proc")


def test_processes_and_boots_can_be_told_apart() -> None:
    assert "python" in POSIX.process_command(os.getpid())
    assert POSIX.process_command(2**22 + 5) == ""
    assert POSIX.process_command(2) in ("(no command line)", "") or POSIX.process_command(2)
    assert len(POSIX.boot_id()) == 36
    assert POSIX.boot_id() == POSIX.boot_id()
    assert POSIX.random_bytes(8) != POSIX.random_bytes(8)
    assert POSIX.wall_time() > 1_600_000_000
    first = POSIX.monotonic()
    POSIX.sleep(0)
    assert POSIX.monotonic() >= first


@pytest.mark.parametrize("clock", [-1e9, -0.5, 1e12, 1e300])
def test_a_database_opens_whatever_the_clock_is_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    monkeypatch.setattr("time.time", lambda: clock)
    store = opened(tmp_path)
    put(store, b"x")
    other = opened(tmp_path, Seam(), lock_timeout=0)
    with store.lock(), pytest.raises(LockTimeout, match=r"since (1969|1970|9999)-"):
        get(other)
    other.close()
    store.close()
    assert "attached since" in (tmp_path / ".lock").read_text()


def test_without_linux_the_boot_time_tells_boots_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", refuse)
    assert len(POSIX.boot_id()) == 36
    assert POSIX.boot_id().isdigit()
    assert POSIX.process_command(os.getpid()) == ""


@pytest.mark.filterwarnings(FORK)
def test_an_incarnation_differs_in_a_child_only() -> None:
    before = POSIX.incarnation()

    def child() -> None:
        assert POSIX.incarnation() == before + 1

    assert in_child(child) == 0
    assert POSIX.incarnation() == before


@pytest.mark.filterwarnings(FORK)
def test_a_childs_copy_of_a_mapping_is_closed_without_touching_the_parents(tmp_path: Path) -> None:
    mapping = POSIX.directory(str(tmp_path), create=False).open_words(".shared", 8, create=True)
    mapping.words[1] = 5

    def child() -> None:
        with pytest.raises(ValueError, match="released"):
            mapping.words[1]
        mapping.close()

    assert in_child(child) == 0
    assert mapping.words[1] == 5
    mapping.close()


def test_a_store_opened_by_a_relative_path_works_after_the_directory_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = opened("data")
    monkeypatch.chdir(tmp_path / "elsewhere")
    put(store, b"x")
    assert get(store) == b"x"
    store.close()
    assert (tmp_path / "data" / "a.dat").read_bytes() == b"x"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_one_place_talks_to_the_operating_system() -> None:
    system = {"os", "fcntl", "mmap", "io", "socket", "threading", "time", "tempfile", "shutil",
              "pathlib", "random", "secrets", "subprocess", "filelock"}  # fmt: skip
    users: set[str] = set()
    for path in Path(bazanite_wal.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            if system.intersection(names):
                users.add(path.name)
    assert users == {"posix.py", "posix_modes.py"}
