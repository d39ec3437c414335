"""The index in a real store: its transactions, savepoints, rollbacks and log, closed and opened."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from bazanite.btree import BTree
from bazanite.errors import CorruptionError
from bazanite_wal.frame import encode_operations
from bazanite_wal.store import Store
from bazanite_wal.transaction import Transaction
from btree_support import FILES, NAME, Entry, memory, tiny
from seam import Seam
from store_support import opened


def made(store: Store, tree: BTree, entries: list[Entry]) -> None:
    with store.transaction() as tx:
        store.create_files([NAME])
        tree.build(tx, sorted(entries))


def agree(store: Store, tree: BTree, model: set[Entry]) -> None:
    with store.reading() as view:
        assert list(tree.check(view)) == []
        assert list(tree.entries(view)) == sorted(model)
    some = sorted(model)[: 3 * 7 : 7]
    for key, _ in some:
        slots = sorted(slot for other, slot in model if other == key)
        assert store.quick_read(partial(tree.find, key=key)) == slots


@pytest.mark.parametrize("powersafe", [True, False])
@pytest.mark.parametrize("children", [3, 40])
def test_an_index_lives_through_transactions_rollbacks_and_reopening(
    tmp_path: Path, powersafe: bool, children: int
) -> None:
    rng = random.Random(children)
    tree = tiny(4, 6, children)
    model: set[Entry] = set()
    store = opened(tmp_path, Seam(), log_size_bytes=1 << 16, powersafe_overwrite=powersafe)
    made(store, tree, [])
    for step in range(60):
        new = {(b"%04d" % rng.randrange(50), rng.randrange(10**6)) for _ in range(30)} - model
        old = rng.sample(sorted(model), min(len(model), rng.choice([1, 20, 200])))
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            tree.remove(tx, old)
            tree.insert(tx, sorted(new))
            raise ZeroDivisionError
        with store.transaction() as tx:
            tree.insert(tx, rng.sample(sorted(new), len(new)))
            with store.transaction() as savepoint:
                tree.remove(savepoint, old)
                assert list(tree.entries(savepoint)) == sorted((model | new) - set(old))
            with pytest.raises(CorruptionError), store.transaction() as savepoint:
                tree.insert(savepoint, [(b"0000", 999_999), *sorted(new)[:1]])
            assert list(tree.check(tx)) == []
        model = (model | new) - set(old)
        if step % 10 == 9:
            agree(store, tree, model)
            store.close()
            store = opened(tmp_path, Seam(), powersafe_overwrite=powersafe)
    agree(store, tree, model)
    store.close()


def test_what_a_killed_process_committed_is_in_the_index(tmp_path: Path) -> None:
    tree = tiny(4, 6)
    seam = Seam()
    store = opened(tmp_path, seam)
    made(store, tree, [])
    model: set[Entry] = set()
    for i in random.Random(3).sample(range(100), 100):
        with store.transaction() as tx:
            tree.insert(tx, [(b"%04d" % i, i)])
        model.add((b"%04d" % i, i))
        if i % 3 == 0:
            gone = min(model)
            with store.transaction() as tx:
                tree.remove(tx, [gone])
            model.remove(gone)
    seam.kill()
    store = opened(tmp_path, Seam())
    agree(store, tree, model)
    store.close()


# ------------------------------------------------------------------------------- what the log gets


def logged(tree: BTree, entries: list[Entry]) -> list[int]:
    """The bytes of each insert in the log, one entry a transaction, in a tree with 20,000."""
    view = memory(tree, [(b"%010d" % (i * 7), i) for i in range(20_000)])
    sizes = []
    for entry in entries:
        tx = Transaction(view)
        tree.insert(tx, [entry])
        sizes.append(len(encode_operations(tx.operations)))
        view.apply(tx.operations)
    assert list(tree.check(view)) == []
    return sizes


def test_an_insert_is_one_write_of_one_entry() -> None:
    tree = BTree(FILES, NAME, 10, 9)
    (size,) = logged(tree, [(b"%010d" % 71, 12345)])
    assert size == len(b"write t.a.index.dat 12345 20\n") + 20 + 1


def test_an_insert_takes_few_bytes_in_the_log_splits_included() -> None:
    tree = BTree(FILES, NAME, 10, 9)
    rng = random.Random(1)
    random_keys = [(b"%010d" % rng.randrange(140_000), 20_000 + i) for i in range(5000)]
    sizes = logged(tree, random_keys)
    assert sorted(sizes)[len(sizes) // 2] <= 60
    assert sum(sizes) / len(sizes) <= 180
    ascending = [(b"%010d" % (10**9 + i), i) for i in range(5000)]
    sizes = logged(tree, ascending)
    assert sum(sizes) / len(sizes) <= 60
    assert max(sizes) <= 3 * 4096


def test_a_removal_takes_few_bytes_in_the_log_nodes_given_back_included() -> None:
    tree = BTree(FILES, NAME, 10, 9)
    entries = [(b"%010d" % i, i) for i in range(3000)]
    view = memory(tree, entries)
    sizes = []
    for entry in random.Random(1).sample(entries, len(entries)):
        tx = Transaction(view)
        tree.remove(tx, [entry])
        sizes.append(len(encode_operations(tx.operations)))
        view.apply(tx.operations)
    assert sorted(sizes)[len(sizes) // 2] <= 90
    assert sum(sizes) / len(sizes) <= 95
    assert list(tree.entries(view)) == []


def test_a_batch_writes_each_leaf_once() -> None:
    tree = BTree(FILES, NAME, 10, 9)
    view = memory(tree, [(b"%010d" % (i * 7), i) for i in range(20_000)])
    leaves = tree.count(view) // tree._nodes.leaf_capacity + 1
    tx = Transaction(view)
    rng = random.Random(1)
    tree.insert(tx, [(b"%010d" % rng.randrange(140_000), 20_000 + i) for i in range(500)])
    assert len(tx.operations) <= 1.2 * leaves
    assert len(encode_operations(tx.operations)) <= 500 * 20 + 1.2 * leaves * 40
