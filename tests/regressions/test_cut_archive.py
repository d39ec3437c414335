"""A restore from the archive alone ended at damage and said that this was all there ever was.

Where there is no log any more the archive's end is the end.  But it was taken for the end wherever
no line of a generation stood: one flipped bit in such a line of the newest segment, and all that
was committed behind it was silently missing.  And of a generation with damage in it not even those
frames were given that come before, although the message says so, and `--to-lsn` asked for no more.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bazanite import (
    CHAR,
    DB,
    PK,
    Changes,
    CorruptionError,
    Field,
    ForgottenError,
    Schema,
    Table,
    restore,
)


class People(Table):
    name = "people"
    schema = Schema([Field("id", PK()), Field("name", CHAR(10))])


@pytest.fixture
def positions(tmp_path: Path) -> list[int]:
    """The position of each row behind the backup; five are in a generation."""
    found = []
    with DB([People], tmp_path / "data") as db:
        db.archive(1 << 24)
        db.backup(tmp_path / "backup")
        for number in range(20):
            db.insert("people", {"name": f"n{number}"})
            found.append(db.read_lsn)
            if number % 5 == 4:
                db.checkpoint()
    (tmp_path / "archive").mkdir()
    for file in (tmp_path / "data").glob("wal.*.archive"):
        shutil.copy(file, tmp_path / "archive")
    return found


def rows_after(tmp_path: Path, to_lsn: int | None) -> int:
    target = tmp_path / f"new{to_lsn}"
    restore(tmp_path / "backup", target, log=tmp_path / "archive", to_lsn=to_lsn)
    with DB.open(target) as db:
        assert db.check().ok
        return len(db.find_all("people"))


def damage(tmp_path: Path, text: bytes, behind: int = 0) -> None:
    (segment,) = (tmp_path / "archive").iterdir()
    data = bytearray(segment.read_bytes())
    data[data.index(text) + behind] ^= 1
    segment.write_bytes(data)


def test_a_whole_archive_is_restored_to_its_end(tmp_path: Path, positions: list[int]) -> None:
    assert positions
    assert rows_after(tmp_path, None) == 20


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_a_damaged_line_of_a_generation_is_no_end(
    tmp_path: Path, positions: list[int], generation: int
) -> None:
    segment = next((tmp_path / "archive").iterdir()).read_bytes()
    lines = [part[:20] for part in segment.split(b"GENERATION ")[1:]]
    damage(tmp_path, b"GENERATION " + lines[generation], 100)
    with pytest.raises(CorruptionError, match="is whole"):
        rows_after(tmp_path, None)
    last = positions[generation * 5 - 1]
    assert rows_after(tmp_path, last) == generation * 5
    with pytest.raises(CorruptionError):
        rows_after(tmp_path, positions[-1])


@pytest.mark.parametrize("cut", [1, 100, 300])
def test_a_cut_generation_is_no_end(tmp_path: Path, positions: list[int], cut: int) -> None:
    (segment,) = (tmp_path / "archive").iterdir()
    data = segment.read_bytes()
    segment.write_bytes(data[: data.rindex(b"GENERATION ") + cut])
    with pytest.raises(CorruptionError, match="is whole"):
        rows_after(tmp_path, None)
    assert rows_after(tmp_path, positions[14]) == 15


def test_what_comes_before_the_damage_in_a_generation_can_be_had(
    tmp_path: Path, positions: list[int]
) -> None:
    damage(tmp_path, b"FRAME %020d" % positions[11], 150)  # of the row behind it
    with pytest.raises(CorruptionError, match=f"up to LSN {positions[11]} is whole"):
        rows_after(tmp_path, None)
    assert rows_after(tmp_path, positions[11]) == 12


def test_who_follows_gets_what_comes_before_the_damage(
    tmp_path: Path, positions: list[int]
) -> None:
    damage(tmp_path, b"FRAME %020d" % positions[11], 150)
    (segment,) = (tmp_path / "archive").iterdir()
    shutil.copy(segment, tmp_path / "data" / segment.name)
    given: list[int] = []
    with Changes(tmp_path / "data", positions[0]) as changes, pytest.raises(CorruptionError):
        given.extend(commit.lsn for commit in changes.read())
    assert given == positions[1:12]


def test_a_missing_segment_in_the_middle_is_told(tmp_path: Path) -> None:
    with DB([People], tmp_path / "data", log_size_bytes=8192) as db:
        db.archive(1 << 16)
        db.backup(tmp_path / "backup")
        for number in range(200):
            db.insert("people", {"name": f"n{number}"})
    (tmp_path / "archive").mkdir()
    segments = sorted((tmp_path / "data").glob("wal.*.archive"))
    assert len(segments) > 3
    for file in [*segments[:1], *segments[2:]]:
        shutil.copy(file, tmp_path / "archive")
    with pytest.raises(ForgottenError):
        rows_after(tmp_path, None)
