"""Values as one writes and reads them: in a command line, in a cell of a table, in JSON.

Pure.  Invariant: what ``cell`` shows of a value, ``parsed`` reads back as that value, so that a row
is found by what was printed of it; and ``from_json`` reads what ``to_json`` gives.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from bazanite import BLOB, BOOL, CHAR, DATE, DATETIME, DECIMAL, INT, JSON, TEXT, Field, FieldType
from bazanite.errors import ValidationError
from bazanite.stored_schema import Opaque, OpaqueFK

from .output import CommandError
from .type_text import type_text

NULL = "NULL"
_LONGEST_SHOWN = 60
_INT = re.compile(r"-?[0-9]{1,700}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,700}(\.[0-9]{1,700})?\Z")
_BOOLS = {
    **dict.fromkeys(("true", "yes", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "f", "n", "0"), False),
}


class ExactFloat(float):
    """A number with a point in JSON, and as what it stood there."""

    text: str


def parsed(field: Field, text: str) -> Any:
    """The value of this column that the text means, None for NULL; CommandError if there is none.

    Text between double quotes is a JSON string: so one writes the text NULL, or a line feed.
    """
    if text == NULL:
        return None
    kind = field.type
    if is_quoted(text) and not isinstance(kind, JSON):
        text = unquoted(field, text)
    try:
        return read(field, text)
    except (ValueError, ArithmeticError, RecursionError) as error:
        reason = f": {error}" if isinstance(error, _Reason) else ""
        raise wrong(field, text, reason) from error


def read(field: Field, text: str) -> Any:
    """The value that the text is, in a column of this type; ValueError if it is none."""
    return _reader(field.type)(text)


def stored_value(field: Field, text: str) -> Any:
    """The same for a value that is to be stored: it must fit the column."""
    return fitting(field, parsed(field, text), text)


def fitting(field: Field, value: Any, shown: str) -> Any:
    """The value, if the column takes it; CommandError otherwise."""
    try:
        field.type.validate(value)
    except ValidationError as error:
        raise wrong(field, shown, f": {error.message}") from error
    return value


def wrong(field: Field, shown: str, reason: str = "") -> CommandError:
    """The error that names the column, its type, the value, and how one is written."""
    text = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."
    return CommandError(
        f"'{field.name}' is {type_text(field.type)}: {text!r} is no such value"
        f"{reason or _hint(field.type)}"
    )


def cell(value: Any) -> str:
    """A value on one line: plain where that is clear, else as a JSON string."""
    if value is None:
        return NULL
    if isinstance(value, str):
        clear = value.isprintable() and value == value.strip() and value != NULL
        return value if clear and value and not is_quoted(value) else quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (bytes, bytearray)):
        return b64encode(value).decode() or quoted("")
    if isinstance(value, datetime):
        return str(value).replace("+00:00", "Z")
    if isinstance(value, (dict, list, float)):
        return _escaped(json.dumps(value, ensure_ascii=False))
    return str(value)


def document_cell(kind: FieldType, value: Any) -> str:
    """The cell of a column of this type; in one of JSON a text is a JSON string."""
    if isinstance(kind, JSON) and value is not None:
        return _escaped(json.dumps(value, ensure_ascii=False))
    return cell(value)


def to_json(kind: FieldType, value: Any) -> Any:
    """The value in a JSON document: numbers, texts and documents as they are, the rest as text."""
    if value is None or isinstance(kind, JSON):
        return value
    if isinstance(value, Decimal):
        return cell(value)
    if isinstance(value, (bytes, bytearray)):
        return b64encode(value).decode()
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value


def from_json(field: Field, value: Any) -> Any:
    """The value of this column that stands in a JSON document; CommandError if it does not fit."""
    kind = field.type
    shown = value.text if isinstance(value, ExactFloat) else json.dumps(value, default=str)
    if value is None or isinstance(kind, JSON):
        return fitting(field, value, shown)
    if isinstance(kind, DECIMAL) and isinstance(value, ExactFloat):
        value = value.text
    written = isinstance(value, str)
    if written and isinstance(kind, (DECIMAL, DATE, DATETIME, BLOB, Opaque)):
        try:
            value = _reader(kind)(value)
        except (ValueError, ArithmeticError) as error:
            raise wrong(field, shown, f": {error}" if isinstance(error, _Reason) else "") from error
    return fitting(field, value, shown)


def json_line(text: str) -> Any:
    """The document on this line, its numbers with a point exact; ValueError if there is none."""

    def number(digits: str) -> ExactFloat:
        result = ExactFloat(digits)
        result.text = digits
        return result

    return json.loads(text, parse_float=number)


def is_quoted(text: str) -> bool:
    """Whether it stands between double quotes."""
    return len(text) >= 2 and text[0] == text[-1] == '"'


def quoted(text: str) -> str:
    """The text as a JSON string in which everything can be seen."""
    return _escaped(json.dumps(text, ensure_ascii=False))


def unquoted(field: Field, text: str) -> str:
    """The text that a JSON string stands for."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, str):
        reason = ': between double quotes stands a JSON string, such as "a\\"b"'
        raise wrong(field, text, reason)
    return value


class _Reason(ValueError):
    """Says what is wrong with a value, in words."""


def _reader(kind: FieldType) -> Callable[[str], Any]:
    if isinstance(kind, (Opaque, BLOB)):
        return lambda text: b64decode(text.encode("ascii"), validate=True)
    if isinstance(kind, (INT, OpaqueFK)):
        return lambda text: int(_whole(_INT, text))
    if isinstance(kind, DECIMAL):
        return lambda text: Decimal(_whole(_DECIMAL, text))
    if isinstance(kind, BOOL):
        return _bool
    if isinstance(kind, DATE):
        return date.fromisoformat
    if isinstance(kind, DATETIME):
        return lambda text: _moment(kind, text)
    if isinstance(kind, JSON):
        return json.loads
    return str


def _whole(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.match(text):
        raise ValueError(text)
    return text


def _bool(text: str) -> bool:
    try:
        return _BOOLS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _moment(kind: DATETIME, text: str) -> datetime:
    value = datetime.fromisoformat(text)
    try:
        return kind.stored(value)
    except ValidationError as error:
        utc = bool(kind.params["utc"])
        hint = "needs a time zone, such as Z" if utc else "it has no time zone"
        zoned = value.utcoffset() is not None
        raise _Reason(hint if zoned != utc else error.message) from error


def _hint(kind: FieldType) -> str:
    hints: list[tuple[type[FieldType], str]] = [
        (BOOL, "true or false"),
        (DATE, "2026-11-26"),
        (DATETIME, '"2026-11-26 15:33:10" with or without a fraction'),
        (DECIMAL, "-12.50"),
        (BLOB, "base64"),
        (JSON, 'JSON, such as {"a": [1, "x"]}'),
        (INT, "digits"),
        (Opaque, "base64"),
        (CHAR, "text"),
        (TEXT, "text"),
    ]
    found = [hint for of, hint in hints if isinstance(kind, of)]
    return f"; write {found[0]}, or {NULL}" if found else ""


def _escaped(text: str) -> str:
    """The same JSON with every character that is not visible as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
