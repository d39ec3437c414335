"""A call that fails: what that does to the machine, and to whoever makes the call.

- A sync: its write-back fails before it returns, and every open file with that inode hears of it
  once, at its next sync (``SimulatedFile``).  So where two threads share an open file, one of them
  is told, whichever syncs next, and the other's sync succeeds although its bytes are gone.
- A sync of the directory: whoever makes it is told.
- A write: some of its bytes are there, the caller is told that there was no room, or of an error.
"""

from __future__ import annotations

import errno
from typing import get_args

from bazanite_stress.simulation.inode import SyncFate

from .scheduler import Scheduler, Task

SYNCS = frozenset({"sync_data", "sync"})
NAMES = frozenset({"sync_names"})
WRITES = frozenset({"write_at"})
LOG = "wal.log"
_ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}


def ways_to_fail(task: Task, *, syncs: bool) -> tuple[str, ...]:
    """How the call before which the task stands may fail; none if it may not.

    ``syncs``: whether syncs fail, or writes.  Of a table file, and of names, what did not reach the
    disk is seen until the directory is poisoned: before that no reader could tell.
    """
    operation, name = task.about_to
    if task.writing is None:
        return ()
    if not syncs:
        return tuple(_ERRORS) if operation in WRITES else ()
    if operation in SYNCS and name == LOG:
        return get_args(SyncFate)
    return ("kept", "evicted later") if operation in SYNCS | NAMES else ()


def strike(scheduler: Scheduler, task: Task, how: str, written: int) -> bool:
    """Let the call fail before which the task stands; False if it cannot, or not so.

    ``how``: the fate of what a sync was to write, or the name of a write's error; of that one
    ``written`` bytes are done.
    """
    operation, _ = task.about_to
    if task.writing is None:
        return False
    number, data, offset = task.writing
    disk = scheduler.machine.disk
    if operation in WRITES and how in _ERRORS:
        disk.write(disk.files[number], data[:written], offset)
        task.raises = _ERRORS[how]
        scheduler.writes_failed += 1
        return True
    fate = next((fate for fate in get_args(SyncFate) if fate == how), None)
    if fate is None or operation not in SYNCS | NAMES:
        return False
    scheduler.syncs_failed += 1
    if operation in SYNCS:
        disk.files[number].fail_sync({}, fate)
        disk.files[number].failures += 1
    else:
        disk.fail_sync_folder(disk.folders[number], fate)
        task.raises = errno.EIO
    return True
