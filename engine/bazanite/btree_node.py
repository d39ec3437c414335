"""The nodes of an index: their bytes, and how they are read and verified.

A node is a header line, entries of one width, a line each, and newlines up to its size.  The header
has the node's number, its level (0: a leaf) and its fences: every entry is at or above ``low`` and
below ``high``.  A leaf's entries (key, slot) are in any order, so that one more costs one small
write; a branch's (low fence of the child, number of the child) are sorted.  Nobody counts entries:
an entry's slot is digits, so the first newline in that column is the end.

Invariants: a child's fences are, byte for byte, what its parent says, so a descent that compares
them is in the right node whatever is damaged in the nodes above it; levels fall by one on the way
down, so it ends.  Node 0 says the widths and the first of the free nodes, node 1 is the root; a
free node names the next one.

What cannot be seen in one node: a byte of a key or slot in a leaf that is changed into another
valid one within the fences, entries that are missing at the end, and a root that was put back as it
was when it was a leaf.  The rows tell.
"""

from __future__ import annotations

import re
from typing import Protocol

from bazanite_wal.layer import View

from .errors import CorruptionError

NODE_SIZE = 4096
ROOT = b"000000001"
_HEADER = b"%b %b level %02d from %b to %b\n"
HEAD = b"000000000"
"""The node that is none; as the number of a free node, that there is no further one."""

DIGITS = 9
"""Of a node's number: 4 TB of nodes."""
FIRST_LINE = b"BAZANITE-INDEX 1 key %03d slot %02d node %05d free "
_SMALLEST = 64
_FEWEST = 3
"""Entries that a node must have room for, or a split would not make it smaller."""


class DamageReporter(Protocol):
    """Who knows the directory's name: ``TableFiles``."""

    def damaged(self, name: str, offset: int, expected: str, found: bytes | str) -> CorruptionError:
        """The error to raise for wrong bytes at ``offset`` of file ``name``."""
        ...


