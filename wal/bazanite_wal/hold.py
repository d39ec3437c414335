"""Holding the log: while someone copies the directory, no checkpoint takes a frame out of it.

Whoever holds it has a shared flock on ``.backup``, which the kernel frees when that process dies.
The word ``HOLD`` says that somebody may, so that nobody else need ask the kernel; after a holder's
death it stays until the log is full.

Invariants: a hold begins, and is asked about, under the global lock only; so is a new generation
begun, and only if nobody holds the log.  So whoever holds it finds every frame of the generation in
which the hold began until it lets go.
"""

from __future__ import annotations

from . import shared
from .core import Core
from .errors import DirectoryError
from .system import LockFile

BACKUP_NAME = ".backup"


def hold_log(core: Core) -> LockFile:
    """Hold the log until the file that is returned is closed.  Caller holds the global lock."""
    file = core.directory.open_lock(BACKUP_NAME)
    try:
        if not file.try_lock(shared=True):
            raise DirectoryError(
                f"{core.directory.path}/{BACKUP_NAME}: nothing was done: a process that is none of"
                " Bazanite's has locked it"
            )
        core.words[shared.HOLD] = 1
    except BaseException:
        file.close()
        raise
    return file


def log_is_held(core: Core) -> bool:
    """Whether somebody holds the log; if nobody does, the word says so from now on.

    Caller holds the global lock.
    """
    if not core.words[shared.HOLD]:
        return False
    try:
        file = core.directory.open_lock(BACKUP_NAME, create=False)
    except FileNotFoundError:
        pass  # whoever holds it finds another generation at its end, and says so
    else:
        try:
            if not file.try_lock():
                return True
        finally:
            file.close()
    core.words[shared.HOLD] = 0
    return False
