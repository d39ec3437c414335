"""Fewer entries in an index: taken out of their leaves, and leaves that are empty given back.

The range of a node that goes is its left neighbour's from then on, or its right one's if it was its
parent's first child; so the fences of all nodes stay gapless.  A leaf with few entries goes too if
that neighbour, of the same parent, has room for them.  Otherwise only what is empty goes: there
are never more leaves than entries, or one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from bazanite_wal.layer import WriteSet

from .btree_node import ROOT
from .btree_space import NodeFile

_OPERATION_BYTES = 48
"""About what a write costs in the log besides its bytes."""


class _Step(NamedTuple):
    """A branch on the way down, and which of its children is the next."""

    number: bytes
    level: int
    high: bytes
    fences: list[bytes]
    children: list[bytes]
    chosen: int

    @property
    def behind(self) -> bytes:
        """The high fence of the next node on the way."""
        following = self.chosen + 1
        return self.fences[following] if following < len(self.fences) else self.high


class Shrinkage:
    """Takes entries (key and slot, sorted) out within one transaction."""

    def __init__(self, nodes: NodeFile, tx: WriteSet) -> None:
        self._nodes = nodes
        self._tx = tx

    def remove(self, entries: list[bytes]) -> None:
        """Take these out; CorruptionError if one is not there."""
        nodes = self._nodes
        position = 0
        while position < len(entries):
            data, number, low, high = nodes.leaf(self._tx, b"=" + entries[position])
            stop = len(entries)
            if high != nodes.highest:
                stop = bisect_left(entries, high[1:], position)
            count = nodes.leaf_count(data, number)
            if stop - position == 1:
                left = self._take_one(data, number, count, entries[position])
            else:
                left = self._take_many(data, number, count, entries[position:stop])
            if number != ROOT and self._is_worth_dropping(left, stop - position):
                self._drop(low)
            position = stop

    def _is_worth_dropping(self, left: int, gone: int) -> bool:
        """Whether a leaf has so few entries left, and has not been asked about it just before."""
        few = self._nodes.leaf_capacity // 8
        return not left or (left <= few and (gone > 1 or not left & (left - 1) or left == few))

    def _take_one(self, data: bytes, number: bytes, count: int, entry: bytes) -> int:
        """Let the leaf's last entry take the place of this one; how many are left."""
        nodes = self._nodes
        size = nodes.leaf_size
        end = nodes.header_size + count * size
        place = nodes.find(data, entry + b"\n", end)
        if place < 0:
            raise nodes.damaged(number, nodes.header_size, f"an entry {entry!r}", "none")
        last = end - size
        if place != last:
            nodes.write(self._tx, number, place, data[last:end])
        nodes.erase(self._tx, number, last, end)
        return count - 1

    def _take_many(self, data: bytes, number: bytes, count: int, entries: list[bytes]) -> int:
        """The same for several, with as few bytes to write as may be."""
        nodes = self._nodes
        size, start = nodes.leaf_size, nodes.header_size
        end = start + count * size
        buffer = bytearray(data[:end])
        changed: set[int] = set()
        for entry in entries:
            place = nodes.find(buffer, entry + b"\n", len(buffer))
            if place < 0:
                raise nodes.damaged(number, start, f"an entry {entry!r}", "none")
            last = len(buffer) - size
            buffer[place : place + size] = buffer[last:]
            del buffer[last:]
            changed.add(place)
        kept = len(buffer)
        places = sorted(place for place in changed if place < kept)
        if len(places) * (size + _OPERATION_BYTES) < kept - start:
            for place in places:
                nodes.write(self._tx, number, place, bytes(buffer[place : place + size]))
        else:
            nodes.write(self._tx, number, start, bytes(buffer[start:]))
        nodes.erase(self._tx, number, kept, end)
        return (kept - start) // size

    def _drop(self, low: bytes) -> None:
        """Give back the leaf with this low fence, and what has no children without it.

        Its entries, if it has any, go to its neighbour; it stays if that has not much room.
        """
        nodes, tx = self._nodes, self._tx
        path, leaf = self._path(low)
        data = nodes.load(tx, leaf, 0, low, path[-1].behind)
        if nodes.leaf_count(data, leaf) and not self._moved(data, leaf, low, path[-1]):
            return
        nodes.free(tx, leaf)
        while len(path[-1].children) == 1:
            parent = path.pop()
            if not path:
                raise nodes.damaged(ROOT, nodes.header_size, "two nodes below the root", "one")
            nodes.free(tx, parent.number)
        number, level, _, fences, children, index = step = path[-1]
        count = len(children)
        if index:
            self._move_high(children[index - 1], level - 1, fences[index - 1], step)
            del fences[index], children[index]
        else:
            self._move_low(children[1], level - 1, fences[1], step)
            del fences[1], children[0]
        lines = [b"%b %b\n" % branch for branch in zip(fences, children, strict=True)]
        start, size = nodes.header_size, nodes.branch_size
        nodes.write(tx, number, start + index * size, b"".join(lines[index:]))
        nodes.erase(tx, number, start + (count - 1) * size, start + count * size)
        if number == ROOT:
            self._lower(level)

    def _moved(self, data: bytes, number: bytes, low: bytes, step: _Step) -> bool:
        """Put a leaf's entries into the neighbour whose its range will be, if there is room."""
        nodes = self._nodes
        _, _, high, fences, children, index = step
        if len(children) == 1:
            return False
        beside = index - 1 if index else 1
        other = children[beside]
        behind = [*fences[1:], high][beside]
        there = nodes.load(self._tx, other, 0, fences[beside], behind)
        count = nodes.leaf_count(there, other)
        entries = nodes.entries(data, number, low, step.behind)
        if count + len(entries) > nodes.leaf_capacity * 3 // 4:
            return False
        lines = b"".join([entry + b"\n" for entry in entries])
        nodes.write(self._tx, other, nodes.header_size + count * nodes.leaf_size, lines)
        return True

    def _path(self, target: bytes) -> tuple[list[_Step], bytes]:
        """The branches from the root to the leaf of this fence, and that leaf's number."""
        nodes = self._nodes
        number, low, high = ROOT, nodes.lowest, nodes.highest
        data, level = nodes.root(self._tx)
        path: list[_Step] = []
        while level:
            fences, children = nodes.branches(data, number, low, high)
            index = bisect_right(fences, target) - 1
            step = _Step(number, level, high, fences, children, index)
            path.append(step)
            number, low, high = children[index], fences[index], step.behind
            level -= 1
            data = nodes.load(self._tx, number, level, low, high)
        return path, number

    def _move_high(self, number: bytes, level: int, low: bytes, step: _Step) -> None:
        """Let the left neighbour, and the last nodes below it, reach as far as what goes."""
        nodes, tx = self._nodes, self._tx
        high = step.fences[step.chosen]
        data = nodes.load(tx, number, level, low, high)
        while True:
            nodes.write(tx, number, nodes.high_offset, step.behind)
            if not level:
                return
            fences, children = nodes.branches(data, number, low, high)
            number, low, level = children[-1], fences[-1], level - 1
            data = nodes.load(tx, number, level, low, high)

    def _move_low(self, number: bytes, level: int, low: bytes, step: _Step) -> None:
        """Let the right neighbour, and the first nodes below it, begin where what goes began."""
        nodes, tx = self._nodes, self._tx
        high = step.fences[2] if len(step.fences) > 2 else step.high
        data = nodes.load(tx, number, level, low, high)
        while True:
            nodes.write(tx, number, nodes.low_offset, step.fences[0])
            if not level:
                return
            fences, children = nodes.branches(data, number, low, high)
            nodes.write(tx, number, nodes.header_size, step.fences[0])
            high = fences[1] if len(fences) > 1 else high
            number, level = children[0], level - 1
            data = nodes.load(tx, number, level, low, high)

    def _lower(self, level: int) -> None:
        """While the root has one child only, let it be that child."""
        nodes, tx = self._nodes, self._tx
        while level:
            data = nodes.load(tx, ROOT, level, nodes.lowest, nodes.highest)
            _, children = nodes.branches(data, ROOT, nodes.lowest, nodes.highest)
            if len(children) > 1:
                return
            level -= 1
            child = nodes.load(tx, children[0], level, nodes.lowest, nodes.highest)
            count = nodes.count(child, children[0], level)
            end = nodes.header_size + count * nodes.size(level)
            nodes.write_root(tx, level, child[nodes.header_size : end])
            nodes.free(tx, children[0])
