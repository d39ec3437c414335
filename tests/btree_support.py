"""What the tests of indexes share: views in memory, and trees of tiny nodes."""

from __future__ import annotations

from bazanite.btree import BTree
from bazanite.files import TableFiles
from bazanite_wal.layer import PageLayer

NAME = "t.a.index.dat"
FILES = TableFiles("dir", "t")

Entry = tuple[bytes, int]


class Nothing:
    """A view without files."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        return b""

    def size(self, name: str) -> int:
        return 0

    def next_data(self, name: str, offset: int) -> int | None:
        return None


class CountedReads:
    """A view that counts its reads and how long the longest was."""

    def __init__(self, view: PageLayer) -> None:
        self.view = view
        self.reads = 0
        self.longest = 0

    def read(self, name: str, offset: int, size: int) -> bytes:
        self.reads += 1
        self.longest = max(self.longest, size)
        return self.view.read(name, offset, size)

    def size(self, name: str) -> int:
        return self.view.size(name)

    def next_data(self, name: str, offset: int) -> int | None:
        return self.view.next_data(name, offset)


def tiny(key_size: int, slot_width: int, children: int = 3) -> BTree:
    """A tree whose nodes have room for so many children only."""
    fence = 1 + key_size + slot_width
    node_size = max(64, 34 + 2 * fence + children * (fence + 11))
    return BTree(FILES, NAME, key_size, slot_width, node_size)


def memory(tree: BTree, entries: list[Entry] | None = None) -> PageLayer:
    """A file in memory with these entries."""
    view = PageLayer(Nothing())
    tree.build(view, sorted(entries or []))
    return view


def content(view: PageLayer) -> bytes:
    """The whole file."""
    return view.read(NAME, 0, view.size(NAME))


def holding(data: bytes) -> PageLayer:
    """A view of a file with these bytes."""
    view = PageLayer(Nothing())
    view.write(NAME, 0, data)
    return view
