"""The bytes of ``T.sums.dat``, and who makes, keeps and drops it."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import pytest

import bazanite
from bazanite import (
    DB,
    CorruptionError,
    DirectoryError,
    TransactionError,
    ValidationError,
)
from bazanite.catalog import decode
from engine_support import TableA, TableF, data_bytes, their_db, usual_tables
from engine_support import opened as opened_without
from golden.make import TABLES as GOLDEN_TABLES
from sums_support import ALL, assert_sums, filled, opened, patch
from test_golden import EXPECTED, golden, rows_of


def test_the_file_is_what_the_format_page_says(tmp_path: Path) -> None:
    filled(tmp_path)
    assert_sums(tmp_path, ("a", False), ("b2", False), ("f", True), ("g", True))


def test_the_example_of_the_page_is_what_is_written(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "format.md").read_text(encoding="utf-8")
    example = page.split("<!-- sums example")[1].split("```text\n")[1].split("```")[0]
    with opened(tmp_path, TableA) as db:
        db.insert("a", {"text": "foo"})
    assert (tmp_path / "a.sums.dat").read_text("ascii") == example


def test_it_stays_so_when_files_shrink_and_grow_again(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path, checksums=None) as db:
        for pk in range(1, 41):
            if db.find_by_id("f", pk):
                db.delete_by_id("f", pk)
        db.insert_many("f", [{"text": "again" * i} for i in range(100)])
        db.truncate("a", cascade=True)
        db.insert("a", {"text": "one"})
    assert_sums(tmp_path, ("a", False), ("b2", False), ("f", True), ("g", True))


def test_a_directory_without_checksums_has_the_bytes_that_it_always_had(tmp_path: Path) -> None:
    with opened_without(tmp_path, *ALL) as db:
        db.insert("a", {"text": "x"})
    assert sorted(p.name for p in tmp_path.glob("*.sums.dat")) == []
    catalog = (tmp_path / "schema.json").read_bytes()
    assert json.loads(catalog)["format"] == "bazanite 1"
    assert b"check" not in catalog


def test_the_catalog_has_a_checksum_of_its_own_bytes(tmp_path: Path) -> None:
    filled(tmp_path)
    data = (tmp_path / "schema.json").read_bytes()
    document = json.loads(data)
    assert document["format"] == "bazanite 2"
    assert document["tables"]["a"]["checksums"] is True
    assert data[:14] == b'{\n  "check": "'
    blank = data[:14] + b"0" * 16 + data[30:]
    assert document["check"] == blake2b(blank, digest_size=8).hexdigest()
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(CorruptionError):
                decode(bytes(flipped))
    for wrong in (
        data.replace(b'"bazanite 2"', b'"bazanite 1"'),
        data[:1] + data[1:].replace(data[1:32], b"", 1),
    ):
        with pytest.raises(CorruptionError):
            decode(wrong)


def test_an_insert_writes_few_bytes_more(tmp_path: Path) -> None:
    used: dict[bool, int] = {}
    for checksums in (False, True):
        with opened(tmp_path / str(checksums), TableF, checksums=checksums) as db:
            db.insert_many("f", [{"text": "twenty bytes of text"} for _ in range(2000)])
            before = db.stats()["log_bytes"]
            db.insert("f", {"text": "twenty bytes of text"})
            used[checksums] = db.stats()["log_bytes"] - before
    assert used[True] - used[False] < 700


# ------------------------------------------------------------------------------- on, off, who keeps


def test_it_belongs_to_the_directory(tmp_path: Path) -> None:
    opened(tmp_path, TableA, checksums=True).close()
    with opened(tmp_path, TableA, TableF, checksums=None) as db:  # a new table follows the others
        db.insert("a", {"text": "x"})
        db.insert("f", {"text": "y"})
    with opened(tmp_path, TableA, checksums=None) as db:
        db.insert("a", {"text": "z"})
        assert db.check().ok
    assert_sums(tmp_path, ("a", False), ("f", True))


def test_it_is_added_to_tables_that_have_none_and_taken_away_again(tmp_path: Path) -> None:
    with opened(tmp_path, checksums=False) as db:
        db.insert("a", {"text": "x"})
        db.insert("f", {"text": "y"})
    without = data_bytes(tmp_path)
    opened(tmp_path, TableA, checksums=True).close()
    assert_sums(tmp_path, ("a", False))
    catalog = decode((tmp_path / "schema.json").read_bytes())
    assert {n for n, spec in catalog.tables.items() if spec.checksums} == {"a"}
    opened(tmp_path, checksums=True).close()
    assert_sums(tmp_path, ("a", False), ("f", True))
    opened(tmp_path, checksums=False).close()
    after = data_bytes(tmp_path)
    assert {after.pop(f"{cls.name}.sums.dat") for cls in ALL} == {b""}
    assert after == without


def test_a_damaged_table_gets_no_checksums(tmp_path: Path) -> None:
    with opened(tmp_path, TableA, checksums=False) as db:
        db.insert("a", {"text": "x"})
    patch(tmp_path / "a__id.idx.dat", 0, b"#" * 9)
    before = data_bytes(tmp_path)
    with pytest.raises(CorruptionError, match=r"a__id\.idx\.dat"):
        opened(tmp_path, TableA)
    assert data_bytes(tmp_path) | {"a.sums.dat": b""} == before | {"a.sums.dat": b""}


def test_handles_that_are_open_follow(tmp_path: Path) -> None:
    with opened(tmp_path, TableF, checksums=False) as first:
        first.insert("f", {"text": "x"})
        with opened(tmp_path, TableF) as second:
            first.insert("f", {"text": "y"})
            assert second.find_all("f") == first.find_all("f")
            assert second.check().ok
            assert_sums(tmp_path, ("f", True))
            opened(tmp_path, TableF, checksums=False).close()
            assert [db.find_by_id("f", 2) for db in (first, second)] == [{"id": 2, "text": "y"}] * 2
            second.insert("f", {"text": "z"})
            assert (tmp_path / "f.sums.dat").read_bytes() == b""
            opened(tmp_path, TableF).close()
            assert len(first.find_all("f")) == len(second.find_all("f")) == 3
    assert_sums(tmp_path, ("f", True))


def test_it_cannot_change_inside_a_transaction(tmp_path: Path) -> None:
    with opened(tmp_path, TableA, checksums=False) as db:
        with db.transaction(), pytest.raises(TransactionError):
            opened(tmp_path, TableA)
        assert not db.storage.has_checksums
    with pytest.raises(ValidationError, match="checksums"):
        opened(tmp_path, TableA, checksums="yes")  # type: ignore[arg-type]


def test_a_rollback_and_a_savepoint_leave_no_trace(tmp_path: Path) -> None:
    filled(tmp_path)
    before = data_bytes(tmp_path)
    with opened(tmp_path) as db:
        with pytest.raises(RuntimeError), db.transaction():
            db.insert("a", {"text": "never"})
            db.truncate("f")
            raise RuntimeError
        with db.transaction():
            try:
                with db.transaction():
                    db.delete_by_id("f", 7)
                    raise RuntimeError
            except RuntimeError:
                pass
            assert db.find_by_id("f", 7)
    assert data_bytes(tmp_path) == before


def test_a_missing_checksum_file_is_named_and_can_be_given_up(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "a.sums.dat").unlink()
    with pytest.raises(DirectoryError, match=r"a\.sums\.dat"):
        opened(tmp_path, checksums=None)
    with opened(tmp_path, checksums=False) as db:
        assert len(db.find_all("a")) == 59


def test_a_huge_id_leaves_holes_in_both_files(tmp_path: Path) -> None:
    with opened(tmp_path, TableA) as db:
        db.insert("a", {"id": 900_000_000, "text": "far"})
        db.insert("a", {"text": "near"})
        db.insert("a", {"id": 500_000_000, "text": "mid"})
        db.insert_many("a", [{"text": str(i)} for i in range(100)])
        assert db.find_by_id("a", 500_000_000) == {"id": 500_000_000, "text": "mid"}
        assert db.find_by_id("a", 400_000_000) is None
        assert db.check().ok
        db.backup(tmp_path / "copy")
    files = (tmp_path / "a.sums.dat", tmp_path / "copy" / "a.sums.dat")
    assert all(file.stat().st_blocks * 512 < 1 << 20 for file in files)
    opened(tmp_path, TableA, checksums=False).close()
    with opened(tmp_path, TableA) as db:
        assert db.check().ok
        db.truncate("a")
        assert db.check().ok
        assert db.insert("a", {"text": "x"})["id"] == 1


@pytest.mark.parametrize("name", EXPECTED)
def test_an_old_directory_gets_them_and_says_the_same(tmp_path: Path, name: str) -> None:
    path = golden(name, tmp_path)
    with DB(GOLDEN_TABLES, path, checksums=True) as db:
        assert rows_of(db) == EXPECTED[name]
        assert db.check().ok
    assert_sums(path, ("author", False), ("book", True))


def test_bazoola_ignores_them_and_what_it_wrote_is_reported(tmp_path: Path) -> None:
    with opened(tmp_path, *usual_tables(bazanite), int_width=6) as db:
        db.insert_many("a", [{"text": "x"}, {"text": "y"}])
    theirs = their_db(tmp_path)
    assert theirs.find_all("a") == [{"id": 1, "text": "x"}, {"id": 2, "text": "y"}]
    theirs.close()
    with opened(tmp_path, *usual_tables(bazanite), checksums=None) as db:
        assert db.check().ok
    theirs = their_db(tmp_path)
    theirs.insert("a", {"text": "z"})
    theirs.close()
    with opened(tmp_path, *usual_tables(bazanite), checksums=None) as db:
        assert not db.check().ok
        calls: list[Callable[[], object]] = [
            lambda: db.find_all("a"),
            lambda: db.find_by_id("a", 1),
            lambda: db.insert("a", {"text": "w"}),
            lambda: db.insert("b", {"a_id": 3}),
        ]
        for call in calls:
            with pytest.raises(CorruptionError, match="checksums=False"):
                call()
    with opened(tmp_path, *usual_tables(bazanite), checksums=False) as db:
        assert len(db.find_all("a")) == 3
    with opened(tmp_path, *usual_tables(bazanite), checksums=True) as db:
        assert db.check().ok
