"""An index: which slots have a row with this key, and all of them in the order of their keys.

A B-tree of nodes of readable text in one file.  It knows bytes only: keys of one size, compared as
bytes, each with a slot; an entry (key, slot) is in it once.  ``btree_node`` says what a node is,
``btree_space`` how one is had, ``btree_grow`` and ``btree_shrink`` change the tree, ``btree_check``
looks for damage.  docs/format.md has the bytes.

Why this and no other structure: a change goes through the log, so it should be few bytes, and a
lookup goes through the files, so it should be few reads of a page each.  Sorted leaves, or sorted
runs that are merged, write each entry several times; with leaves in any order an insert is one
write of one entry, and what a leaf has is searched by ``bytes.find``.  Leaves do not name their
neighbours: a walk comes down again for each leaf, which costs a tenth of decoding it, and
needs no pointers that could be damaged or would have to be written.

Changes are made within a transaction, and one that raises may have made part of them: the caller
rolls back.  Damage that a call comes across is CorruptionError; a call always ends.  A lookup or
walk verifies every node that it goes through but for the keys and slots in a leaf, which could be
others within its bounds, and entries missing at a leaf's end: only the rows tell.  Reads may be
called from any thread.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from bazanite_wal.layer import View, WriteSet

from .btree_check import problems
from .btree_grow import Growth, refuse_if_there
from .btree_node import NODE_SIZE, DamageReporter
from .btree_shrink import Shrinkage
from .btree_space import NodeFile
from .errors import ValidationError

Entry = tuple[bytes, int]
"""A key and a slot."""


class BTree:
    """The index in file ``name``: keys of ``key_size`` bytes, slots of ``slot_width`` digits.

    The file is made by ``clear`` or ``build``; without its first two nodes it is damaged.
    ``node_size`` is for tests.
    """

    def __init__(
        self,
        files: DamageReporter,
        name: str,
        key_size: int,
        slot_width: int,
        node_size: int = NODE_SIZE,
    ) -> None:
        self._nodes = NodeFile(files, name, key_size, slot_width, node_size)
        self._key_size = key_size
        self._slot_width = slot_width
        self._first_slot = b"0" * slot_width
        self._last_slot = b"9" * slot_width

    # ------------------------------------------------------------------------------------- reading

    def find(self, view: View, key: bytes) -> list[int]:
        """The slots of exactly this key, ascending."""
        fence = b"=" + self._whole(key)
        nodes = self._nodes
        data, number, _, high = nodes.leaf(view, fence + self._first_slot)
        found = nodes.slots(data, number, key)
        while high.startswith(fence):
            data, number, _, high = nodes.leaf(view, high)
            found += nodes.slots(data, number, key)
        found.sort()
        return found

    def first(self, view: View, key: bytes) -> int | None:
        """The lowest slot of exactly this key, None if there is none."""
        fence = b"=" + self._whole(key)
        nodes = self._nodes
        data, number, _, high = nodes.leaf(view, fence + self._first_slot)
        found = nodes.slots(data, number, key)
        while not found and high.startswith(fence):
            data, number, _, high = nodes.leaf(view, high)
            found = nodes.slots(data, number, key)
        return min(found, default=None)

    def those_there(self, view: View, keys: Iterable[bytes]) -> Iterator[bytes]:
        """Which of these ascending keys it has, whatever their slots; reads each leaf once."""
        nodes = self._nodes
        start, size = nodes.header_size, nodes.leaf_size
        there: set[bytes] = set()
        high = nodes.lowest
        for key in keys:
            fence = b"=" + self._whole(key)
            if fence + self._first_slot >= high:
                data, number, _, high = nodes.leaf(view, fence + self._first_slot)
                end = start + nodes.leaf_count(data, number) * size
                there = {data[place : place + len(key)] for place in range(start, end, size)}
            if key in there or (high.startswith(fence) and self.first(view, key) is not None):
                yield key

    def range(
        self, view: View, low: bytes | None, high: bytes | None, *, reverse: bool = False
    ) -> Iterator[Entry]:
        """The entries with ``low <= key <= high`` in order, or the other way; None: no bound.

        One leaf is in memory at a time.  A change meanwhile is seen, or not, as if it were another
        view from the next leaf on.
        """
        nodes = self._nodes
        first, last = nodes.lowest, nodes.highest
        if low is not None:
            first = b"=" + self._whole(low) + self._first_slot
        if high is not None:
            last = b"=" + self._whole(high) + self._last_slot
        return self._backward(view, first, last) if reverse else self._forward(view, first, last)

    def entries(self, view: View) -> Iterator[Entry]:
        """All entries by key and slot."""
        return self.range(view, None, None)

    def count(self, view: View) -> int:
        """How many entries there are; looks at each leaf, not at each entry."""
        nodes = self._nodes
        data, number, _, high = nodes.leaf(view, nodes.lowest)
        count = nodes.leaf_count(data, number)
        while high != nodes.highest:
            data, number, _, high = nodes.leaf(view, high)
            count += nodes.leaf_count(data, number)
        return count

    def check(self, view: View) -> Iterator[tuple[int, str]]:
        """What is wrong, as (number of the node, text); raises nothing and always ends.

        If there is nothing, ``entries`` raises nothing either, and whether they are those of the
        rows is the caller's to compare.
        """
        return problems(self._nodes, view)

    # ------------------------------------------------------------------------------------ changing

    def insert(self, tx: WriteSet, entries: Sequence[Entry]) -> None:
        """Put these in, in any order; CorruptionError if one is there already.

        ValidationError if one has another size, or is among them twice.
        """
        coded = self._coded(entries)
        if len(coded) > 1 or (coded and not self._append(tx, coded[0])):
            Growth(self._nodes, tx).insert(coded)

    def remove(self, tx: WriteSet, entries: Sequence[Entry]) -> None:
        """Take these out, in any order; CorruptionError if one is not there."""
        Shrinkage(self._nodes, tx).remove(self._coded(entries))

    def build(self, tx: WriteSet, entries: Iterable[Entry]) -> None:
        """Let the index have these entries, sorted, and no others, whatever is in the file.

        ValidationError if they are not in order, or one is there twice or has another size.
        """
        Growth(self._nodes, tx).build(self._code(key, slot) for key, slot in entries)

    def clear(self, tx: WriteSet) -> None:
        """Let the index be without entries, whatever is in the file."""
        self.build(tx, ())

    def _append(self, tx: WriteSet, entry: bytes) -> bool:
        """Put one in, if its leaf has room."""
        nodes = self._nodes
        data, number, _, _ = nodes.leaf(tx, b"=" + entry)
        count = nodes.leaf_count(data, number)
        end = nodes.header_size + count * nodes.leaf_size
        refuse_if_there(nodes, data, number, entry, end)
        if count == nodes.leaf_capacity:
            return False
        nodes.write(tx, number, end, entry + b"\n")
        return True

    def _whole(self, key: bytes) -> bytes:
        if len(key) != self._key_size:
            raise ValidationError(f"{key!r} is not a key of {self._key_size} bytes")
        return key

    def _code(self, key: bytes, slot: int) -> bytes:
        entry = key + str(slot).encode().rjust(self._slot_width, b"0")
        if len(key) != self._key_size or slot < 0 or len(entry) != self._nodes.leaf_size - 1:
            raise ValidationError(
                f"{key!r}, {slot}: no key of {self._key_size} bytes with a slot of"
                f" {self._slot_width} digits"
            )
        return entry

    def _coded(self, entries: Sequence[Entry]) -> list[bytes]:
        """The entries as bytes, sorted."""
        coded = [self._code(key, slot) for key, slot in entries]
        if len(coded) > 1:
            coded.sort()
            if len(set(coded)) != len(coded):
                raise ValidationError("the same key and slot twice")
        return coded

    def _decoded(self, entries: list[bytes]) -> Iterator[Entry]:
        size = self._key_size
        return ((entry[:size], int(entry[size:])) for entry in entries)

    def _forward(self, view: View, first: bytes, last: bytes) -> Iterator[Entry]:
        nodes = self._nodes
        high = first
        while high <= last:
            data, number, low, high = nodes.leaf(view, high)
            yield from self._decoded(self._between(data, number, low, high, first, last))
            if high == nodes.highest:
                return

    def _backward(self, view: View, first: bytes, last: bytes) -> Iterator[Entry]:
        nodes = self._nodes
        if first > last:
            return
        data, number, low, high = nodes.leaf(view, last)
        while True:
            found = self._between(data, number, low, high, first, last)
            yield from self._decoded(found[::-1])
            if low <= first:
                return
            data, number, low, high = nodes.leaf(view, low, before=True)

    def _between(
        self, data: bytes, number: bytes, low: bytes, high: bytes, first: bytes, last: bytes
    ) -> list[bytes]:
        """The leaf's entries from one fence up to another one, sorted."""
        found = self._nodes.entries(data, number, low, high)
        start = bisect_left(found, first[1:]) if low < first else 0
        stop = bisect_right(found, last[1:]) if last < high else len(found)
        return found[start:stop]
