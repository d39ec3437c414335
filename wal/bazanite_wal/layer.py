"""Consistent views of many files, and layers of changes over them.

A ``PageLayer`` holds changes over a base view in memory, as whole pages and file sizes, so that a
read costs the same however many writes went before.  A write is kept as it came until someone
reads the file: most transactions never read what they wrote, and need no page then.  It serves as
the overlay (frames that are in the log but not yet in the files), as a transaction's write set, as
a savepoint, and as the answer to "what would recovery give".  Pure apart from what its base does.

Invariants: a page is materialised from the base when it is first needed, so the base must not
change, except by becoming what the layer already says; bytes of the base at or beyond ``floor``
are never seen, because a truncation once cut them off; ``late`` writes are newer than any page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .frame import Fill, Operation, Write

PAGE_SIZE = 4096
_MANY_CHANGES, _MANY_BYTES = 512, 1 << 20
_LONG_FILL = 16 * PAGE_SIZE


class View(Protocol):
    """A consistent state of all data files, by file name."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end of the file."""
        ...

    def size(self, name: str) -> int:
        """The file's length in bytes; 0 if there is no such file."""
        ...

    def next_data(self, name: str, offset: int) -> int | None:
        """Where the first byte at or after ``offset`` may be that is not zero; None: nowhere."""
        ...


