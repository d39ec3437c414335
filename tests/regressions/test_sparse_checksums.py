"""One row of id 90000000 made a migration hold the lock for 15 seconds, with checksums.

Before all checksums of a table are made anew it is verified: 800 MB of holes were read then, and
each block of 512 zeros hashed.  All else has stepped over such gaps for long.  Now this does,
too, where both the file and its checksums have a hole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import DB, INT, PK, AddIndex, CorruptionError, Field, Migration, Schema, Table
from seam import Seam

FAR = 90_000_000
WIDTH = 9


class Numbers(Table):
    name = "numbers"
    schema = Schema([Field("id", PK()), Field("n", INT())])


MIGRATION = Migration(1, "by n", [AddIndex("numbers", "n")])


def opened(path: Path, seam: Seam | None = None) -> DB:
    return DB([Numbers], path, system=seam, checksums=True)


def test_a_migration_steps_over_the_gaps(tmp_path: Path) -> None:
    seam = Seam()
    with opened(tmp_path / "data") as db:
        db.insert_many("numbers", [{"id": 5, "n": 1}, {"id": FAR, "n": 2}])
    with opened(tmp_path / "data", seam) as db:
        before = seam.count("read_at")
        db.migrate([MIGRATION])
        assert seam.count("read_at") - before < 200
        assert db.check().ok


@pytest.mark.parametrize("where", ["row", "gap", "sums"])
def test_damage_in_a_gap_or_beside_it_is_still_found(tmp_path: Path, where: str) -> None:
    with opened(tmp_path / "data") as db:
        db.insert("numbers", {"id": FAR, "n": 2})
    index = tmp_path / "data" / "numbers__id.idx.dat"
    file, place, byte = {
        "row": (index, (FAR - 1) * WIDTH, 0),
        "gap": (index, FAR // 2 * WIDTH, 49),
        "sums": (tmp_path / "data" / "numbers.sums.dat", 40_000_000, 49),
    }[where]
    with file.open("r+b") as damaged:
        damaged.seek(place)
        size = 512 if where == "row" else 1  # all of the last block becomes as the gap is
        damaged.seek(place - size + 1 if where == "row" else place)
        damaged.write(bytes([byte]) * size)
    db = opened(tmp_path / "data")
    with pytest.raises(CorruptionError):
        db.migrate([MIGRATION])
    db.close()
