"""Layers of changes over a base, against a plain model of byte strings."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bazanite_wal.frame import Fill, Operation, Truncate, Write
from bazanite_wal.layer import PAGE_SIZE, PageLayer
from bazanite_wal.transaction import Transaction

NAMES = ("a.dat", "b.dat")


class Files:
    """A base view, and the model of what operations do."""

    def __init__(self, content: dict[str, bytes] | None = None) -> None:
        self.content = {name: bytearray(data) for name, data in (content or {}).items()}

    def read(self, name: str, offset: int, size: int) -> bytes:
        return bytes(self.content.get(name, b"")[offset : offset + size])

    def size(self, name: str) -> int:
        return len(self.content.get(name, b""))

    def next_data(self, name: str, offset: int) -> int | None:
        data = self.content.get(name, b"")[offset:]
        zeros = len(data) - len(data.lstrip(b"\0"))
        return offset + zeros if zeros < len(data) else None

    def apply(self, operations: list[Operation]) -> Files:
        for operation in operations:
            data = self.content.setdefault(operation.name, bytearray())
            if isinstance(operation, Truncate):
                del data[operation.size :]
                data.extend(bytes(operation.size - len(data)))
                continue
            put = operation.data if isinstance(operation, Write) else (
                bytes((operation.byte,)) * operation.count
            )  # fmt: skip
            if put:
                data.extend(bytes(max(0, operation.offset - len(data))))
                data[operation.offset : operation.offset + len(put)] = put
        return self

    def copy(self) -> Files:
        return Files({name: bytes(data) for name, data in self.content.items()})


def random_operation(source: random.Random) -> Operation:
    name = source.choice(NAMES)
    place = source.choice((0, 1, 4095, 4096, 4097, 8192, 12_000, source.randrange(20_000)))
    kind = source.randrange(5)
    if kind < 3:
        size = source.choice((0, 1, 5, 100, 4096, 5000))
        return Write(name, place, source.randbytes(size))
    if kind == 3:
        return Fill(name, place, source.randrange(256), source.choice((0, 1, 40, 9000)))
    return Truncate(name, place)


def random_base(source: random.Random) -> Files:
    return Files({"a.dat": source.randbytes(source.choice((0, 10, 4096, 10_000)))})


def change(layer: PageLayer, operation: Operation) -> None:
    if isinstance(operation, Write):
        layer.write(operation.name, operation.offset, operation.data)
    elif isinstance(operation, Fill):
        layer.fill(operation.name, operation.offset, operation.byte, operation.count)
    else:
        layer.truncate(operation.name, operation.size)


def assert_same(layer: PageLayer, model: Files, source: random.Random, context: object) -> None:
    for name in (*NAMES, "untouched.dat"):
        assert layer.size(name) == model.size(name), context
        assert layer.read(name, 0, 1 << 20) == model.read(name, 0, 1 << 20), context
        for _ in range(3):
            offset, size = source.randrange(25_000), source.randrange(9000)
            assert layer.read(name, offset, size) == model.read(name, offset, size), context
            found, first = layer.next_data(name, offset), model.next_data(name, offset)
            assert found is None or offset <= found < model.size(name), context
            assert first is None or (found is not None and found <= first), context


@pytest.mark.parametrize("seed", range(60))
def test_a_layer_shows_what_its_changes_would_make_of_the_base(seed: int) -> None:
    source = random.Random(seed)
    base = random_base(source)
    model, layer = base.copy(), PageLayer(base)
    for step in range(25):
        operation = random_operation(source)
        change(layer, operation)
        model.apply([operation])
        assert_same(layer, model, source, (seed, step, operation))


@pytest.mark.parametrize("seed", range(40))
def test_replaying_a_transactions_operations_gives_what_it_showed(seed: int) -> None:
    source = random.Random(seed)
    base = random_base(source)
    tx = Transaction(base)
    for _ in range(source.randrange(1, 25)):
        change(tx, random_operation(source))
    for sector in (1, 4096):
        replayed = base.copy().apply(tx.after_images(sector))
        assert_same(tx, replayed, source, (seed, sector))


@pytest.mark.parametrize("seed", range(40))
def test_redo_is_the_same_from_any_already_applied_prefix(seed: int) -> None:
    source = random.Random(seed)
    base = random_base(source)
    tx = Transaction(base)
    for _ in range(10):
        change(tx, random_operation(source))
    for sector in (1, 4096):
        images = tx.after_images(sector)
        for applied in range(len(images) + 1):
            again = base.copy().apply(images[:applied]).apply(images)
            assert_same(tx, again, source, (seed, sector, applied))


@pytest.mark.parametrize("seed", range(40))
def test_savepoints_are_layers_that_are_played_down_or_dropped(seed: int) -> None:
    source = random.Random(seed)
    base = random_base(source)
    model, stack = base.copy(), [Transaction(base)]
    models = [model]
    for step in range(60):
        action = source.randrange(6)
        if action == 0 and len(stack) < 4:
            stack.append(Transaction(stack[-1]))
            models.append(models[-1].copy())
        elif action == 1 and len(stack) > 1:
            released = stack.pop()
            stack[-1].apply(released.operations)
            played = models.pop()
            models[-1] = played
        elif action == 2 and len(stack) > 1:
            stack.pop()
            models.pop()
        else:
            operation = random_operation(source)
            change(stack[-1], operation)
            models[-1].apply([operation])
        assert_same(stack[-1], models[-1], source, (seed, step))
    assert_same(stack[0], base.copy().apply(stack[0].operations), source, seed)


@pytest.mark.parametrize("seed", range(20))
def test_a_layer_stays_right_while_its_base_becomes_what_it_says(seed: int) -> None:
    source = random.Random(seed)
    base = random_base(source)
    model, layer = base.copy(), PageLayer(base)
    operations = [random_operation(source) for _ in range(12)]
    layer.apply(operations)
    model.apply(operations)
    for operation in operations:
        base.apply([operation])
    assert_same(layer, model, source, seed)


def test_an_unchanged_layer_is_false_and_a_cleared_one_shows_the_base_again() -> None:
    layer = PageLayer(Files({"a.dat": b"base"}))
    assert not layer
    layer.write("a.dat", 0, b"B")
    assert layer
    assert layer.touched_files() == ["a.dat"]
    assert layer.read("a.dat", 0, 9) == b"Base"
    layer.clear()
    assert not layer
    assert layer.read("a.dat", 0, 9) == b"base"


def test_bytes_that_were_once_cut_off_never_show_again() -> None:
    layer = PageLayer(Files({"a.dat": b"secret" * 2000}))
    layer.truncate("a.dat", 6)
    layer.truncate("a.dat", 3 * PAGE_SIZE)
    layer.write("a.dat", 10, b"x")
    assert layer.read("a.dat", 0, 1 << 20) == b"secret" + bytes(4) + b"x" + bytes(3 * 4096 - 11)
    assert layer.floor("a.dat") == 6


def test_the_pages_of_a_file_end_where_it_ends() -> None:
    layer = PageLayer(Files())
    layer.write("a.dat", PAGE_SIZE + 1, b"xy")
    assert layer.pages("a.dat") == [(PAGE_SIZE, b"\0xy")]
    layer.truncate("a.dat", 5)
    assert layer.pages("a.dat") == []


def test_a_huge_sparse_file_costs_only_the_pages_that_are_touched() -> None:
    layer = PageLayer(Files())
    layer.write("a.dat", 1 << 40, b"end")
    assert layer.size("a.dat") == (1 << 40) + 3
    assert len(layer.pages("a.dat")) == 1
    assert layer.read("a.dat", (1 << 40) - 2, 10) == b"\0\0end"
    assert layer.read("a.dat", 0, 3 * PAGE_SIZE) == bytes(3 * PAGE_SIZE)


class Counted(Files):
    """A base that says how often it was asked."""

    reads = 0
    sizes = 0

    def read(self, name: str, offset: int, size: int) -> bytes:
        self.reads += 1
        return super().read(name, offset, size)

    def size(self, name: str) -> int:
        self.sizes += 1
        return super().size(name)


@pytest.mark.parametrize("seed", range(40))
def test_reading_at_any_time_changes_nothing_and_neither_does_a_base_that_catches_up(
    seed: int,
) -> None:
    source = random.Random(seed)
    base = random_base(source)
    model, layer = base.copy(), PageLayer(base)
    operations = [random_operation(source) for _ in range(20)]
    caught_up = 0
    for step, operation in enumerate(operations):
        change(layer, operation)
        model.apply([operation])
        while caught_up <= step and source.randrange(3):
            base.apply([operations[caught_up]])
            caught_up += 1
        if not source.randrange(4):
            assert_same(layer, model, source, (seed, step))
    assert_same(layer, model, source, seed)


def test_a_write_that_nobody_reads_asks_the_base_for_a_size_and_no_byte() -> None:
    base = Counted({"a.dat": bytes(10 * PAGE_SIZE)})
    for layer in (PageLayer(base), Transaction(PageLayer(base))):
        base.reads = base.sizes = 0
        for place in (5, 7 * PAGE_SIZE, 10 * PAGE_SIZE - 3, 10 * PAGE_SIZE):
            layer.write("a.dat", place, b"xyz")
        assert (base.reads, base.sizes) == (0, 1)
        assert layer.size("a.dat") == 10 * PAGE_SIZE + 3


def test_a_page_that_is_written_whole_is_not_read_first() -> None:
    base = Counted({"a.dat": b"old" * 3 * PAGE_SIZE})
    layer = PageLayer(base)
    layer.write("a.dat", PAGE_SIZE, b"n" * 3 * PAGE_SIZE)
    assert layer.read("a.dat", 2 * PAGE_SIZE, 10) == b"n" * 10
    assert base.reads == 0


def test_bytes_that_the_caller_changes_later_do_not_change_the_layer() -> None:
    tx = Transaction(Files())
    mine: Any = bytearray(b"mine")
    tx.write("a.dat", 0, mine)
    mine[:] = b"yours"
    assert tx.read("a.dat", 0, 9) == b"mine"
    assert tx.operations == [Write("a.dat", 0, b"mine")]
