"""What a directory remembers of migrations, who is told, and several processes at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    EQ,
    FK,
    INT,
    AddColumn,
    AddIndex,
    AddUnique,
    ChangeColumn,
    CorruptionError,
    DropTable,
    Field,
    IntegrityError,
    Migration,
    MigrationError,
    RenameTable,
    SchemaMismatch,
    SetOnDelete,
    TransactionError,
    ValidationError,
    building,
)
from engine_support import data_bytes, keyed, opened, sound, table_class
from seam import Killed, Seam
from store_support import FORK, start_child
from sums_support import patch

OLD = table_class("t", Field("n", INT()))
NEW = keyed("t", Field("n", INT()), Field("x", CHAR(2)), unique=["n"], indexes=["x"])
MIGRATIONS = [
    Migration(1, "x", [AddColumn("t", Field("x", CHAR(2)), "zz")]),
    Migration(2, "keys", [AddUnique("t", "n"), AddIndex("t", "x")]),
]


def catalog(path: Path) -> dict[str, Any]:
    """The stored catalog of a directory that is closed."""
    result: dict[str, Any] = json.loads((path / "schema.json").read_text())
    return result


def old_rows(path: Path, count: int = 5) -> None:
    with opened(path, OLD) as db:
        db.insert_many("t", [{"n": n} for n in range(count)])


def new_db(path: Path, **options: Any) -> DB:
    return DB([NEW], path, migrations=MIGRATIONS, durability="off", **options)


def test_opening_makes_what_the_directory_has_not_seen_and_only_that(tmp_path: Path) -> None:
    old_rows(tmp_path)
    with opened(tmp_path, OLD) as db:
        assert db.migrate(MIGRATIONS[:1]) == [1]
    for _ in range(2):
        with new_db(tmp_path) as db:
            assert [row["x"] for row in db.find_all("t")] == ["zz"] * 5
            assert db.migrate(MIGRATIONS) == []
            sound(db)
        assert catalog(tmp_path)["migrations"] == [
            {"done": 1, "name": "x", "version": 1},
            {"done": 2, "name": "keys", "version": 2},
        ]


def test_a_new_directory_has_seen_all_of_them(tmp_path: Path) -> None:
    with new_db(tmp_path) as db:
        db.insert("t", {"n": 1, "x": "a"})
        with pytest.raises(IntegrityError):
            db.insert("t", {"n": 1, "x": "a"})
    assert [record["version"] for record in catalog(tmp_path)["migrations"]] == [1, 2]
    with new_db(tmp_path) as db:
        assert db.find_all("t") == [{"id": 1, "n": 1, "x": "a"}]


def test_a_newer_programs_directory_and_a_renamed_migration_are_refused(tmp_path: Path) -> None:
    new_db(tmp_path).close()
    before = data_bytes(tmp_path)
    with pytest.raises(SchemaMismatch, match="which this program does not know: a newer"):
        DB([NEW], tmp_path, migrations=MIGRATIONS[:1])
    with pytest.raises(SchemaMismatch, match="migration 2 is 'other' here, and was 'keys'"):
        DB([NEW], tmp_path, migrations=[MIGRATIONS[0], Migration(2, "other", [])])
    with DB([NEW], tmp_path) as db:  # who gives none is not asked
        assert (db.find_all("t"), db.migrate([])) == ([], [])
    assert data_bytes(tmp_path) == before


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Migration(0, "x", []),
        lambda: Migration(True, "x", []),
        lambda: Migration(1, "a\nb", []),
        lambda: Migration(1, "x", [5]),  # type: ignore[list-item]
        lambda: Migration(1, "x", 5),  # type: ignore[arg-type]
        lambda: DB([OLD], "nowhere", migrations=[MIGRATIONS[1], MIGRATIONS[0]]),
        lambda: DB([OLD], "nowhere", migrations=[MIGRATIONS[0], MIGRATIONS[0]]),
        lambda: DB([OLD], "nowhere", migrations=[5]),  # type: ignore[list-item]
    ],
)
def test_what_is_no_migration_is_refused_before_a_directory_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError):
        wrong()
    assert list(tmp_path.iterdir()) == []


def test_no_migration_within_a_transaction_and_one_within_the_lock(tmp_path: Path) -> None:
    old_rows(tmp_path)
    with opened(tmp_path, OLD) as db:
        with db.transaction(), pytest.raises(TransactionError):
            db.migrate(MIGRATIONS)
        with db.storage.lock():
            assert db.migrate(MIGRATIONS) == [1, 2]
        sound(db)


def test_a_table_that_was_renamed_or_dropped_leaves_empty_files_and_may_come_again(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, NEW) as db:
        db.insert("t", {"n": 1, "x": "a"})
        db.migrate([Migration(1, "away", [RenameTable("t", "u")])])
        assert sorted(db.tables) == ["u"]
        assert db.find_all("u") == [{"id": 1, "n": 1, "x": "a"}]
    assert {p.name for p in tmp_path.glob("t*") if p.stat().st_size} == set()
    with opened(tmp_path, NEW) as db:
        assert db.insert("t", {"n": 5, "x": "b"})["id"] == 1
        db.migrate([Migration(1, "away", [RenameTable("t", "u")]),
                    Migration(2, "gone", [DropTable("u"), RenameTable("t", "u")])])  # fmt: skip
        sound(db)
    with DB.open(tmp_path, durability="off") as db:
        assert db.find_all("u") == [{"id": 1, "n": 5, "x": "b"}]


def test_tables_that_come_with_a_later_program_need_no_step(tmp_path: Path) -> None:
    old_rows(tmp_path)
    late = keyed("late", Field("n", INT()), Field("x", CHAR(2)), indexes=["x"])
    t = table_class("t", Field("n", INT()), Field("late", FK("late", null=True)))
    migrations = [
        Migration(1, "gone", [AddColumn("never", Field("x", INT()))]),
        Migration(2, "x", [AddIndex("early", "n"), AddColumn("early", Field("x", CHAR(2)), "")]),
        Migration(3, "to", [RenameTable("early", "late"), AddIndex("late", "x")]),
        Migration(4, "refer", [AddColumn("t", Field("late", FK("late", null=True)))]),
        Migration(5, "gone", [DropTable("never")]),
    ]
    for _ in range(2):
        with DB([t, late], tmp_path, durability="off", migrations=migrations) as db:
            row = db.insert("late", {"n": 1, "x": "a"})
            db.update_by_id("t", 1, {"late": row["id"]})
            with pytest.raises(IntegrityError):
                db.delete_by_id("late", row["id"])
            sound(db)
    assert [record["done"] for record in catalog(tmp_path)["migrations"]] == [1, 2, 2, 1, 1]
    with DB([t, late], tmp_path, durability="off") as db, pytest.raises(MigrationError):
        db.migrate([*migrations, Migration(6, "misspelt", [AddColumn("lat", Field("y", INT()))])])


def test_a_name_that_no_table_will_have_is_refused_when_opening_as_well(tmp_path: Path) -> None:
    old_rows(tmp_path)
    for step in (
        AddColumn("tt", Field("x", INT())),
        AddColumn("t", Field("x", FK("tt", null=True))),
    ):
        with pytest.raises(MigrationError, match="no table 'tt'"):
            DB([OLD], tmp_path, migrations=[Migration(1, "x", [step])])


def test_tables_that_were_not_opened_stay_so_over_a_migration(tmp_path: Path) -> None:
    other = table_class("other", Field("n", INT()))
    opened(tmp_path, OLD, other).close()
    with opened(tmp_path, other) as db:
        db.migrate(MIGRATIONS)
        assert sorted(db.tables) == ["other"]
    with opened(tmp_path, other) as db:
        db.find_all("other")
        db.migrate([*MIGRATIONS, Migration(3, "y", [AddColumn("t", Field("y", INT()), 1)])])
        assert sorted(db.tables) == ["other"]


@pytest.mark.parametrize("part", ["t.dat", "t.x.index.dat", "t__id.idx.dat"])
def test_damage_is_told_and_gets_no_checksums_from_a_migration(tmp_path: Path, part: str) -> None:
    with new_db(tmp_path, checksums=True) as db:
        db.insert_many("t", [{"n": n, "x": "q"} for n in range(200)])
    data = (tmp_path / part).read_bytes()
    place = data.rindex(b"0") if part != "t.dat" else data.rindex(b"q")
    patch(tmp_path / part, place, b"1" if part != "t.dat" else b"r")
    before = data_bytes(tmp_path)
    with DB([NEW], tmp_path, durability="off") as db:
        for step in (
            ChangeColumn("t", "x", CHAR(9)),
            AddIndex("t", ["n", "x"]),
            RenameTable("t", "u"),
        ):
            with pytest.raises(CorruptionError):
                db.migrate([*MIGRATIONS, Migration(3, "more", [step])])
    after = data_bytes(tmp_path)
    assert {name: after[name] for name in before} == before


def test_damage_in_the_table_referred_to_is_no_dangling_reference(tmp_path: Path) -> None:
    low = table_class("low", Field("r", FK("t", on_delete="keep")))
    with DB([OLD, low], tmp_path, durability="off", checksums=True) as db:
        db.insert_many("t", [{"n": n} for n in range(5)])
        db.insert_many("low", [{"r": 1}, {"r": 3}])
    patch(tmp_path / "t__id.idx.dat", 2 * 9, b"#" * 9)
    with DB([low], tmp_path, durability="off") as db:
        for step in (
            SetOnDelete("low", "r", "restrict"),
            AddColumn("low", Field("s", FK("t")), 3),
        ):
            with pytest.raises(CorruptionError):
                db.migrate([Migration(1, "refer", [step])])


# ------------------------------------------------------------------------ many rows, and processes


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index is built in many steps, also of a small table."""
    monkeypatch.setattr(building, "SLOTS_AT_ONCE", 10)


