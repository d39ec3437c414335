"""Directories written once, by tests/golden/make.py, must open for ever and say the same.

``closed`` was closed; ``killed`` and ``killed_aligned`` are what a process left that died with
durability="normal": two frames are in the files, the last two are only in the log.  The aligned one
has frames at sector boundaries, which list whole pages (powersafe_overwrite=False).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB, CorruptionError
from bazanite_wal.scan import scan_log
from golden.make import TABLES

GOLDEN = Path(__file__).parent / "golden"

CLOSED: dict[str, list[dict[str, Any]]] = {
    "author": [
        {"id": 1, "name": "Lem", "born": 1921},
        {"id": 2, "name": "Żuławski", "born": None},
        {"id": 3, "name": "漱石", "born": -1},
    ],
    "book": [
        {
            "id": 1,
            "author_id": 1,
            "title": "Solaris",
            "price": 999,
            "note": "an ocean that thinks: 海",
        },
        {"id": 3, "author_id": 3, "title": "坊っちゃん", "price": -5, "note": "two\nlines"},
        {"id": 9, "author_id": 1, "title": "Fiasko", "price": 0, "note": ""},
    ],
}

KILLED: dict[str, list[dict[str, Any]]] = {
    "author": [
        {"id": 1, "name": "Lem", "born": 1921},
        {"id": 2, "name": "J. Żuławski", "born": 1874},
        {"id": 3, "name": "漱石", "born": -1},
        {"id": 4, "name": "Dick", "born": 1928},
    ],
    "book": [
        CLOSED["book"][0],
        {"id": 6, "author_id": 2, "title": "Zwycięzca", "price": None, "note": "part two"},
        {"id": 5, "author_id": 4, "title": "Ubik", "price": 1969, "note": "spray"},
        CLOSED["book"][2],
    ],
}
EXPECTED = {"closed": CLOSED, "killed": KILLED, "killed_aligned": KILLED}

CLOSED_FILES = {
    "author.dat": (
        "1        Lem           1921\n2        Żuławski    ####\n3        漱石        -1  \n"
    ),
    "author__free.dat": "",
    "author__id.idx.dat": "0        1        2        ",
    "author__seqnum.dat": "3",
    "book.dat": (
        "1        1        Solaris                 999      65       \n"
        "************************************************************\n"
        "3        3        坊っちゃん         -5       17       \n"
        "************************************************************\n"
        "9        1        Fiasko                  0        56       \n"
    ),
    "book.text.dat": (
        "#################9        two\nlines#####################0        "
        "25       an ocean that thinks: 海"
    ),
    "book__free.dat": "1        3        ",
    "book__id.idx.dat": (
        "0        #########2        #############################################4        "
    ),
    "book__seqnum.dat": "4",
}


def golden(name: str, tmp_path: Path) -> Path:
    """A copy to open, because opening changes it."""
    return Path(shutil.copytree(GOLDEN / name, tmp_path / name))


def rows_of(db: DB) -> dict[str, list[dict[str, Any]]]:
    return {table: [dict(row) for row in db.find_all(table)] for table in ("author", "book")}


@pytest.mark.parametrize("name", ["killed", "killed_aligned"])
def test_a_killed_directory_opens_with_every_acknowledged_row(tmp_path: Path, name: str) -> None:
    path = golden(name, tmp_path)
    assert "Zwycięzca" not in (path / "book.dat").read_text("utf-8"), "it is only in the log"
    with DB(TABLES, path) as db:
        assert rows_of(db) == KILLED
        assert db.storage.store.recovery is not None
        assert db.storage.store.recovery.frames == 4


def test_a_closed_directory_opens_with_every_row(tmp_path: Path) -> None:
    with DB(TABLES, golden("closed", tmp_path)) as db:
        assert rows_of(db) == CLOSED
        assert db.storage.store.recovery is not None
        assert db.storage.store.recovery.frames == 0


@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_is_found_by_its_id_and_nothing_else_is(tmp_path: Path, name: str) -> None:
    with DB(TABLES, golden(name, tmp_path)) as db:
        for table, rows in EXPECTED[name].items():
            by_id = {row["id"]: row for row in rows}
            for pk in range(1, 12):
                found = db.find_by_id(table, pk)
                assert (found and dict(found)) == by_id.get(pk), (table, pk)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_freed_is_used_again_and_ids_go_on(tmp_path: Path, name: str) -> None:
    path = golden(name, tmp_path)
    with DB(TABLES, path, log_size_bytes=8192) as db:
        slots = (path / "book.dat").stat().st_size
        new = db.insert("book", {"title": "new", "note": "żółć"})
        assert new["id"] == {"closed": 5}.get(name, 7)
        assert (path / "book.dat").stat().st_size == slots, "the freed slot was not used"
        assert not db.check().problems
    with DB(TABLES, path) as db:
        expected = {row["id"]: row for row in [*EXPECTED[name]["book"], dict(new)]}
        assert {row["id"]: dict(row) for row in db.find_all("book")} == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_opening_and_closing_changes_no_byte_of_the_tables_beyond_recovery(
    tmp_path: Path, name: str
) -> None:
    path = golden(name, tmp_path)
    DB(TABLES, path).close()
    first = {file.name: file.read_bytes() for file in path.glob("*.dat")}
    DB(TABLES, path).close()
    assert {file.name: file.read_bytes() for file in path.glob("*.dat")} == first
    assert (path / "schema.json").read_bytes() == (GOLDEN / name / "schema.json").read_bytes()
    if name == "closed":
        assert {key: data.decode() for key, data in first.items()} == CLOSED_FILES


def test_nobody_changed_the_kept_bytes() -> None:
    """A checkout that converts line ends, or a merge, would."""
    kept = {file.name: file.read_bytes().decode() for file in (GOLDEN / "closed").glob("*.dat")}
    assert kept == CLOSED_FILES
    for name, frames in (("closed", 0), ("killed", 4), ("killed_aligned", 4)):
        scan = scan_log((GOLDEN / name / "wal.log").read_bytes())
        assert scan is not None
        assert (len(scan.frames), scan.tail) == (frames, "clean")
        assert scan.header.sector == (4096 if name == "killed_aligned" else 1)
        volatile = (".lock", ".sync", ".attached", ".shared")
        assert not [file for file in volatile if (GOLDEN / name / file).exists()]


@pytest.mark.parametrize("name", ["killed", "killed_aligned"])
def test_a_flipped_byte_in_a_covered_frame_is_refused(tmp_path: Path, name: str) -> None:
    path = golden(name, tmp_path)
    log = bytearray((path / "wal.log").read_bytes())
    log[8192 + 120] ^= 1  # in the first frame, which a later one says was durable
    (path / "wal.log").write_bytes(log)
    with pytest.raises(CorruptionError) as caught:
        DB(TABLES, path)
    assert caught.value.path.endswith("wal.log")
    assert caught.value.offset == 8192
    assert (path / "wal.log").read_bytes() == log


@pytest.mark.parametrize("name", ["killed", "killed_aligned"])
def test_a_torn_last_frame_is_dropped_whole_and_reported(tmp_path: Path, name: str) -> None:
    path = golden(name, tmp_path)
    log = (path / "wal.log").read_bytes()
    scan = scan_log(log)
    assert scan is not None
    place = scan.header.file_offset(scan.end) - 1
    (path / "wal.log").write_bytes(log[:place] + b"\0" + log[place + 1 :])
    with DB(TABLES, path) as db:
        rows = rows_of(db)
        assert db.storage.store.recovery is not None
        assert (db.storage.store.recovery.frames, db.storage.store.recovery.torn) == (3, True)
        assert rows["author"] == KILLED["author"]
        assert rows["book"] == [row for row in KILLED["book"] if row["id"] != 6]


def test_a_killed_directory_is_recovered_the_same_in_another_boot(tmp_path: Path) -> None:
    path = golden("killed", tmp_path)
    (path / ".shared").write_bytes(b"\xff" * 4096)  # stale words of any other boot
    with DB(TABLES, path) as db:
        assert rows_of(db) == KILLED
