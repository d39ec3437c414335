"""What a change costs, in things that can be counted: calls, requests to the files, bytes logged.

Ceilings, so that a change which makes every insert dearer is seen without a clock.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bazanite import DB, FK, PK, TEXT, Field, Schema, Table
from bazanite_wal.frame import Fill, Operation, Truncate, Write
from store_support import frames_in
from test_encoder import SCHEMAS, Side
from test_layer import Counted


class Owners(Table):
    name = "o"
    schema = Schema([Field("id", PK())])


class Rows(Table):
    name = "t"
    schema = Schema(SCHEMAS["usual"])


class Notes(Table):
    name = "f"
    schema = Schema([Field("id", PK()), Field("o", FK("o")), Field("x", TEXT(null=True))])


ROW_SIZE = 9 + 9 + 16 + 9 + 1
NOT_OURS = ("context.py", "store.py", "contextlib.py", "commit.py")
"""Entering and leaving a transaction is counted elsewhere."""


def small(count: int) -> list[dict[str, Any]]:
    return [{"n": i, "name": f"row {i}", "m": None if i % 3 else i} for i in range(count)]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([Owners, Rows, Notes], tmp_path / "data") as opened:
        opened.insert("o", {})
        opened.insert_many("t", small(9))
        opened.insert_many("f", [{"o": 1, "x": "text"}] * 9)
        for name in ("t", "f"):
            opened.update_by_id(name, 9, {})  # what is compiled at its first use is compiled now
        yield opened


def calls(work: Callable[[], object]) -> int:
    """How many Python functions a method of Table calls inside its transaction."""
    count = 0

    def profile(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        caller: FrameType | None = frame
        while event == "call" and caller is not None:
            path = caller.f_code.co_filename
            if path.endswith(NOT_OURS):
                return
            if path.endswith("bazanite/table.py"):
                count += 1
                return
            caller = caller.f_back

    gc.collect()
    gc.disable()  # no finalizer of something else is counted
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


CHANGES: dict[str, tuple[int, Callable[[DB, int], object]]] = {
    # 199, 232, 93 and 110 calls before they were counted
    "insert": (90, lambda db, _: db.insert("t", {"n": 5, "name": "hello"})),
    "insert with a text and a key": (110, lambda db, _: db.insert("f", {"o": 1, "x": "hello"})),
    "update": (55, lambda db, _: db.update_by_id("t", 1, {"n": 6})),
    "delete": (70, lambda db, pk: db.delete_by_id("t", pk)),
}


def least(db: DB, name: str, ids: range) -> int:
    """Calls of the cheapest of some: what is cached meanwhile makes some of them dearer."""
    change = CHANGES[name][1]
    return min(calls(partial(change, db, pk)) for pk in ids)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_one_row_takes_few_calls(db: DB, name: str) -> None:
    assert 10 < least(db, name, range(3, 6)) <= CHANGES[name][0]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_one_row_costs_the_same_in_a_large_table(
    db: DB, tmp_path: Path, name: str
) -> None:
    db.close()
    with DB([Owners, Rows, Notes], tmp_path / "data") as small_one:
        before = least(small_one, name, range(2, 5))
        small_one.insert_many("t", small(20_000))
        small_one.insert_many("f", [{"o": 1, "x": "text"}] * 20_000)
    with DB([Owners, Rows, Notes], tmp_path / "data") as large:
        assert least(large, name, range(5, 8)) <= before


def test_a_bulk_load_takes_few_calls_a_row(db: DB) -> None:
    assert calls(lambda: db.insert_many("t", small(10_000))) < 2000


def logged(db: DB, path: Path, work: Callable[[], object]) -> list[Operation]:
    """What the frame of this one call lists."""
    db.checkpoint()
    work()
    (frame,) = [frame for frame in frames_in(path) if frame.payload]
    return frame.operations()


def sizes(operations: list[Operation]) -> list[tuple[str, int]]:
    """File and number of bytes of each operation."""
    return [
        (operation.name, len(operation.data) if isinstance(operation, Write) else 0)
        for operation in operations
    ]


def test_each_change_logs_the_bytes_that_it_changes_and_no_more(db: DB, tmp_path: Path) -> None:
    path = tmp_path / "data"
    row = {"n": 5, "name": "hello"}
    assert sizes(logged(db, path, lambda: db.insert("t", row))) == [
        ("t.dat", ROW_SIZE), ("t__id.idx.dat", 9), ("t__seqnum.dat", 2),
    ]  # fmt: skip
    update = logged(db, path, lambda: db.update_by_id("t", 1, {"n": 6}))
    assert sizes(update) == [("t.dat", ROW_SIZE)]
    same = logged(db, path, lambda: db.update_by_id("t", 2, row) and db.update_by_id("t", 1, {}))
    assert sizes(same) == [("t.dat", ROW_SIZE)]
    assert sizes(logged(db, path, lambda: db.delete_by_id("t", 3))) == [
        ("t.dat", ROW_SIZE), ("t__id.idx.dat", 0), ("t__free.dat", 9),  # a fill says one byte
    ]  # fmt: skip
    again = logged(db, path, lambda: db.insert("t", row))
    assert sizes(again) == [
        ("t.dat", ROW_SIZE), ("t__id.idx.dat", 9), ("t__free.dat", 0), ("t__seqnum.dat", 2),
    ]  # fmt: skip
    assert Truncate("t__free.dat", 0) in again
    text = logged(db, path, lambda: db.update_by_id("f", 1, {"x": "other"}))
    assert sizes(text) == [("f.text.dat", 0), ("f.text.dat", 9 + 5), ("f.dat", 28)]
    assert Fill("f.text.dat", 0, ord("#"), 13) in text


@pytest.mark.parametrize("count", [1, 100, 5000])
def test_a_batch_is_one_write_of_each_file(db: DB, tmp_path: Path, count: int) -> None:
    digits = len(str(9 + count))
    assert sizes(logged(db, tmp_path / "data", lambda: db.insert_many("t", small(count)))) == [
        ("t.dat", count * ROW_SIZE), ("t__id.idx.dat", count * 9), ("t__seqnum.dat", digits),
    ]  # fmt: skip


def counted(side: Side) -> Counted:
    """The side's files, counting from now on."""
    side.files = base = Counted({name: bytes(data) for name, data in side.files.content.items()})
    return base


@pytest.mark.parametrize("count", [1, 3000])
def test_a_batch_asks_the_files_a_few_times_however_long_it_is(count: int) -> None:
    side = Side(SCHEMAS["usual"], 9, quick=True)
    base = counted(side)
    made, _ = side.insert(list(small(count)))
    assert isinstance(made, list)
    assert len(made) == count
    assert (base.reads, base.sizes) == (2 if count == 1 else 3, 4)


@pytest.mark.parametrize("count,reads", [(5, 1 + 5 + 1), (2000, 1 + 1 + 1)])
def test_keys_that_repeat_are_looked_up_once(count: int, reads: int) -> None:
    """Read are the sequence, the index at each new id or at all of them, and the key's entry."""
    side = Side(SCHEMAS["texts"], 9, quick=True)
    base = counted(side)
    made, _ = side.insert([{"name": "x", "b": "y", "o": 2}] * count)
    assert isinstance(made, list)
    assert base.reads == reads
