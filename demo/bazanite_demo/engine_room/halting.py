"""The real operating system, in which one thread can be told to stand still in mid-commit.

All calls go straight to it, until a thread is armed with a ``Halt``: then the writes that this
thread makes are looked at, and at the chosen one it stands still.  It must hold the global lock
over its whole transaction (``db.storage.lock()``), so that its frame is appended, synced and put
into the table files by itself, and by nobody for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bazanite_wal.header import FRAMES_START
from bazanite_wal.log import LOG_NAME
from bazanite_wal.posix import POSIX

from .moments import HALF_APPLIED, HALF_LOGGED, LOGGED
from .tables import Experiments

_TABLE = Experiments.name
_ROWS = f"{_TABLE}.dat"

Write = Callable[[bytes | memoryview, int], int]


class Halt:
    """Makes the thread that created it call ``stand`` once, at a moment of its next commit.

    A write to the log is its own if it names the table; then the first write to a file of the table
    comes when all of the frame is in the log and, with durability "full", synced.
    """

    def __init__(self, moment: str, stand: Callable[[], None]) -> None:
        self.thread = threading.get_ident()
        self._moment = moment
        self._stand = stand
        self._logged = False
        self._stood = False

    def write(self, name: str, write: Write, data: bytes | memoryview, offset: int) -> int:
        """Do that write, or a part of it, with the thread standing still before or behind it."""
        if name == LOG_NAME and offset >= FRAMES_START and not self._logged:
            self._logged = _ROWS.encode() in bytes(data)
            if self._logged and self._moment == HALF_LOGGED:
                return self._half(write, data, offset)
        elif self._logged and not self._stood and name.startswith(_TABLE):
            if self._moment == LOGGED:
                self._stand_once()
            elif self._moment == HALF_APPLIED and name == _ROWS:
                return self._half(write, data, offset)
        return write(data, offset)

    def _half(self, write: Write, data: bytes | memoryview, offset: int) -> int:
        written = write(data[: len(data) // 2], offset)
        self._stand_once()
        return written  # a short write: whoever lives on writes the rest

    def _stand_once(self) -> None:
        self._stood = True
        self._stand()


class HaltingSystem:
    """A System; ``halt`` is that of the armed thread, None mostly."""

    def __init__(self) -> None:
        self.halt: Halt | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(POSIX, name)

    def directory(self, path: str, *, create: bool) -> Any:
        return _Directory(self, POSIX.directory(path, create=create))


class _Directory:
    def __init__(self, system: HaltingSystem, inner: Any) -> None:
        self._system = system
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open(self, name: str, *, write: bool = True) -> Any:
        return _File(self._system, self._inner.open(name, write=write), name)

    def create(self, name: str, *, new: bool = False) -> Any:
        return _File(self._system, self._inner.create(name, new=new), name)

    def create_successor(self, name: str, of: str) -> Any:
        return _File(self._system, self._inner.create_successor(name, of), name)


class _File:
    def __init__(self, system: HaltingSystem, inner: Any, name: str) -> None:
        self._system = system
        self._inner = inner
        self._name = name
        self.read_at = inner.read_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write_at(self, data: bytes | memoryview, offset: int) -> int:
        halt = self._system.halt
        write: Write = self._inner.write_at
        if halt is None or halt.thread != threading.get_ident():
            return write(data, offset)
        return halt.write(self._name, write, data, offset)
