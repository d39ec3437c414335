"""A call that fails: what that does to the machine, and to whoever makes the call.

- A sync: its write-back fails before it returns, and every open file with that inode hears of it
  once, at its next sync (``SimulatedFile``).  So where two threads share an open file, one of them
  is told, whichever syncs next, and the other's sync succeeds although its bytes are gone.  Or the
  next sync of all of them hears of it, and no other ("once").
- A write-back that nobody asked for: the same, while the task stands before any call.
- A sync of the directory: whoever makes it is told.
- A write: some of its bytes are there, the caller is told that there was no room, or of an error.
"""

from __future__ import annotations

import errno
from typing import get_args

from bazanite_stress.simulation.inode import SyncFate
from bazanite_stress.simulation.machine import Machine
from bazanite_wal import shared
from bazanite_wal.attach import SHARED_NAME
from bazanite_wal.frame import is_data_file_name

from .scheduler import Scheduler, Task

SYNCS = frozenset({"sync_data", "sync"})
NAMES = frozenset({"sync_names"})
WRITES = frozenset({"write_at"})
LOG = "wal.log"
ONCE = ", told once"
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
    if operation in SYNCS:
        return fates(name)
    return ("kept", "evicted later") if operation in NAMES else ()


def fates(name: str) -> tuple[SyncFate, ...]:
    """What may become of what a write-back of this file was to write."""
    return get_args(SyncFate) if name == LOG else ("kept", "evicted later")


def dirty_files(machine: Machine) -> list[str]:
    """The log and table files that have something to write."""
    names = {} if machine.folder is None else machine.folder.names
    return [
        name
        for name in sorted(names)
        if (name == LOG or is_data_file_name(name)) and machine.disk.files[names[name]].chains
    ]


def fail_by_itself(machine: Machine, name: str, how: str) -> bool:
    """Let the kernel write this file, and fail; False if it has nothing to write, or not so."""
    fate = _fate(how)
    if fate is None or machine.folder is None or name not in dirty_files(machine):
        return False
    inode = machine.disk.files[machine.folder.names[name]]
    inode.fail_write_back(fate, once=how.endswith(ONCE))
    return True


def strike(scheduler: Scheduler, task: Task, how: str, written: int) -> bool:
    """Let the call fail before which the task stands; False if it cannot, or not so.

    ``how``: the fate of what a sync was to write, and whether one alone is told (``ONCE``), or the
    name of a write's error; of that one ``written`` bytes are done.
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
    fate = _fate(how)
    if fate is None or operation not in SYNCS | NAMES:
        return False
    scheduler.syncs_failed += 1
    if operation in SYNCS:
        disk.files[number].fail_write_back(fate, once=how.endswith(ONCE))
    else:
        disk.fail_sync_folder(disk.folders[number], fate)
        task.raises = errno.EIO
    return True


def is_poisoned(machine: Machine) -> bool:
    """Whether everyone who has the database open is refused."""
    number = -1 if machine.folder is None else machine.folder.names.get(SHARED_NAME, -1)
    words = machine.words.get(number)
    return words is not None and bool(words[shared.POISONED])


def _fate(how: str) -> SyncFate | None:
    return next((fate for fate in get_args(SyncFate) if fate == how.removesuffix(ONCE)), None)
