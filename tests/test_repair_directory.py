"""``repair``, case by case: what is saved of which damage, and what the report and errors say."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    FK,
    INT,
    PK,
    TEXT,
    CorruptionError,
    DirectoryError,
    Field,
    RepairReport,
    Schema,
    Table,
    ValidationError,
    repair,
)
from bazanite.repairing import repair as repairing
from bazanite_wal.log import LOG_NAME


class Team(Table):
    name = "team"
    schema = Schema([Field("id", PK()), Field("name", CHAR(8, unique=True))])


class Player(Table):
    name = "player"
    schema = Schema(
        [
            Field("id", PK()),
            Field("team", FK("team", on_delete="restrict", index=True)),
            Field("goals", INT(4)),
            Field("note", TEXT(null=True)),
        ]
    )


ROW = 9 + 9 + 4 + 9 + 1


def directory(path: Path, *, checksums: bool = False) -> Path:
    """Three teams, nine players, of whom the fourth is deleted; closed."""
    with DB([Team, Player], str(path), checksums=checksums, log_size_bytes=64 << 10) as db:
        db.insert_many("team", [{"name": name} for name in ("reds", "blues", "greens")])
        players = [{"team": 1 + n % 3, "goals": n, "note": f"note {n}" * 3} for n in range(9)]
        db.insert_many("player", players)
        db.delete_by_id("player", 4)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return directory(tmp_path / "source")


def patched(path: Path, name: str, offset: int, data: bytes) -> None:
    with (path / name).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    with DB.open(str(path)) as db:
        assert db.check().problems == []
        return [dict(row) for row in db.find_all(table)]


def not_saved(report: RepairReport) -> list[tuple[str, int | None, int | None, bool]]:
    return [(row.table, row.id, row.slot, row.certain) for row in report.not_saved]


def test_a_broken_row_is_named_and_its_bytes_are_kept_the_others_are_saved(
    tmp_path: Path, source: Path
) -> None:
    before = rows(source, "player")
    patched(source, "player.dat", 5 * ROW + 18, b"x")  # a digit of the goals of player 6
    report = repair(source, tmp_path / "new")
    assert not_saved(report) == [("player", 6, 5, True)]
    assert rows(tmp_path / "new", "player") == [row for row in before if row["id"] != 6]
    line = json.loads((tmp_path / "new" / "quarantine.jsonl").read_text())
    assert (line["id"], line["slot"], line["offset"]) == (6, 5, 5 * ROW)
    assert line["fields"] == {"id": 6, "team": 3, "note": "note 5note 5note 5"}
    assert not report.ok


def test_a_row_whose_long_value_is_damaged_is_not_saved_without_it(
    tmp_path: Path, source: Path
) -> None:
    text = (source / "player.text.dat").read_bytes()
    patched(source, "player.text.dat", text.index(b"note 7") - 9, b"x")
    report = repair(source, tmp_path / "new")
    assert not_saved(report) == [("player", 8, 7, True)]
    assert "'note' has no length" in report.not_saved[0].why


def test_a_flipped_digit_is_seen_with_checksums_only_and_the_row_is_saved_in_doubt(
    tmp_path: Path,
) -> None:
    for checksums in (False, True):
        source = directory(tmp_path / f"source {checksums}", checksums=checksums)
        patched(source, "player.dat", 5 * ROW + 18, b"7")
        report = repair(source, tmp_path / f"new {checksums}")
        assert not_saved(report) == []
        assert report.tables["player"].saved == 8
        assert bool(report.in_doubt) == checksums


def test_of_two_slots_with_one_id_the_one_that_the_index_names_is_saved(
    tmp_path: Path, source: Path
) -> None:
    before = rows(source, "player")
    patched(source, "player.dat", 6 * ROW, b"3")  # player 7 says that it is 3, too
    report = repair(source, tmp_path / "new")
    assert not_saved(report) == [("player", 7, 6, True)]
    assert rows(tmp_path / "new", "player") == [row for row in before if row["id"] != 7]
    assert report.in_doubt == []


def test_a_damaged_deleted_slot_is_no_lost_row(tmp_path: Path, source: Path) -> None:
    before = rows(source, "player")
    patched(source, "player.dat", 3 * ROW, b"+?")
    report = repair(source, tmp_path / "new")
    assert (report.not_saved, report.in_doubt) == ([], [])
    assert rows(tmp_path / "new", "player") == before
    assert report.tables["player"].deleted == 1


def test_a_row_that_index_and_stack_call_deleted_is_not_brought_back(
    tmp_path: Path, source: Path
) -> None:
    before = rows(source, "player")
    with DB([Team, Player], str(source)) as db:
        db.insert("player", {"team": 1, "goals": 5})  # in slot 3
        data = (source / "player.dat").read_bytes()[3 * ROW : 4 * ROW]
        db.delete_by_id("player", 10)
    patched(source, "player.dat", 3 * ROW, data)
    report = repair(source, tmp_path / "new")
    assert rows(tmp_path / "new", "player") == before
    assert report.not_saved == []
    assert report.quarantined == 1


@pytest.mark.parametrize(
    "name",
    ["player__id.idx.dat", "player__free.dat", "player__seqnum.dat", "player.team.index.dat",
     "schema.json", "schema.copy.dat", "team.name.index.dat"],
)  # fmt: skip
def test_what_can_be_made_of_the_rows_is_made_anew(tmp_path: Path, source: Path, name: str) -> None:
    before = rows(source, "player")
    (source / name).unlink()
    report = repair(source, tmp_path / "new")
    assert rows(tmp_path / "new", "player") == before
    assert report.not_saved == []
    with DB([Team, Player], str(tmp_path / "new")) as db:
        assert db.insert("player", {"team": 1, "goals": 0})["id"] == 10
        assert [row["id"] for row in db.find_all("team")] == [1, 2, 3]


def test_rows_behind_the_end_of_a_cut_file_are_named_by_the_index(
    tmp_path: Path, source: Path
) -> None:
    os.truncate(source / "player.dat", 6 * ROW + 5)
    report = repair(source, tmp_path / "new")
    assert [(row.id, row.slot) for row in report.not_saved] == [(7, 6), (8, 7), (9, 8)]
    assert len(rows(tmp_path / "new", "player")) == 5


def test_values_that_must_be_unique_and_are_not_are_kept_without_the_constraint(
    tmp_path: Path, source: Path
) -> None:
    patched(source, "team.dat", 18 + 9, b"reds ")
    report = repair(source, tmp_path / "new")
    assert [row["name"] for row in rows(tmp_path / "new", "team")] == ["reds", "reds", "greens"]
    assert "AddUnique('team', ['name'])" in report.left_out[0]
    assert not report.ok


def test_two_damaged_catalogs_are_put_together_where_a_checksum_proves_it(
    tmp_path: Path, source: Path
) -> None:
    catalog = (source / "schema.json").read_bytes()
    copy = (source / "schema.copy.dat").read_bytes()
    patched(source, "schema.json", catalog.index(b'"goals"'), b"[oops]")
    patched(source, "schema.copy.dat", copy.index(b'"name"'), b"\0\0\0\0")
    report = repair(source, tmp_path / "new")
    assert "put together" in report.catalog
    assert (tmp_path / "new" / "schema.json").read_bytes() == catalog


def test_without_any_catalog_a_backup_gives_it(tmp_path: Path, source: Path) -> None:
    before = rows(source, "player")
    for name in ("schema.json", "schema.copy.dat"):
        (source / name).unlink()
    with pytest.raises(CorruptionError, match="--schema DIR"):
        repair(source, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    backup = directory(tmp_path / "backup")
    repair(source, tmp_path / "new", schema=backup)
    assert rows(tmp_path / "new", "player") == before


def test_a_missing_log_is_told_and_the_files_are_taken_as_they_are(
    tmp_path: Path, source: Path
) -> None:
    before = rows(source, "player")
    (source / LOG_NAME).unlink()
    report = repair(source, tmp_path / "new")
    assert rows(tmp_path / "new", "player") == before
    assert "the log is missing" in report.doubts[0]


def test_targets_and_sources_that_cannot_be_are_refused(tmp_path: Path, source: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DirectoryError, match="empty or a new"):
        repair(source, tmp_path / "full")
    with pytest.raises(ValidationError, match="never writes"):
        repair(source, source)
    with pytest.raises(ValidationError, match="never writes"):
        repair(source, source / "deep" / "new")
    with pytest.raises(DirectoryError, match="nothing is left"):
        repair(tmp_path / "empty", tmp_path / "new")
    with pytest.raises(DirectoryError):
        repair(tmp_path / "missing", tmp_path / "new")
    with pytest.raises(ValidationError):
        repair("", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_repair_leaves_what_no_opening_takes(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = {p.name: p.read_bytes() for p in source.iterdir()}
    monkeypatch.setattr(repairing, "create_log", interrupted)
    with pytest.raises(KeyboardInterrupt):
        repair(source, tmp_path / "new")
    with pytest.raises(DirectoryError, match="is missing, although"):
        DB.open(str(tmp_path / "new"))
    assert {p.name: p.read_bytes() for p in source.iterdir()} == before


@pytest.fixture
def read_only(source: Path) -> Iterator[Path]:
    for path in source.iterdir():
        path.chmod(0o444)
    source.chmod(0o555)
    yield source
    source.chmod(0o755)


def test_the_source_may_be_read_only(tmp_path: Path, read_only: Path) -> None:
    listed = sorted(os.listdir(read_only))
    assert repair(read_only, tmp_path / "new").ok
    assert sorted(os.listdir(read_only)) == listed


def test_files_of_a_table_that_the_catalog_has_not_are_told(tmp_path: Path, source: Path) -> None:
    (source / "other.dat").write_bytes(b"1        \n")
    report = repair(source, tmp_path / "new")
    assert report.doubts == [
        "other.dat is not empty, and of no table of the catalog: not saved",
    ]


def test_progress_is_told_for_each_table(tmp_path: Path, source: Path) -> None:
    told: list[tuple[str, int, int]] = []
    repair(source, tmp_path / "new", progress=lambda *now: told.append(now))
    assert told[-1] == ("team", 6, 6)
    assert ("player", 18, 18) in told
