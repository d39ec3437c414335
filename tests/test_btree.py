"""The index against a sorted list, with nodes so small that a few entries make several levels."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bazanite.btree import BTree
from bazanite.errors import CorruptionError, ValidationError
from bazanite_wal.layer import PageLayer
from btree_support import FILES, NAME, CountedReads, Entry, Nothing, content, memory, tiny

ALPHABETS = [b"ab", b"\n0 ", b"09#", bytes(range(256))]


class Twin:
    """A tree and the set of what it should have."""

    def __init__(self, tree: BTree) -> None:
        self.tree = tree
        self.view = memory(tree)
        self.model: set[Entry] = set()

    def insert(self, entries: list[Entry]) -> None:
        self.tree.insert(self.view, entries)
        self.model |= set(entries)

    def remove(self, entries: list[Entry]) -> None:
        self.tree.remove(self.view, entries)
        self.model -= set(entries)

    def agree(self) -> None:
        assert list(self.tree.check(self.view)) == []
        expected = sorted(self.model)
        assert list(self.tree.entries(self.view)) == expected
        assert list(self.tree.range(self.view, None, None, reverse=True)) == expected[::-1]
        assert self.tree.count(self.view) == len(expected)

    def agree_on(self, low: bytes, high: bytes) -> None:
        tree, view, ordered = self.tree, self.view, sorted(self.model)
        slots = [slot for key, slot in ordered if key == low]
        assert tree.find(view, low) == slots
        assert tree.first(view, low) == (slots[0] if slots else None)
        there = {key for key, _ in ordered}
        asked = sorted({low, high, *there})
        assert list(tree.those_there(view, [low])) == [low] * (low in there)
        assert list(tree.those_there(view, asked)) == [key for key in asked if key in there]
        for start, end in ((low, high), (low, None), (None, high)):
            expected = [
                entry
                for entry in ordered
                if (start is None or start <= entry[0]) and (end is None or entry[0] <= end)
            ]
            assert list(tree.range(view, start, end)) == expected
            assert list(tree.range(view, start, end, reverse=True)) == expected[::-1]


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_tree_has_what_a_sorted_list_has(data: st.DataObject) -> None:
    key_size = data.draw(st.sampled_from([1, 2, 3, 5, 8, 70]), label="key size")
    slot_width = data.draw(st.sampled_from([1, 3, 9]), label="slot width")
    children = data.draw(st.sampled_from([3, 4, 7]), label="children")
    letters = list(data.draw(st.sampled_from(ALPHABETS), label="letters"))
    keys = st.lists(st.sampled_from(letters), min_size=1, max_size=3).map(
        lambda some: bytes((some * key_size)[:key_size])
    )
    entries = st.tuples(keys, st.integers(0, min(20, 10**slot_width - 1)))
    twin = Twin(tiny(key_size, slot_width, children))
    for _ in range(data.draw(st.integers(1, 12), label="steps")):
        if data.draw(st.booleans(), label="insert") or not twin.model:
            some = data.draw(st.sets(entries, max_size=30)) - twin.model
            twin.insert(data.draw(st.permutations(sorted(some))))
        else:
            most = data.draw(st.sampled_from([1, 5, 100]))
            chosen = st.lists(st.sampled_from(sorted(twin.model)), max_size=most, unique=True)
            twin.remove(data.draw(chosen))
        twin.agree()
        twin.agree_on(data.draw(keys), data.draw(keys))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("children", [3, 5])
def test_many_levels_grow_and_go_again(seed: int, children: int) -> None:
    rng = random.Random(seed)
    twin = Twin(tiny(4, 5, children))
    letters = rng.choice(ALPHABETS)
    batch = rng.choice([1, 7, 100])

    def key() -> bytes:
        return bytes(rng.choices(letters, k=4))

    while len(twin.model) < 300:
        some = {(key(), rng.randrange(100_000)) for _ in range(batch)} - twin.model
        twin.insert(rng.sample(sorted(some), len(some)))
    twin.agree()
    assert twin.tree._nodes.root(twin.view)[1] >= 3
    twin.agree_on(key(), key())
    while twin.model:
        twin.remove(rng.sample(sorted(twin.model), min(batch, len(twin.model))))
        if rng.random() < 0.1:
            twin.agree()
            twin.agree_on(key(), key())
    twin.agree()
    assert twin.tree._nodes.root(twin.view)[1] == 0


@pytest.mark.parametrize("key_size", range(1, 71))
def test_keys_of_every_size_fit_nodes_of_4096_bytes(key_size: int) -> None:
    tree = BTree(FILES, NAME, key_size, 9)
    rng = random.Random(key_size)
    model = {(rng.randbytes(key_size), rng.randrange(10**9)) for _ in range(400)}
    view = memory(tree)
    tree.insert(view, list(model))
    more = {(rng.randbytes(key_size), rng.randrange(10**9)) for _ in range(400)} - model
    tree.insert(view, list(more))
    assert list(tree.entries(view)) == sorted(model | more)
    assert list(tree.check(view)) == []


def test_one_key_may_fill_several_leaves() -> None:
    twin = Twin(tiny(2, 4))
    twin.insert([(b"aa", 5), (b"zz", 7)])
    slots = random.Random(1).sample(range(1000), 100)
    for slot in slots:
        twin.insert([(b"mm", slot)])
    twin.agree()
    assert twin.tree.find(twin.view, b"mm") == sorted(slots)
    assert twin.tree.first(twin.view, b"mm") == min(slots)
    assert list(twin.tree.range(twin.view, b"mm", b"mm")) == [(b"mm", s) for s in sorted(slots)]


def test_a_newline_in_a_key_is_not_taken_for_the_end_of_an_entry() -> None:
    twin = Twin(tiny(2, 1))
    twin.insert([(b"x\n", 1)])
    twin.insert([(b"5z", 3)])
    assert b"\nx\n1\n5z3\n" in content(twin.view)
    assert twin.tree.find(twin.view, b"1\n") == []
    with pytest.raises(CorruptionError, match=r"expected an entry b'1\\n5'"):
        twin.remove([(b"1\n", 5)])
    twin.insert([(b"1\n", 5)])
    twin.agree()
    twin.agree_on(b"1\n", b"x\n")


def test_an_index_with_all_the_numbers_of_nodes_is_full() -> None:
    class Huge(PageLayer):
        def size(self, name: str) -> int:
            return 10**9 * tree._nodes.node_size

    tree = tiny(2, 2)
    view = Huge(memory(tree, [(b"%02d" % i, i) for i in range(6)]))
    with pytest.raises(ValidationError, match="the index is full"):
        tree.insert(view, [(b"%02d" % i, i) for i in range(50, 80)])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 17, 100, 1000])
def test_a_tree_is_built_from_the_bottom_up_whatever_the_file_held(count: int) -> None:
    tree = tiny(4, 4)
    view = memory(tree, [(b"%04d" % i, i) for i in range(500)])
    entries = [(b"%04d" % (i * 7), i) for i in range(count)]
    tree.build(view, iter(entries))
    assert list(tree.entries(view)) == entries
    assert list(tree.check(view)) == []
    again = memory(tree, entries)
    assert content(view) == content(again)
    tree.clear(view)
    assert list(tree.entries(view)) == []
    assert content(view) == content(memory(tree))


def test_a_batch_into_an_emptied_tree_makes_its_file_small_again() -> None:
    tree = tiny(4, 4)
    entries = [(b"%04d" % i, i) for i in range(500)]
    view = memory(tree, entries)
    tree.remove(view, entries)
    tree.insert(view, entries[:2])
    assert view.size(NAME) == 2 * tree._nodes.node_size
    assert list(tree.check(view)) == []
    assert list(tree.entries(view)) == entries[:2]


@pytest.mark.parametrize(
    "use",
    [
        lambda tree, view: tree.insert(view, [(b"abc", 1)]),
        lambda tree, view: tree.insert(view, [(b"ab", 10)]),
        lambda tree, view: tree.insert(view, [(b"ab", -1)]),
        lambda tree, view: tree.insert(view, [(b"ab", 1), (b"ab", 1)]),
        lambda tree, view: tree.remove(view, [(b"a", 1)]),
        lambda tree, view: tree.build(view, [(b"ab", 2), (b"ab", 1)]),
        lambda tree, view: tree.build(view, [(b"%02d" % (i // 2), 1) for i in range(40)]),
        lambda tree, view: tree.find(view, b"a"),
        lambda tree, view: tree.first(view, b"abc"),
        lambda tree, view: tree.range(view, b"", None),
        lambda tree, view: tree.range(view, None, b"abc"),
    ],
)
def test_keys_and_slots_of_another_size_are_refused(
    use: Callable[[BTree, PageLayer], None],
) -> None:
    tree = tiny(2, 1)
    with pytest.raises(ValidationError):
        use(tree, memory(tree))


def test_nodes_without_room_for_three_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="no room for keys of 70"):
        BTree(FILES, NAME, 70, 9, 256)


@pytest.mark.parametrize("batch", [1, 3])
def test_an_entry_that_is_there_is_not_put_in_again(batch: int) -> None:
    tree = tiny(2, 3)
    entries = [(b"%02d" % i, i) for i in range(40)]
    view = memory(tree, entries)
    with pytest.raises(CorruptionError, match="expected no such entry before it is put in"):
        tree.insert(view, [entries[20], (b"20", 500), (b"20", 501)][:batch])


@pytest.mark.parametrize("batch", [1, 3])
def test_an_entry_that_is_not_there_cannot_be_removed(batch: int) -> None:
    tree = tiny(2, 3)
    entries = [(b"%02d" % i, i) for i in range(40)]
    view = memory(tree, entries)
    with pytest.raises(CorruptionError, match=r"dir/t\.a\.index\.dat: damaged at offset .* none"):
        tree.remove(view, [(b"20", 21), entries[20], entries[21]][:batch])


def test_a_file_that_nobody_made_is_damaged_and_not_empty() -> None:
    tree = tiny(2, 3)
    view = PageLayer(Nothing())
    for use in (
        lambda: tree.find(view, b"aa"),
        lambda: list(tree.entries(view)),
        lambda: tree.insert(view, [(b"aa", 1)]),
        lambda: tree.remove(view, [(b"aa", 1)]),
    ):
        with pytest.raises(CorruptionError, match="found end of file"):
            use()
    assert [number for number, _ in tree.check(view)] == [1, 0]


# ------------------------------------------------------------------------------- budgets, no clock


def leaves_of(tree: BTree, view: PageLayer) -> list[int]:
    """How many entries each leaf has, in order."""
    nodes, counts, high = tree._nodes, [], tree._nodes.lowest
    while high != nodes.highest:
        data, number, _, high = nodes.leaf(view, high)
        counts.append(nodes.leaf_count(data, number))
    return counts


@pytest.mark.parametrize("batch", [1, 1000])
def test_ascending_keys_fill_the_nodes(batch: int) -> None:
    tree = BTree(FILES, NAME, 10, 9)
    view = memory(tree)
    entries = [(b"%010d" % i, i) for i in range(10_000)]
    for start in range(0, len(entries), batch):
        tree.insert(view, entries[start : start + batch])
    counts = leaves_of(tree, view)
    assert sum(counts) == 10_000
    assert sum(counts[1:-1]) / len(counts[1:-1]) > 0.9 * tree._nodes.leaf_capacity


def test_random_keys_leave_the_nodes_more_than_half_full() -> None:
    tree = BTree(FILES, NAME, 10, 9)
    view = memory(tree)
    for i in random.Random(1).sample(range(10_000), 10_000):
        tree.insert(view, [(b"%010d" % i, i)])
    counts = leaves_of(tree, view)
    assert sum(counts) / len(counts) > 0.55 * tree._nodes.leaf_capacity


def test_a_lookup_reads_a_node_a_level_and_a_walk_a_leaf_at_a_time() -> None:
    tree = BTree(FILES, NAME, 10, 9)
    view = memory(tree, [(b"%010d" % i, i) for i in range(50_000)])
    assert tree._nodes.root(view)[1] == 2
    counted = CountedReads(view)
    assert tree.find(counted, b"%010d" % 777) == [777]
    assert (counted.reads, counted.longest) == (3, 4096)
    walk = tree.range(counted, None, None)
    assert next(walk) == (b"%010d" % 0, 0)
    assert counted.reads == 6
    assert sum(1 for _ in walk) == 49_999
    assert (counted.reads, counted.longest) == (3 + 3 * len(leaves_of(tree, view)), 4096)


@pytest.mark.parametrize("pattern", ["queue", "stack", "random"])
@pytest.mark.parametrize("batch", [1, 20])
def test_churn_does_not_let_the_file_grow(pattern: str, batch: int) -> None:
    rng = random.Random(1)
    twin = Twin(tiny(5, 5))
    numbers = iter(range(100_000))
    kept: list[Entry] = []
    sizes = []
    for _ in range(3000 // batch):
        new = []
        for _ in range(batch):
            number = next(numbers)
            key = rng.randrange(100_000) if pattern == "random" else number
            new.append((b"%05d" % key, number))
        twin.insert(new)
        kept += new
        if pattern == "random":
            rng.shuffle(kept)
        if len(kept) > 200:
            gone = kept[:batch] if pattern == "queue" else kept[-batch:]
            del kept[slice(batch) if pattern == "queue" else slice(-batch, None)]
            twin.remove(gone)
        sizes.append(twin.view.size(NAME) // twin.tree._nodes.node_size)
    twin.agree()
    assert sizes[-1] == max(sizes) <= 2 * 220
    assert sizes[len(sizes) // 3] > 0.8 * sizes[-1]


def test_leaves_with_few_entries_are_joined() -> None:
    tree = BTree(FILES, NAME, 10, 9)
    view = memory(tree)
    for start in range(0, 40_000, 1000):
        entries = [(b"%010d" % i, i) for i in range(start, start + 1000)]
        tree.insert(view, entries)
        tree.remove(view, [entry for entry in entries if entry[1] % 100])
    assert [slot for _, slot in tree.entries(view)] == list(range(0, 40_000, 100))
    assert view.size(NAME) <= 16 * 4096
    entries = list(tree.entries(view))
    for entry in random.Random(1).sample(entries, 350):
        tree.remove(view, [entry])
        assert list(tree.check(view)) == []
    assert len(leaves_of(tree, view)) <= 4


def test_freed_nodes_are_used_before_the_file_grows() -> None:
    tree = tiny(4, 4)
    entries = [(b"%04d" % i, i) for i in range(300)]
    view = memory(tree, entries)
    size = view.size(NAME)
    tree.remove(view, entries[100:200])
    for entry in entries[100:130]:
        tree.insert(view, [entry])
    assert view.size(NAME) == size
    assert list(tree.check(view)) == []


def test_nothing_of_a_removed_entry_is_left_in_the_file() -> None:
    tree = tiny(6, 3)
    entries = [(b"%06d" % (i * 1000 + 7), i) for i in range(60)]
    for count in (1, 5, 59):
        view = memory(tree, entries)
        tree.remove(view, entries[:count])
        lines = content(view).split(b"\n")
        assert not [line for line in lines if line in {b"%b%03d" % e for e in entries[:count]}]


def test_every_byte_of_the_file_is_a_line_that_can_be_read() -> None:
    tree = tiny(6, 3)
    view = memory(tree)
    for i in random.Random(1).sample(range(200), 200):
        tree.insert(view, [(b"%06d" % i, i)])
    tree.remove(view, [(b"%06d" % i, i) for i in range(60, 190)])
    data = content(view)
    assert data.isascii()
    for start in range(0, len(data), tree._nodes.node_size):
        node = data[start : start + tree._nodes.node_size]
        assert node.split(b" ")[0] in (b"BAZANITE-INDEX", b"node", b"leaf", b"free")
        assert node.endswith(b"\n")
