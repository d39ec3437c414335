"""Columns in SQLite: what is declared, and values there and back.

Pure.  SQLite converts what it stores by the words in a column's declared type (its "affinity").
Where that would lose digits the declared type has the word TEXT in it, and the value is text:
whole numbers of more than 18 digits, decimal numbers of more than 15, and JSON.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from bazanite.decimals import DECIMAL
from bazanite.documents import BLOB, JSON
from bazanite.fields import CHAR, FK, INT, KEEP, PK, FieldType
from bazanite.moments import BOOL, DATE, DATETIME
from bazanite.specs import FieldSpec
from bazanite.stored_schema import Opaque

from .sql_names import quoted
from .values import Convert, day, decimal, document, integer, moment, moment_text, refuse, to_text

EXACT_DIGITS = 15
"""So many decimal digits survive in a binary floating-point number of 64 bits."""
_WIDEST_INTEGER = 18
_ACTIONS = {"restrict": "RESTRICT", "cascade": "CASCADE", "set_null": "SET NULL"}
_KEPT = "NO ACTION /* bazanite: keep */"


def declared_type(kind: FieldType) -> str:
    """The type to be declared for a column."""
    if isinstance(kind, (PK, FK)):
        return "INTEGER"
    if isinstance(kind, INT):
        return f"{'INTEGER' if kind.size <= _WIDEST_INTEGER else 'NUMBER TEXT'}({kind.size})"
    if isinstance(kind, CHAR):
        return f"CHAR({kind.size})"
    if isinstance(kind, DECIMAL):
        digits, places = kind.params["digits"], kind.params["places"]
        return f"{'DECIMAL' if digits <= EXACT_DIGITS else 'DECIMAL TEXT'}({digits}, {places})"
    if isinstance(kind, DATETIME):
        return "DATETIME_UTC" if kind.params["utc"] else "DATETIME"
    if isinstance(kind, BOOL):
        return "BOOLEAN"
    if isinstance(kind, DATE):
        return "DATE"
    if isinstance(kind, JSON):
        return "JSON TEXT"
    return "BLOB" if isinstance(kind, (BLOB, Opaque)) else "TEXT"


def reference(field: FieldSpec) -> str:
    """The clause that declares a reference; a comment tells one that keeps what dangles."""
    action = _KEPT if field.on_delete == KEEP else _ACTIONS[field.on_delete or "restrict"]
    assert field.table is not None
    return reference_clause(field.name, field.table, action)


def reference_clause(column: str, target: str, action: str = _KEPT) -> str:
    """The same by its parts; without an action, one that keeps what dangles."""
    return (
        f"FOREIGN KEY ({quoted(column)}) REFERENCES {quoted(target)} ({quoted('id')})"
        f" ON DELETE {action}"
    )


def to_sqlite(kind: FieldType) -> Convert:
    """From a value of this type, not None, to what is stored."""
    if isinstance(kind, INT):
        return int if kind.size <= _WIDEST_INTEGER else str
    if isinstance(kind, DECIMAL):
        return float if kind.params["digits"] <= EXACT_DIGITS else to_text(kind)
    if isinstance(kind, BOOL):
        return int
    if isinstance(kind, DATE):
        return date.isoformat
    if isinstance(kind, DATETIME):
        return moment_text
    if isinstance(kind, JSON):
        return to_text(kind)
    return lambda value: value


def from_sqlite(kind: FieldType) -> Convert:
    """From what SQLite gives, not None, to a value of this type; ValueError if it is none."""
    if isinstance(kind, INT):
        return _integer
    if isinstance(kind, DECIMAL):
        return exact_decimal
    if isinstance(kind, BOOL):
        return _truth
    if isinstance(kind, DATE):
        return lambda value: day(_text(value, "a day as 2026-11-26"))
    if isinstance(kind, DATETIME):
        return lambda value: moment(_text(value, "a moment as 2026-11-26 15:33:10"))
    if isinstance(kind, JSON):
        return _document
    if isinstance(kind, (BLOB, Opaque)):
        return _binary
    return lambda value: _text(value, "text")


def exact_decimal(value: Any) -> Decimal | int:
    """A number as it is written in the fewest digits that read back as the same."""
    if isinstance(value, float):
        if value - value != 0:
            raise ValueError(f"{value} is not a finite number")
        return Decimal(repr(value))
    if isinstance(value, str):
        return decimal(value)
    if not isinstance(value, int):
        refuse(value, "a number")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return integer(value)
    if not isinstance(value, int):
        refuse(value, "a whole number")
    return value


def _truth(value: Any) -> bool:
    if value not in (0, 1):
        refuse(value, "0 or 1")
    return bool(value)


def _document(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    return document(_text(value, "JSON"))


def _binary(value: Any) -> bytes:
    if not isinstance(value, bytes):
        refuse(value, "a BLOB")
    return value


def _text(value: Any, expected: str) -> str:
    if not isinstance(value, str):
        refuse(value, expected)
    return value