@pytest.mark.usefixtures("few_at_once")
def test_writers_come_between_the_steps_of_a_build_and_are_in_the_index(tmp_path: Path) -> None:
    old_rows(tmp_path, 100)
    migrating = Seam()
    db = DB([OLD], tmp_path, system=migrating, log_size_bytes=64 << 10)
    other = DB([OLD], tmp_path, system=Seam())
    turns = iter(range(10))

    def write(*_: object) -> None:
        turn = next(turns, None)
        if turn is None:
            return
        migrating.when("try_lock", ".lock", write)
        other.insert_many("t", [{"n": 1000 + 10 * turn + i} for i in range(3)])
        other.update_by_id("t", 1 + turn, {"n": 2000 + turn})
        other.update_by_id("t", 100 - turn, {"n": 3000 + turn})
        other.delete_by_id("t", 50 + turn)
        if turn % 3 == 0:
            other.insert("t", {"n": 4000 + turn})  # into a slot that was just freed

    migrating.when("try_lock", ".lock", write)
    db.migrate([Migration(1, "n", [AddUnique("t", "n")])])
    assert next(turns, None) is None
    for one in (db, other):
        sound(one)
        for turn in range(10):
            assert [row["id"] for row in one.find_by_cond("t", EQ(n=2000 + turn))] == [1 + turn]
    with pytest.raises(IntegrityError):
        other.insert("t", {"n": 3000})
    other.close()
    db.close()


