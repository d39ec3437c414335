"""The real operating system behind the seam: with ``posix_modes`` all that talks to it.

Positional I/O only, so that a fork shares no cursor.  A descriptor goes with the object that has
it: one that an interrupt cut off from its owner is closed, and its lock freed, when the traceback
goes.  Every descriptor opened here is recorded, weakly; in a forked child all of them are closed at
once, and never unlocked: LOCK_UN would free the parent's lock, and a descriptor kept open would
hold a dead parent's lock.  Descriptors do not survive exec.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import platform
import resource
import stat
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakSet

from filelock import lock_descriptor, unlock_descriptor

from .frame import LARGEST_FILE
from .posix_modes import follow_directory, refuse_foreign
from .system import LATEST_TIME, Directory, File, LockFile, SharedWords, ThreadLock, Words

if TYPE_CHECKING:
    from collections.abc import Callable

_HOLDER_TEXT_SIZE = 512
_WORD_SIZE = 8
_TRIES = 20
_LARGE_READ = 16 << 20
_NO_DIRECTORY_SYNC = (errno.EINVAL, errno.EROFS, errno.ENOTSUP)

_handles: WeakSet[_Handle] = WeakSet()
_handles_lock = threading.RLock()
in_child: list[Callable[[], object]] = []
"""What else a forked child does at once, when its copies of the descriptors are closed."""
_SEEK_DATA: int | None = getattr(os, "SEEK_DATA", None)
_forks = 0
"""How many forks lie between the first process of this program and this one."""


class _Handle:
    """An open descriptor that a forked child must not keep."""

    _fd = -1
    path: str

    def __init__(
        self, path: str, flags: int, mode: int = 0o666, within: PosixDirectory | None = None
    ) -> None:
        self.path = path if within is None else os.path.join(within.path, path)
        try:
            if within is None or not flags & os.O_CREAT or flags & os.O_EXCL:
                self._open(path, flags, mode, within)
            else:
                self._open_or_make(path, flags, mode, within)
        except OSError as error:
            error.filename = self.path
            raise

    def _open(self, path: str, flags: int, mode: int, within: PosixDirectory | None) -> None:
        # Under the lock: a fork in another thread must not miss a descriptor just opened.
        with _handles_lock:
            # O_NONBLOCK: a FIFO in a file's place must not keep anyone waiting
            flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            opener = partial(os.open, dir_fd=None if within is None else within._fd)
            opened: list[int] = []
            try:
                # all of it one call: an interrupt strikes before it, or finds the descriptor
                opened.extend(map(opener, (path,), (flags,), (mode,)))
                self._fd = opened[0]
            except BaseException:
                if opened and self._fd < 0:
                    os.close(opened[0])
                raise
            _handles.add(self)
        if within is not None and not flags & os.O_DIRECTORY:
            try:
                refuse_foreign(self._fd, within._fd, self.path)
            except BaseException:
                self.close()
                raise

    def _open_or_make(self, path: str, flags: int, mode: int, within: PosixDirectory) -> None:
        """Open the file; one that is made here gets the directory's permissions."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                self._open(path, flags & ~os.O_CREAT, mode, within)
                return
            with suppress(FileExistsError):  # somebody else was faster
                self._open(path, flags | os.O_EXCL, mode, within)
                follow_directory(self._fd, within._fd)
                return
        raise OSError(errno.EAGAIN, "somebody makes and removes it all the time")

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        with _handles_lock:
            try:
                fd = self._fd
                if fd >= 0:
                    self._fd = -1  # next to the call: an interrupt finds both done or none
                    os.close(fd)
            finally:
                _handles.discard(self)

    def abandon(self) -> None:
        """In a forked child: close our copy, touch nothing that the parent shares."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _close_all_in_child() -> None:
    global _forks
    _forks += 1
    try:
        for handle in list(_handles):
            with suppress(OSError):
                handle.abandon()
        _handles.clear()
        for work in in_child:
            work()
    finally:
        _handles_lock.release()


os.register_at_fork(
    before=_handles_lock.acquire,
    after_in_parent=_handles_lock.release,
    after_in_child=_close_all_in_child,
)


class PosixFile(_Handle):
    """A regular file."""

    def __init__(self, within: PosixDirectory, name: str, flags: int, mode: int = 0o666) -> None:
        super().__init__(name, flags, mode, within)

    def read_at(self, size: int, offset: int) -> bytes:
        if size > _LARGE_READ:  # no memory for what a crafted length says and the file has not
            size = min(size, max(0, self.size() - offset))
        return os.pread(self._fd, size, offset)

    def write_at(self, data: bytes | memoryview, offset: int) -> int:
        return os.pwrite(self._fd, data, offset)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def size(self) -> int:
        return self.status().st_size

    def next_data(self, offset: int) -> int | None:
        if _SEEK_DATA is None:
            return offset
        try:
            return os.lseek(self._fd, offset, _SEEK_DATA)  # moves the cursor, which nobody uses
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            if error.errno in (errno.EINVAL, errno.ENOTSUP):
                return offset
            raise

    def largest_size(self) -> int:
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        most = LARGEST_FILE if limit == resource.RLIM_INFINITY else min(limit, LARGEST_FILE)
        if self._has_place(most):
            return most
        least = 0
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (middle, most) if self._has_place(middle) else (least, middle)
        return least

    def _has_place(self, offset: int) -> bool:
        """Whether the file system's files can be so long.

        Linux seeks no further.  FILESIZEBITS does not do: glibc calls 32 what it does not know.
        """
        try:
            os.lseek(self._fd, offset, os.SEEK_SET)
        except OSError as error:
            return error.errno not in (errno.EINVAL, errno.EOVERFLOW)
        return True

    def status(self) -> os.stat_result:
        return os.fstat(self._fd)

    def identity(self) -> int:
        return self.status().st_ino

    def resemble(self, other: PosixFile) -> None:
        """Take the other's owner, group, mode and access list; EPERM if that is not possible."""
        wanted, found = other.status(), self.status()
        with suppress(PermissionError, OverflowError):  # the look behind it tells
            if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
                os.fchown(self._fd, wanted.st_uid, wanted.st_gid)
            if wanted.st_mode != self.status().st_mode:  # only now: fchown takes bits away
                os.fchmod(self._fd, stat.S_IMODE(wanted.st_mode))
        if self._permissions() != other._permissions():
            raise OSError(errno.EPERM, "its owner, group and mode cannot be kept", other.path)

    def _permissions(self) -> tuple[int, int, int, bytes]:
        status, access = self.status(), b""
        with suppress(OSError, AttributeError):  # none, or no such thing on this system
            access = os.getxattr(self._fd, "system.posix_acl_access")
        return status.st_uid, status.st_gid, status.st_mode, access

    def sync_data(self) -> None:
        os.fdatasync(self._fd)

    def sync(self) -> None:
        os.fsync(self._fd)


