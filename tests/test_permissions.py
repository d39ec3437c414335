"""Files that Bazanite makes can be used by who may use their directory, and by nobody else."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, TEXT, Field, Schema, Table
from bazanite_tools.cli import main
from bazanite_tools.exchange.outputs import keep_owner_and_mode
from bazanite_wal.posix import POSIX
from bazanite_wal.posix_modes import file_mode
from seam import Seam
from store_support import FORK, in_child, opened, put, start_child

pytestmark = pytest.mark.filterwarnings(FORK)
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")

APP, WORKER, WEB = 12_345, 12_346, 23_456
INTERNAL = {".lock", ".shared", ".sync", ".attached", "wal.log"}


class Notes(Table):
    name = "notes"
    schema = Schema([Field("id", PK()), Field("n", INT()), Field("text", TEXT(null=True))])


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def shared_place() -> Iterator[Path]:
    """A directory that other users reach, as they do not reach ``tmp_path``."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def modes(path: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.lstat().st_mode) for file in path.iterdir()}


def owners(path: Path) -> set[tuple[int, int]]:
    return {(file.lstat().st_uid, file.lstat().st_gid) for file in path.iterdir()}


def used(path: Path) -> None:
    """Make every kind of file there is: tables, indexes, checksums, log, archive, locks."""
    with DB([Notes], path, checksums=True, log_size_bytes=8192) as db:
        db.archive(1 << 20)
        db.insert_many("notes", [{"n": n, "text": "text"} for n in range(100)])
        db.checkpoint()


@pytest.mark.parametrize(
    "directory,expected",
    [(0o700, 0o600), (0o750, 0o640), (0o2770, 0o660), (0o755, 0o644), (0o777, 0o666)],
)
def test_every_file_has_what_its_directory_grants_whatever_the_umask(
    tmp_path: Path, umask: None, directory: int, expected: int
) -> None:
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(directory)
    used(path)
    found = modes(path)
    assert found.keys() >= INTERNAL | {"schema.json", "notes.dat", "notes.sums.dat", "wal.archive"}
    assert any(name.startswith("wal.0") for name in found)
    assert set(found.values()) == {expected}


@pytest.mark.parametrize(
    "directory,same,other",
    [
        (0o700, 0o600, 0o600),
        (0o000, 0o600, 0o600),  # whoever makes it has to write it
        (0o770, 0o660, 0o600),  # another group are others, who may not enter
        (0o775, 0o664, 0o644),
        (0o760, 0o600, 0o600),  # without x nobody gets at the files
        (0o711, 0o600, 0o600),
        (0o773, 0o662, 0o622),
        (0o7777, 0o666, 0o666),
    ],
)
def test_the_mode_of_a_file_never_grants_more_than_its_directory(
    directory: int, same: int, other: int
) -> None:
    assert file_mode(directory) == same
    assert file_mode(directory, same_group=False) == other


def test_a_directory_that_is_made_follows_the_umask_and_its_files_follow_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        used(tmp_path / "data")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o750
    assert set(modes(tmp_path / "data").values()) == {0o640}


def test_a_file_that_is_there_keeps_the_mode_that_it_was_given(tmp_path: Path) -> None:
    used(tmp_path)
    (tmp_path / "notes.dat").chmod(0o604)
    (tmp_path / ".lock").chmod(0o622)
    used(tmp_path)
    found = modes(tmp_path)
    assert (found["notes.dat"], found[".lock"]) == (0o604, 0o622)


def test_a_mode_changed_while_the_database_is_open_counts_for_new_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    store = opened(tmp_path, Seam())
    put(store, b"x", "a.dat")
    tmp_path.chmod(0o750)
    put(store, b"x", "b.dat")
    found = modes(tmp_path)
    assert (found["a.dat"], found["b.dat"]) == (0o600, 0o640)


def test_in_a_sticky_directory_files_are_as_the_umask_wants_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    before = os.umask(0o077)
    try:
        used(tmp_path)
    finally:
        os.umask(before)
    assert set(modes(tmp_path).values()) == {0o600}


def test_what_an_access_list_of_the_directory_says_is_left_to_the_kernel(tmp_path: Path) -> None:
    # version 2: user rwx, user 12345 rwx, group r-x, mask rwx, others nothing
    entries = [(1, 7, -1), (2, 7, APP), (4, 5, -1), (16, 7, -1), (32, 0, -1)]
    data = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", data)
    except OSError:
        pytest.skip("a file system without access lists")
    before = os.umask(0o077)
    try:
        used(tmp_path)
    finally:
        os.umask(before)
    assert set(modes(tmp_path).values()) == {0o660}  # the mask, as the kernel computes it
    assert os.getxattr(tmp_path / ".lock", "system.posix_acl_access")


def test_a_backup_has_the_modes_of_its_own_directory(tmp_path: Path) -> None:
    used(tmp_path / "data")
    target = tmp_path / "copy"
    target.mkdir(0o700)
    with DB.open(tmp_path / "data") as db:
        db.backup(target)
    assert set(modes(target).values()) == {0o600}


