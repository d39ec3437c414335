"""Looking at a directory without changing a byte of it: what the tools stand on.

The view shows what recovery would give: the data files with the valid frames of the newest
generation replayed over them, in memory.  Replaying frames that are applied already changes
nothing, so the same view is right for a directory that is in use, was closed, or was killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from . import shared
from .archive import turn_off
from .archive_survey import Survey, survey
from .attach import ATTACHED_NAME, LOCK_NAME, SHARED_NAME
from .datafiles import FewFiles
from .errors import CorruptionError, DirectoryError, Holder, LockTimeout
from .frame import LARGEST_FILE
from .header import FRAMES_START, Header, headers_in
from .io import read_whole
from .layer import PageLayer, View
from .lock import GlobalLock, lock_holder
from .log import LOG_NAME
from .posix import POSIX
from .scan import NO_WITNESS, Scan, scan_log, with_size, with_witness
from .shared import Witness
from .system import Directory, System


@dataclass(frozen=True, slots=True)
class Live:
    """Who holds the global lock, which processes are attached, and at which durability level."""

    holder: Holder | None
    attached: tuple[int, ...]
    durability: str | None


@dataclass(frozen=True, slots=True)
class Users:
    """Who uses a directory, as seen without its lock.

    ``locked`` is the kernel's word on the global lock; who holds it (``live.holder``) and who waits
    for it, with for how many seconds, is what the processes say of themselves.
    """

    locked: bool
    live: Live
    waiting: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Offline:
    """A directory as it stands.

    ``log`` are the log's bytes, None if there is no log; ``headers`` its valid header slots;
    ``scan`` the verdict on it, None if there is no log or no valid header.  ``view`` is what
    recovery would give (with a corrupt log: the files with the frames before the damage).
    ``unapplied`` names the files that do not have all changes of the log yet.  ``live`` says who
    uses the directory; ``locked`` whether we hold its lock (if not, it may change as we look).
    ``files`` are those in the directory.
    """

    path: str
    log: bytes | None
    headers: tuple[Header, ...]
    scan: Scan | None
    view: View
    file_names: tuple[str, ...]
    unapplied: tuple[str, ...]
    live: Live
    locked: bool
    directory: Directory
    files: FewFiles

    def archive(self, *, verify: bool = False) -> Survey:
        """The log archive; ``verify``: every frame of it."""
        base = self.scan.header.base if self.scan is not None else LARGEST_FILE
        return survey(self.directory, base, verify=verify)

    @property
    def needs_recovery(self) -> bool:
        """Whether nobody has it open and the files are not yet what recovery would give."""
        return not self.live.attached and (
            bool(self.unapplied) or (self.scan is not None and self.scan.tail != "clean")
        )


@contextmanager
def open_offline(
    path: str,
    *,
    lock_timeout: float | None = 10.0,
    must_lock: bool = True,
    system: System | None = None,
) -> Iterator[Offline]:
    """Look at ``path`` under its global lock (where it has one), changing nothing.

    DirectoryError if there is no such directory; LockTimeout, naming the holder, if someone keeps
    the lock and ``must_lock``.
    """
    system = system or POSIX
    with ExitStack() as stack:
        try:
            directory = system.directory(path, create=False)
            stack.callback(directory.close)
            locked = _lock(system, directory, lock_timeout, stack, must_lock)
            live = _live(system, directory, locked)
            files = FewFiles(directory, write=False)
            stack.callback(files.close)
            files.open_all()
            witness = _witness(system, directory)  # before the log, which may grow if not locked
            log = _read_log(directory)
        except OSError as error:
            raise DirectoryError(f"{path}: cannot look at the directory: {error}") from error
        scan = scan_log(log) if log is not None else None
        if log is not None and scan is not None:
            scan = with_witness(with_size(scan, len(log)), witness)
        view = PageLayer(files)
        try:
            for frame in scan.frames if scan else ():
                view.apply(frame.operations())
        except MemoryError as error:
            log_path, found = f"{directory.path}/{LOG_NAME}", "more"
            raise CorruptionError(log_path, 0, "changes that fit in memory", found) from error
        changed = tuple(name for name in view.touched_files() if _differs(files, view, name))
        names = tuple(sorted({*files.names(), *view.touched_files()}))
        slots = log[:FRAMES_START] if log is not None else b""
        headers = tuple(headers_in(slots))
        yield Offline(
            directory.path, log, headers, scan, view, names, changed, live, locked, directory,
            files,
        )  # fmt: skip


def turn_archive_off(
    path: str, *, lock_timeout: float | None = 10.0, system: System | None = None
) -> None:
    """Archive the log no more, also where the archive keeps everyone from opening the directory.

    Everything else stays as it is.  Raises what ``open_offline`` does.
    """
    system = system or POSIX
    with ExitStack() as stack:
        try:
            directory = system.directory(path, create=False)
            stack.callback(directory.close)
            _lock(system, directory, lock_timeout, stack, must_lock=True)
            turn_off(directory)
        except OSError as error:
            raise DirectoryError(f"{path}: the archive cannot be turned off: {error}") from error


def has_store(path: str, catalog: str, system: System | None = None) -> bool:
    """Whether there is a directory in which a store was opened, or a file of this name.

    Nothing is made or changed.  DirectoryError if that cannot be told.
    """
    try:
        directory = (system or POSIX).directory(path, create=False)
        try:
            return any(map(directory.exists, (catalog, LOG_NAME, SHARED_NAME)))
        finally:
            directory.close()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DirectoryError(f"{path}: cannot open the database directory: {error}") from error


def users_of(path: str, *, system: System | None = None) -> Users:
    """Who uses the directory at this moment; waits for nobody.

    The lock is tried, and let go of at once.  DirectoryError if there is no such directory.
    """
    system = system or POSIX
    with ExitStack() as stack:
        try:
            directory = system.directory(path, create=False)
            stack.callback(directory.close)
            if not directory.exists(LOCK_NAME):
                return Users(False, Live(None, (), None), ())
            lock = directory.open_lock(LOCK_NAME, create=False)
            stack.callback(lock.close)
            locked = not lock.try_lock()
            live = _live(system, directory, not locked)
            if not locked:
                lock.unlock()
            return Users(locked, live, _waiting(system, directory))
        except OSError as error:
            raise DirectoryError(f"{path}: cannot look at the directory: {error}") from error


def _waiting(system: System, directory: Directory) -> tuple[tuple[int, float], ...]:
    """The live processes that wait for the global lock, and for how many seconds."""
    with suppress(OSError):
        mapping = directory.open_words(SHARED_NAME, shared.WORD_COUNT, create=False, write=False)
        try:
            words = mapping.words
            if words[shared.READY] != shared.boot_token(system.boot_id()):
                return ()
            now = system.monotonic()
            marks = [(words[slot], now - mark / 1000) for slot, mark in shared.waiting_marks(words)]
            return tuple((pid, max(0.0, s)) for pid, s in marks if system.process_command(pid))
        finally:
            mapping.close()
    return ()


def _read_log(directory: Directory) -> bytes | None:
    try:
        file = directory.open(LOG_NAME, write=False)
    except FileNotFoundError:
        return None
    try:
        return read_whole(file, f"{directory.path}/{LOG_NAME}")
    finally:
        file.close()


def _differs(files: FewFiles, view: PageLayer, name: str) -> bool:
    """Whether replaying the log changes this file."""
    return files.size(name) != view.size(name) or any(
        files.read(name, offset, len(data)) != data for offset, data in view.pages(name)
    )


def _lock(
    system: System,
    directory: Directory,
    timeout: float | None,
    stack: ExitStack,
    must_lock: bool,
) -> bool:
    """Take the global lock for as long as ``stack`` lives; whether we hold it."""
    if not directory.exists(LOCK_NAME):
        return False
    file = directory.open_lock(LOCK_NAME, create=False)
    lock = GlobalLock(system, file, directory.path)
    stack.callback(lock.close)
    stack.callback(lock.release)
    try:
        lock.acquire(timeout)
    except LockTimeout as error:
        lock.release()
        if not must_lock:
            return False
        holder = _live(system, directory, locked=False).holder
        raise LockTimeout(
            f"{directory.path}: the global lock was not free within {timeout} seconds: held by"
            f" {holder or 'another process'}",
            holder,
        ) from error
    return True


def _live(system: System, directory: Directory, locked: bool) -> Live:
    """Who uses the directory; a stale list, as a copy or a stopped machine has, is seen through."""
    nobody = Live(None, (), None)
    with suppress(OSError):
        if locked and _nobody_attached(directory):
            return nobody
        mapping = directory.open_words(SHARED_NAME, shared.WORD_COUNT, create=False, write=False)
        try:
            words = mapping.words
            if words[shared.READY] != shared.boot_token(system.boot_id()):
                return nobody
            listed = [pid for _, pid in shared.attached_pids(words)]
            pids = tuple(pid for pid in listed if system.process_command(pid))
            level = words[shared.DURABILITY]
            name = shared.LEVELS[level - 1] if 1 <= level <= len(shared.LEVELS) else None
            return Live(None if locked else lock_holder(system, words), pids, name)
        finally:
            mapping.close()
    return nobody


def _witness(system: System, directory: Directory) -> Witness:
    """Up to where the log was durable, as a process of this boot said."""
    with suppress(OSError):
        mapping = directory.open_words(SHARED_NAME, shared.WORD_COUNT, create=False, write=False)
        try:
            token = shared.boot_token(system.boot_id())
            return shared.witness(mapping.words, token)
        finally:
            mapping.close()
    return NO_WITNESS


def _nobody_attached(directory: Directory) -> bool:
    """Whether the kernel says that no process is attached.  Only under the global lock."""
    attached = directory.open_lock(ATTACHED_NAME, create=False)
    try:
        return attached.try_lock()
    finally:
        attached.close()
