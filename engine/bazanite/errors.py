"""Every error a program can see, under one import; see ``bazanite_wal.errors`` for the list.

Two are added here, because only tables know them: a stored NULL where the schema allows none, and
rows that would contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bazanite_wal.errors import (
    ArchiveError,
    CommittedNotApplied,
    CommitUncertain,
    CorruptionError,
    DBError,
    DirectoryError,
    DurabilityMismatch,
    ForgottenError,
    Holder,
    LockTimeout,
    NetworkFileSystemError,
    NotFoundError,
    PoisonedError,
    ReadOnlyError,
    SchemaMismatch,
    TransactionError,
    UnsafeShutdownError,
    ValidationError,
    shown_value,
)

_T = TypeVar("_T")

__all__ = [
    "ArchiveError",
    "CommitUncertain",
    "CommittedNotApplied",
    "CorruptionError",
    "DBError",
    "DirectoryError",
    "DurabilityMismatch",
    "ForgottenError",
    "Holder",
    "InconsistentDataError",
    "IntegrityError",
    "LockTimeout",
    "MigrationError",
    "NetworkFileSystemError",
    "NotFoundError",
    "PoisonedError",
    "ReadOnlyError",
    "SchemaMismatch",
    "TransactionError",
    "UnsafeShutdownError",
    "ValidationError",
    "listed",
    "mismatch",
    "shown_value",
]


def listed(items: Iterable[_T], expected: str) -> list[_T]:
    """The items as a list; ValidationError if they cannot be iterated over."""
    try:
        iterator = iter(items)
    except TypeError:
        raise ValidationError(f"{shown_value(items)} is not {expected}") from None
    return list(iterator)


def mismatch(value: object, expected: str) -> ValidationError:
    """The error for a value of another type than the expected ones, which are given in words."""
    own = type(value).__name__
    return ValidationError(f"Type mismatch: `{shown_value(value)}` is not {expected}, but `{own}`")


_NAMED = 10
"""So many rows are named in an error."""


def shown_ids(ids: Sequence[int]) -> str:
    """Ids for an error message, the first ones if there are many."""
    return ", ".join(map(str, ids[:_NAMED])) + (", ..." if len(ids) > _NAMED else "")


class InconsistentDataError(CorruptionError, ValueError):
    """A NULL is stored in a field that allows none; a ValueError too, as in Bazoola."""

    def __init__(self, path: str, offset: int, expected: str, found: str) -> None:
        super().__init__(path, offset, expected, found)
        self.message = f"Inconsistent data: {self.message}"
        self.args = (self.message,)


class IntegrityError(ValidationError, ValueError):
    """Rows would contradict each other: values that must be unique, or a reference to nothing.

    ``ids`` are stored rows of ``table`` that are in the way, with their values of ``columns``; none
    if two of the rows given contradict each other.  Nothing was changed.
    """

    def __init__(
        self, message: str, table: str, columns: Iterable[str], ids: Iterable[int] = ()
    ) -> None:
        super().__init__(message)
        self.table = table
        self.columns = tuple(columns)
        self.ids = tuple(ids)


class MigrationError(ValidationError):
    """A change of the schema that cannot be made; ``ids`` are the rows that are in the way.

    ``version`` is the migration's.  Steps that were made before stay, and are recorded; of this one
    nothing was.  What a function of the program raised is the ``__cause__``.
    """

    def __init__(self, message: str, ids: Iterable[int] = (), version: int | None = None) -> None:
        super().__init__(message)
        self.ids = tuple(ids)
        self.version = version