def as_user(user: int, group: int, groups: list[int], work: Callable[[], object]) -> int:
    """Run ``work`` in a child that is this user; its exit status."""

    def become() -> None:
        os.setgroups(groups)
        os.setgid(group)
        os.setuid(user)
        os.umask(0o077)
        work()

    return in_child(become)


@root
@pytest.mark.parametrize("mode", [0o2770, 0o770])
def test_workers_of_a_group_share_a_directory_whatever_their_umask(
    shared_place: Path, mode: int
) -> None:
    path = shared_place / "data"
    path.mkdir()
    os.chown(path, APP, WEB)
    path.chmod(mode)
    for user in (APP, WORKER, APP):
        assert as_user(user, user, [WEB], lambda: used(path)) == 0
    assert {group for _, group in owners(path)} == {WEB}
    assert set(modes(path).values()) == {0o660}


@root
def test_who_cannot_give_the_group_grants_it_nothing(shared_place: Path) -> None:
    path = shared_place / "data"
    path.mkdir()
    os.chown(path, APP, WEB)  # APP itself is not of that group
    path.chmod(0o770)
    assert as_user(APP, APP, [], lambda: used(path)) == 0
    assert owners(path) == {(APP, APP)}
    assert set(modes(path).values()) == {0o600}


@root
@pytest.mark.parametrize("mode", [0o700, 0o2770, 0o1770])
def test_what_root_makes_in_somebodys_directory_is_that_ones(shared_place: Path, mode: int) -> None:
    path = shared_place / "data"
    path.mkdir()
    os.chown(path, APP, WEB)
    path.chmod(mode)
    used(path)
    assert owners(path) == {(APP, WEB)}
    assert as_user(APP, APP, [], lambda: used(path)) == 0


@root
@pytest.mark.parametrize(
    "command",
    [
        ["check"], ["info"], ["lock"], ["checkpoint"], ["stats"], ["rows", "notes"],
        ["insert", "notes", "n=1"], ["migrate", "--add-index", "notes:n"],
        ["wal", "archive", "--keep", "1MiB"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_after_a_command_of_roots_the_application_goes_on(
    shared_place: Path, command: list[str]
) -> None:
    path = shared_place / "data"
    path.mkdir(0o700)
    os.chown(path, APP, APP)
    assert as_user(APP, APP, [], lambda: used(path)) == 0
    for name in INTERNAL - {"wal.log"}:  # as in a copy that rsync made
        (path / name).unlink()
    words = command[:2] if command[0] == "wal" else command[:1]
    assert main([*words, str(path), *command[len(words) :]]) == 0
    assert owners(path) == {(APP, APP)}
    assert as_user(APP, APP, [], lambda: used(path)) == 0


@root
def test_what_root_imports_or_loads_into_somebodys_directory_is_that_ones(
    shared_place: Path,
) -> None:
    rows = shared_place / "people.csv"
    rows.write_text("id,name\n1,Ada\n")
    path = shared_place / "data"
    path.mkdir()
    os.chown(path, APP, WEB)
    path.chmod(0o2750)
    assert main(["import", str(path), str(rows), "--from", "csv"]) == 0
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (APP, WEB, 0o2750)
    assert owners(path) == {(APP, WEB)}
    assert set(modes(path).values()) == {0o640}


@root
def test_an_exported_file_that_root_replaces_stays_its_owners(shared_place: Path) -> None:
    used(shared_place / "data")
    out = shared_place / "data.dump"
    out.write_text("old")
    os.chown(out, APP, WEB)
    out.chmod(0o640)
    assert main(["dump", str(shared_place / "data"), str(out), "--force"]) == 0
    status = out.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (APP, WEB, 0o640)
    assert out.read_text() != "old"


def test_an_export_is_as_secret_as_what_it_replaces_from_its_first_byte_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(tmp_path / "data")
    out = tmp_path / "data.dump"
    out.write_text("old")
    out.chmod(0o600)
    before, made = os.umask(0o022), []
    replace = os.replace

    def seen(source: str, target: str) -> None:
        made.append(os.stat(source).st_mode)
        replace(source, target)

    monkeypatch.setattr(os, "replace", seen)
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    try:
        assert main(["dump", str(tmp_path / "data"), str(out), "--force"]) == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert [stat.S_IMODE(mode) for mode in made] == [0o600]


def test_two_processes_may_make_and_remove_a_file_at_once(tmp_path: Path) -> None:
    def make_and_remove() -> None:
        directory = POSIX.directory(str(tmp_path), create=False)
        for _ in range(300):
            directory.create("a.dat").close()
            (tmp_path / "a.dat").unlink(missing_ok=True)

    child = start_child(make_and_remove)
    make_and_remove()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_put_in_the_place_of_a_new_file_gives_nobody_a_file_away(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    old, new, precious = tmp_path / "old", tmp_path / "new", tmp_path / "precious"
    old.touch()
    old.chmod(0o666)
    precious.touch()
    precious.chmod(0o600)
    link(precious, new)
    with suppress(OSError):
        keep_owner_and_mode(str(old), str(new))
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600
