"""Every error a program can see, under one import; see ``bazanite_wal.errors`` for the list.

One is added here, because only tables know it: a stored NULL where the schema allows none.
"""

from __future__ import annotations

from bazanite_wal.errors import (
    CommittedNotApplied,
    CommitUncertain,
    CorruptionError,
    DBError,
    DirectoryError,
    DurabilityMismatch,
    Holder,
    LockTimeout,
    NetworkFileSystemError,
    NotFoundError,
    PoisonedError,
    SchemaMismatch,
    TransactionError,
    UnsafeShutdownError,
    ValidationError,
)

__all__ = [
    "CommitUncertain",
    "CommittedNotApplied",
    "CorruptionError",
    "DBError",
    "DirectoryError",
    "DurabilityMismatch",
    "Holder",
    "InconsistentDataError",
    "LockTimeout",
    "NetworkFileSystemError",
    "NotFoundError",
    "PoisonedError",
    "SchemaMismatch",
    "TransactionError",
    "UnsafeShutdownError",
    "ValidationError",
]


class InconsistentDataError(CorruptionError, ValueError):
    """A NULL is stored in a field that allows none; a ValueError too, as in Bazoola."""

    def __init__(self, path: str, offset: int, expected: str, found: str) -> None:
        super().__init__(path, offset, expected, found)
        self.message = f"Inconsistent data: {self.message}"
        self.args = (self.message,)
