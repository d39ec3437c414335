"""Columns in PostgreSQL: their types, and values as COPY reads them.

Pure.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from bazanite.decimals import DECIMAL
from bazanite.documents import BLOB, JSON
from bazanite.fields import CHAR, INT, FieldType
from bazanite.moments import BOOL, DATE, DATETIME
from bazanite.stored_schema import Opaque

from .values import Convert, to_text

LONGEST_NAME_BYTES = 63
MOST_COLUMNS = 1600
MOST_KEY_COLUMNS = 32
RESERVED_COLUMNS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
LONGEST_KEY_BYTES = 2600
"""What an entry of an index may have, nearly."""
_LONGEST_VARCHAR = 10_485_760
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
NULL = "\\N"


class NulCharacter(ValueError):
    """The value has a NUL character, which PostgreSQL cannot store in text."""

    def __init__(self) -> None:
        super().__init__("has a NUL character, which no text in PostgreSQL can have")


def sql_type(kind: FieldType) -> str:
    """The type of such a column."""
    if isinstance(kind, INT):
        if kind.size <= 9:
            return "integer"
        return "bigint" if kind.size <= 18 else f"numeric({kind.size},0)"
    if isinstance(kind, CHAR):
        return f"varchar({kind.size})" if kind.size <= _LONGEST_VARCHAR else "text"
    if isinstance(kind, DECIMAL):
        return f"numeric({kind.params['digits']},{kind.params['places']})"
    if isinstance(kind, DATETIME):
        return "timestamptz" if kind.params["utc"] else "timestamp"
    if isinstance(kind, BOOL):
        return "boolean"
    if isinstance(kind, DATE):
        return "date"
    if isinstance(kind, JSON):
        return "jsonb"
    return "bytea" if isinstance(kind, (BLOB, Opaque)) else "text"


def to_copy(kind: FieldType) -> Convert:
    """From a value of this type, not None, to what stands in COPY's text; NulCharacter."""
    if isinstance(kind, BOOL):
        return lambda value: "t" if value else "f"
    if isinstance(kind, DATE):
        return date.isoformat
    if isinstance(kind, (BLOB, Opaque)):
        return lambda value: f"\\\\x{value.hex()}"
    if isinstance(kind, (INT, DECIMAL, DATETIME)):
        return to_text(kind)
    if isinstance(kind, JSON):
        write = to_text(kind)
        return lambda value: write(_without_nul(value)).translate(_ESCAPES)
    return _text


def is_long(kind: FieldType) -> bool:
    """Whether values may be too long for an index."""
    return not isinstance(kind, (INT, DECIMAL, BOOL, DATE, DATETIME, JSON))


def _text(value: str) -> str:
    if "\0" in value:
        raise NulCharacter
    return value.translate(_ESCAPES)


def _without_nul(document: Any) -> Any:
    """The document itself; NulCharacter if a text in it has one."""
    if isinstance(document, str):
        if "\0" in document:
            raise NulCharacter
    elif isinstance(document, list):
        for part in document:
            _without_nul(part)
    elif isinstance(document, dict):
        for key, part in document.items():
            _without_nul(key)
            _without_nul(part)
    return document
