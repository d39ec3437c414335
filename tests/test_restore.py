"""Restoring a backup, and bringing it forward by the log of the directory that it is of."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    EQ,
    INT,
    PK,
    TEXT,
    AddIndex,
    Changes,
    Field,
    Migration,
    Schema,
    Table,
    restore,
)
from bazanite.errors import (
    CorruptionError,
    DirectoryError,
    ForgottenError,
    TransactionError,
    ValidationError,
)
from seam import Killed, Seam
from store_support import LOG


class Notes(Table):
    name = "notes"
    schema = Schema(
        [
            Field("id", PK()),
            Field("who", CHAR(8)),
            Field("n", INT()),
            Field("text", TEXT(null=True)),
        ]
    )


def opened(path: Path, **options: Any) -> DB:
    return DB([Notes], path, log_size_bytes=1 << 16, **options)


def contents(path: Path) -> list[dict[str, Any]]:
    with DB.open(path) as db:
        assert db.check().ok
        return [dict(row) for row in db.find_all("notes")]


def filled(db: DB, count: int) -> dict[int, list[dict[str, Any]]]:
    """Make changes; the rows at each log position."""
    states: dict[int, list[dict[str, Any]]] = {}
    for number in range(count):
        ids = [row["id"] for row in db.find_all("notes")]
        if ids and number % 3 == 2:
            db.update_by_id("notes", ids[0], {"n": -number, "text": "y" * number})
        elif ids and number % 7 == 6:
            db.delete_by_id("notes", ids[-1])
        else:
            db.insert("notes", {"who": "ada", "n": number, "text": "x" * (number % 50)})
        states[db.read_lsn] = [dict(row) for row in db.find_all("notes")]
    return states


def test_any_state_since_the_backup_can_be_had_from_log_and_archive(tmp_path: Path) -> None:
    db = opened(tmp_path / "data")
    db.archive(1 << 24)
    filled(db, 10)
    made = db.backup(tmp_path / "backup")
    before = [dict(row) for row in db.find_all("notes")]
    states = filled(db, 400)  # several checkpoints
    assert db.stats()["checkpoints"] > 1
    for lsn in [*list(states)[::37], max(states)]:
        target = tmp_path / f"at{lsn}"
        found = restore(tmp_path / "backup", target, log=tmp_path / "data", to_lsn=lsn)
        assert (found.lsn, found.backup_lsn, found.path) == (lsn, made.lsn, str(target))
        assert contents(target) == states[lsn]
    found = restore(tmp_path / "backup", tmp_path / "last", log=tmp_path / "data")
    assert found.transactions == 400
    assert contents(tmp_path / "last") == states[max(states)]
    found = restore(tmp_path / "backup", tmp_path / "same")
    assert (found.lsn, found.transactions) == (made.lsn, 0)
    assert contents(tmp_path / "same") == before
    between = restore(tmp_path / "backup", tmp_path / "b", log=tmp_path / "data", to_lsn=lsn - 1)
    assert between.lsn < lsn
    db.close()


def test_a_restored_directory_goes_on_by_itself(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 5)
        db.backup(tmp_path / "backup")
        filled(db, 5)
        restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    with opened(tmp_path / "new") as db:
        db.insert("notes", {"who": "eve", "n": 0})
        db.backup(tmp_path / "again")
        db.insert("notes", {"who": "bob", "n": 0})
        restore(tmp_path / "again", tmp_path / "newer", log=tmp_path / "new")
        rows = [dict(row) for row in db.find_all("notes")]
    assert contents(tmp_path / "newer") == rows
    with pytest.raises(ForgottenError):
        restore(tmp_path / "backup", tmp_path / "no", log=tmp_path / "new")


def test_the_archive_alone_is_enough_when_the_directory_is_gone(tmp_path: Path) -> None:
    db = opened(tmp_path / "data")
    db.archive(1 << 24)
    filled(db, 3)
    db.backup(tmp_path / "backup")
    states = filled(db, 300)
    db.checkpoint()
    (tmp_path / "kept").mkdir()
    for file in (tmp_path / "data").glob("wal.*.archive"):
        shutil.copy(file, tmp_path / "kept")
    db.close()
    shutil.rmtree(tmp_path / "data")
    found = restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "kept")
    assert found.lsn == max(states)
    assert contents(tmp_path / "new") == states[max(states)]


def test_schema_changes_are_replayed_too(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        db.backup(tmp_path / "backup")
        db.migrate([Migration(1, "by who", [AddIndex("notes", "who")])])
        db.truncate("notes")
        db.insert("notes", {"who": "new", "n": 1})
        restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    assert contents(tmp_path / "new") == [{"id": 1, "who": "new", "n": 1, "text": None}]
    with DB.open(tmp_path / "new") as db:
        assert "who" in str(db.explain("notes", EQ(who="new")))


class Later(Table):
    name = "later"
    schema = Schema([Field("id", PK()), Field("text", TEXT())])


@pytest.mark.parametrize("checksums", [False, True])
def test_a_table_that_came_later_and_is_empty_has_all_its_files(
    tmp_path: Path, checksums: bool
) -> None:
    """Some of them were missing: no frame names a file in which nothing is."""
    with opened(tmp_path / "data") as db:
        db.backup(tmp_path / "backup")
        with DB([Notes, Later], tmp_path / "data", checksums=checksums):
            restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    with DB([Notes, Later], tmp_path / "new") as db:
        assert db.check().ok
        assert db.insert("later", {"text": "x"})["id"] == 1


def test_a_table_that_comes_while_the_backup_is_made_has_all_its_files(tmp_path: Path) -> None:
    seam = Seam()
    with opened(tmp_path / "data", system=seam) as db:
        db.insert("notes", {"who": "ada", "n": 1})

        def come() -> None:
            DB([Later], tmp_path / "data", system=Seam()).close()

        seam.when("create", "notes__seqnum.dat", come)
        db.backup(tmp_path / "backup")
    with DB([Notes, Later], tmp_path / "backup") as copy:
        assert copy.find_all("later") == []


def test_what_was_committed_and_killed_before_a_checkpoint_is_restored(tmp_path: Path) -> None:
    seam = Seam()
    db = opened(tmp_path / "data", system=seam)
    filled(db, 4)
    db.backup(tmp_path / "backup")
    states = filled(db, 9)
    seam.kill()
    found = restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    assert found.lsn == max(states)
    assert contents(tmp_path / "new") == states[max(states)]


def test_after_a_restart_of_the_machine_all_whole_frames_count(tmp_path: Path) -> None:
    seam = Seam()
    db = opened(tmp_path / "data", system=seam)
    filled(db, 4)
    db.backup(tmp_path / "backup")
    states = filled(db, 9)
    seam.kill()
    (tmp_path / "data" / ".shared").unlink()
    found = restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    assert found.lsn == max(states)
    assert contents(tmp_path / "new") == states[max(states)]


def test_what_a_checkpoint_took_and_nobody_kept_is_told(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        db.backup(tmp_path / "backup")
        db.checkpoint()
        filled(db, 4)
        with pytest.raises(ForgottenError, match="do not lead on from the backup"):
            restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    assert not list((tmp_path / "new").iterdir())


def test_positions_that_are_not_there(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        made = db.backup(tmp_path / "backup")
        filled(db, 4)
        end = db.read_lsn
        for lsn, log, what in (
            (made.lsn - 1, "data", "brought forward only"),
            (end + 1, "data", "leads up to LSN"),
            (made.lsn + 1, None, "takes the log"),
            (-1, "data", "must be a log position"),
            (True, "data", "must be a log position"),
            (1.5, "data", "must be a log position"),
        ):
            with pytest.raises(ValidationError, match=what):
                restore(
                    tmp_path / "backup",
                    tmp_path / "new",
                    log=log and tmp_path / log,
                    to_lsn=lsn,  # type: ignore[arg-type]
                )
            assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())


def test_a_backup_that_was_opened_since_is_a_database_of_its_own(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        db.backup(tmp_path / "backup")
        before = contents(tmp_path / "backup")  # opens it
        filled(db, 4)
        with pytest.raises(ValidationError, match="has no frame in its log"):
            restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    restore(tmp_path / "backup", tmp_path / "new")
    assert contents(tmp_path / "new") == before


def test_a_directory_in_use_is_no_backup(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        with pytest.raises(DirectoryError, match="is in use"):
            restore(tmp_path / "data", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("missing", [LOG, "all", "directory"])
def test_half_a_backup_is_refused(tmp_path: Path, missing: str) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        db.backup(tmp_path / "backup")
    if missing == LOG:
        (tmp_path / "backup" / LOG).unlink()
    else:
        shutil.rmtree(tmp_path / "backup")
        if missing == "all":
            (tmp_path / "backup").mkdir()
    with pytest.raises(DirectoryError):
        restore(tmp_path / "backup", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_log_of_another_directory_is_refused_even_if_its_positions_fit(tmp_path: Path) -> None:
    for name in ("data", "other"):
        with opened(tmp_path / name) as db:
            filled(db, 4)
            db.backup(tmp_path / f"backup-{name}")
            filled(db, 4)
    with opened(tmp_path / "data"), pytest.raises((ValidationError, ForgottenError)):
        restore(tmp_path / "backup-other", tmp_path / "new", log=tmp_path / "data")
    assert not list((tmp_path / "new").iterdir())


def test_damage_in_the_middle_of_the_log_ends_a_restore_that_wants_more(tmp_path: Path) -> None:
    seam = Seam()
    db = opened(tmp_path / "data", system=seam)
    filled(db, 4)
    db.backup(tmp_path / "backup")
    states = filled(db, 8)
    seam.kill()
    (tmp_path / "data" / ".shared").unlink()
    log = bytearray((tmp_path / "data" / LOG).read_bytes())
    early, bad = sorted(states)[2], sorted(states)[3]
    place = log.index(b"FRAME %020d" % early)
    log[place + 150] ^= 1
    (tmp_path / "data" / LOG).write_bytes(log)
    with pytest.raises(CorruptionError, match=f"up to LSN {early} is whole"):
        restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data")
    with pytest.raises((CorruptionError, ValidationError)):
        restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data", to_lsn=bad)
    restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data", to_lsn=early)
    assert contents(tmp_path / "new") == states[early]


def test_a_damaged_original_makes_a_backup_that_is_told_to_be_damaged(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        db.checkpoint()
        with (tmp_path / "data" / "notes.dat").open("r+b") as file:
            file.write(b"?")
        with pytest.raises(CorruptionError, match="most likely because the original"):
            db.backup(tmp_path / "backup")
        assert (tmp_path / "backup" / "notes.dat").exists()
        made = db.backup(tmp_path / "unseen", verify=False)
        assert made.files == len(list((tmp_path / "unseen").glob("*.dat"))) + 1
        with pytest.raises(CorruptionError):
            restore(tmp_path / "unseen", tmp_path / "new")


def test_a_backup_is_a_position_of_changes(tmp_path: Path) -> None:
    """Who follows the directory can begin with a backup, and miss nothing."""
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        made = db.backup(tmp_path / "backup")
        db.insert("notes", {"who": "eve", "n": 7})
        with Changes(tmp_path / "data", made.lsn) as changes:
            (commit,) = changes.read()
            assert [(change.op, change.row["n"]) for change in commit.changes if change.row] == [
                ("insert", 7)
            ]


def test_progress_is_told_and_reaches_the_whole(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with opened(tmp_path / "data") as db:
        db.insert_many("notes", ({"who": "x", "n": n, "text": "y" * 500} for n in range(500)))
        made = db.backup(
            tmp_path / "backup", progress=lambda done, total: told.append((done, total))
        )
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == made.size_bytes


def test_not_inside_a_transaction(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db, db.transaction(), pytest.raises(TransactionError):
        db.backup(tmp_path / "backup")


@pytest.mark.parametrize("step", range(0, 60, 3))
def test_half_of_what_was_restored_is_no_database(tmp_path: Path, step: int) -> None:
    with opened(tmp_path / "data") as db:
        filled(db, 4)
        db.backup(tmp_path / "backup")
        filled(db, 4)
        rows = [dict(row) for row in db.find_all("notes")]
        before = {file.name: file.read_bytes() for file in (tmp_path / "backup").iterdir()}
        seam = Seam()
        seam.kill_at(step)
        try:
            restore(tmp_path / "backup", tmp_path / "new", log=tmp_path / "data", system=seam)
        except Killed:
            pass
        if (tmp_path / "new" / "schema.json").exists():
            try:
                assert contents(tmp_path / "new") == rows
            except DirectoryError as error:
                assert LOG in str(error)  # noqa: PT017  refusing is one of two right answers
    assert before == {file.name: file.read_bytes() for file in (tmp_path / "backup").iterdir()}
