"""More entries in an index: into the leaves that are there, or all of them from the bottom up.

A node that gets more than it has room for is split into as many as are needed, in one go.  If all
that is new belongs behind what the node has, the node stays full and the rest goes to new ones, so
that ascending keys fill them; otherwise they get about the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice

from bazanite_wal.layer import WriteSet

from .btree_node import ROOT
from .btree_space import NodeFile
from .errors import ValidationError

Branch = tuple[bytes, bytes]
"""The low fence of a node, and its number."""

_PAGES_AT_ONCE = 64
_MANY = 10
"""From so many on it is quicker to take a leaf apart than to look for each entry in it."""


class Growth:
    """Adds entries (key and slot, sorted, each once) within one transaction."""

    def __init__(self, nodes: NodeFile, tx: WriteSet) -> None:
        self._nodes = nodes
        self._tx = tx

    def insert(self, entries: list[bytes]) -> None:
        """Put these in; CorruptionError if one is there already."""
        nodes, tx = self._nodes, self._tx
        data, level = nodes.root(tx)
        if not level and not nodes.leaf_count(data, ROOT):
            self.build(entries)
            return
        grown = self._into(ROOT, level, nodes.lowest, nodes.highest, entries)
        if grown:
            # The root keeps its number: what it has left goes to a node of its own.
            data = tx.read(nodes.name, nodes.node_size, nodes.node_size)
            end = nodes.header_size + nodes.count(data, ROOT, level) * nodes.size(level)
            body = [data[nodes.header_size : end]]
            first = nodes.write_new(tx, level, nodes.lowest, grown[0][0], body)
            self._raise([(nodes.lowest, first), *grown], level)

    def build(self, entries: Iterable[bytes]) -> None:
        """Let the index have these entries and no others; what was in the file is gone."""
        nodes, tx = self._nodes, self._tx
        tx.truncate(nodes.name, 0)
        empty = nodes.header(ROOT, 0, nodes.lowest, nodes.highest).ljust(nodes.node_size, b"\n")
        tx.write(nodes.name, 0, nodes.first_page() + empty)
        chunks = self._chunks(entries)
        chunk = next(chunks, [])
        following = next(chunks, None)
        if following is None:
            nodes.write_root(tx, 0, b"".join([entry + b"\n" for entry in chunk]))
            return
        branches: list[Branch] = []
        pages: list[bytes] = []
        low = nodes.lowest
        number = 2
        offset = tx.size(nodes.name)
        while chunk:
            high = b"=" + following[0] if following else nodes.highest
            text = b"%09d" % number
            branches.append((low, text))
            page = nodes.header(text, 0, low, high) + b"\n".join(chunk)
            pages.append(page.ljust(nodes.node_size, b"\n"))
            if len(pages) == _PAGES_AT_ONCE or not following:
                tx.write(nodes.name, offset, b"".join(pages))
                offset += len(pages) * nodes.node_size
                pages.clear()
            number += 1
            chunk, following, low = following or [], next(chunks, None), high
        self._raise(branches, 0)

    def _chunks(self, entries: Iterable[bytes]) -> Iterator[list[bytes]]:
        """What goes into each leaf; a little room is left for what comes later."""
        capacity = self._nodes.leaf_capacity
        size = max(1, capacity - capacity // 16)
        source = iter(entries)
        last = b""
        while chunk := list(islice(source, size)):
            if chunk != sorted(set(chunk)) or (last and chunk[0] <= last):
                raise ValidationError("the entries of an index are not in order, or twice the same")
            last = chunk[-1]
            yield chunk

    def _raise(self, branches: list[Branch], level: int) -> None:
        """Let these nodes of one level be all that the root has below it."""
        nodes = self._nodes
        capacity = nodes.branch_capacity
        while True:
            level += 1
            lines = [b"%b %b\n" % branch for branch in branches]
            if len(lines) <= capacity:
                nodes.write_root(self._tx, level, b"".join(lines))
                return
            pieces = _even(lines, capacity)
            fences = [piece[0][: nodes.fence_size] for piece in pieces]
            highs = [*fences[1:], nodes.highest]
            branches = [
                (low, nodes.write_new(self._tx, level, low, high, piece))
                for piece, low, high in zip(pieces, fences, highs, strict=True)
            ]

    def _into(
        self, number: bytes, level: int, low: bytes, high: bytes, entries: list[bytes]
    ) -> list[Branch]:
        """Put entries between these fences into a node; the new nodes that follow it."""
        nodes, tx = self._nodes, self._tx
        data = nodes.load(tx, number, level, low, high)
        if not level:
            return self._into_leaf(data, number, low, high, entries)
        fences, children = nodes.branches(data, number, low, high)
        lines = [b"%b %b\n" % branch for branch in zip(fences, children, strict=True)]
        count = len(lines)
        same = count
        """How many lines in front stay as they are."""
        behind = [*fences[1:], high]
        added: list[tuple[int, list[Branch]]] = []
        position = 0
        while position < len(entries):
            i = bisect_right(fences, b"=" + entries[position]) - 1
            stop = len(entries)
            if behind[i] != nodes.highest:
                stop = bisect_left(entries, behind[i][1:], position)
            part = entries[position:stop]
            new = self._into(children[i], level - 1, fences[i], behind[i], part)
            if new:
                added.append((i + 1, new))
            position = stop
        for place, new in reversed(added):
            lines[place:place] = [b"%b %b\n" % branch for branch in new]
            same = place
        return self._put(number, level, high, lines, same, count) if added else []

    def _into_leaf(
        self, data: bytes, number: bytes, low: bytes, high: bytes, entries: list[bytes]
    ) -> list[Branch]:
        nodes = self._nodes
        count = nodes.leaf_count(data, number)
        end = nodes.header_size + count * nodes.leaf_size
        old: list[bytes] | None = None
        if len(entries) >= _MANY:
            old = nodes.entries(data, number, low, high)
        if old is None or not set(old).isdisjoint(entries):
            for entry in entries:
                refuse_if_there(nodes, data, number, entry, end)
        lines = [entry + b"\n" for entry in entries]
        if count + len(lines) <= nodes.leaf_capacity:
            nodes.write(self._tx, number, end, b"".join(lines))
            return []
        if old is None:
            old = nodes.entries(data, number, low, high)
        if not old or entries[0] > old[-1]:
            stored = [entry + b"\n" for entry in old]
            return self._put(number, 0, high, stored + lines, count, count)
        merged = sorted(old + entries)
        return self._put(number, 0, high, [entry + b"\n" for entry in merged], 0, count)

    def _put(
        self, number: bytes, level: int, high: bytes, lines: list[bytes], same: int, count: int
    ) -> list[Branch]:
        """Let a node of ``count`` lines have these, of which the first ``same`` are its own.

        Those that it has no room for go to new nodes, which follow it.
        """
        nodes, tx = self._nodes, self._tx
        capacity, size = nodes.capacity(level), nodes.size(level)
        if len(lines) <= capacity:
            pieces = [lines]
        elif same == count:
            pieces = [lines[i : i + capacity] for i in range(0, len(lines), capacity)]
        else:
            pieces = _even(lines, capacity)
        lows = [self._fence(level, piece[0]) for piece in pieces[1:]]
        first = pieces[0]
        if lows:
            nodes.write(tx, number, nodes.high_offset, lows[0] + b"\n")
        nodes.write(tx, number, nodes.header_size + same * size, b"".join(first[same:]))
        if count > len(first):
            start = nodes.header_size
            nodes.erase(tx, number, start + len(first) * size, start + count * size)
        return [
            (low, nodes.write_new(tx, level, low, behind, piece))
            for low, behind, piece in zip(lows, [*lows[1:], high], pieces[1:], strict=False)
        ]

    def _fence(self, level: int, line: bytes) -> bytes:
        """The low fence of a node with this first line."""
        return line[: self._nodes.fence_size] if level else b"=" + line[:-1]


def refuse_if_there(nodes: NodeFile, data: bytes, number: bytes, entry: bytes, end: int) -> None:
    """CorruptionError if this leaf has the entry."""
    place = nodes.find(data, entry, end)
    if place >= 0:
        raise nodes.damaged(number, place, "no such entry before it is put in", entry)


def _even(lines: list[bytes], capacity: int) -> list[list[bytes]]:
    """The lines in as few pieces as leave some room in each, two at least, of about one size."""
    count = max(2, -(-len(lines) // max(1, capacity - capacity // 8)))
    size, more = divmod(len(lines), count)
    ends = [size * (i + 1) + min(i + 1, more) for i in range(count)]
    return [lines[start:end] for start, end in zip([0, *ends], ends, strict=False)]
