"""A transaction's write set: what its frame lists, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bazanite_wal.errors import TransactionError, ValidationError
from bazanite_wal.frame import Fill, Truncate, Write, decode_operations, encode_operations
from bazanite_wal.transaction import Transaction
from test_layer import Files


def begun() -> Transaction:
    return Transaction(Files({"a.dat": b"0123456789"}))


def changes(tx: Transaction, name: str, offset: int) -> list[Callable[[], None]]:
    return [
        lambda: tx.write(name, offset, b"x"),
        lambda: tx.fill(name, offset, 1, 1),
        lambda: tx.truncate(name, offset),
    ]


def test_neighbouring_and_overlapping_writes_become_one_operation() -> None:
    tx = begun()
    tx.write("a.dat", 2, b"ab")
    tx.write("a.dat", 4, b"cd")
    tx.write("a.dat", 3, b"X")
    tx.write("a.dat", 5, b"YZ")
    assert tx.operations == [Write("a.dat", 2, b"aXcYZ")]
    assert tx.read("a.dat", 0, 99) == b"01aXcYZ789"


def test_writes_that_do_not_touch_stay_apart_and_in_order() -> None:
    tx = begun()
    tx.write("a.dat", 5, b"later")
    tx.write("a.dat", 0, b"front")
    tx.write("b.dat", 0, b"")
    tx.write("a.dat", 20, b"gap")
    assert tx.operations == [
        Write("a.dat", 5, b"later"), Write("a.dat", 0, b"front"),
            Truncate("a.dat", 10), Write("a.dat", 20, b"gap"),
    ]  # fmt: skip


def test_a_write_after_a_fill_or_a_truncation_is_an_operation_of_its_own() -> None:
    tx = begun()
    tx.write("a.dat", 0, b"ab")
    tx.fill("a.dat", 0, 0x2A, 3)
    tx.write("a.dat", 2, b"c")
    tx.truncate("a.dat", 2)
    tx.write("a.dat", 2, b"d")
    assert tx.operations == [
        Write("a.dat", 0, b"ab"), Fill("a.dat", 0, 0x2A, 3), Write("a.dat", 2, b"c"),
        Truncate("a.dat", 2), Write("a.dat", 2, b"d"),
    ]  # fmt: skip
    assert tx.read("a.dat", 0, 99) == b"**d"


def test_whole_pages_are_logged_where_a_torn_write_hurts_neighbours() -> None:
    tx = begun()
    tx.write("a.dat", 2, b"X")
    assert tx.after_images(1) == [Write("a.dat", 2, b"X")]
    assert tx.after_images(4096) == [
        Write("a.dat", 2, b"X"), Fill("a.dat", 0, 0, 0),
        Truncate("a.dat", 10), Write("a.dat", 0, b"01X3456789"), Truncate("a.dat", 10),
    ]  # fmt: skip


def test_an_operation_is_a_snapshot_that_later_writes_do_not_change() -> None:
    tx = begun()
    tx.write("a.dat", 0, b"ab")
    before = tx.operations
    tx.write("a.dat", 0, b"XY")
    assert before == [Write("a.dat", 0, b"ab")]


def test_a_closed_transaction_refuses_changes() -> None:
    tx = begun()
    tx.close()
    for change in changes(tx, "a.dat", 0):
        with pytest.raises(TransactionError, match="is over"):
            change()
    assert tx.operations == []


@pytest.mark.parametrize("name", ["", "a", "../a.dat", "a b.dat", "a/b.dat", "wal.log", "x\n.dat"])
def test_a_name_that_no_frame_can_hold_is_refused_before_it_is_logged(name: str) -> None:
    # A frame with such a name was written, became durable, and was corruption ever after.
    tx = begun()
    for change in changes(tx, name, 0):
        with pytest.raises(ValidationError, match="not a data file's name"):
            change()
    assert tx.operations == []


@pytest.mark.parametrize("offset", [-1, (1 << 50) + 1, 1 << 70])
def test_a_place_that_no_frame_can_hold_is_refused_before_it_is_logged(offset: int) -> None:
    tx = begun()
    for change in changes(tx, "a.dat", offset):
        with pytest.raises(ValidationError, match="offset or size"):
            change()
    assert tx.operations == []


@pytest.mark.parametrize("byte,count", [(-1, 1), (256, 1), (0, -1), (0, (1 << 30) + 1)])
def test_a_fill_that_no_frame_can_hold_is_refused_before_it_is_logged(
    byte: int, count: int
) -> None:
    tx = begun()
    with pytest.raises(ValidationError, match="fill"):
        tx.fill("a.dat", 0, byte, count)
    assert tx.operations == []


def test_whatever_a_transaction_accepts_its_frame_can_say() -> None:
    tx = begun()
    tx.write("a.dat", 1 << 43, b"")
    tx.write("schema.json", 0, bytes(range(256)))
    tx.truncate("z.dat", 1 << 43)
    tx.fill("b.dat", 3, 255, 0)
    assert decode_operations(encode_operations(tx.operations)) == tx.operations
