"""Going through rows while others change the table: each row that stays comes exactly once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import (
    CHAR,
    DB,
    GE,
    INT,
    LT,
    PK,
    TEXT,
    AddColumn,
    AddIndex,
    BaseCond,
    DropIndex,
    Field,
    Join,
    Migration,
    Schema,
    SchemaMismatch,
    Table,
)
from bazanite.query import order, stream


class Rows(Table):
    """Many small rows."""

    name = "rows"
    schema = Schema(
        [Field("id", PK()), Field("n", INT(null=True)), Field("s", CHAR(40))], indexes=["n"]
    )


class Texts(Table):
    """Rows with a long value."""

    name = "texts"
    schema = Schema([Field("id", PK()), Field("n", INT()), Field("t", TEXT())])


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([Rows, Texts], tmp_path / "data", durability="off") as opened:
        yield opened


def fill(db: DB, count: int) -> None:
    """So many rows, whose ``n`` counts down."""
    db.insert_ids("rows", [{"n": count - number, "s": f"s{number}"} for number in range(count)])


WAYS: dict[str, dict[str, Any]] = {
    "slots": {},
    "ids": {"order_by": "id"},
    "ids backwards": {"order_by": "-id"},
    "index": {"order_by": "n"},
    "index backwards": {"order_by": "-n"},
    "range": {"where": GE(n=0)},
    "condition": {"where": LT(id=10**6) & GE(n=0)},
}


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BATCH", 7)


@pytest.mark.parametrize("way", WAYS)
@given(
    doomed=st.sets(st.integers(1, 60), max_size=40), pauses=st.sets(st.integers(1, 59), max_size=3),
    seed=st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_a_vacuum_of_another_handle_takes_and_repeats_no_row(
    way: str,
    tmp_path_factory: pytest.TempPathFactory,
    doomed: set[int],
    pauses: set[int],
    seed: int,
) -> None:
    random = Random(seed)
    path = tmp_path_factory.mktemp("data")
    with DB([Rows], path, durability="off") as db, DB([Rows], path, durability="off") as other:
        fill(db, 60)
        db.tables["rows"].layout.codec.rows_at_once = 7
        waiting = sorted(doomed)
        random.shuffle(waiting)
        deleted: set[int] = set()
        came: list[int] = []
        for row in db.iterate("rows", **WAYS[way]):
            came.append(row["id"])
            if len(came) in pauses:
                some, waiting = waiting[: len(waiting) // 2], waiting[len(waiting) // 2 :]
                for pk in some:
                    other.delete_by_id("rows", pk)
                deleted |= set(some)
                other.vacuum("rows")
                other.insert("rows", {"n": 1000, "s": "new"})
        assert len(came) == len(set(came))
        assert set(range(1, 61)) - deleted <= set(came)


def test_a_migration_of_the_table_ends_it_and_one_of_another_does_not(
    db: DB, tmp_path: Path
) -> None:
    fill(db, 50)
    db.insert("texts", {"n": 1, "t": "long"})
    with DB.open(tmp_path / "data", durability="off") as other:
        rows = db.iterate("rows", order_by="n")
        first = next(rows)
        other.migrate([Migration(1, "more", [AddIndex("texts", "n"), DropIndex("texts", "n")])])
        assert len([first, *rows]) == 50
        for way in WAYS.values():
            rows = db.iterate("rows", **way)
            next(rows)
        rows = db.iterate("rows", order_by="n")
        next(rows)
        other.migrate(
            [
                Migration(1, "more", []),
                Migration(2, "without it", [DropIndex("rows", "n")]),
            ]
        )
        with pytest.raises(SchemaMismatch, match="while it was read"):
            list(rows)
        rows = db.iterate("rows")
        next(rows)
        field = Field("more", INT(null=True))
        other.migrate([Migration(3, "wider", [AddColumn("rows", field)])])
        with pytest.raises(SchemaMismatch):
            list(rows)


def test_within_a_transaction_all_rows_are_of_one_state(db: DB) -> None:
    fill(db, 30)
    with db.transaction():
        rows = db.iterate("rows", order_by="n")
        first = next(rows)
        assert len([first, *rows]) == 30


def test_the_callers_own_changes_are_seen_where_it_has_not_come_yet(db: DB) -> None:
    fill(db, 30)
    for row in db.iterate("rows", order_by="id"):
        db.update_by_id("rows", row["id"], {"s": "seen"})
    assert {row["s"] for row in db.find("rows")} == {"seen"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order_by": "id"},
        {"order_by": "-n"},
        {"order_by": ["s", "n"]},
        {"order_by": "-s", "fields": ["s"]},
        {"where": GE(n=10)},
        {"joins": [Join("n", "other", "texts")]},
    ],
    ids="+".join,
)
def test_memory_does_not_grow_with_the_table(
    db: DB, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(stream, "_BATCH", 200)
    monkeypatch.setattr(order, "_RUN_ROWS", 1000)
    monkeypatch.setattr(order, "_PIECE_ROWS", 20)
    db.tables["rows"].layout.codec.rows_at_once = 500
    peaks = []
    for count in (2_000, 14_000):
        fill(db, count)
        total = db.count("rows", options.get("where"))
        tracemalloc.start()
        try:
            assert sum(1 for _ in db.iterate("rows", **options)) == total
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0], peaks


def test_long_values_come_too(db: DB) -> None:
    db.insert_many("texts", [{"n": n, "t": "x" * n} for n in range(50)])
    assert [len(row["t"]) for row in db.iterate("texts", order_by="-n")] == [*range(49, -1, -1)]
    assert [row["t"] for row in db.iterate("texts", GE(n=48))] == ["x" * 48, "x" * 49]


def test_a_condition_of_a_programs_own_is_asked(db: DB) -> None:
    class Odd(BaseCond):
        def eval(self, row: Any) -> bool:
            return bool(row["n"] % self.params["two"])

    fill(db, 20)
    assert {row["n"] for row in db.iterate("rows", Odd(two=2))} == set(range(1, 21, 2))
    assert {row["n"] for row in db.iterate("rows", ~Odd(two=2) & GE(n=4))} == set(range(4, 21, 2))


def test_the_first_rows_come_without_reading_the_table(db: DB) -> None:
    asked: list[int] = []

    class Asked(BaseCond):
        def eval(self, row: Any) -> bool:
            asked.append(row["id"])
            return bool(row["n"])

    fill(db, 2_000)
    assert len(db.find("rows", Asked(n=1), limit=3)) == 3
    assert len(asked) < 100
    asked.clear()
    next(db.iterate("rows", Asked(n=1)))
    assert len(asked) < 100
    assert len(db.find("rows", Asked(n=1), limit=1_500, offset=400)) == 1_500
