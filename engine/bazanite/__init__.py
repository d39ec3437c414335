"""Bazanite: fixed-width tables that you can read with ``cat``, and that a crash cannot take.

Bazoola's API over a write-ahead log; docs/ has the reference (api.md), the differences from
Bazoola, the files' format and the protocol.
"""

from bazanite_wal.backup import Backup
from bazanite_wal.restore import Restored

from . import errors
from .changes import Change, Changes, Commit
from .cond import (
    BETWEEN,
    EQ,
    GE,
    GT,
    IN,
    ISNULL,
    ISUBSTR,
    LE,
    LT,
    NE,
    PREFIX,
    SUBSTR,
    And,
    BaseCond,
    Not,
    Or,
)
from .copies import restore
from .db import DB
from .decimals import DECIMAL
from .documents import BLOB, JSON
from .errors import *  # noqa: F403 - that module is the list of errors, and no more
from .fields import CHAR, FK, INT, PK, TEXT, Field, FieldType
from .join import BaseJoin, InverseCount, InverseJoin, Join
from .migrator import Migration
from .moments import BOOL, DATE, DATETIME
from .query.groups import COUNT, MAX, MIN, SUM, Aggregate
from .repairing.repair import repair
from .repairing.report import RepairReport
from .row import Row
from .schema import Schema
from .steps import (
    AddColumn,
    AddIndex,
    AddUnique,
    ChangeColumn,
    DropColumn,
    DropIndex,
    DropTable,
    DropUnique,
    RenameColumn,
    RenameTable,
    SetOnDelete,
)
from .table import Table

__all__ = [
    "BETWEEN",
    "BLOB",
    "BOOL",
    "CHAR",
    "COUNT",
    "DATE",
    "DATETIME",
    "DB",
    "DECIMAL",
    "EQ",
    "FK",
    "GE",
    "GT",
    "IN",
    "INT",
    "ISNULL",
    "ISUBSTR",
    "JSON",
    "LE",
    "LT",
    "MAX",
    "MIN",
    "NE",
    "PK",
    "PREFIX",
    "SUBSTR",
    "SUM",
    "TEXT",
    "AddColumn",
    "AddIndex",
    "AddUnique",
    "Aggregate",
    "And",
    "Backup",
    "BaseCond",
    "BaseJoin",
    "Change",
    "ChangeColumn",
    "Changes",
    "Commit",
    "DropColumn",
    "DropIndex",
    "DropTable",
    "DropUnique",
    "Field",
    "FieldType",
    "InverseCount",
    "InverseJoin",
    "Join",
    "Migration",
    "Not",
    "Or",
    "RenameColumn",
    "RenameTable",
    "RepairReport",
    "Restored",
    "Row",
    "Schema",
    "SetOnDelete",
    "Table",
    "repair",
    "restore",
]
__all__ += errors.__all__