@pytest.mark.usefixtures("few_at_once")
def test_a_twin_that_a_writer_stored_meanwhile_ends_the_build_and_the_index(tmp_path: Path) -> None:
    old_rows(tmp_path, 60)
    migrating = Seam()
    with DB([OLD], tmp_path, system=migrating) as db, DB([OLD], tmp_path, system=Seam()) as other:
        migrating.when("try_lock", ".lock", lambda: other.update_by_id("t", 60, {"n": 58}))
        with pytest.raises(MigrationError, match="id 59 and 60 have the same") as caught:
            db.migrate([Migration(1, "n", [AddUnique("t", "n")])])
        assert caught.value.ids == (59, 60)
        other.insert("t", {"n": 58})  # nothing is left of it
        for one in (db, other):
            sound(one)
        for pk in (60, 61):
            other.delete_by_id("t", pk)
        assert db.migrate([Migration(1, "n", [AddUnique("t", "n")])]) == [1]


@pytest.mark.usefixtures("few_at_once")
def test_a_migration_that_was_killed_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
    step = 0
    finished = False
    while not finished:
        path = tmp_path / str(step)
        old_rows(path, 35)
        seam = Seam(steady=True)
        db = DB([OLD], path, system=seam, log_size_bytes=16 << 10)
        seam.kill_at(step)
        try:
            db.migrate(MIGRATIONS)
            finished = True
        except Killed:
            seam.kill()
        with DB([NEW], path, migrations=MIGRATIONS, system=Seam(steady=True)) as after:
            assert [row["x"] for row in after.find_all("t")] == ["zz"] * 35
            sound(after)
            with pytest.raises(IntegrityError):
                after.insert("t", {"n": 34, "x": ""})
        seam.kill()
        step += 17