class PosixLockFile(_Handle):
    """An flock: held by the open file, freed by the kernel when its last descriptor goes."""

    def __init__(self, within: PosixDirectory, name: str, flags: int) -> None:
        super().__init__(name, flags, within=within)

    def try_lock(self, *, shared: bool = False) -> bool:
        if not shared:
            return lock_descriptor(self._fd, blocking=False)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(self) -> None:
        if not lock_descriptor(self._fd, blocking=False):
            # filelock polls here; the kernel wakes a waiter at once
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def unlock(self) -> None:
        unlock_descriptor(self._fd)

    def identity(self) -> int:
        return os.fstat(self._fd).st_ino

    def read_text(self) -> str:
        return os.pread(self._fd, _HOLDER_TEXT_SIZE, 0).decode("utf-8", "replace").rstrip("\0 \n")

    def write_text(self, text: str) -> None:
        data = text.encode("utf-8", "replace")[: _HOLDER_TEXT_SIZE - 1] + b"\n"
        os.pwrite(self._fd, data, 0)
        os.ftruncate(self._fd, len(data))


class PosixSharedWords(_Handle):
    """A mapped file of native 64-bit words; indexing a "Q" memoryview moves each one whole."""

    _map: mmap.mmap | None = None
    _words: memoryview | None = None

    def __init__(self, within: PosixDirectory, name: str, flags: int, count: int) -> None:
        super().__init__(name, flags, within=within)
        size = count * _WORD_SIZE
        try:
            if flags & os.O_CREAT:
                # all of it, really: a hole on a full disk would kill who writes to the mapping
                content = os.pread(self._fd, size, 0).ljust(size, b"\0")
                if os.pwrite(self._fd, content, 0) < size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
            elif os.fstat(self._fd).st_size < size:
                raise OSError(errno.EINVAL, "shared words are incomplete", self.path)
            access = mmap.ACCESS_WRITE if flags & os.O_RDWR else mmap.ACCESS_READ
            self._map = mmap.mmap(self._fd, size, access=access)
        except BaseException:
            self.close()
            raise
        self._words = memoryview(self._map).cast("Q")

    @property
    def words(self) -> Words:
        assert self._words is not None
        return self._words

    def clear_from(self, index: int) -> None:
        assert self._words is not None
        rest = self._words[index:]
        rest[:] = memoryview(bytes(rest.nbytes)).cast("Q")

    def close(self) -> None:
        try:
            self._release()
        finally:
            super().close()

    def abandon(self) -> None:
        try:
            self._release()
        finally:
            super().abandon()

    def _release(self) -> None:
        mapped, self._map = self._map, None
        if mapped is not None:
            if self._words is not None:
                self._words.release()
            with suppress(BufferError):
                mapped.close()