class WriteSet(View, Protocol):
    """A view that can be changed; nothing reaches a file before the commit."""

    @property
    def changes(self) -> int:
        """How many changes were made: it tells that nobody else made one meanwhile."""
        ...

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Put ``data`` at ``offset``; a gap beyond the end reads as zeros."""
        ...

    def fill(self, name: str, offset: int, byte: int, count: int) -> None:
        """Put ``count`` bytes of value ``byte`` at ``offset``."""
        ...

    def truncate(self, name: str, size: int) -> None:
        """Cut the file to ``size`` bytes, or grow it with zeros."""
        ...


class _LayeredFile:
    """One file's changes: its size, its touched pages, and how much of the base shows.

    ``late`` are writes, in order, that are not in the pages yet.  A page that is ``bytes`` stands
    for many, which a long fill made alike: it is copied before it is changed.
    """

    __slots__ = ("floor", "late", "pages", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.floor = size
        self.pages: dict[int, bytearray | bytes] = {}
        self.late: list[tuple[int, bytes]] = []


class PageLayer:
    """Changes over ``base``; implements WriteSet.  Not thread-safe: its owner holds a lock."""

    def __init__(self, base: View) -> None:
        self._base = base
        self.changes = 0
        self._written = 0
        self._files: dict[str, _LayeredFile] = {}

    def __bool__(self) -> bool:
        """Whether anything was ever changed here."""
        return bool(self._files)

    def is_large(self) -> bool:
        """Whether this takes so much memory that it is no good as a cache."""
        return self.changes > _MANY_CHANGES or self._written > _MANY_BYTES

    def beneath(self) -> View:
        """The base if nothing was changed here, else this layer: what a layer above may read."""
        return self if self._files else self._base

    def size(self, name: str) -> int:
        file = self._files.get(name)
        return self._base.size(name) if file is None else file.size

    def read(self, name: str, offset: int, size: int) -> bytes:
        file = self._files.get(name)
        if file is None:
            return self._base.read(name, offset, size)
        end = min(offset + size, file.size)
        if end <= offset:
            return b""
        if file.late:
            self._settle(name, file)
        first, last = offset // PAGE_SIZE, (end - 1) // PAGE_SIZE
        if first == last and (page := file.pages.get(first)) is not None:
            return bytes(page[offset - first * PAGE_SIZE : end - first * PAGE_SIZE])
        result = bytearray(end - offset)
        visible = min(end, file.floor) - offset
        if visible > 0:
            data = self._base.read(name, offset, visible)
            result[: len(data)] = data
        touched = file.pages
        numbers: Iterable[int] = range(first, last + 1)
        if last - first > len(touched):
            numbers = [number for number in touched if first <= number <= last]
        for number in numbers:
            changed = touched.get(number)
            if changed is not None:
                start = max(offset, number * PAGE_SIZE)
                stop = min(end, (number + 1) * PAGE_SIZE)
                result[start - offset : stop - offset] = changed[
                    start - number * PAGE_SIZE : stop - number * PAGE_SIZE
                ]
        return bytes(result)

    def next_data(self, name: str, offset: int) -> int | None:
        file = self._files.get(name)
        if file is None:
            return self._base.next_data(name, offset)
        self._settle(name, file)
        first = offset // PAGE_SIZE
        places = [max(offset, n * PAGE_SIZE) for n in file.pages if n >= first]
        shown = self._base.next_data(name, offset) if offset < file.floor else None
        if shown is not None and shown < file.floor:
            places.append(shown)
        found = min(places, default=file.size)
        return found if found < file.size else None

    def write(self, name: str, offset: int, data: bytes) -> None:
        if not data:
            return
        self.changes += 1
        self._written += len(data)
        file = self._files.get(name) or self._file(name)
        file.late.append((offset, data if type(data) is bytes else bytes(data)))
        end = offset + len(data)
        file.size = max(file.size, end)

    def fill(self, name: str, offset: int, byte: int, count: int) -> None:
        start, end = -(-offset // PAGE_SIZE), (offset + count) // PAGE_SIZE  # of whole pages
        if count < _LONG_FILL:
            self.write(name, offset, bytes((byte,)) * count)
            return
        self.write(name, offset, bytes((byte,)) * (start * PAGE_SIZE - offset))
        self.write(name, end * PAGE_SIZE, bytes((byte,)) * (offset + count - end * PAGE_SIZE))
        file = self._files.get(name) or self._file(name)
        self._settle(name, file)
        file.pages.update(dict.fromkeys(range(start, end), bytes((byte,)) * PAGE_SIZE))
        file.size = max(file.size, end * PAGE_SIZE)
        self.changes += 1
        self._written += count

    def truncate(self, name: str, size: int) -> None:
        self.changes += 1
        file = self._file(name)
        if size < file.size:
            file.late = [write for write in file.late if write[0] < size]
            self._settle(name, file)
            number, start = divmod(size, PAGE_SIZE)
            for beyond in [
                key for key in file.pages if key > number or (key == number and not start)
            ]:
                del file.pages[beyond]
            if number in file.pages:
                self._page(name, file, number)[start:] = bytes(PAGE_SIZE - start)
            file.floor = min(file.floor, size)
        file.size = size

    def apply(self, operations: Iterable[Operation]) -> None:
        """Make these changes, in order."""
        for operation in operations:
            if isinstance(operation, Write):
                self.write(operation.name, operation.offset, operation.data)
            elif isinstance(operation, Fill):
                self.fill(operation.name, operation.offset, operation.byte, operation.count)
            else:
                self.truncate(operation.name, operation.size)

    def touched_files(self) -> list[str]:
        """The files that were changed, in the order in which they were first touched."""
        return list(self._files)

    def floor(self, name: str) -> int:
        """The smallest size a touched file had on the way: the base shows only below it."""
        return self._files[name].floor

    def pages(self, name: str) -> list[tuple[int, bytes]]:
        """A touched file's changed pages within its size, as (offset, bytes)."""
        file = self._files[name]
        self._settle(name, file)
        return [
            (number * PAGE_SIZE, bytes(page[: file.size - number * PAGE_SIZE]))
            for number, page in sorted(file.pages.items())
            if number * PAGE_SIZE < file.size
        ]

    def clear(self) -> None:
        """Forget all changes."""
        self._files.clear()
        self.changes = self._written = 0

    def _file(self, name: str) -> _LayeredFile:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _LayeredFile(self.size(name))
        return file

    def _settle(self, name: str, file: _LayeredFile) -> None:
        """Put the late writes into pages."""
        pages = file.pages
        for offset, data in file.late:
            end = offset + len(data)
            position = offset
            while position < end:
                number, start = divmod(position, PAGE_SIZE)
                count = min(PAGE_SIZE - start, end - position)
                piece = data[position - offset : position - offset + count]
                if count == PAGE_SIZE:
                    pages[number] = bytearray(piece)
                else:
                    self._page(name, file, number)[start : start + count] = piece
                position += count
        file.late.clear()

    def _page(self, name: str, file: _LayeredFile, number: int) -> bytearray:
        page = file.pages.get(number)
        if isinstance(page, bytes):
            page = file.pages[number] = bytearray(page)
        if page is None:
            page = bytearray(PAGE_SIZE)
            visible = min(PAGE_SIZE, file.floor - number * PAGE_SIZE)
            if visible > 0:
                data = self._base.read(name, number * PAGE_SIZE, visible)
                page[: len(data)] = data
            file.pages[number] = page
        return page
