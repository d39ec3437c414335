"""The seam: everything that the engine asks of the operating system, as Protocols.

``posix.py`` (with ``posix_modes.py``) is the real one.  A test harness hands the engine a simulated
one instead and decides what survives a crash and who runs next.  Calls below may fail with
``OSError``; reads and writes may be short or interrupted (``io.py`` deals with that).

What each sync promises is what POSIX promises at the least: ``sync_data`` covers the file's bytes
and growth, ``sync`` also a smaller size, neither the file's name; ``Directory.sync`` covers names.
"""

from __future__ import annotations

from typing import Protocol

LATEST_TIME = 253_402_000_000.0
"""In seconds since 1970: the last days of the year 9999, behind which no calendar goes on."""


class File(Protocol):
    """An open file, addressed by position only; it has no cursor that a fork could share."""

    def read_at(self, size: int, offset: int) -> bytes: ...
    def write_at(self, data: bytes | memoryview, offset: int) -> int: ...
    def truncate(self, size: int) -> None: ...
    def size(self) -> int: ...
    def next_data(self, offset: int) -> int | None:
        """The first place at or after ``offset`` that may hold data; None if only a hole follows.

        A system that cannot tell answers ``offset``: all may be data.
        """
        ...

    def largest_size(self) -> int:
        """How many bytes the file may have now, as far as the system and this process know."""
        ...

    def identity(self) -> int:
        """Tells the file from others that had or will have its name, as long as it is open."""
        ...

    def sync_data(self) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class LockFile(Protocol):
    """A file that processes lock whole; the kernel frees a dead process's lock."""

    def try_lock(self, *, shared: bool = False) -> bool:
        """Take or convert the lock if that is possible at once.

        A failed conversion may have dropped the lock that was held.
        """
        ...

    def lock(self) -> None:
        """Take the exclusive lock, waiting in the kernel as long as it takes."""
        ...

    def unlock(self) -> None:
        """Let go; harmless if it is not held."""
        ...

    def identity(self) -> int:
        """As of a File."""
        ...

    def read_text(self) -> str: ...
    def write_text(self, text: str) -> None: ...
    def close(self) -> None: ...


class Words(Protocol):
    """Volatile 64-bit words shared by all attached processes; each is read and written whole."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...


class SharedWords(Protocol):
    """The mapping that holds the words."""

    @property
    def words(self) -> Words: ...
    def clear_from(self, index: int) -> None:
        """Set this word and all behind it to 0, in any order, perhaps not each of them whole."""
        ...

    def close(self) -> None: ...


class Directory(Protocol):
    """One open directory and the files in it, by plain name, wherever it is moved to.

    ``path`` is the one that it was opened by, without symbolic links; only messages name it.
    """

    @property
    def path(self) -> str: ...
    @property
    def identity(self) -> tuple[int, int]:
        """Equal for two paths of one directory: device and inode."""
        ...

    def file_system(self) -> str:
        """The file system's type, such as "ext4" or "nfs4"; "" if unknown."""
        ...

    def open(self, name: str, *, write: bool = True) -> File: ...
    def create(self, name: str, *, new: bool = False) -> File:
        """Open the file, making it empty if it does not exist; ``new``: FileExistsError if so."""
        ...

    def create_successor(self, name: str, of: str) -> File:
        """A new empty file that may take ``of``'s place unnoticed: same owner, group and mode.

        EMLINK if ``of`` has several names, which a rename would part; EPERM if the owner cannot be
        kept.  Nothing is left under ``name`` then.
        """
        ...

    def open_lock(self, name: str, *, create: bool = True) -> LockFile: ...
    def open_words(self, name: str, count: int, *, create: bool, write: bool = True) -> SharedWords:
        """Map ``count`` words; with ``create`` the file is made or completed with zeros."""
        ...

    def exists(self, name: str) -> bool: ...
    def identity_of(self, name: str) -> int | None:
        """The identity of the file that has this name now; None if there is none."""
        ...

    def list(self) -> list[str]: ...
    def rename(self, old: str, new: str) -> None: ...
    def remove(self, name: str) -> None: ...
    def sync(self) -> None: ...
    def sync_name(self) -> None:
        """Make the name it was opened by durable, and those of the directories above it."""
        ...

    def close(self) -> None: ...


class ThreadLock(Protocol):
    """A lock among the threads of one process that knows its owner."""

    def acquire(self, timeout: float | None) -> bool: ...
    def release(self) -> None: ...
    def owned(self) -> bool:
        """Whether the calling thread holds it."""
        ...


class System(Protocol):
    """The operating system as one object, handed to the store's constructor."""

    @property
    def places(self) -> dict[object, object]:
        """A dictionary, empty at first, in which ``registry`` keeps what handles share."""
        ...

    def directory(self, path: str, *, create: bool) -> Directory: ...
    def thread_lock(self) -> ThreadLock: ...
    def process_id(self) -> int: ...
    def incarnation(self) -> int:
        """Differs from what it was before a fork, in the child only."""
        ...

    def process_command(self, pid: int) -> str:
        """The command line of a live process, "" if there is none or it cannot be told."""
        ...

    def boot_id(self) -> str:
        """36 characters that differ after every start of the machine."""
        ...

    def ordered_memory(self) -> bool:
        """Whether loads and stores of other processors are seen in order (x86-64)."""
        ...

    def monotonic(self) -> float: ...
    def wall_time(self) -> float:
        """Seconds since 1970, from 0 to LATEST_TIME whatever the clock is set to; advice."""
        ...

    def sleep(self, seconds: float) -> None: ...
    def random_bytes(self, count: int) -> bytes: ...
