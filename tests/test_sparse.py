"""Sparse files: a large id leaves a hole of gigabytes in an index, which nobody may read through.

The same content, once with holes and once written out, must look the same to everyone.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, PK, Field, Schema, Table
from bazanite.check import Report
from bazanite_tools.cli import main
from bazanite_wal import posix
from bazanite_wal.posix import POSIX
from engine_support import opened
from seam import Seam

INDEX = "t__id.idx.dat"
WIDTH = 9
IDS = (1, 2, 130_000, 700_000)
HOLE = 300_000
"""An id in the middle of the largest hole."""


class TableT(Table):
    name = "t"
    schema = Schema([Field("id", PK()), Field("text", CHAR(5))])


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """A closed directory whose index has two holes, of 1.1 and 5 MB."""
    with opened(tmp_path / "sparse", TableT) as db:
        for pk in IDS:
            db.insert("t", {"id": pk, "text": "x"})
    status = (tmp_path / "sparse" / INDEX).stat()
    if status.st_blocks * 512 > status.st_size // 2:
        pytest.skip(f"the file system of {tmp_path} makes no sparse files")
    return tmp_path / "sparse"


def written_out(path: Path) -> Path:
    """A copy of the directory without a hole."""
    copy = path.with_name("dense")
    copy.mkdir()
    for file in path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    status = (copy / INDEX).stat()
    assert status.st_blocks * 512 >= status.st_size
    return copy


def damage(path: Path, row_id: int, data: bytes) -> None:
    with (path / INDEX).open("r+b") as file:
        file.seek((row_id - 1) * WIDTH)
        file.write(data)


def report_of(path: Path) -> Report:
    with opened(path, TableT) as db:
        return db.check()


def blocks(path: Path) -> int:
    return path.stat().st_blocks


def test_a_check_sees_the_same_in_a_sparse_file_as_in_one_written_out(sparse: Path) -> None:
    assert report_of(sparse) == report_of(written_out(sparse))
    assert report_of(sparse).ok
    assert report_of(sparse).tables["t"].rows == len(IDS)


@pytest.mark.parametrize("row_id", [3, 455, 456, 129_998, HOLE, 584_000, 699_998])
@pytest.mark.parametrize(
    "data", [b"1        ", b"?", b"\0\0\0\0\0\0\0\0?", b"\0" * 8 + b"?\0\0\0?"]
)
def test_a_check_finds_what_stands_in_a_hole(sparse: Path, row_id: int, data: bytes) -> None:
    damage(sparse, row_id, data)
    found = report_of(sparse)
    assert found == report_of(written_out(sparse))
    assert found.problems[0].row == row_id
    assert len(found.problems) == (1 if len(data) <= WIDTH else 2)


def test_the_command_says_the_same_of_both(
    sparse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(sparse, HOLE, b"?")
    dense = written_out(sparse)
    said: list[str] = []
    for path in (sparse, dense):
        assert main(["check", str(path)]) == 1
        said.append(capsys.readouterr().out.replace(str(path), "DIR"))
    assert said[0] == said[1]


def test_a_transactions_own_pages_are_data_even_over_a_hole(sparse: Path) -> None:
    with opened(sparse, TableT) as db:
        with pytest.raises(LookupError), db.transaction() as tx:
            tx.write(INDEX, (HOLE - 1) * WIDTH, b"in a hole")
            tx.write(INDEX, (HOLE * 4 - 1) * WIDTH, b"behind it")
            with db.transaction() as savepoint:
                savepoint.write(INDEX, (HOLE * 2 - 1) * WIDTH, b"on top...")
                assert [problem.row for problem in db.check().problems] == [
                    HOLE, HOLE * 2, HOLE * 4,
                ]  # fmt: skip
            raise LookupError
        assert db.check().ok


def test_frames_that_are_only_in_the_log_are_data_even_over_a_hole(sparse: Path) -> None:
    first = DB([TableT], sparse, durability="normal", system=Seam())
    other = DB([TableT], sparse, durability="normal", system=Seam())
    with first.transaction() as tx:
        tx.write(INDEX, (HOLE - 1) * WIDTH, b"in a hole")
    assert [problem.row for problem in other.check().problems] == [HOLE]


def test_a_file_cut_short_and_grown_again_shows_nothing_of_what_it_had(sparse: Path) -> None:
    with opened(sparse, TableT) as db, pytest.raises(LookupError), db.transaction() as tx:
        size = tx.size(INDEX)
        tx.truncate(INDEX, 0)
        tx.truncate(INDEX, size)
        assert tx.next_data(INDEX, 0) is None
        missing = [p.what for p in db.check().problems]
        assert missing == ["the index has no entry for this row"] * len(IDS)
        raise LookupError


def test_a_backup_is_equal_and_as_sparse(sparse: Path, tmp_path: Path) -> None:
    damage(sparse, HOLE, b"\0\0\0\0?")
    with opened(sparse, TableT) as db:
        db.backup(tmp_path / "copy", verify=False)
        dense_too = written_out(sparse)
    for name in (INDEX, "t.dat", "t__free.dat", "t__seqnum.dat", "schema.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (sparse / name).read_bytes()
    assert blocks(tmp_path / "copy" / INDEX) <= blocks(sparse / INDEX)
    assert report_of(tmp_path / "copy") == report_of(dense_too)


def test_a_backup_of_islands_in_a_hole_has_only_the_islands(tmp_path: Path) -> None:
    # Whole chunks of a mebibyte were once written for each entry.
    with opened(tmp_path / "data", TableT) as db:
        for number in range(8):
            db.insert("t", {"id": 1 + number * 130_000, "text": "x"})
        db.backup(tmp_path / "copy")
        index = (tmp_path / "data" / INDEX).read_bytes()
    assert (tmp_path / "copy" / INDEX).read_bytes() == index
    assert blocks(tmp_path / "copy" / INDEX) <= max(8 * 8, blocks(tmp_path / "data" / INDEX))


def test_a_backup_of_a_file_that_ends_in_a_hole_has_its_size(tmp_path: Path) -> None:
    with opened(tmp_path / "data", TableT) as db:
        with db.transaction() as tx:
            tx.truncate(INDEX, 5 * 1_000_003)
        db.backup(tmp_path / "copy", verify=False)
    assert (tmp_path / "copy" / INDEX).read_bytes() == bytes(5 * 1_000_003)


def test_the_largest_id_costs_neither_a_check_nor_a_backup_more_than_a_few_reads(
    sparse: Path, tmp_path: Path
) -> None:
    # 28 seconds and 17, with everyone waiting: nine gigabytes of zeros were read.
    seam = Seam()
    with DB([TableT], sparse, durability="off", system=seam) as db:
        db.insert("t", {"id": 999_999_999, "text": "x"})
        for work in (db.check, lambda: db.backup(tmp_path / "copy")):
            before = seam.count("read_at", INDEX)
            work()
            assert seam.count("read_at", INDEX) - before < 40  # of 256 KiB at the most
        assert db.check().ok
    copied = (tmp_path / "copy" / INDEX).stat()
    assert copied.st_size == 999_999_999 * WIDTH
    assert copied.st_blocks <= blocks(sparse / INDEX)


def test_taking_over_a_directory_reads_no_hole_either(sparse: Path) -> None:
    for name in ("schema.json", "wal.log"):
        (sparse / name).unlink()
    seam = Seam()
    with (sparse / INDEX).open("r+b") as file:
        file.truncate((1 << 30) * WIDTH)
    with DB([TableT], sparse, durability="off", system=seam, int_width=WIDTH) as db:
        assert [row["id"] for row in db.find_all("t")] == list(IDS)
    assert seam.count("read_at", INDEX) < 40


def test_a_view_that_cannot_tell_holes_is_read_through(
    sparse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = report_of(sparse)
    monkeypatch.setattr(posix, "_SEEK_DATA", None)
    with opened(sparse, TableT) as db:
        assert db.check() == told
        db.backup(tmp_path / "copy")
    assert (tmp_path / "copy" / INDEX).read_bytes() == (sparse / INDEX).read_bytes()


def test_asking_for_holes_that_fails_is_a_finding_and_reads_on(sparse: Path) -> None:
    seam = Seam()
    damage(sparse, HOLE, b"?")
    with DB([TableT], sparse, durability="off", system=seam) as db:
        seam.fail("next_data", INDEX, OSError(5, "Input/output error"))
        found = [problem.what for problem in db.check().problems]
    assert "Input/output error" in found[0]
    assert "is not a slot number" in found[1]


def test_the_system_tells_data_from_holes(sparse: Path) -> None:
    directory = POSIX.directory(str(sparse), create=False)
    file = directory.open(INDEX, write=False)
    size = file.size()
    assert file.next_data(0) == 0
    assert file.next_data(17) == 17
    after = file.next_data(200_000)
    assert after is not None
    assert 200_000 < after <= (IDS[2] - 1) * WIDTH
    assert file.read_at(after - 200_000, 200_000) == bytes(after - 200_000)
    assert file.next_data(size) is None
    assert file.next_data(size + (1 << 40)) is None
    file.close()
    directory.close()


@pytest.mark.parametrize("number", [22, 95])
def test_a_system_without_an_answer_says_that_all_is_data(
    sparse: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def unable(*_arguments: Any) -> int:
        raise OSError(number, os.strerror(number))

    directory = POSIX.directory(str(sparse), create=False)
    file = directory.open(INDEX)
    monkeypatch.setattr(os, "lseek", unable)
    assert file.next_data(200_000) == 200_000
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):  # what it does not know it raises
        monkeypatch.undo()
        file.next_data(0)
    directory.close()


def test_a_copy_made_without_holes_opens_like_the_original(sparse: Path, tmp_path: Path) -> None:
    dense = written_out(sparse)
    shutil.copytree(dense, tmp_path / "again")
    with opened(tmp_path / "again", TableT) as db:
        db.insert("t", {"id": HOLE, "text": "new"})
        assert db.check().ok
