"""Bazanite: fixed-width tables that you can read with ``cat``, and that a crash cannot take.

Bazoola's API over a write-ahead log; docs/ has the reference (api.md), the differences from
Bazoola, the files' format and the protocol.
"""

from . import errors
from .cond import EQ, GT, ISUBSTR, LT, SUBSTR, BaseCond
from .db import DB
from .decimals import DECIMAL
from .documents import BLOB, JSON
from .errors import *  # noqa: F403 - that module is the list of errors, and no more
from .fields import CHAR, FK, INT, PK, TEXT, Field, FieldType
from .join import BaseJoin, InverseCount, InverseJoin, Join
from .migrator import Migration
from .moments import BOOL, DATE, DATETIME
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
    "BLOB",
    "BOOL",
    "CHAR",
    "DATE",
    "DATETIME",
    "DB",
    "DECIMAL",
    "EQ",
    "FK",
    "GT",
    "INT",
    "ISUBSTR",
    "JSON",
    "LT",
    "PK",
    "SUBSTR",
    "TEXT",
    "AddColumn",
    "AddIndex",
    "AddUnique",
    "BaseCond",
    "BaseJoin",
    "ChangeColumn",
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
    "RenameColumn",
    "RenameTable",
    "Row",
    "Schema",
    "SetOnDelete",
    "Table",
]
__all__ += errors.__all__
