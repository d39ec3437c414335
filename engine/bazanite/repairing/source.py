"""A damaged directory, open for reading only: its files, and what its log says they should be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from bazanite_wal.attach import LOCK_NAME
from bazanite_wal.layer import View
from bazanite_wal.lock import GlobalLock
from bazanite_wal.salvage import Readable, SalvagedLog, read_log, salvage_log
from bazanite_wal.system import Directory, System

from ..errors import DirectoryError, ValidationError


@dataclass(frozen=True, slots=True)
class Source:
    """``view`` is what was surely not taken back: the files, with the frames they do not have yet.

    ``other`` are the files with all frames of the log made once more: it heals what was damaged
    since, and takes back what only lost frames said.  None if the log has no frames.
    """

    path: str
    directory: Directory
    files: Readable
    log: SalvagedLog
    view: View
    other: View | None


@contextmanager
def open_source(
    path: str, system: System, lock_timeout: float | None, other: Source | None = None
) -> Iterator[Source]:
    """The directory of this name, its writers waiting meanwhile where it has a lock.

    DirectoryError if there is none; LockTimeout if somebody keeps the lock; ValidationError if it
    is ``other``, whose lock we would wait for.
    """
    with ExitStack() as stack:
        try:
            directory = system.directory(path, create=False)
        except OSError as error:
            raise DirectoryError(f"{path}: cannot look at the directory: {error}") from error
        stack.callback(directory.close)
        if other is not None and directory.identity == other.directory.identity:
            raise ValidationError(f"{path} is the damaged directory itself: its schema is no other")
        _lock(system, directory, lock_timeout, stack)
        files = Readable(directory)
        stack.callback(files.close)
        log = salvage_log(read_log(directory), files)
        redone = log.view(files, all_frames=True) if log.frames else None
        yield Source(directory.path, directory, files, log, log.view(files), redone)


def _lock(system: System, directory: Directory, timeout: float | None, stack: ExitStack) -> None:
    file = None
    with suppress(OSError):  # what is damaged may be this
        if directory.exists(LOCK_NAME):
            file = directory.open_lock(LOCK_NAME, create=False)
    if file is not None:
        lock = GlobalLock(system, file, directory.path)
        stack.callback(lock.close)
        stack.callback(lock.release)
        lock.acquire(timeout)
