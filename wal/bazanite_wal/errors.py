"""Every error that Bazanite raises on purpose, sorted by what the caller can do about it.

The names and messages that Bazoola's programs can see (``DBError``, ``ValidationError``,
``NotFoundError``, ``.message``) are Bazoola's.  An error that comes from the operating system is
always raised ``from`` the ``OSError``, so errno and path stay readable.
"""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_VALUE = 200


def shown_value(value: object) -> str:
    """A caller's value for a message: short, and whatever its ``repr`` does."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a number of too many digits, or a program's own class
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


class DBError(Exception):
    """Base of all errors of this library; ``message`` is the sentence for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationError(DBError):
    """The caller's input is wrong; nothing was changed."""


class NotFoundError(DBError):
    """The row that the call needs does not exist; nothing was changed."""


class SchemaMismatch(DBError):
    """The declared tables differ from the stored ones; nothing was changed."""


class TransactionError(DBError):
    """A handle or transaction was used where it cannot be: closed, forked, or still open."""


class DurabilityMismatch(DBError):
    """The directory is in use under another durability level than the one asked for."""


class ReadOnlyError(DBError):
    """A change through a handle that is open read-only; nothing was done."""


class NetworkFileSystemError(DBError):
    """The directory lies on a network file system, whose locks and syncs cannot be relied on."""


class DirectoryError(DBError):
    """The directory or one of its files cannot be used as it is (missing, read-only, no space)."""


class ArchiveError(DirectoryError):
    """The log archive cannot take what the log is about to forget; the log keeps it, all of it."""


class ForgottenError(DBError):
    """What was committed behind log position ``start``, up to ``end``, is in no log any more."""

    def __init__(self, path: str, start: int, end: int, advice: str) -> None:
        super().__init__(
            f"{path}: what was committed behind LSN {start}, up to LSN {end}, is not there any"
            f" more: {advice}"
        )
        self.start = start
        self.end = end


class CorruptionError(DBError):
    """Bytes on disk are not what was written; nothing was changed.

    ``path`` is the damaged file, ``offset`` the first byte known to be wrong, ``expected`` and
    ``found`` say what was looked for and what is there.
    """

    def __init__(self, path: str, offset: int, expected: str, found: str, advice: str = "") -> None:
        super().__init__(
            f"{path}: damaged at offset {offset}: expected {expected}, found {found}"
            + (f". {advice}" if advice else "")
        )
        self.path = path
        self.offset = offset
        self.expected = expected
        self.found = found

    def __reduce__(self) -> tuple[type[CorruptionError], tuple[str, int, str, str]]:
        return type(self), (self.path, self.offset, self.expected, self.found)


class UnsafeShutdownError(DBError):
    """The machine stopped, or a sync failed, while the directory was in use with "off"."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, as advice: process id, command line and since when (local time)."""

    pid: int
    command: str
    since: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command}), since {self.since}"


class LockTimeout(DBError):
    """The global lock was not free within ``lock_timeout`` seconds; nothing was changed."""

    def __init__(self, message: str, holder: Holder | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class PoisonedError(DBError):
    """A sync failed, so nobody knows what is on disk: every use is refused until a fresh start.

    Close every process that has the directory open; the next one to open it recovers.
    """


class CommitUncertain(DBError):
    """The transaction is in the log, but nobody confirmed that it is durable: outcome unknown."""


class CommittedNotApplied(DBError):
    """The transaction is durable, but not yet in the table files; the next use tries again."""
