"""What each kind of call asks of the system: syncs, system calls, bytes, counted at the seam.

Exact counts, so that a call that becomes dearer, or cheaper, is seen without a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, EQ, INT, PK, Field, Schema, Table
from seam import Seam, kill_all

LOCK = {"try_lock .lock": 1, "unlock .lock": 1}
SYNC = {"try_lock .sync": 1, "sync_data wal.log": 1, "unlock .sync": 1}
COMMIT = LOCK | SYNC | {"write_at wal.log": 1, "read_at wal.log": 1}
ROW = {"v": 5, "name": "hello"}


class Rows(Table):
    name = "t"
    schema = Schema([Field("id", PK()), Field("v", INT()), Field("name", CHAR(8))])


class Others(Table):
    name = "u"
    schema = Schema([Field("id", PK()), Field("v", INT())])


def insert_into_both(db: DB, turn: int) -> None:
    with db.transaction():
        db.insert("u", {"v": 1})
        db.update_by_id("t", 1, {"v": 7 + turn})


GROWN = {"largest_size t.dat": 1}
INSERTED = {
    "size t__free.dat": 1,
    "write_at t.dat": 1, "write_at t__id.idx.dat": 1, "write_at t__seqnum.dat": 1,
}  # fmt: skip
CATALOG = {"read_at schema.json": 2}
COSTS: dict[str, tuple[Callable[[DB, int], object], dict[str, int]]] = {
    "insert": (lambda db, _: db.insert("t", ROW), COMMIT | GROWN | INSERTED),
    "update": (
        lambda db, turn: db.update_by_id("t", 2, {"v": 6 + turn}),
        COMMIT | GROWN | {"write_at t.dat": 1},
    ),
    "delete": (
        lambda db, turn: db.delete_by_id("t", 3 + turn),
        COMMIT | GROWN
        | {"write_at t.dat": 1, "write_at t__id.idx.dat": 1, "write_at t__free.dat": 1},
    ),
    "a thousand rows": (
        lambda db, _: db.insert_many("t", [ROW] * 1_000),
        COMMIT | GROWN | INSERTED,
    ),
    "two tables": (
        insert_into_both,
        COMMIT
        | {"write_at u.dat": 1, "write_at u__id.idx.dat": 1, "write_at u__seqnum.dat": 1}
        | {"size u__free.dat": 1, "largest_size u.dat": 1, "write_at t.dat": 1},
    ),
    "find_by_id": (
        lambda db, _: db.find_by_id("t", 2),
        {"read_at t.dat": 1, "read_at t__id.idx.dat": 1},
    ),
    "find_all": (
        lambda db, _: db.find_all("t"),
        LOCK | CATALOG | {"size t.dat": 1, "read_at t.dat": 1},
    ),
    "find_by_cond": (
        lambda db, _: db.find_by_cond("t", EQ(v=5)),
        LOCK | CATALOG | {"size t.dat": 2, "read_at t.dat": 1},
    ),
}  # fmt: skip


@pytest.fixture
def seam() -> Iterator[Seam]:
    yield Seam(steady=True)
    kill_all()


@pytest.fixture
def db(tmp_path: Path, seam: Seam) -> DB:
    opened = DB([Rows, Others], tmp_path / "d", system=seam)
    opened.insert_many("t", [ROW] * 20)
    opened.insert_many("u", [{"v": 1}] * 20)
    return opened


def asked(seam: Seam, db: DB, name: str) -> dict[str, int]:
    """How often each call was made of the system; looks at shared words and clock left out."""
    work, _ = COSTS[name]
    for turn in range(3):  # what is read once and kept is kept then
        work(db, turn)
    before = len(seam.calls)
    work(db, 3)
    cheap = ("load", "store", "monotonic", "wall_time", "process_id", "incarnation")
    return Counter(f"{name} {file}" for name, file in seam.calls[before:] if name not in cheap)


@pytest.mark.parametrize("name", COSTS)
def test_each_kind_of_call_asks_this_of_the_system(db: DB, seam: Seam, name: str) -> None:
    assert asked(seam, db, name) == COSTS[name][1]


def test_a_process_that_is_not_alone_takes_the_lock_again_to_apply(
    tmp_path: Path, db: DB, seam: Seam
) -> None:
    DB([Rows, Others], tmp_path / "d", system=Seam(steady=True))
    expected = COSTS["insert"][1] | {"try_lock .lock": 2, "unlock .lock": 2}
    assert asked(seam, db, "insert") == expected


@pytest.mark.parametrize("name", ["insert", "update", "find_by_id"])
def test_it_asks_the_same_in_a_large_table_with_a_long_log(db: DB, seam: Seam, name: str) -> None:
    db.insert_many("t", [ROW] * 20_000)
    for number in range(50):
        db.update_by_id("t", 2, {"v": number})
    assert asked(seam, db, name) == COSTS[name][1]


def test_the_log_takes_a_fixed_part_more_than_the_changed_bytes(db: DB) -> None:
    def bytes_of(work: Callable[[], Any]) -> int:
        before = db.stats()["log_bytes"]
        work()
        return int(db.stats()["log_bytes"] - before)

    one = bytes_of(lambda: db.update_by_id("t", 1, {"v": 1}))
    assert one == 112 + len("write t.dat 0 27\n") + 27 + 1
    many = bytes_of(lambda: db.insert_many("t", [ROW] * 1_000))
    assert many < 1_000 * (27 + 9) + 400
