"""A transaction's write set: what it changed, seen by its own reads, and nobody else's.

Pure apart from its base view.  Savepoints are write sets over write sets; releasing one plays its
operations into the one below, rolling back drops it.
"""

from __future__ import annotations

from .errors import TransactionError
from .frame import Fill, Operation, Truncate, Write
from .layer import PageLayer, View


class _GrowingWrite:
    """A write that later ones may extend or replace, so that one operation covers them all."""

    __slots__ = ("data", "name", "offset")

    def __init__(self, name: str, offset: int, data: bytes) -> None:
        self.name = name
        self.offset = offset
        self.data = bytearray(data)

    def absorb(self, offset: int, data: bytes) -> bool:
        """Take the write over if it starts inside this one or right behind it."""
        start = offset - self.offset
        if not 0 <= start <= len(self.data):
            return False
        self.data[start : start + len(data)] = data
        return True


class Transaction(PageLayer):
    """A WriteSet over ``base``.  Used by the thread that holds the global lock.

    ``lsn`` is the log position just after its frame once it has committed (for one that changed
    nothing: the position that it saw), and 0 before.
    """

    def __init__(self, base: View) -> None:
        super().__init__(base)
        self._log: list[_GrowingWrite | Fill | Truncate] = []
        self._last: dict[str, _GrowingWrite] = {}
        self._closed = False
        self.lsn = 0

    @property
    def operations(self) -> list[Operation]:
        """The changes so far, in order."""
        return [
            Write(entry.name, entry.offset, bytes(entry.data))
            if isinstance(entry, _GrowingWrite)
            else entry
            for entry in self._log
        ]

    def write(self, name: str, offset: int, data: bytes) -> None:
        self._check_open()
        super().write(name, offset, data)
        last = self._last.get(name)
        if data and (last is None or not last.absorb(offset, data)):
            self._last[name] = entry = _GrowingWrite(name, offset, data)
            self._log.append(entry)

    def fill(self, name: str, offset: int, byte: int, count: int) -> None:
        self._check_open()
        super().write(name, offset, bytes((byte,)) * count)
        self._last.pop(name, None)
        self._log.append(Fill(name, offset, byte, count))

    def truncate(self, name: str, size: int) -> None:
        self._check_open()
        super().truncate(name, size)
        self._last.pop(name, None)
        self._log.append(Truncate(name, size))

    def after_images(self, sector: int) -> list[Operation]:
        """What the frame lists: the operations, or whole pages if a torn write hurts neighbours."""
        if sector == 1:
            return self.operations
        images: list[Operation] = []
        for name in self.touched_files():
            images.append(Truncate(name, self.floor(name)))
            images.extend(Write(name, offset, data) for offset, data in self.pages(name))
            images.append(Truncate(name, self.size(name)))
        return images

    def close(self) -> None:
        """No change is possible any more."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise TransactionError("the transaction is over; begin a new one")
