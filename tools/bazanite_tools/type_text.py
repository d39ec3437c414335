"""Types of columns as a command line has them: ``CHAR(20) null``, ``FK(city,cascade)``.

Pure.  Invariant: ``parse_type`` reads what ``type_text`` and ``spec_text`` write, but for a type of
a program's own.
"""

from __future__ import annotations

import re
from typing import Any

from bazanite import BLOB, BOOL, CHAR, DATE, DATETIME, DECIMAL, FK, INT, JSON, PK, TEXT, FieldType
from bazanite.errors import ValidationError
from bazanite.fields import ON_DELETE
from bazanite.specs import FieldSpec
from bazanite.stored_schema import Opaque, OpaqueFK

from .output import CommandError

SYNTAX = (
    "INT, INT(4), CHAR(20), TEXT, BOOL, DATE, DATETIME, DATETIME(utc), DECIMAL(9,2)",
    "BLOB, JSON, FK(table), FK(table,cascade)",
)
_TYPE = re.compile(r"([A-Za-z]+)(?:\(([^()]*)\))?((?: +(?:null|unique|index))*)", re.IGNORECASE)
_PLAIN: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (INT, TEXT, BOOL, DATE, DATETIME, BLOB, JSON)
}


def type_text(kind: FieldType) -> str:
    """The type of a column of an open table."""
    null = " null" if kind.null else ""
    if isinstance(kind, (Opaque, OpaqueFK)):
        return f"{kind.stands_for}({kind.size}){null}"
    if isinstance(kind, FK):
        return f"FK({kind.params['rel_name']}){null}"
    return _name(type(kind).__name__, kind.size, dict(kind.params)) + null


def spec_text(spec: FieldSpec) -> str:
    """The type of a column in the catalog, with what a delete does."""
    null = " null" if spec.null else ""
    if spec.type == "FK":
        deleting = f",{spec.on_delete}" if spec.on_delete is not None else ""
        return f"FK({spec.table}{deleting}){null}"
    reference = f" to {spec.table}" if spec.table is not None else ""
    return _name(spec.type, spec.size, dict(spec.params)) + reference + null


def _name(name: str, size: int, params: dict[str, Any]) -> str:
    if name == "DECIMAL":
        return f"DECIMAL({params['digits']},{params['places']})"
    if name == "DATETIME":
        return "DATETIME(utc)" if params.get("utc") else "DATETIME"
    if name in ("PK", "TEXT", "BOOL", "DATE", "BLOB", "JSON"):
        return name
    return f"{name}({size})"


def parse_type(text: str) -> tuple[FieldType, str]:
    """The type that a text begins with, and what stands behind it; CommandError if none does."""
    found = _TYPE.match(text)
    if found is None:
        raise _unknown(text)
    name, given, words = found[1].upper(), found[2], found[3].lower().split()
    arguments = [part.strip() for part in given.split(",")] if given is not None else []
    options = {word: True for word in ("null", "unique", "index") if word in words}
    try:
        kind = _made(name, arguments, options)
    except (ValidationError, ValueError, TypeError) as error:
        reason = f": {error}" if isinstance(error, ValidationError) else ""
        raise _unknown(text, reason) from error
    if isinstance(kind, PK):
        raise CommandError("a table has its PK from the beginning: no column can become one")
    return kind, text[found.end() :]


def _made(name: str, arguments: list[str], options: dict[str, Any]) -> FieldType:
    if name == "FK":
        target, on_delete = [*arguments, None][:2] if len(arguments) < 3 else ["", ""]
        if not target or on_delete not in (None, *ON_DELETE):
            raise ValidationError(f"FK(table) or FK(table,X), X one of {', '.join(ON_DELETE)}")
        return FK(target, on_delete=on_delete, **options)
    if name == "DATETIME" and [word.lower() for word in arguments] == ["utc"]:
        return DATETIME(utc=True, **options)
    numbers = [int(word) for word in arguments]
    if name == "CHAR":
        (size,) = numbers
        return CHAR(size, **options)
    if name == "DECIMAL":
        digits, places = [*numbers, 0][:2] if len(numbers) < 3 else [0, 0]
        return DECIMAL(digits, places, **options)
    if name == "PK":
        return PK()
    if numbers and name != "INT":
        raise ValueError(name)
    kind: FieldType = _PLAIN[name](*numbers, **options) if name in _PLAIN else _none(name)
    return kind


def _none(name: str) -> FieldType:
    raise ValueError(name)


def _unknown(text: str, reason: str = "") -> CommandError:
    return CommandError(f"{text!r} is no type of a column{reason}; there are {', '.join(SYNTAX)}")