def wait_for(pids: list[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


@pytest.mark.filterwarnings(FORK)
def test_processes_that_migrate_at_once_make_each_step_once(tmp_path: Path) -> None:
    old_rows(tmp_path, 9000)

    def migrating() -> None:
        with DB([NEW], tmp_path, migrations=MIGRATIONS) as db:
            assert db.find_by_id("t", 9000) == {"id": 9000, "n": 8999, "x": "zz"}
            assert [row["id"] for row in db.find_by_cond("t", EQ(n=77))] == [78]

    assert wait_for([start_child(migrating) for _ in range(3)]) == [0, 0, 0]
    with new_db(tmp_path) as db:
        sound(db)
        assert len(db.find_all("t")) == 9000
    assert [record["done"] for record in catalog(tmp_path)["migrations"]] == [1, 2]


CALLS: list[Callable[[DB], object]] = [
    lambda db: db.find_by_id("t", 1),
    lambda db: db.find_all("t"),
    lambda db: db.find_by_cond("t", EQ(n=1)),
    lambda db: db.insert("t", {"n": 77}),
    lambda db: db.insert_many("t", [{"n": 77}]),
    lambda db: db.insert_ids("t", [{"n": 77}]),
    lambda db: db.update_by_id("t", 1, {"n": 77}),
    lambda db: db.delete_by_id("t", 1),
    lambda db: db.truncate("t"),
    lambda db: db.vacuum("t"),
    lambda db: next(db.tables["t"].iterate()),
    lambda db: db.tables["t"].count_by("n"),
]


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("checksums", [False, True])
def test_a_stale_handle_is_told_at_every_call_also_in_another_process(
    tmp_path: Path, checksums: bool
) -> None:
    with opened(tmp_path, OLD) as db:
        db.insert_many("t", [{"n": n} for n in range(5)])
    db = DB([OLD], tmp_path, checksums=checksums)
    stale = DB([OLD], tmp_path)
    stale.find_by_id("t", 1)
    ready, begin = os.pipe()

    def in_another_process() -> None:
        stale.find_by_id("t", 1)  # attached, with all that makes the next one quick
        os.write(begin, b"1")
        os.read(go, 1)
        refuses_all(stale)
        stale.close()

    go, start = os.pipe()
    pid = start_child(in_another_process)
    os.read(ready, 1)
    db.migrate(MIGRATIONS[:1])
    os.write(start, b"1")
    assert wait_for([pid]) == [0]
    refuses_all(stale)
    assert db.find_all("t") == [{"id": n + 1, "n": n, "x": "zz"} for n in range(5)]
    sound(db)
    stale.close()
    db.close()


def refuses_all(db: DB) -> None:
    for call in CALLS:
        for _ in range(2):
            with pytest.raises(SchemaMismatch, match="open the database again"):
                call(db)


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    with DB([OLD], tmp_path, durability="off") as db:
        db.insert_ids("t", [{"n": n} for n in range(100_000)])
        db.delete_by_id("t", 500)
        db.migrate(MIGRATIONS)
        assert db.find_by_cond("t", EQ(n=99_999)) == [{"id": 100_000, "n": 99_999, "x": "zz"}]
        with pytest.raises(IntegrityError):
            db.insert("t", {"n": 54_321, "x": ""})
        sound(db)
