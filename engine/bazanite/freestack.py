"""The stack of freed slots: the last one freed is the first one used again.

Invariant: every entry names a slot that is deleted, and no slot twice; a pop that finds otherwise
is an error, because the insert would overwrite a live row.
"""

from __future__ import annotations

from bazanite_wal.layer import View, WriteSet

from .files import TableFiles
from .index import encode


class FreeStack:
    """The stack as it is when made, in a transaction; pops are written by ``save``."""

    def __init__(self, view: View, files: TableFiles, width: int) -> None:
        self._view = view
        self._files = files
        self._width = width
        size = view.size(files.free)
        self.count, rest = divmod(size, width)
        self._stored_count = self.count
        if rest:
            raise files.damaged(
                files.free, size - rest, f"slot numbers of {width} bytes", f"{rest} bytes more"
            )

    def pop(self, row_size: int) -> int | None:
        """The slot to use next, None if there is none; CorruptionError unless it is deleted."""
        return self.take(row_size) if self.count else None

    def take(self, row_size: int) -> int:
        """The slot to use next, of a stack that is not empty; CorruptionError as above."""
        self.count -= 1
        offset = self.count * self._width
        slot = self.entry(self.count)
        stars = b"*" * (row_size - 1) + b"\n"
        if self._view.read(self._files.rows, slot * row_size, row_size) != stars:
            expected = "the number of a deleted slot"
            raise self._files.damaged(self._files.free, offset, expected, str(slot))
        return slot

    def entry(self, index: int) -> int:
        """The slot at this place of the stack, counted from the bottom."""
        offset = index * self._width
        data = self._view.read(self._files.free, offset, self._width)
        digits = data.rstrip(b" ")
        if len(data) != self._width or not digits.isdigit():
            expected = f"a slot number in {self._width} bytes"
            raise self._files.damaged(self._files.free, offset, expected, data)
        return int(digits)

    def save(self, tx: WriteSet) -> None:
        """Take the popped entries off the file."""
        if self.count != self._stored_count:
            tx.truncate(self._files.free, self.count * self._width)
            self._stored_count = self.count

    def push(self, tx: WriteSet, slot: int) -> None:
        """Put a freed slot on top."""
        tx.write(self._files.free, self.count * self._width, encode(slot, self._width))
        self.count += 1
        self._stored_count = self.count
