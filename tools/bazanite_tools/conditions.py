"""CONDITION as the command line has it: ``age>=18``, ``city:=Oslo,Rome``, ``note is null``.

Pure.  A word is a column, an operator and a value; the longest column that it begins with counts.
Three words may also be one condition (``age >= 18``), so that the prompt needs no quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from json import JSONDecodeError, JSONDecoder
from typing import Any

from bazanite import (
    EQ,
    GE,
    GT,
    IN,
    ISNULL,
    ISUBSTR,
    JSON,
    LE,
    LT,
    PREFIX,
    SUBSTR,
    And,
    BaseCond,
    Field,
    Or,
    Schema,
)

from .output import CommandError
from .values import NULL, is_quoted, parsed, stored_value, unquoted

HELP = """\
CONDITION is one word, in quotes where a shell would read < > ~ * ! or spaces:
  city=Oslo    equals                   city!=Oslo   differs
  age<18       also <= > >=             note=NULL    or 'note is null'
  name~ada     contains, in any case    name*=Ada    contains exactly this
  name^=Ad     begins with              city:=A,B    is one of these

Any of these may have a ! in front of its operator: name!~ada, city!:=A,B. All of
several conditions must hold; with --any one is enough.

Values are written as they are printed: true, 2026-11-26, -12.50, base64. NULL is
NULL; the text NULL is "NULL". So between double quotes, as a JSON string, one
writes any text: 'note="two\\nlines"'."""

_OPERATORS = r"!?(?:\^=|\*=|:=|~|=)|<=|>=|<|>"
_SPACED = re.compile(rf"(\s*)({_OPERATORS})")
_IS_NULL = re.compile(r"\s+is(\s+not)?\s+null\s*\Z", re.IGNORECASE)
_ORDERED: dict[str, type[LT | LE | GT | GE]] = {
    "<": LT,
    "<=": LE,
    ">": GT,
    ">=": GE,
}
_TEXTS: dict[str, type[ISUBSTR | SUBSTR | PREFIX]] = {
    "~": ISUBSTR,
    "*=": SUBSTR,
    "^=": PREFIX,
}


def where(schema: Schema, words: Sequence[str], *, any_of: bool = False) -> BaseCond | None:
    """The condition that these words are together, None without any; CommandError if one is not."""
    found = [_condition(schema, word) for word in _joined(schema, words)]
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    return Or(*found) if any_of else And(*found)


def column_of(schema: Schema, word: str) -> tuple[Field, str]:
    """The longest column that the word begins with and the rest; CommandError if there is none."""
    fields = [field for field in schema.schema if word.startswith(field.name)]
    for field in sorted(fields, key=lambda field: -len(field.name)):
        rest = word[len(field.name) :]
        if _SPACED.match(rest) or _IS_NULL.match(rest):
            return field, rest
    names = ", ".join(field.name for field in schema.schema)
    operator = re.search(_OPERATORS, word)
    if operator is None:
        raise CommandError(
            f"{word!r} is no condition: write COLUMN=VALUE, or another operator"
            f" (!= < <= > >= ~ *= ^= :=); columns: {names}"
        )
    raise CommandError(f"no column {word[: operator.start()].strip()!r}; there are {names}")


def _joined(schema: Schema, words: Sequence[str]) -> list[str]:
    """The words, those that are one condition only together put together."""
    result: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word in schema.names and left:
            size = 0
            text = " ".join(part.lower() for part in left[:3])
            spaced = len(left) > 1 and re.fullmatch(_OPERATORS, left[0])
            if text == "is not null":
                size = 3
            elif spaced or text == "is null" or text.startswith("is null "):
                size = 2
            word = " ".join([word, *left[:size]])
            del left[:size]
        result.append(word)
    return result


def _condition(schema: Schema, word: str) -> BaseCond:
    field, rest = column_of(schema, word)
    name = field.name
    null = _IS_NULL.match(rest)
    if null:
        return ~ISNULL(name) if null[1] else ISNULL(name)
    found = _SPACED.match(rest)
    if found is None:
        raise AssertionError("column_of has matched it")
    operator, text = found[2], rest[found.end() :]
    if found[1]:
        text = text.removeprefix(" ")
    if operator in _ORDERED:
        return _ordered(field, operator, text)
    cond = _plain(field, operator.removeprefix("!"), text)
    return ~cond if operator.startswith("!") else cond


def _ordered(field: Field, operator: str, text: str) -> BaseCond:
    value = parsed(field, text)
    if value is None:
        raise CommandError(
            f"'{field.name}': nothing is above or below NULL; write {field.name}=NULL or"
            f' {field.name}!=NULL, and the text NULL as "NULL"'
        )
    if isinstance(field.type, JSON):
        raise CommandError(f"'{field.name}' is JSON, which has no order: only = and != and texts")
    return _ORDERED[operator](**{field.name: value})


def _plain(field: Field, operator: str, text: str) -> BaseCond:
    if operator == ":=":
        return IN(**{field.name: [parsed(field, part) for part in _parts(field, text)]})
    if operator == "=":
        value = parsed(field, text)
        return ISNULL(field.name) if value is None else EQ(**{field.name: value})
    if is_quoted(text):
        text = unquoted(field, text)
    return _TEXTS[operator](**{field.name: text})


def _parts(field: Field, text: str) -> list[str]:
    """The values of a list: separated by commas, and none within a JSON value."""
    document = isinstance(field.type, JSON)
    parts: list[str] = []
    while True:
        whole = not text.startswith(NULL) if document else text.startswith('"')
        end = _value_end(field, text) if whole else text.find(",")
        if end < 0:
            end = len(text)
        parts.append(text[:end])
        if end >= len(text):
            return parts
        text = text[end + 1 :]


def _value_end(field: Field, text: str) -> int:
    """Where the JSON value that the text begins with is over; a comma or nothing must follow."""
    try:
        _, end = JSONDecoder().raw_decode(text)
    except (JSONDecodeError, RecursionError):
        end = -1
    if end < 0 or (end < len(text) and text[end] != ","):
        raise CommandError(
            f"'{field.name}': {text[:60]!r} does not begin with a JSON value and a comma"
        )
    return end


def assignments(schema: Schema, words: Sequence[str]) -> dict[str, Any]:
    """The fields and the values that ``name=value`` words give; CommandError if one is none."""
    result: dict[str, Any] = {}
    fields = sorted(schema.schema, key=lambda field: -len(field.name))
    for word in words:
        field = next((f for f in fields if word.startswith(f"{f.name}=")), None)
        if field is None:
            name, equals, _ = word.partition("=")
            names = ", ".join(f.name for f in schema.schema)
            raise CommandError(
                f"no column {name!r}; there are {names}"
                if equals
                else f"{word!r} is no COLUMN=VALUE"
            )
        if field.name in result:
            raise CommandError(f"'{field.name}' is given twice")
        result[field.name] = stored_value(field, word[len(field.name) + 1 :])
    return result
