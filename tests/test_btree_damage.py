"""Damaged indexes: found, or harmless, or one entry for another; never endless, never a raw error.

What nobody can see in an index alone is a byte of a key or slot in a leaf that is changed into
another valid one within the leaf's bounds, and entries that are missing at a leaf's end; nor does a
lookup see that the root is one from when it was a leaf.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import ParamSpec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite.btree import BTree
from bazanite.errors import CorruptionError, DirectoryError
from bazanite_wal.layer import PageLayer, View
from btree_support import NAME, CountedReads, Entry, content, holding, memory, tiny

P = ParamSpec("P")
TREE = tiny(2, 2)
NODES = TREE._nodes
SIZE = NODES.node_size


def sound() -> tuple[bytes, list[Entry]]:
    """A file of several levels with free nodes and a key in several leaves, and its entries."""
    rng = random.Random(5)
    view = memory(TREE)
    entries = [(b"%02d" % i, i) for i in range(0, 70, 2)] + [(b"31", i) for i in range(10)]
    for entry in rng.sample(entries, len(entries)):
        TREE.insert(view, [entry])
    gone = [entry for entry in entries if b"40" <= entry[0] < b"66"]
    TREE.remove(view, gone)
    assert list(TREE.check(view)) == []
    assert NODES.root(view)[1] >= 2
    assert NODES.first_free(view) != b"000000000"
    return content(view), sorted(set(entries) - set(gone))


DATA, ENTRIES = sound()


def outcome(use: Callable[P, object], *args: P.args, **more: P.kwargs) -> object:
    """What it gives, or CorruptionError; any other error fails the test."""
    try:
        return use(*args, **more)
    except CorruptionError:
        return CorruptionError


def walk(view: View, low: bytes | None, high: bytes | None, reverse: bool = False) -> list[Entry]:
    return list(TREE.range(view, low, high, reverse=reverse))


def after(
    change: Callable[[PageLayer, list[Entry]], None], data: bytes, some: list[Entry]
) -> object:
    """What is in a file after a change, or CorruptionError from either."""
    view = holding(data)
    done = outcome(change, view, some)
    return done or outcome(walk, view, None, None)


def kind(number: int) -> bytes:
    return DATA[number * SIZE : number * SIZE + 4]


def in_leaf_entries(offset: int) -> bool:
    number, place = divmod(offset, SIZE)
    return kind(number) == b"leaf" and place >= NODES.header_size


KEYS = sorted({b"%02d" % i for i in range(0, 60, 3)} | {b"31", b"\0\0", b"zz"})


def reads(view: View) -> Iterator[tuple[object, object]]:
    """What each of many reads gives and should give."""
    for key in KEYS:
        slots = [slot for other, slot in ENTRIES if other == key]
        yield outcome(TREE.find, view, key), slots
        yield outcome(TREE.first, view, key), slots[0] if slots else None
    for low, high in ((None, None), (b"20", b"40"), (b"31", b"31")):
        some = [e for e in ENTRIES if (low is None or low <= e[0]) and (not high or e[0] <= high)]
        yield outcome(walk, view, low, high), some
        yield outcome(walk, view, low, high, reverse=True), some[::-1]
    yield outcome(TREE.count, view), len(ENTRIES)


def changes(data: bytes) -> Iterator[tuple[object, list[Entry]]]:
    """What is in a damaged file after each of many changes and should be, or CorruptionError."""
    new = [(b"%02d" % i, 50) for i in range(1, 60, 4)]
    for some in (new[5:6], new):
        yield after(TREE.insert, data, some), sorted([*ENTRIES, *some])
    for some in (ENTRIES[7:8], ENTRIES[3:25], ENTRIES):
        yield after(TREE.remove, data, some), sorted(set(ENTRIES) - set(some))


def flips() -> Iterator[tuple[int, bytes]]:
    for offset in range(len(DATA)):
        old = DATA[offset]
        for new in sorted({old ^ 1, 10, 48, 57, old ^ 128} - {old}):
            yield offset, DATA[:offset] + bytes([new]) + DATA[offset + 1 :]


@pytest.mark.parametrize("part", range(8))
def test_a_changed_byte_is_found_or_changes_one_entry_of_a_leaf(part: int) -> None:
    unseen = 0
    for offset, data in list(flips())[part::8]:
        view = holding(data)
        if list(TREE.check(view)):
            continue
        assert in_leaf_entries(offset), offset
        found = list(TREE.entries(view))
        assert len(found) == len(ENTRIES)
        assert len(set(found) - set(ENTRIES)) == 1
        unseen += 1
    assert unseen  # what the module says cannot be seen


@pytest.mark.parametrize("part", range(8))
def test_with_a_changed_byte_elsewhere_every_answer_is_right_or_an_error(part: int) -> None:
    refused = 0
    for offset, data in list(flips())[part::24]:
        if in_leaf_entries(offset):
            continue
        for found, expected in (*reads(holding(data)), *changes(data)):
            assert found is CorruptionError or found == expected, offset
            refused += found is CorruptionError
    assert refused


@pytest.mark.parametrize("part", range(4))
def test_with_a_changed_byte_in_an_entry_only_that_entry_is_another_one(part: int) -> None:
    for offset, data in list(flips())[part::4]:
        if not in_leaf_entries(offset):
            continue
        view = holding(data)
        place = offset % SIZE - NODES.header_size
        start = offset - place % NODES.leaf_size
        touched = {DATA[start : start + 2], data[start : start + 2]}
        for key in KEYS:
            found = outcome(TREE.find, view, key)
            slots = [slot for other, slot in ENTRIES if other == key]
            assert found is CorruptionError or found == slots or key in touched, offset
        for found, _ in changes(data):
            assert found is CorruptionError or isinstance(found, list)


def spoilt_nodes() -> Iterator[tuple[str, bytes]]:
    count = len(DATA) // SIZE
    nodes = [DATA[i * SIZE : (i + 1) * SIZE] for i in range(count)]
    for i in range(count):
        for name, other in (("zeros", bytes(SIZE)), ("newlines", b"\n" * SIZE)):
            yield f"{name} in {i}", b"".join([*nodes[:i], other, *nodes[i + 1 :]])
        for j in range(count):
            if i != j:
                yield f"{j} in {i}", b"".join([*nodes[:i], nodes[j], *nodes[i + 1 :]])
        yield f"cut before {i}", b"".join(nodes[:i])
        yield f"cut within {i}", DATA[: i * SIZE + SIZE // 2]
    yield "one more", DATA + nodes[-1]
    yield "zeros behind", DATA + bytes(SIZE)
    yield "half a node more", DATA + nodes[-1][: SIZE // 2]


@pytest.mark.parametrize("part", range(4))
def test_a_node_that_is_lost_or_another_one_is_found(part: int) -> None:
    for name, data in list(spoilt_nodes())[part::4]:
        view = holding(data)
        assert list(TREE.check(view)), name
        for found, expected in (*reads(view), *changes(data)):
            assert found is CorruptionError or found == expected, name


def test_an_older_node_that_has_been_split_since_is_found() -> None:
    tree = tiny(2, 2)
    view = memory(tree)
    older: dict[int, set[bytes]] = {}
    for i in random.Random(2).sample(range(99), 99):
        data = content(view)
        for start in range(0, len(data), SIZE):
            older.setdefault(start, set()).add(data[start : start + SIZE])
        tree.insert(view, [(b"%02d" % i, i)])
    last = content(view)
    kept = [b"%02d" % i for i in range(99)]
    for start, versions in older.items():
        for version in versions - {last[start : start + SIZE]}:
            data = last[:start] + version + last[start + SIZE :]
            damaged = holding(data)
            if version.split(b"\n")[0] == last[start : start + SIZE].split(b"\n")[0]:
                continue  # entries are missing, as the module says
            assert list(tree.check(damaged)), start
            if start == SIZE and version[:4] == b"leaf":
                continue  # it was the whole tree
            for key in kept:
                found = outcome(tree.find, damaged, key)
                assert found is CorruptionError or found == [int(key)]


@given(
    st.lists(
        st.tuples(st.integers(0, len(DATA) - 1), st.binary(min_size=1, max_size=9)), max_size=9
    )
)
def test_whatever_is_damaged_every_call_ends_and_raises_nothing_else(
    patches: list[tuple[int, bytes]],
) -> None:
    data = bytearray(DATA)
    for offset, patch in patches:
        data[offset : offset + len(patch)] = patch
    view = CountedReads(holding(bytes(data)))
    problems = list(TREE.check(view))
    count = len(data) // SIZE
    assert view.reads <= 2 * count + 4
    if not problems:
        assert outcome(walk, view, None, None) is not CorruptionError
    for _ in (*reads(view.view), *changes(bytes(data))):
        pass


def patched(number: int, place: int, text: bytes) -> bytes:
    offset = number * SIZE + place
    return DATA[:offset] + text + DATA[offset + len(text) :]


def test_a_branch_that_names_its_own_parent_does_not_make_a_lookup_endless() -> None:
    first = NODES.header_size + NODES.fence_size + 1
    data = patched(1, first, b"000000001")
    view = holding(data)
    with pytest.raises(CorruptionError, match="expected node"):
        TREE.find(view, b"00")
    assert (1, "names node 1, which another one names") in list(TREE.check(view))


def test_a_free_list_that_goes_in_a_circle_gives_no_node_twice() -> None:
    view = holding(DATA)
    head = NODES.first_free(view)
    place = len(b"free 000000000 next ")
    view = holding(patched(int(head), place, head))
    assert list(TREE.check(view)) == [
        (int(head), f"names node {int(head)}, which another one names")
    ]
    with pytest.raises(CorruptionError, match="expected b'free"):
        TREE.insert(view, [(b"%02d" % i, 77) for i in range(60)])


def test_nodes_that_nobody_names_are_told_one_by_one() -> None:
    free = NODES.first_free(holding(DATA))
    place = DATA.index(b"free ") + len(b"free ")
    view = holding(patched(0, place, b"000000000"))
    found = list(TREE.check(view))
    assert int(free) in [number for number, _ in found]
    assert {text for _, text in found} == {"neither in the tree nor free"}


def test_a_file_of_other_widths_is_not_read() -> None:
    view = holding(DATA)
    other = tiny(3, 2)
    with pytest.raises(CorruptionError):
        other.find(view, b"aaa")
    assert list(other.check(view))


class Unreadable(PageLayer):
    def read(self, name: str, offset: int, size: int) -> bytes:
        if offset >= self.limit:
            raise DirectoryError("dir/t.a.index.dat: cannot read: Input/output error")
        return super().read(name, offset, size)

    limit = 0


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_a_check_tells_of_what_cannot_be_read(limit: int) -> None:
    view = Unreadable(holding(DATA))
    view.limit = limit * SIZE
    found = list(TREE.check(view))
    assert found
    assert all(number >= limit for number, text in found)
    assert "Input/output error" in found[0][1]


def test_a_check_tells_of_a_file_whose_size_is_not_known() -> None:
    class Sizeless(PageLayer):
        def size(self, name: str) -> int:
            raise DirectoryError(f"{name}: cannot read")

    found = list(TREE.check(Sizeless(holding(DATA))))
    assert found == [(0, f"cannot be read: {NAME}: cannot read")]


def test_damage_names_file_offset_expected_and_found() -> None:
    leaf = next(i for i in range(len(DATA) // SIZE) if kind(i) == b"leaf")
    view = holding(patched(leaf, 0, b"loaf"))
    with pytest.raises(CorruptionError) as raised:
        list(TREE.entries(view))
    error = raised.value
    assert (error.path, error.offset) == (f"dir/{NAME}", leaf * SIZE)
    assert error.expected.startswith(f"node b'leaf {leaf:09d} level 00 from ")
    assert error.found.startswith(f"b'loaf {leaf:09d} level 00 from ")


def test_an_empty_leaf_and_a_root_with_one_child_are_told() -> None:
    number = next(i for i in range(len(DATA) // SIZE) if kind(i) == b"leaf")
    blank = b"\n" * (SIZE - NODES.header_size)
    found = list(TREE.check(holding(patched(number, NODES.header_size, blank))))
    assert [(n, "an entry at least" in text) for n, text in found] == [(number, True)]
    first = DATA[SIZE + NODES.header_size : SIZE + NODES.header_size + NODES.branch_size]
    found = list(TREE.check(holding(patched(1, NODES.header_size, first + blank[len(first) :]))))
    assert [(n, "two nodes below the root" in text) for n, text in found] == [(1, True)]


def test_the_last_leaf_of_a_root_with_one_child_is_not_given_back() -> None:
    view = memory(TREE)
    child = NODES.write_new(view, 0, NODES.lowest, NODES.highest, [b"aa05\n"])
    NODES.write_root(view, 1, b"%b %b\n" % (NODES.lowest, child))
    assert TREE.find(view, b"aa") == [5]
    with pytest.raises(CorruptionError, match="expected two nodes below the root, found one"):
        TREE.remove(view, [(b"aa", 5)])


def test_trees_for_tests_are_made_like_those_of_tables() -> None:
    assert BTree(TREE._nodes._files, NAME, 2, 2)._nodes.node_size == 4096
