"""Section 10 of docs/format.md is enough to read an index: this reader was written from it alone.

It must not be "fixed" by looking at the engine: where the two differ, the page or the engine is
wrong.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from bazanite.btree import BTree
from btree_support import FILES, NAME, content, memory

PAGE = Path(__file__).parent.parent / "docs" / "format.md"


class PageIndex:
    """An index file; ``visited`` are the nodes that a walk came through."""

    def __init__(self, data: bytes) -> None:
        match = re.match(
            rb"BAZANITE-INDEX 1 key ([0-9]{3}) slot ([0-9]{2}) node 04096 free ([0-9]{9})\n", data
        )
        assert match
        assert not len(data) % 4096
        self.data = data
        self.key_size, self.slot_width = int(match[1]), int(match[2])
        self.fence_size = 1 + self.key_size + self.slot_width
        self.free = match[3]
        self.lowest = b"!".ljust(self.fence_size)
        self.highest = b"~".ljust(self.fence_size)
        self.visited: list[int] = []

    def node(self, number: bytes, low: bytes, high: bytes) -> tuple[int, list[bytes]]:
        """A node's level and lines."""
        self.visited.append(int(number))
        node = self.data[4096 * int(number) :][:4096]
        level = int(node[21:23])
        word = b"node" if level else b"leaf"
        header = b"%b %b level %02d from %b to %b\n" % (word, number, level, low, high)
        assert node.startswith(header)
        size = (self.fence_size + 11) if level else self.fence_size
        column = 0 if level else self.key_size
        body = node[len(header) :]
        lines = []
        while body[column : column + 1] not in (b"\n", b"") and len(body) >= size:
            assert body[size - 1 : size] == b"\n"
            lines.append(body[: size - 1])
            body = body[size:]
        assert not body.strip(b"\n")
        return level, lines

    def children(self, lines: list[bytes], high: bytes) -> list[tuple[bytes, bytes, bytes]]:
        fences = [line[: self.fence_size] for line in lines]
        numbers = [line[self.fence_size + 1 :] for line in lines]
        return list(zip(numbers, fences, [*fences[1:], high], strict=True))

    def walk(self, number: bytes, low: bytes, high: bytes) -> list[tuple[bytes, int]]:
        level, lines = self.node(number, low, high)
        if not level:
            assert all(low <= b"=" + line < high for line in lines)
            return [(line[: self.key_size], int(line[self.key_size :])) for line in sorted(lines)]
        assert lines == sorted(lines)
        assert lines[0].startswith(low)
        return [entry for child in self.children(lines, high) for entry in self.walk(*child)]

    def entries(self) -> list[tuple[bytes, int]]:
        return self.walk(b"000000001", self.lowest, self.highest)

    def free_nodes(self) -> list[int]:
        found, number = [], self.free
        while int(number):
            found.append(int(number))
            node = self.data[4096 * int(number) :][:4096].rstrip(b"\n")
            assert node[:20] == b"free %b next " % number
            number = node[20:]
        return found

    def find(self, key: bytes) -> list[int]:
        target, slots = b"=" + key + b"0" * self.slot_width, []
        while True:
            number, low, high = b"000000001", self.lowest, self.highest
            level, lines = self.node(number, low, high)
            while level:
                (child,) = [c for c in self.children(lines, high) if c[1] <= target < c[2]]
                number, low, high = child
                below, lines = self.node(number, low, high)
                assert below == level - 1
                level = below
            slots += [int(line[self.key_size :]) for line in lines if line.startswith(key)]
            if not high.startswith(b"=" + key):
                return sorted(slots)
            target = high


@pytest.mark.parametrize("key_size", [3, 40])
def test_the_pages_reader_reads_an_index_that_the_engine_made(key_size: int) -> None:
    tree = BTree(FILES, NAME, key_size, 9)
    rng = random.Random(key_size)
    view = memory(tree)
    model: set[tuple[bytes, int]] = set()
    for _ in range(6):
        keys = [(b"%d" % rng.randrange(900)).ljust(key_size, b"\0") for _ in range(2000)]
        new = {(key, rng.randrange(10**9)) for key in keys} - model
        tree.insert(view, list(new))
        model |= new
        gone = sorted(model)[: len(model) // 2]
        tree.remove(view, gone)
        model -= set(gone)
        page = PageIndex(content(view))
        assert page.entries() == sorted(model)
        everything = [0, *page.visited, *page.free_nodes()]
        assert sorted(everything) == list(range(len(page.data) // 4096))
        for key in rng.sample(keys, 20):
            assert page.find(key) == tree.find(view, key)
    assert page.free_nodes()
    assert page.node(b"000000001", page.lowest, page.highest)[0]


def test_the_index_on_the_page_is_what_the_engine_writes() -> None:
    text = PAGE.read_text(encoding="utf-8").split("<!-- index example")[1]
    example = text.split("```text\n")[1].split("```")[0].encode()
    tree = BTree(FILES, NAME, 3, 9)
    view = memory(tree)
    for entry in ((b"#42", 0), (b"#18", 1), (b"###", 2), (b"#18", 3)):
        tree.insert(view, [entry])
    assert re.sub(rb"\n+", b"\n", content(view)) == example
    assert PageIndex(content(view)).find(b"#18") == [1, 3]