class Nodes:
    """The nodes of the index in file ``name``; CorruptionError wherever one is not as above.

    A node's number is passed on as its nine digits.  A fence is a byte that sorts (``!`` below
    everything, ``=``, ``~`` above everything) and a key and slot.
    """

    def __init__(
        self, files: DamageReporter, name: str, key_size: int, slot_width: int, node_size: int
    ) -> None:
        self._files = files
        self.name = name
        self.key_size = key_size
        self.slot_width = slot_width
        self.node_size = node_size
        entry_size = key_size + slot_width
        self.lowest = b"!" + b" " * entry_size
        self.highest = b"~" + b" " * entry_size
        self.fence_size = 1 + entry_size
        self.header_size = len(self.header(ROOT, 0, self.lowest, self.highest))
        self.high_offset = self.header_size - 1 - self.fence_size
        self.low_offset = self.high_offset - len(b" to ") - self.fence_size
        self.leaf_size = entry_size + 1
        self.branch_size = self.fence_size + 1 + DIGITS + 1
        self.leaf_capacity = (node_size - self.header_size) // self.leaf_size
        self.branch_capacity = (node_size - self.header_size) // self.branch_size
        self._root_levels: dict[bytes, int] = {}
        """By the header line."""
        self.blank = b"\n" * node_size
        if self.branch_capacity < _FEWEST or node_size < _SMALLEST:
            raise ValueError(f"nodes of {node_size} bytes have no room for keys of {key_size}")
        entry = rb"(?:[!=].{%d} [0-9]{%d}\n)+" % (entry_size, DIGITS)
        self._branch_pattern = re.compile(entry, re.DOTALL)

    # ------------------------------------------------------------------------------------- reading

    @staticmethod
    def header(number: bytes, level: int, low: bytes, high: bytes) -> bytes:
        """The first line of a node."""
        return _HEADER % (b"node" if level else b"leaf", number, level, low, high)

    def root(self, view: View) -> tuple[bytes, int]:
        """The root's bytes and level."""
        data = view.read(self.name, self.node_size, self.node_size)
        level = self._root_levels.get(data[: self.header_size])
        if level is None:
            level = int(data[21:23]) if data[21:23].isdigit() else 0
            self._verify(data, ROOT, level, self.lowest, self.highest)
            self._root_levels[data[: self.header_size]] = level
        return data, level

    def load(self, view: View, number: bytes, level: int, low: bytes, high: bytes) -> bytes:
        """The bytes of the node with this number, which must have this level and these fences."""
        data = view.read(self.name, int(number) * self.node_size, self.node_size)
        self._verify(data, number, level, low, high)
        return data

    def leaf(
        self, view: View, target: bytes, *, before: bool = False
    ) -> tuple[bytes, bytes, bytes, bytes]:
        """Bytes, number and fences of the leaf where ``target``, a fence, belongs.

        With ``before`` that of the entries just below it.
        """
        number, low, high = ROOT, self.lowest, self.highest
        data, level = self.root(view)
        start, size, fence = self.header_size, self.branch_size, self.fence_size
        node_size, name = self.node_size, self.name
        column_end = start + self.branch_capacity * size
        while level:
            # A count that is wrong leads to a child whose fences are not these.
            count = data[start:column_end:size].find(b"\n")
            if count <= 0:
                count = self.branch_count(data, number)
            first, end = 1, count
            while first < end:
                middle = (first + end) >> 1
                place = start + middle * size
                found = data[place : place + fence]
                if target < found or (before and target == found):
                    end = middle
                else:
                    first = middle + 1
            place = start + first * size
            if first < count:
                high = data[place : place + fence]
            place -= size
            low = data[place : place + fence]
            child = data[place + fence + 1 : place + size - 1]
            if not child.isdigit():
                raise self.damaged(number, place + fence + 1, "the number of a node", child)
            number = child
            level -= 1
            data = view.read(name, int(number) * node_size, node_size)
            header = _HEADER % (b"node" if level else b"leaf", number, level, low, high)
            if not data.startswith(header):
                self._verify(data, number, level, low, high)
        if len(data) != node_size:
            self._verify(data, number, level, low, high)
        return data, number, low, high

    def leaf_count(self, data: bytes, number: bytes) -> int:
        """How many entries this leaf has."""
        start, size = self.header_size, self.leaf_size
        count = data[start + self.key_size : start + self.leaf_capacity * size : size].find(b"\n")
        if count < 0:
            count = self.leaf_capacity
        end = start + count * size
        if data[start + size - 1 : end : size] != self.blank[:count]:
            # An entry is found by the newline before it.
            raise self.damaged(number, start, f"{count} lines of {size} bytes", data[start:end])
        self._verify_padding(data, number, end)
        return count

    def branch_count(self, data: bytes, number: bytes) -> int:
        """How many children this node has, at least one."""
        start, size = self.header_size, self.branch_size
        count = data[start : start + self.branch_capacity * size : size].find(b"\n")
        if count < 0:
            count = self.branch_capacity
        elif not count:
            raise self.damaged(number, start, "the numbers of nodes", data[start:])
        self._verify_padding(data, number, start + count * size)
        return count

    def capacity(self, level: int) -> int:
        """How many entries a node of this level has room for."""
        return self.branch_capacity if level else self.leaf_capacity

    def size(self, level: int) -> int:
        """How long an entry of this level is, with its newline."""
        return self.branch_size if level else self.leaf_size

    def count(self, data: bytes, number: bytes, level: int) -> int:
        """How many entries a node of this level has."""
        return self.branch_count(data, number) if level else self.leaf_count(data, number)

    def find(self, data: bytes | bytearray, text: bytes, end: int) -> int:
        """Where an entry of this leaf that begins with ``text`` stands, before ``end``, or -1."""
        start = self.header_size - 1
        place = data.find(b"\n" + text, start, end)
        while place >= 0 and (place - start) % self.leaf_size:
            place = data.find(b"\n" + text, place + 1, end)
        return place + 1 if place >= 0 else -1

    def slots(self, data: bytes, number: bytes, key: bytes) -> list[int]:
        """The slots of this key in a leaf, in any order."""
        start, size = self.header_size - 1, self.leaf_size
        end = start + 1 + self.leaf_count(data, number) * size
        text = b"\n" + key
        result: list[int] = []
        place = data.find(text, start, end)
        while place >= 0:
            if not (place - start) % size:
                slot = data[place + len(text) : place + size]
                if not slot.isdigit() or data[place + size] != 10:
                    raise self.damaged(number, place + 1, "a key, a slot and a newline", slot)
                result.append(int(slot))
            place = data.find(text, place + 1, end)
        return result

    def entries(self, data: bytes, number: bytes, low: bytes, high: bytes) -> list[bytes]:
        """The entries of a leaf, keys with slots, sorted."""
        start, size = self.header_size, self.leaf_size
        count = self.leaf_count(data, number)
        end = start + count * size
        columns = [data[start + i : end : size] for i in range(self.key_size, size - 1)]
        if count and not b"".join(columns).isdigit():
            raise self.damaged(number, start, "keys with slots, a line each", data[start:end])
        if data.count(b"\n", start, end) == count:
            result = data[start:end].split(b"\n")
            result.pop()
        else:  # a key has newlines
            result = [data[place : place + size - 1] for place in range(start, end, size)]
        result.sort()
        if result:
            if not (low <= b"=" + result[0] and b"=" + result[-1] < high):
                found = b"%b to %b" % (result[0], result[-1])
                raise self.damaged(number, start, f"entries from {low!r} to {high!r}", found)
            if len(set(result)) != len(result):
                raise self.damaged(number, start, "each entry once", "one of them twice")
        return result

    def branches(
        self, data: bytes, number: bytes, low: bytes, high: bytes
    ) -> tuple[list[bytes], list[bytes]]:
        """The low fences of a branch's children, and their numbers."""
        start, size, fence = self.header_size, self.branch_size, self.fence_size
        end = start + self.branch_count(data, number) * size
        match = self._branch_pattern.match(data, start, end)
        if match is None or match.end() != end:
            place = start if match is None else match.end()
            raise self.damaged(number, place, "a fence, a node and a newline", data[place:end])
        fences = [data[place : place + fence] for place in range(start, end, size)]
        if fences[0] != low or fences[-1] >= high or fences != sorted(set(fences)):
            raise self.damaged(
                number, start, f"ascending fences from {low!r} to {high!r}", data[start:end]
            )
        children = [data[p + fence + 1 : p + size - 1] for p in range(start, end, size)]
        return fences, children

    def damaged(
        self, number: bytes, place: int, expected: str, found: bytes | str
    ) -> CorruptionError:
        """The error to raise for wrong bytes at ``place`` of a node."""
        return self._files.damaged(self.name, int(number) * self.node_size + place, expected, found)

    def _verify(self, data: bytes, number: bytes, level: int, low: bytes, high: bytes) -> None:
        header = self.header(number, level, low, high)
        if not data.startswith(header):
            raise self.damaged(number, 0, f"node {header!r}", data[: len(header)])
        if len(data) != self.node_size:
            raise self.damaged(number, len(data), f"a node of {self.node_size} bytes", b"")

    def _verify_padding(self, data: bytes, number: bytes, end: int) -> None:
        if data[end:] != self.blank[end:]:
            raise self.damaged(number, end, "an entry, or newlines to the end", data[end:])
