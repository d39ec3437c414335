"""Bazanite: fixed-width tables that you can read with ``cat``, and that a crash cannot take.

Bazoola's API over a write-ahead log; docs/ has the reference (api.md), the differences from
Bazoola, the files' format and the protocol.
"""

from .cond import EQ, GT, ISUBSTR, LT, SUBSTR, BaseCond
from .db import DB
from .errors import (
    CommittedNotApplied,
    CommitUncertain,
    CorruptionError,
    DBError,
    DirectoryError,
    DurabilityMismatch,
    Holder,
    InconsistentDataError,
    LockTimeout,
    NetworkFileSystemError,
    NotFoundError,
    PoisonedError,
    SchemaMismatch,
    TransactionError,
    UnsafeShutdownError,
    ValidationError,
)
from .fields import CHAR, FK, INT, PK, TEXT, Field, FieldType
from .join import BaseJoin, InverseJoin, Join
from .row import Row
from .schema import Schema
from .table import Table

__all__ = [
    "CHAR",
    "DB",
    "EQ",
    "FK",
    "GT",
    "INT",
    "ISUBSTR",
    "LT",
    "PK",
    "SUBSTR",
    "TEXT",
    "BaseCond",
    "BaseJoin",
    "CommitUncertain",
    "CommittedNotApplied",
    "CorruptionError",
    "DBError",
    "DirectoryError",
    "DurabilityMismatch",
    "Field",
    "FieldType",
    "Holder",
    "InconsistentDataError",
    "InverseJoin",
    "Join",
    "LockTimeout",
    "NetworkFileSystemError",
    "NotFoundError",
    "PoisonedError",
    "Row",
    "Schema",
    "SchemaMismatch",
    "Table",
    "TransactionError",
    "UnsafeShutdownError",
    "ValidationError",
]
