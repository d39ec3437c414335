"""How nodes of an index are written, had and given back; reading them is ``btree_node``'s.

Invariants: node 0 names the first of the free nodes, and each of them the next one; a node is free
or in the tree.  A free node is a line and newlines, nothing of what it held.  The file grows only
if no node is free.
"""

from __future__ import annotations

from bazanite_wal.layer import View, WriteSet

from .btree_node import DIGITS, FIRST_LINE, HEAD, ROOT, DamageReporter, Nodes
from .errors import ValidationError

_MANY = 10**DIGITS
_FREE_LINE = b"free %b next "
_FILL_FROM_BYTES = 48
"""Padding from here on is shorter in the log as a fill."""


class NodeFile(Nodes):
    """The nodes of the index in a file, to be read and changed."""

    def __init__(
        self, files: DamageReporter, name: str, key_size: int, slot_width: int, node_size: int
    ) -> None:
        super().__init__(files, name, key_size, slot_width, node_size)
        self._first_line = FIRST_LINE % (key_size, slot_width, node_size)

    def write(self, tx: WriteSet, number: bytes, place: int, data: bytes) -> None:
        """Put ``data`` at ``place`` of a node."""
        tx.write(self.name, int(number) * self.node_size + place, data)

    def erase(self, tx: WriteSet, number: bytes, start: int, end: int) -> None:
        """Put newlines from ``start`` up to ``end`` of a node."""
        tx.fill(self.name, int(number) * self.node_size + start, 10, end - start)

    def _write_whole(self, tx: WriteSet, number: bytes, data: bytes) -> None:
        """Let a node be this, and newlines."""
        rest = self.node_size - len(data)
        self.write(tx, number, 0, data + self.blank[:rest] if rest < _FILL_FROM_BYTES else data)
        if rest >= _FILL_FROM_BYTES:
            self.erase(tx, number, len(data), self.node_size)

    def write_new(
        self, tx: WriteSet, level: int, low: bytes, high: bytes, lines: list[bytes]
    ) -> bytes:
        """Make a node of these lines; its number."""
        number = self._take_free(tx)
        fresh = number is None
        if number is None:
            size = tx.size(self.name)
            if size % self.node_size or size < 2 * self.node_size:
                expected = f"nodes of {self.node_size} bytes"
                raise self.damaged(HEAD, size, expected, f"{size} bytes")
            if size // self.node_size >= _MANY:
                raise ValidationError(f"{self.name}: the index is full")
            number = b"%09d" % (size // self.node_size)
        data = self.header(number, level, low, high) + b"".join(lines)
        if fresh:
            self._write_whole(tx, number, data)
        else:
            self.write(tx, number, 0, data)  # the rest of a free node is newlines
        return number

    def write_root(self, tx: WriteSet, level: int, body: bytes) -> None:
        """Let the root have this level and these lines."""
        data = self.header(ROOT, level, self.lowest, self.highest) + body
        self._write_whole(tx, ROOT, data)

    def first_page(self) -> bytes:
        """Node 0 of an index without free nodes."""
        return (self._first_line + HEAD + b"\n").ljust(self.node_size, b"\n")

    def free(self, tx: WriteSet, number: bytes) -> None:
        """Give a node back; its bytes are erased."""
        head = self.first_free(tx)
        line = _FREE_LINE % number + head + b"\n"
        self._write_whole(tx, number, line)
        self.write(tx, HEAD, len(self._first_line), number)

    def first_free(self, view: View) -> bytes:
        """The number of the first free node, or HEAD."""
        return self._number_in(view, HEAD, self._first_line)

    def next_free(self, view: View, number: bytes) -> bytes:
        """The number of the free node behind this one, or HEAD."""
        return self._number_in(view, number, _FREE_LINE % number)

    def _take_free(self, tx: WriteSet) -> bytes | None:
        number = self.first_free(tx)
        if number == HEAD:
            return None
        following = self.next_free(tx, number)
        self.write(tx, HEAD, len(self._first_line), following)
        return number

    def _number_in(self, view: View, number: bytes, line: bytes) -> bytes:
        """The number that stands behind this text in a node that has nothing else."""
        data = view.read(self.name, int(number) * self.node_size, self.node_size)
        found = data[len(line) : len(line) + DIGITS]
        expected = (line + found + b"\n").ljust(self.node_size, b"\n")
        if data != expected or len(found) != DIGITS or not found.isdigit():
            raise self.damaged(number, 0, f"{line!r}, a node's number and newlines", data)
        return found
