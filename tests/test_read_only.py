"""``DB(..., read_only=True)``: all reading works, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    BETWEEN,
    CHAR,
    COUNT,
    DB,
    EQ,
    FK,
    INT,
    PK,
    AddColumn,
    Changes,
    Field,
    InverseJoin,
    Join,
    Migration,
    ReadOnlyError,
    RenameColumn,
    Schema,
    SchemaMismatch,
    Table,
    TransactionError,
    ValidationError,
)
from bazanite.errors import CorruptionError, DirectoryError
from bazanite.query import stream
from engine_support import TableA, TableB
from migrate_support import OWNERS, THINGS, filled
from read_only_support import state
from seam import Seam
from store_support import FORK, in_child

pytestmark = pytest.mark.filterwarnings(FORK)
READS: list[Callable[[DB], Any]] = [
    lambda db: db.find_all("things"),
    lambda db: [db.find_by_id("things", pk) for pk in range(1, 15)],
    lambda db: db.find_by_id("things", 3, joins=[Join("owner", "owner", "owners")]),
    lambda db: db.find_all("owners", joins=[InverseJoin("owner", "things", "things")]),
    lambda db: db.find("things", BETWEEN(n=(1, 7)), order_by="-n", fields=["name", "n"]),
    lambda db: db.find("things", EQ(name="t7")),
    lambda db: list(db.iterate("things", order_by=["note", "-id"])),
    lambda db: list(db.iterate("things")),
    lambda db: db.explain("things", EQ(note="x")),
    lambda db: [db.count("things"), db.sum("things", "n"), db.min("things", "n")],
    lambda db: db.group_by("things", "owner", {"count": COUNT()}),
    lambda db: [db.check().ok, sorted(db.tables)],
]
CHANGES: list[Callable[[DB], object]] = [
    lambda db: db.insert("owners", {"name": "new"}),
    lambda db: db.insert_many("owners", [{"name": "new"}]),
    lambda db: db.insert_ids("owners", [{"name": "new"}]),
    lambda db: db.tables["owners"].insert({"name": "new"}),
    lambda db: db.update_by_id("owners", 1, {"name": "new"}),
    lambda db: db.delete_by_id("owners", 1),
    lambda db: db.upsert("owners", {"id": 1, "name": "new"}),
    lambda db: db.update_where("owners", None, {"name": "new"}),
    lambda db: db.update_where("owners", EQ(name="no one"), {"name": "new"}),
    lambda db: db.delete_where("owners", EQ(name="no one")),
    lambda db: db.truncate("owners", cascade=True),
    lambda db: db.vacuum("things"),
    lambda db: db.checkpoint(),
    lambda db: db.archive(1 << 20),
    lambda db: db.transaction().__enter__(),
    lambda db: db.migrate(
        [Migration(1, "more", [AddColumn("owners", Field("age", INT(null=True)))])]
    ),
]


@pytest.fixture(params=["full", "normal", "off"])
def directory(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    with DB([OWNERS, THINGS], tmp_path / "data", durability=request.param) as db:
        db.insert_many("owners", [{"name": name} for name in ("ann", "bob", "cy")])
        rows = [{"name": f"t{i}", "n": i % 5, "note": f"{i}" * i, "owner": 1 + i % 3}
                for i in range(12)]  # fmt: skip
        db.insert_many("things", rows)
        db.delete_by_id("things", 4)
    return tmp_path / "data"


@pytest.mark.parametrize("by_catalog", [False, True])
def test_all_that_can_be_read_is_what_a_writing_handle_reads(
    directory: Path, by_catalog: bool
) -> None:
    with DB.open(directory) as db:
        expected = [read(db) for read in READS]
    before = state(directory)
    options: dict[str, Any] = {"read_only": True}
    reader = (
        DB.open(directory, **options) if by_catalog else DB([OWNERS, THINGS], directory, **options)
    )
    with reader:
        assert [read(reader) for read in READS] == expected
        with reader.storage.lock():
            assert [read(reader) for read in READS] == expected
        assert reader.stats()["commits"] == 0
        assert reader.read_lsn == reader.stats()["end_lsn"]
    assert state(directory) == before
    with pytest.raises(TransactionError, match="closed"):
        reader.find_all("things")


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_would_change_something_is_refused(
    tmp_path: Path, change: Callable[[DB], object], beside: bool
) -> None:
    writer = filled(tmp_path / "data")
    if not beside:
        writer.close()
    before = state(tmp_path / "data")
    with DB.open(tmp_path / "data", read_only=True) as db:
        with pytest.raises(ReadOnlyError, match=f"^{tmp_path}/data: nothing was done"):
            change(db)
        assert len(db.find_all("things")) == 9
    assert state(tmp_path / "data") == before
    writer.close()


def test_a_reader_sees_each_commit_beside_it_and_its_changes(tmp_path: Path) -> None:
    with DB([TableA], tmp_path / "data", system=Seam()) as db:
        reader = DB([TableA], tmp_path / "data", read_only=True)
        assert reader.find_all("a") == []
        with Changes(tmp_path / "data", reader.read_lsn) as changes:
            for number in range(1, 50):
                db.insert("a", {"text": f"{number}"})
                row = {"id": number, "text": f"{number}"}
                assert reader.find_by_id("a", number) == reader.find_all("a")[-1] == row
                assert reader.read_lsn == db.read_lsn
                assert [c.row for one in changes.read() for c in one.changes] == [row]
                if number % 10 == 0:
                    db.checkpoint()
        with db.transaction():
            db.insert("a", {"text": "open"})
            assert reader.find_by_id("a", 50) is None


def test_tables_that_are_not_there_are_not_made(tmp_path: Path) -> None:
    DB([TableA], tmp_path / "data").close()
    before = state(tmp_path / "data")
    with pytest.raises(SchemaMismatch, match="table 'b': the directory does not have it"):
        DB([TableA, TableB], tmp_path / "data", read_only=True)
    for path, told in ((tmp_path / "none", "No such file"), (tmp_path, "there are no tables")):
        with pytest.raises(DirectoryError, match=told):
            DB([TableA], path, read_only=True)
        with pytest.raises(DirectoryError, match="there are no tables"):
            DB.open(path, read_only=True)
    assert state(tmp_path / "data") == before
    assert os.listdir(tmp_path) == ["data"]


def test_a_directory_of_bazoolas_must_be_taken_over_first(tmp_path: Path) -> None:
    with DB([TableA], tmp_path / "data") as db:
        db.insert("a", {"text": "x"})
    (tmp_path / "data" / "schema.json").unlink()
    (tmp_path / "data" / "wal.log").unlink()
    before = state(tmp_path / "data")
    with pytest.raises(DirectoryError, match="Bazoola's, and must be taken over"):
        DB([TableA], tmp_path / "data", read_only=True)
    assert state(tmp_path / "data") == before
    DB([TableA], tmp_path / "data").close()
    assert len(DB([TableA], tmp_path / "data", read_only=True).find_all("a")) == 1


def test_what_is_declared_must_be_as_it_is_stored(tmp_path: Path) -> None:
    class Other(Table):
        name = "a"
        schema = Schema([Field("id", PK()), Field("text", CHAR(6))])

    DB([TableA], tmp_path).close()
    options: dict[str, Any] = {"read_only": True}
    with pytest.raises(SchemaMismatch):
        DB([Other], tmp_path, **options)
    with pytest.raises(SchemaMismatch, match="int_width is 9, declared 6"):
        DB([TableA], tmp_path, int_width=6, **options)
    with pytest.raises(ReadOnlyError, match=r"has no checksums, .* checksums=True cannot be"):
        DB([TableA], tmp_path, checksums=True, **options)
    with pytest.raises(ValidationError, match="read_only=1: must be True or False"):
        DB([TableA], tmp_path, read_only=1)  # type: ignore[arg-type]
    for options in ({"checksums": False}, {"int_width": 9}, {"durability": "off"}):
        DB([TableA], tmp_path, read_only=True, **options).close()
    DB([TableA], tmp_path, checksums=True).close()
    with DB([TableA], tmp_path, checksums=True, read_only=True) as db:
        assert db.find_all("a") == []
    with pytest.raises(ReadOnlyError, match=r"has checksums, .* checksums=False cannot be"):
        DB([TableA], tmp_path, checksums=False, read_only=True)


def test_damage_is_told_where_there_are_checksums(tmp_path: Path) -> None:
    with DB([TableA], tmp_path, checksums=True) as db:
        db.insert("a", {"text": "x"})
    reader = DB([TableA], tmp_path, read_only=True)
    assert reader.find_by_id("a", 1) == {"id": 1, "text": "x"}
    with (tmp_path / "a.dat").open("r+b") as file:
        file.write(b"000000002")
    for read in (lambda: reader.find_all("a"), lambda: reader.find_by_id("a", 1)):
        with pytest.raises(CorruptionError):
            read()
    assert not reader.check().ok


def test_migrations_must_have_been_made(tmp_path: Path) -> None:
    steps = [
        Migration(1, "age", [AddColumn("owners", Field("age", INT(null=True)))]),
        Migration(2, "years", [RenameColumn("owners", "age", "years")]),
    ]
    filled(tmp_path).close()
    before = state(tmp_path)
    for given in (steps, steps[:1]):
        with pytest.raises(ReadOnlyError, match=r"migration 1 \(age\) is not made yet"):
            DB.open(tmp_path, migrations=given, read_only=True)
    assert state(tmp_path) == before
    DB.open(tmp_path, migrations=steps).close()
    with DB.open(tmp_path, migrations=steps, read_only=True) as db:
        assert db.find_by_id("owners", 1) == {"id": 1, "name": "ann", "years": None}
        assert db.migrate(steps) == db.migrate([]) == []
    with pytest.raises(SchemaMismatch, match="a newer program's"):
        DB.open(tmp_path, migrations=steps[:1], read_only=True)


def test_a_migration_beside_a_reader_is_told_at_its_next_call(tmp_path: Path) -> None:
    writer = filled(tmp_path, system=Seam())
    readers = [DB.open(tmp_path, read_only=True) for _ in range(3)]
    other = DB([OWNERS], tmp_path, read_only=True)
    for reader in readers:
        assert reader.find_by_id("things", 1)
    writer.migrate([Migration(1, "gone", [RenameColumn("things", "n", "m")])])
    reads: list[Callable[[DB], object]] = [
        lambda db: db.find_by_id("things", 1),
        lambda db: db.find_all("things"),
        lambda db: list(db.iterate("things")),
    ]
    for read, reader in zip(reads, readers, strict=True):
        with pytest.raises(SchemaMismatch, match="open the database again"):
            read(reader)
        with DB.open(tmp_path, read_only=True) as again:
            assert again.find_by_id("things", 1)["m"] is None  # type: ignore[index]
    assert len(other.find_all("owners")) == 3


def test_a_stream_goes_on_behind_a_vacuum_and_across_openers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_FIRST", 5)
    monkeypatch.setattr(stream, "_BATCH", 5)
    with DB([TableA], tmp_path, system=Seam()) as db:
        db.insert_many("a", [{"text": f"{n}"} for n in range(30)])
        for pk in range(1, 30, 3):
            db.delete_by_id("a", pk)
        expected = [row["id"] for row in db.find_all("a")]
    rows = DB.open(tmp_path, read_only=True).iterate("a")
    found = [next(rows)["id"] for _ in range(3)]
    with DB([TableA], tmp_path, system=Seam()) as db:
        db.vacuum("a")
    found += [next(rows)["id"] for _ in range(3)]
    with DB([TableA], tmp_path, system=Seam()) as db:
        db.checkpoint()
        assert [*found, *(row["id"] for row in rows)] == expected


def let_strangers_in(path: Path) -> None:
    """Open the directories that pytest made, down to this one, to other users."""
    for folder in (path, *path.parents[:-1]):
        if folder.name.startswith(("pytest", "test", "popen")):
            os.chmod(folder, folder.stat().st_mode | 0o555)


def test_a_program_that_may_only_read_does_so(tmp_path: Path) -> None:
    """Another user, in a directory that is not its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    path = tmp_path / "data"
    with DB([TableA], path) as db:
        db.insert("a", {"text": "x"})
        shutil.copytree(path, tmp_path / "copy")
        for file in (".lock", ".shared", ".attached", ".sync"):
            (tmp_path / "copy" / file).unlink()
        os.chmod(path, 0o755)

        def stranger() -> None:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.chdir("/proc/self/fd/" + str(place))
            for name in ("data", "copy"):
                before = {file: os.stat(f"{name}/{file}").st_mtime_ns for file in os.listdir(name)}
                with pytest.raises(DirectoryError, match="Permission denied"):
                    DB([TableA], name)
                with DB([TableA], name, read_only=True) as reader:
                    assert reader.find_by_id("a", 1) == reader.find_all("a")[0]
                    assert reader.check().ok
                now = {file: os.stat(f"{name}/{file}").st_mtime_ns for file in os.listdir(name)}
                assert now == before

        let_strangers_in(tmp_path)
        place = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            assert in_child(stranger) == 0
        finally:
            os.close(place)
        db.insert("a", {"text": "y"})


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    DB([TableA], tmp_path / "data").close()
    os.chmod(tmp_path / "data" / ".lock", 0o600)
    let_strangers_in(tmp_path)

    def stranger() -> None:
        os.chdir(tmp_path / "data")
        os.setgid(65534)
        os.setuid(65534)
        with pytest.raises(DirectoryError, match=r"cannot read .*Permission denied.*\.lock"):
            DB([TableA], ".", read_only=True)

    assert in_child(stranger) == 0


def test_a_foreign_key_is_followed_and_its_rules_change_nothing(tmp_path: Path) -> None:
    class Child(Table):
        name = "child"
        schema = Schema([Field("id", PK()), Field("a", FK("a", on_delete="cascade"))])

    with DB([TableA, Child], tmp_path) as db:
        db.insert("a", {"text": "x"})
        db.insert("child", {"a": 1})
    with DB([TableA, Child], tmp_path, read_only=True) as db:
        with pytest.raises(ReadOnlyError):
            db.delete_by_id("a", 1)
        joined = db.find_by_id("child", 1, joins=[Join("a", "parent", "a")])
        assert joined == {"id": 1, "a": 1, "parent": {"id": 1, "text": "x"}}
