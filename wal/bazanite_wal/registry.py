"""One attachment per directory and process, shared by all handles.

Two attachments in one process would each think the other's locks their own.  Keyed by device and
inode, so that two paths of one directory meet; and by process, so that a forked child attaches anew
(what it inherited was closed when it was born).  The system object holds them: it is the process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from weakref import ReferenceType, WeakSet, ref

from .attach import attach, detach
from .context import once_more
from .core import Core
from .errors import DirectoryError, DurabilityMismatch, LockTimeout
from .group import GroupCommit
from .lock import let_go, nap_lengths
from .options import StoreOptions
from .posix import PerThread
from .recovery import RecoveryReport
from .system import Directory, System, ThreadLock
from .telling import DEBUG, INFO, tell
from .transaction import Transaction


@dataclass(slots=True, eq=False, weakref_slot=True)
class Attachment:
    """A core in use, with its group commit, what recovery found, and how many handles use it.

    ``transaction`` is the innermost open one, and ``reading`` is set while a view is shown; only
    who holds the global lock looks at them.
    ``token`` tells it from others, also for those who do not keep it alive.
    ``calls`` has a token for each call that is under way, and detaching waits for them; weakly, so
    that an interrupt which keeps a call from taking its token back takes it away all the same.
    """

    core: Core
    group: GroupCommit
    report: RecoveryReport | None
    users: int
    transaction: Transaction | None = None
    reading: object | None = None
    calls: WeakSet[Call] = field(default_factory=WeakSet)
    here: PerThread = field(default_factory=PerThread)
    token: object = field(default_factory=object)


class Call(Protocol):
    """A call under way; ``thread`` is the token of the thread that makes it."""

    thread: object


class _Place:
    """Where a process finds its attachment to one directory.

    Its handles keep the attachment alive.  Should interrupts take all of them without a detach, it
    goes with them, files, locks and all, as in a process that was killed.
    """

    def __init__(self, lock: ThreadLock) -> None:
        self.lock = lock
        self.attachment: ReferenceType[Attachment] | None = None


def acquire(
    system: System,
    path: str,
    options: StoreOptions,
    expected: tuple[int, int] | None = None,
) -> Attachment:
    """The process's attachment to this directory, made if there is none yet.

    DurabilityMismatch if another handle of this process uses another level.  DirectoryError if
    ``expected`` is the identity of another directory than the one at ``path``, or none is there;
    nothing was touched then.
    """
    directory = _directory(system, path, expected)
    place = _place(system, directory.identity)
    try:
        if not place.lock.acquire(options.lock_timeout):
            directory.close()
            raise LockTimeout(
                f"{path}: another thread of this process was still opening or closing it after"
                f" {options.lock_timeout} seconds"
            )
        found = None if place.attachment is None else place.attachment()
        if found is None:
            began = system.monotonic()
            core, report = attach(system, directory, options)
            _tell_opened(core, report, system.monotonic() - began)
            found = Attachment(core, GroupCommit(core), report, 0)
            place.attachment = ref(found)
        else:
            directory.close()
        if found.core.options.durability != options.durability:
            raise DurabilityMismatch(
                f"{path} is open in this process with"
                f" durability={found.core.options.durability!r}, not {options.durability!r}"
            )
        found.users += 1
        return found
    finally:
        try:
            let_go(place.lock)
        except BaseException:
            once_more(lambda: let_go(place.lock))  # else no thread could open or close any more
            raise


def _tell_opened(core: Core, report: RecoveryReport | None, seconds: float) -> None:
    path = core.directory.path
    if report is None:
        tell(DEBUG, "opened", "%s: opened beside other processes in %.3f s", path, seconds)
    elif report.frames or report.torn:
        torn = ""
        if report.torn:
            torn = f"; dropped a torn transaction and {report.dropped_frames} behind it"
        what = (path, report.frames, torn, seconds)
        tell(INFO, "recovered", "%s: recovered: redid %d transactions%s, in %.3f s", *what)
    else:
        tell(DEBUG, "opened", "%s: opened as the first process in %.3f s", path, seconds)


def release(system: System, attachment: Attachment) -> None:
    """Give a use back; the last one detaches."""
    if attachment.core.forked():
        return  # the parent's: it was closed when this process was born
    place = _place(system, attachment.core.directory.identity)
    nap = nap_lengths()
    while not _released(place, attachment):
        system.sleep(nap())  # not under the place's lock: the calls under way may need it


def _released(place: _Place, attachment: Attachment) -> bool:
    """Give the use back, and detach if it was the last; False while calls are under way."""
    try:
        place.lock.acquire(None)
        # Not this thread's own: an interrupt may have kept it from taking its token back.
        others = [c for c in attachment.calls if c.thread is not attachment.here.me]
        if attachment.users == 1 and others:
            return False  # they began before the handle was closed
        attachment.users -= 1
        if attachment.users == 0:
            place.attachment = None
            detach(attachment.core, attachment.group)
        return True
    finally:
        try:
            let_go(place.lock)
        except BaseException:
            once_more(lambda: let_go(place.lock))  # else no thread could open or close any more
            raise


def _place(system: System, identity: tuple[int, int]) -> _Place:
    # By incarnation: a forked child inherits its ancestors' places, and must use none of them.
    key = (system.incarnation(), identity)
    place = system.places.get(key) or system.places.setdefault(key, _Place(system.thread_lock()))
    assert isinstance(place, _Place)
    return place


def _directory(system: System, path: str, expected: tuple[int, int] | None) -> Directory:
    try:
        directory = system.directory(path, create=expected is None)
    except OSError as error:
        if expected is not None and isinstance(error, FileNotFoundError):
            raise _moved(path) from error
        raise DirectoryError(f"{path}: cannot open the database directory: {error}") from error
    if expected not in (None, directory.identity):
        directory.close()
        raise _moved(path)
    return directory


def _moved(path: str) -> DirectoryError:
    return DirectoryError(
        f"{path}: nothing was done: the directory that was open here before the fork was moved or"
        " removed. Open it where it is now"
    )
