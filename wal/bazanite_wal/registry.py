"""One attachment per directory and process, shared by all handles.

Two attachments in one process would each think the other's locks their own.  Keyed by device and
inode, so that two paths of one directory meet; and by process, so that a forked child attaches anew
(what it inherited was closed when it was born).
"""

from __future__ import annotations

from dataclasses import dataclass

from .attach import attach, detach
from .core import Core
from .errors import DurabilityMismatch
from .group import GroupCommit
from .options import StoreOptions
from .recovery import RecoveryReport
from .system import System, ThreadLock
from .transaction import Transaction


@dataclass(slots=True)
class Attachment:
    """A core in use, with its group commit, what recovery found, and how many handles use it.

    ``transaction`` is the innermost open one; only who holds the global lock looks at it.
    """

    core: Core
    group: GroupCommit
    report: RecoveryReport | None
    users: int
    transaction: Transaction | None = None


class _Process:
    """The attachments of one process; created anew in a forked child."""

    def __init__(self, lock: ThreadLock) -> None:
        self.lock = lock
        self.attachments: dict[tuple[object, tuple[int, int]], Attachment] = {}


_processes: dict[int, _Process] = {}


def acquire(system: System, path: str, options: StoreOptions) -> Attachment:
    """The process's attachment to this directory, made if there is none yet.

    DurabilityMismatch if another handle of this process uses another level.
    """
    process = _process(system)
    try:
        process.lock.acquire(None)
        directory = _identity(system, path)
        found = process.attachments.get((id(system), directory)) if directory else None
        if found is not None:
            if found.core.options.durability != options.durability:
                raise DurabilityMismatch(
                    f"{path} is open in this process with"
                    f" durability={found.core.options.durability!r}, not {options.durability!r}"
                )
            found.users += 1
            return found
        core, report = attach(system, path, options)
        made = Attachment(core, GroupCommit(core), report, 1)
        process.attachments[id(system), core.directory.identity] = made
        return made
    finally:
        if process.lock.owned():
            process.lock.release()


def release(system: System, attachment: Attachment) -> None:
    """Give a use back; the last one detaches."""
    process = _process(system)
    if attachment.core.forked():
        return  # the parent's: it was closed when this process was born
    try:
        process.lock.acquire(None)
        attachment.users -= 1
        if attachment.users == 0:
            del process.attachments[id(system), attachment.core.directory.identity]
            detach(attachment.core, attachment.group)
    finally:
        if process.lock.owned():
            process.lock.release()


def _process(system: System) -> _Process:
    key = system.incarnation()
    process = _processes.get(key)
    return process or _processes.setdefault(key, _Process(system.thread_lock()))


def _identity(system: System, path: str) -> tuple[int, int] | None:
    try:
        directory = system.directory(path, create=False)
    except OSError:
        return None
    try:
        return directory.identity
    finally:
        directory.close()
