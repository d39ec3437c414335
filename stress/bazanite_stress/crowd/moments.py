"""Where a process may be told to die, and an operating system that sees it come there.

White-box kills: the process itself counts how often a moment came, and at the chosen one sends
itself SIGKILL, before the call or in the middle of a write.  What the kernel has by then stays, and
nothing happens any more, as with a kill from outside.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bazanite_wal.attach import ATTACHED_NAME, LOCK_NAME
from bazanite_wal.header import FRAMES_START
from bazanite_wal.log import LOG_NAME, NEW_LOG_NAME
from bazanite_wal.posix import POSIX

APPEND, LOG_SYNC, APPLY, DATA_SYNC = "log append", "log sync", "apply", "data sync"
HEADER, RECOVERY, CREATING = "header write", "recovery", "creating files"
WAITING, HOLDING = "waiting for the lock", "holding the lock"

WHITE_BOX = (APPEND, LOG_SYNC, APPLY, DATA_SYNC, HEADER, RECOVERY, WAITING, HOLDING, CREATING)
"""Moments at which a process kills itself."""

ANY_TIME, STOPPED, FIRST_OPENER = "any time", "stopped", "first opener"
FORKED_CHILD, PARENT_OF_A_FORK = "forked child", "parent of a fork"

BLACK_BOX = (ANY_TIME, STOPPED, FIRST_OPENER, FORKED_CHILD, PARENT_OF_A_FORK)
"""Moments at which somebody else kills or stops a process, whatever it is doing."""

EVERYBODY = "everybody"
"""All at once, and whoever opens the directory next is the first."""

NO_SPACE = "no space"
"""A call that met a full disk; only where a small file system can be mounted."""

_LOGS = (LOG_NAME, NEW_LOG_NAME)


@dataclass(frozen=True, slots=True)
class Doom:
    """Die when this moment comes for the ``count``-th time (from 1).

    ``share``, from 0 to 1: how much of a write is done before; of WAIT_SECONDS, for how long the
    process waits for the lock.
    """

    moment: str
    count: int
    share: float


WAIT_SECONDS = 0.002


class DoomedSystem:
    """The real operating system, for a process that is to die; ``told`` hears of it just before."""

    def __init__(self, doom: Doom, told: Callable[[str], None]) -> None:
        self._doom = doom
        self._told = told
        self._left = doom.count
        self._fresh = False
        self._recovering = False
        self._holding = False
        self.opening = False
        """Whether the process is opening the directory: its owner says so."""

    def __getattr__(self, name: str) -> Any:
        return getattr(POSIX, name)

    def directory(self, path: str, *, create: bool) -> Any:
        self._fresh = not Path(path, LOG_NAME).exists()
        self.come(CREATING)
        return _Directory(self, POSIX.directory(path, create=create))

    def come(self, *moments: str, part: Callable[[float], object] | None = None) -> None:
        """The process has come to these moments; if it is to die now, it does ``part`` of it."""
        if self._recovering:
            moments = (RECOVERY,)  # these calls are none of a commit or a checkpoint
        elif self._holding:
            moments = (*moments, HOLDING)
        if self._doom.moment not in moments:
            return
        self._left -= 1
        if not self._left:
            if part is not None:
                part(self._doom.share)
            self.die()

    def spare(self) -> None:
        """It is to live on."""
        self._left = 0

    def die(self) -> NoReturn:
        """Now."""
        self._told(self._doom.moment)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a process outlived its SIGKILL")

    # ---- locks

    def wait(self, lock: Callable[[], None]) -> None:
        """Wait for the global lock; who is to die meanwhile is killed by a thread of its own."""
        if self._doom.moment != WAITING:
            lock()
            return
        waiting = threading.Event()

        def strike() -> None:
            if not waiting.wait(self._doom.share * WAIT_SECONDS):
                self.die()

        thread = threading.Thread(target=strike, daemon=True)
        thread.start()
        lock()
        waiting.set()  # it was granted first: another time
        thread.join()

    def locked(self, name: str, *, shared: bool) -> None:
        """A lock was taken."""
        if name == LOCK_NAME:
            self._holding = True
        elif name == ATTACHED_NAME:
            # who has it for himself is the first to open, and finds what others left
            self._recovering = self.opening and not shared and not self._fresh

    def unlocked(self, name: str) -> None:
        """It was let go."""
        if name == LOCK_NAME:
            self._holding = False


class _Wrapped:
    """Passes on what is not said otherwise."""

    def __init__(self, system: DoomedSystem, inner: Any, name: str = "") -> None:
        self._system = system
        self._inner = inner
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Directory(_Wrapped):
    def open(self, name: str, *, write: bool = True) -> Any:
        return _File(self._system, self._inner.open(name, write=write), name)

    def create(self, name: str, *, new: bool = False) -> Any:
        self._system.come(CREATING)
        return _File(self._system, self._inner.create(name, new=new), name)

    def create_successor(self, name: str, of: str) -> Any:
        self._system.come(CREATING)
        return _File(self._system, self._inner.create_successor(name, of), name)

    def open_lock(self, name: str, *, create: bool = True) -> Any:
        self._system.come(CREATING)
        return _LockFile(self._system, self._inner.open_lock(name, create=create), name)

    def rename(self, old: str, new: str) -> None:
        self._system.come(CREATING)
        self._inner.rename(old, new)

    def sync(self) -> None:
        self._system.come(CREATING)
        self._inner.sync()

    def sync_name(self) -> None:
        self._system.come(CREATING)
        self._inner.sync_name()


class _File(_Wrapped):
    def write_at(self, data: bytes | memoryview, offset: int) -> int:
        def part(share: float) -> None:
            self._inner.write_at(memoryview(data)[: int(share * len(data))], offset)

        log = HEADER if offset < FRAMES_START else APPEND
        self._system.come(log if self._name in _LOGS else APPLY, part=part)
        written: int = self._inner.write_at(data, offset)
        return written

    def truncate(self, size: int) -> None:
        self._system.come(HEADER if self._name in _LOGS else APPLY)
        self._inner.truncate(size)

    def sync_data(self) -> None:
        self._system.come(LOG_SYNC if self._name in _LOGS else DATA_SYNC)
        self._inner.sync_data()

    def sync(self) -> None:
        self._system.come(LOG_SYNC if self._name in _LOGS else DATA_SYNC)
        self._inner.sync()


class _LockFile(_Wrapped):
    def try_lock(self, *, shared: bool = False) -> bool:
        self._system.come()
        taken: bool = self._inner.try_lock(shared=shared)
        if taken:
            self._system.locked(self._name, shared=shared)
        return taken

    def lock(self) -> None:
        if self._name == LOCK_NAME:
            self._system.wait(self._inner.lock)
        else:
            self._inner.lock()
        self._system.locked(self._name, shared=False)

    def unlock(self) -> None:
        self._system.come()
        self._inner.unlock()
        self._system.unlocked(self._name)
