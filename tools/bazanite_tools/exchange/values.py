"""Values as text (CSV) and as JSON, by the type of their column.

Pure.  Invariant: what ``from_text(kind)`` makes of what ``to_text(kind)`` gives is the same value,
and so it is with ``from_json`` and ``to_json``.  Anything that is not such a value is a ValueError
that says what was expected; whether a value fits its column is for ``Field.validate``.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from bazanite.decimals import DECIMAL
from bazanite.documents import BLOB, JSON
from bazanite.fields import INT, FieldType
from bazanite.moments import BOOL, DATE, DATETIME
from bazanite.stored_schema import Opaque
from bazanite_wal.errors import shown_value

Convert = Callable[[Any], Any]

_TRUE_AND_FALSE = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_INTEGER = re.compile(r"-?[0-9]+\Z", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?\Z", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?\Z",
    re.ASCII,
)
_WRITER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


def to_text(kind: FieldType) -> Convert:
    """From a value of this type to text; not for None."""
    if isinstance(kind, BOOL):
        return lambda value: "true" if value else "false"
    if isinstance(kind, DATE):
        return date.isoformat
    if isinstance(kind, DATETIME):
        return moment_text
    if isinstance(kind, DECIMAL):
        return lambda value: format(value, "f")
    if isinstance(kind, (BLOB, Opaque)):
        return lambda value: b64encode(value).decode()
    if isinstance(kind, JSON):
        return _WRITER.encode
    return str


def from_text(kind: FieldType) -> Convert:
    """From text to a value of this type."""
    if isinstance(kind, BOOL):
        return _truth
    if isinstance(kind, DATE):
        return day
    if isinstance(kind, DATETIME):
        return moment
    if isinstance(kind, DECIMAL):
        return decimal
    if isinstance(kind, (BLOB, Opaque)):
        return _binary
    if isinstance(kind, JSON):
        return document
    if isinstance(kind, INT):
        return integer
    return str


def to_json(kind: FieldType) -> Convert:
    """From a value of this type, or None, to what ``json`` writes; a DECIMAL becomes text."""
    if isinstance(kind, (BOOL, JSON)) or type(kind).__name__ in ("CHAR", "TEXT"):
        return lambda value: value
    if isinstance(kind, INT):
        return lambda value: value
    write = to_text(kind)
    return lambda value: None if value is None else write(value)


def from_json(kind: FieldType) -> Convert:
    """From what ``json`` read, with ``parse_float=Decimal`` or without, to a value or None."""
    if isinstance(kind, JSON):
        return plain_document
    if isinstance(kind, BOOL):
        return lambda value: value if value is None or isinstance(value, bool) else _truth(value)
    if isinstance(kind, DECIMAL):
        return _json_decimal
    if isinstance(kind, INT):
        return _json_integer
    read = from_text(kind)

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, str):
            refuse(value, "text")
        return read(value)

    return convert


def moment_text(value: datetime) -> str:
    """As a DATETIME is stored: to the microsecond, with ``Z`` behind one in UTC."""
    text = value.isoformat(" ", "microseconds")
    return text if value.tzinfo is None else f"{text[:26]}Z"


def integer(text: str) -> int:
    """A whole number in digits."""
    if not _INTEGER.match(text):
        refuse(text, "a whole number")
    return int(text)


def decimal(text: str) -> Decimal:
    """A decimal number in digits, also with an exponent."""
    if not _DECIMAL.match(text):
        refuse(text, "a decimal number")
    return Decimal(text)


def day(text: str) -> date:
    """A day as 2026-11-26."""
    if not _DATE.match(text):
        refuse(text, "a day as 2026-11-26")
    return date.fromisoformat(text)


def moment(text: str) -> datetime:
    """A moment as 2026-11-26 15:33:10.123456, with Z or an offset if it has a time zone."""
    match = _MOMENT.match(text)
    if match is None:
        refuse(text, "a moment as 2026-11-26 15:33:10")
    found = datetime.fromisoformat(text.replace(" Z", "Z").replace(" +", "+").replace(" -", "-"))
    return found if found.tzinfo is None else found.astimezone(UTC)


def document(text: str) -> Any:
    """A JSON document; one of ``null`` is NULL."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("JSON: too many lists and objects in each other") from error


def plain_document(value: Any) -> Any:
    """A document whose numbers were read as Decimal, as ``json`` would have read it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [plain_document(part) for part in value]
    if isinstance(value, dict):
        return {key: plain_document(part) for key, part in value.items()}
    return value


def _truth(text: Any) -> bool:
    found = _TRUE_AND_FALSE.get(text.lower()) if isinstance(text, str) else None
    if found is None:
        refuse(text, "true or false")
    return found


def _binary(text: str) -> bytes:
    try:
        value = b64decode(text, validate=True)
    except ValueError:
        refuse(text, "base64")
    return value


def _json_integer(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(value, "a whole number")
    return value


def _json_decimal(value: Any) -> Decimal | int | None:
    if isinstance(value, str):
        return decimal(value)
    if isinstance(value, bool) or not (value is None or isinstance(value, (int, Decimal))):
        refuse(value, "a decimal number")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def refuse(value: object, expected: str) -> NoReturn:
    """Raise the ValueError for a value that is not what was expected."""
    raise ValueError(f"{shown_value(value)} is not {expected}")
