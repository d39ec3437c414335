"""The text file: values of TEXT, BLOB and JSON, each its length in 9 bytes and then its bytes.

Values are appended; the row holds the offset.  A deleted value is overwritten with ``#``, header
included, so an offset that no row holds any more never reads as a value.

A changed value keeps its place if there is room: its own bytes, and the ``#`` right behind them.
What stands behind a value is the header of another, which begins with a digit, or a deleted one; so
``#`` there is no one's, wherever else it might be part of a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bazanite_wal.layer import View, WriteSet

from .fields import TEXT_WIDTH
from .files import TableFiles

_FIRST_WINDOW_SIZE = 512
_WINDOW_SIZE = 16 * 1024


def encode(value: bytes) -> bytes:
    """A value's bytes in the text file."""
    return (b"%d" % len(value)).ljust(TEXT_WIDTH) + value


class TextReader:
    """Reads values, with one read for many small ones that lie side by side.

    It begins with small reads: with checksums, every byte read costs time, wanted or not.
    """

    def __init__(self, view: View, files: TableFiles) -> None:
        self._view = view
        self._files = files
        self._start = 0
        self._window = b""
        self._size = _FIRST_WINDOW_SIZE

    def get(self, offset: int, read: Callable[[bytes], Any] = bytes.decode) -> Any:
        """The value at this offset; CorruptionError if none stands there.

        ``read`` makes it of its bytes, ValueError if they are none: without it, text.
        """
        start = offset + TEXT_WIDTH
        length = self.length(offset)
        data = self._read(start, length)
        if len(data) != length:
            expected = f"{length} bytes of text"
            raise self._files.damaged(self._files.text, start, expected, f"{len(data)} bytes")
        try:
            return read(data)
        except UnicodeDecodeError as error:
            bad = start + error.start
            found = data[error.start :]
            raise self._files.damaged(self._files.text, bad, "UTF-8", found) from error
        except ValueError as error:
            expected = "a value of its field's type"
            raise self._files.damaged(self._files.text, start, expected, data) from error

    def length(self, offset: int) -> int:
        """How many bytes the value at this offset has, without its header."""
        header = self._read(offset, TEXT_WIDTH)
        digits = header.rstrip(b" ")
        if len(header) != TEXT_WIDTH or not digits.isdigit():
            raise self._files.damaged(
                self._files.text, offset, "the length of a text, in 9 bytes", header
            )
        return int(digits)

    def _read(self, offset: int, size: int) -> bytes:
        begin = offset - self._start
        if begin >= 0 and begin + size <= len(self._window):
            return self._window[begin : begin + size]
        if size > _WINDOW_SIZE:
            # A damaged length must not ask for a gigabyte.
            size = min(size, max(0, self._view.size(self._files.text) - offset))
            return self._view.read(self._files.text, offset, size)
        self._start = offset
        self._window = self._view.read(self._files.text, offset, max(size, self._size))
        self._size = min(2 * self._size, _WINDOW_SIZE)
        return self._window[:size]


def has_room(view: View, files: TableFiles, offset: int, new: bytes) -> bool:
    """Whether these bytes, as ``encode`` gives them, can replace the value at this offset."""
    old = TEXT_WIDTH + TextReader(view, files).length(offset)
    more = len(new) - old
    if more <= 0:
        return True
    if view.read(files.text, offset + old, 1) != b"#":
        return False
    return view.read(files.text, offset + old, more) == b"#" * more


def replace(tx: WriteSet, files: TableFiles, offset: int, new: bytes) -> None:
    """Write these bytes over the value at this offset, for which there is room."""
    rest = TEXT_WIDTH + TextReader(tx, files).length(offset) - len(new)
    tx.write(files.text, offset, new)
    if rest > 0:
        tx.fill(files.text, offset + len(new), ord("#"), rest)


def erase(tx: WriteSet, files: TableFiles, offset: int) -> None:
    """Overwrite the value at this offset, header included."""
    length = TextReader(tx, files).length(offset)
    if offset + TEXT_WIDTH + length > tx.size(files.text):
        raise files.damaged(files.text, offset, "a whole text", f"a length of {length}")
    tx.fill(files.text, offset, ord("#"), TEXT_WIDTH + length)
