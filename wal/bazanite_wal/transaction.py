"""A transaction's write set: what it changed, seen by its own reads, and nobody else's.

Pure apart from its base view.  Savepoints are write sets over write sets; releasing one plays its
operations into the one below, rolling back drops it.
"""

from __future__ import annotations

from .errors import TransactionError, ValidationError
from .frame import LARGEST_FILE, LARGEST_FILL, Fill, Operation, Truncate, Write, is_data_file_name
from .layer import PageLayer, View


class _GrowingWrite:
    """A write that later ones may extend or replace, so that one operation covers them all."""

    __slots__ = ("data", "name", "offset")

    def __init__(self, name: str, offset: int, data: bytes) -> None:
        self.name = name
        self.offset = offset
        self.data: bytes | bytearray = data

    def absorb(self, offset: int, data: bytes) -> bool:
        """Take the write over if it starts inside this one or right behind it."""
        start = offset - self.offset
        if not 0 <= start <= len(self.data):
            return False
        if not isinstance(self.data, bytearray):  # most are never extended: then nothing is copied
            self.data = bytearray(self.data)
        self.data[start : start + len(data)] = data
        return True


class Transaction(PageLayer):
    """A WriteSet over ``base``.  Used by the thread that holds the global lock.

    ``lsn`` is the log position just after its frame once it has committed (for one that changed
    nothing: the position that it saw), and 0 before.  ``refused_at`` is the position that one saw
    which was rolled back.
    """

    def __init__(self, base: View) -> None:
        # An overlay that is empty when a transaction begins stays empty until it ends.
        super().__init__(base.beneath() if type(base) is PageLayer else base)
        self._log: list[_GrowingWrite | Fill | Truncate] = []
        self._last: dict[str, _GrowingWrite] = {}
        self._furthest = (0, "")
        self._sizes: dict[str, int] = {}
        self._closed = False
        self._torn = False
        self.lsn = 0
        self.refused_at = 0

    @property
    def has_changes(self) -> bool:
        """Whether a commit has anything to write; unlike ``operations`` it copies nothing."""
        return bool(self._log)

    @property
    def operations(self) -> list[Operation]:
        """The changes so far, in order."""
        return [
            Write(entry.name, entry.offset, bytes(entry.data))
            if isinstance(entry, _GrowingWrite)
            else entry
            for entry in self._log
        ]

    @property
    def furthest(self) -> tuple[int, str]:
        """How long a changed file has to be on the way, at the most, and which one it is."""
        return self._furthest

    def size(self, name: str) -> int:
        file = self._files.get(name)
        if file is not None:
            return file.size
        size = self._sizes.get(name)
        if size is None:  # the base stays what it is as long as this transaction is open
            size = self._sizes[name] = self._base.size(name)
        return size

    def write(self, name: str, offset: int, data: bytes) -> None:
        if type(data) is not bytes:
            data = bytes(data)
        file = self._files.get(name)
        end = offset + len(data)
        if self._closed or not (offset >= 0 and end <= LARGEST_FILE and is_data_file_name(name)):
            self._check(name, offset, len(data))
        if data:
            if file is None:
                file = self._file(name)
            if offset > file.size:
                self._cut_before_gap(name, offset)
            self._furthest = max(self._furthest, (end, name))
        super().write(name, offset, data)
        last = self._last.get(name)
        if data and (last is None or not last.absorb(offset, data)):
            self._last[name] = entry = _GrowingWrite(name, offset, data)
            self._log.append(entry)

    def fill(self, name: str, offset: int, byte: int, count: int) -> None:
        if not (0 <= byte <= 255 and 0 <= count <= LARGEST_FILL):
            raise ValidationError(f"{name}: cannot fill {count} bytes with {byte}")
        self._check(name, offset, count)
        if not count:
            return
        self._cut_before_gap(name, offset)
        super().write(name, offset, bytes((byte,)) * count)
        self._furthest = max(self._furthest, (offset + count, name))
        self._last.pop(name, None)
        self._log.append(Fill(name, offset, byte, count))

    def truncate(self, name: str, size: int) -> None:
        self._check(name, size, 0)
        self._cut_before_gap(name, size)
        super().truncate(name, size)
        self._last.pop(name, None)
        self._furthest = max(self._furthest, (size, name))
        self._log.append(Truncate(name, size))

    def after_images(self, sector: int) -> list[Operation]:
        """What the frame lists: the operations.

        If a torn write hurts neighbours, behind these also whole pages: redo makes them last.  A
        fill of nothing parts the two, for whoever wants to know what the transaction did.
        """
        images = self.operations
        if sector == 1 or not images:
            return images
        images.append(Fill(images[0].name, 0, 0, 0))
        for name in self.touched_files():
            images.append(Truncate(name, self.floor(name)))
            images.extend(Write(name, offset, data) for offset, data in self.pages(name))
            images.append(Truncate(name, self.size(name)))
        return images

    def absorb(self, savepoint: Transaction) -> None:
        """Take over a savepoint's changes, all of them or, if interrupted, never commit."""
        savepoint.check_whole()
        self._torn = True
        self.apply(savepoint.operations)
        self._torn = False

    def check_whole(self) -> None:
        """TransactionError if an interrupt struck while a savepoint was taken over."""
        if self._torn:
            raise TransactionError(
                "an interrupt cut the release of a savepoint short: the transaction is rolled back"
            )

    def close(self) -> None:
        """No change is possible any more."""
        self._closed = True

    def _cut_before_gap(self, name: str, start: int) -> None:
        """Let redo cut the file where it ends now, if bytes from there to ``start`` are skipped.

        Nobody writes those bytes: a power cut may keep the new size and leave garbage in them.
        """
        size = self.size(name)
        if start > size:
            self._last.pop(name, None)
            self._log.append(Truncate(name, size))

    def _check(self, name: str, offset: int, count: int) -> None:
        """Refuse what no frame can say: once in the log it would be corruption for ever."""
        if self._closed:
            raise TransactionError("the transaction is over; begin a new one")
        if name not in self._files and not is_data_file_name(name):
            raise ValidationError(f"not a data file's name: {name!r}")
        if not 0 <= offset <= LARGEST_FILE - count:
            raise ValidationError(f"{name}: no file has an offset or size of {offset} + {count}")