class PosixDirectory(_Handle):
    """A directory, kept open: its files are found in it wherever it is moved to."""

    def __init__(self, path: str) -> None:
        # The caller may name the directory through a symbolic link; files in it never are one.
        super().__init__(os.path.realpath(path), os.O_RDONLY | os.O_DIRECTORY)
        status = os.fstat(self._fd)
        self.identity = (status.st_dev, status.st_ino)

    def file_system(self) -> str:
        best, found = "", ""
        with (
            suppress(OSError),
            open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts,
        ):
            for line in mounts:
                words = line.split(" ")
                point = words[1].replace("\\040", " ")
                inside = self.path == point or self.path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):
                    best, found = point, words[2]
        return found

    def open(self, name: str, *, write: bool = True) -> File:
        return PosixFile(self, name, os.O_RDWR if write else os.O_RDONLY)

    def create(self, name: str, *, new: bool = False) -> File:
        if not new:
            return PosixFile(self, name, os.O_RDWR | os.O_CREAT)
        file = PosixFile(self, name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        follow_directory(file._fd, self._fd)
        return file

    def create_successor(self, name: str, of: str) -> File:
        old = PosixFile(self, of, os.O_RDONLY)
        try:
            if old.status().st_nlink > 1:
                raise OSError(errno.EMLINK, "it has several names (hard links)", of)
            new = PosixFile(self, name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                new.resemble(old)
            except BaseException:
                new.close()
                self.remove(name)
                raise
            return new
        finally:
            old.close()

    def open_lock(self, name: str, *, create: bool = True) -> LockFile:
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
        return PosixLockFile(self, name, flags)

    def open_words(self, name: str, count: int, *, create: bool, write: bool = True) -> SharedWords:
        flags = (os.O_RDWR if write else os.O_RDONLY) | (os.O_CREAT if create else 0)
        return PosixSharedWords(self, name, flags, count)

    def exists(self, name: str) -> bool:
        return self.identity_of(name) is not None

    def identity_of(self, name: str) -> int | None:
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None

    def list(self) -> list[str]:
        # opened anew: a listing moves the cursor, which another thread's listing would share
        again = _Handle(".", os.O_RDONLY | os.O_DIRECTORY, within=self)
        try:
            return sorted(os.listdir(again._fd))
        finally:
            again.close()

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        os.unlink(name, dir_fd=self._fd)

    def sync(self) -> None:
        os.fsync(self._fd)

    def sync_name(self) -> None:
        path = self.path
        while (parent := os.path.dirname(path)) != path:
            path = parent
            with suppress(PermissionError):  # such a directory was not made by us
                above = PosixDirectory(path)
                try:
                    above.sync()
                except OSError as error:
                    if error.errno not in _NO_DIRECTORY_SYNC:
                        raise  # else a kind of file system that keeps its names otherwise
                finally:
                    above.close()


class _OwnedLock:
    """threading.RLock, used without nesting: it is the one that knows its owner."""

    owned: Callable[[], bool]

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.owned = self._lock._is_owned  # type: ignore[attr-defined]

    def acquire(self, timeout: float | None) -> bool:
        if timeout is None:
            return self._lock.acquire()
        return self._lock.acquire(timeout=min(max(0.0, timeout), threading.TIMEOUT_MAX))

    def release(self) -> None:
        self._lock.release()


class PerThread(threading.local):
    """What each thread has of its own: a log position, 0 at first, and a token that tells it apart.

    It goes with its owner.
    """

    lsn = 0

    def __init__(self) -> None:
        self.me = object()


class TemporaryFile:
    """A file without a name, for what memory should not hold; its bytes go when it is closed.

    A forked child may go on reading it; only one of the two may go on writing.
    """

    def __init__(self) -> None:
        import tempfile  # noqa: PLC0415  seldom used, and workers start often

        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  it is open as long as this
        self._end = 0

    def append(self, data: bytes) -> int:
        """Write these bytes at the end; returns where they begin."""
        begin = self._end
        while data:
            written = os.pwrite(self._file.fileno(), data, self._end)
            self._end += written
            data = data[written:]
        return begin

    def read(self, begin: int, size: int) -> bytes:
        """The bytes that were written there."""
        pieces: list[bytes] = []
        while size and (piece := os.pread(self._file.fileno(), size, begin)):
            pieces.append(piece)
            begin += len(piece)
            size -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()


class PosixSystem:
    """The process's own operating system; all handles may share one."""

    def __init__(self) -> None:
        self.places: dict[object, object] = {}

    def directory(self, path: str, *, create: bool) -> Directory:
        if create:
            os.makedirs(path, exist_ok=True)
        return PosixDirectory(path)

    def thread_lock(self) -> ThreadLock:
        return _OwnedLock()

    def process_id(self) -> int:
        return os.getpid()

    def incarnation(self) -> int:
        return _forks

    def process_command(self, pid: int) -> str:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read(400).replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            return ""
        return line or "(no command line)"

    def boot_id(self) -> str:
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                return file.read().strip()
        except OSError:  # not Linux: the boot time tells boots apart
            return f"{int(time.time() - time.monotonic()) // 60:036d}"

    def ordered_memory(self) -> bool:
        return platform.machine() in ("x86_64", "AMD64")

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_time(self) -> float:
        return min(max(0.0, time.time()), LATEST_TIME)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)


POSIX = PosixSystem()
"""The one that handles share, so that they find each other's attachments."""
