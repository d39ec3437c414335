"""Streams while a vacuum moves rows in many steps, and others insert, delete and give ids again.

A row that is there all the while and is not changed comes exactly once, whatever happens between
any two reads of the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import CHAR, DB, GE, INT, LT, PK, Field, Row, Schema, Table
from bazanite.query import stream
from bazanite.query.idset import IdSet
from vacuum_support import between_steps, tiny_steps


class Rows(Table):
    """Few values of ``kind``, so that many rows have one key; ``n`` is each row's own."""

    name = "rows"
    schema = Schema(
        [
            Field("id", PK()),
            Field("n", INT()),
            Field("kind", INT(index=True)),
            Field("s", CHAR(20)),
        ],
        indexes=["n", ("kind", "n")],
    )


WAYS: dict[str, dict[str, Any]] = {
    "slots": {},
    "ids": {"order_by": "id"},
    "ids backwards": {"order_by": "-id"},
    "index": {"order_by": "n"},
    "index backwards": {"order_by": "-n"},
    "few keys": {"where": GE(kind=0) & LT(kind=9)},
    "few keys in order": {"order_by": "kind"},
    "few keys backwards": {"order_by": ["-kind", "s"]},
    "condition": {"where": GE(n=0) | LT(id=0)},
    "sorted": {"order_by": "s"},
}


class _Streams:
    """Streams that are read a few rows at a time, and what each has to give at the least."""

    def __init__(self, db: DB, random: Random, way: dict[str, Any]) -> None:
        self._db, self._random, self._way = db, random, way
        self._open: list[tuple[Iterator[Row], list[int], set[int]]] = []

    def begin(self, present: set[int]) -> None:
        """One more; these rows are there."""
        self._open.append((iter(self._db.iterate("rows", **self._way)), [], set(present)))

    def gone(self, pk: int) -> None:
        """This row was deleted or changed."""
        for _, _, due in self._open:
            due.discard(pk)

    def read(self, count: int) -> None:
        """So many rows of each; those that have ended are judged."""
        for one in list(self._open):
            rows, came, due = one
            for _ in range(count):
                row = next(rows, None)
                if row is None:
                    assert due <= set(came)
                    assert all(came.count(pk) == 1 for pk in due)
                    self._open.remove(one)
                    break
                came.append(row["id"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("many", [10_000, 3])
def test_each_row_that_stays_comes_once_with_a_step_between_any_two_reads(
    way: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_BATCH", 5)
    monkeypatch.setattr(stream, "_FIRST", 3)
    monkeypatch.setattr(stream, "_MANY", many)

    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 1 << 32))
    def check(seed: int) -> None:
        random = Random(seed)
        with (
            TemporaryDirectory() as path,
            DB([Rows], path, durability="off", checksums=random.random() < 0.2) as db,
            DB([Rows], path, durability="off") as other,
            pytest.MonkeyPatch.context() as patch,
        ):
            db.tables["rows"].layout.codec.rows_at_once = 5
            rows = [{"n": n, "kind": n % 3, "s": f"s{n * 7 % 40}"} for n in range(60)]
            present = set(db.insert_ids("rows", rows))
            for pk in random.sample(sorted(present), random.randint(5, 50)):
                db.delete_by_id("rows", pk)
                present.discard(pk)
            streams = _Streams(db, random, WAYS[way])

            def between() -> None:
                for _ in range(random.choice([0, 0, 1, 3])):
                    kind = random.choice(["delete", "insert", "again", "update"])
                    pk = random.choice(sorted(present)) if present else 0
                    values = {"n": random.randrange(90), "kind": random.randrange(3), "s": "new"}
                    if kind == "insert" or not pk:
                        present.add(other.insert("rows", values)["id"])
                        continue
                    streams.gone(pk)
                    if kind == "update":
                        other.update_by_id("rows", pk, {"kind": random.randrange(3)})
                        continue
                    other.delete_by_id("rows", pk)
                    present.discard(pk)
                    if kind == "again":
                        other.insert("rows", {**values, "id": pk})
                        present.add(pk)
                if random.random() < 0.3:
                    streams.begin(present)
                streams.read(random.choice([0, 1, 4, 20]))

            tiny_steps(patch, random.randint(1, 4))
            between_steps(patch, between)
            streams.begin(present)
            streams.read(random.randint(0, 30))
            while random.random() < 0.6:
                other.vacuum("rows")
                between()
            streams.read(1000)

    check()


@given(st.lists(st.lists(st.integers(1, 2000) | st.integers(1, 10**9), max_size=30), max_size=9))
def test_a_set_of_ids_has_what_was_put_in(batches: list[list[int]]) -> None:
    ids, known = IdSet(), set[int]()
    for number, batch in enumerate(batches):
        run = list(range(batch[0], batch[0] + 600)) if batch and number % 2 else batch
        ids.add(run)
        known |= set(run)
    for pk in [*known, *(pk + 1 for pk in known), *(pk - 1 for pk in known), 0]:
        assert (pk in ids) == (pk in known)
