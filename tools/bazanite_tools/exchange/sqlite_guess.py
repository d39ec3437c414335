"""The type of an SQLite column, by what is declared and by all of its values.

Pure.  A column's values may be of any kind, whatever is declared: where all of them fit what is
declared, that is the type; else the type is that of the values, if they are of one kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bazanite.decimals import DECIMAL, MOST_DIGITS
from bazanite.documents import BLOB, JSON
from bazanite.fields import CHAR, DEFAULT_INT_WIDTH, INT, TEXT, FieldType
from bazanite.moments import BOOL, DATE, DATETIME

from .guess import Digits, Lengths
from .sqlite_types import exact_decimal, from_sqlite
from .values import moment

_FORM = re.compile(r"([^(]*)(?:\(\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?\))?")
_MOST_FLOAT_DIGITS = 60
"""A column of floating-point numbers that needs more is hardly one of amounts."""
_LONGEST_VARCHAR = 255
_WORDS = [
    ("BOOL", "bool"),
    ("DATETIME", "moment"),
    ("TIMESTAMP", "moment"),
    ("DATE", "date"),
    ("JSON", "json"),
    ("NUMBER TEXT", "int"),
    ("DECIMAL", "decimal"),
    ("NUMERIC", "decimal"),
    ("NUMBER", "decimal"),
    ("REAL", "decimal"),
    ("FLOA", "decimal"),
    ("DOUB", "decimal"),
    ("INT", "int"),
    ("CHAR", "text"),
    ("CLOB", "text"),
    ("TEXT", "text"),
    ("BLOB", "blob"),
    ("BINARY", "blob"),
]
"""In this order: the first that is in what is declared decides."""


class SqliteGuess:
    """Looks at a column's values as SQLite gives them."""

    def __init__(self, declared: str, *, first: bool) -> None:
        match = _FORM.match(declared.upper())
        assert match is not None
        self._declared = match[1].strip()
        self._numbers = tuple(int(text) for text in match.groups()[1:] if text)
        self._wish = next((kind for word, kind in _WORDS if word in self._declared), "")
        self._kinds: set[type] = set()
        self._lengths = Lengths(first=first)
        self._digits = Digits()
        self._zoned: set[bool] = set()
        self._fits = True
        self._finite = True
        self._sound = True

    def add(self, value: Any) -> None:
        self._kinds.add(type(value))
        if isinstance(value, str):
            self._lengths.add(value)
            if not value.isascii():
                self._sound = self._sound and (value.isprintable() or _is_text(value))
        elif isinstance(value, int):
            self._digits.add_integer(value, str(value))
        elif isinstance(value, float):
            self._add_float(value)
        if self._fits:
            self._fits = self._fits_wish(value)

    def _add_float(self, value: float) -> None:
        try:
            number = exact_decimal(value)
        except ValueError:
            self._finite = False
            return
        self._digits.add(Decimal(number))

    def _fits_wish(self, value: Any) -> bool:
        wish = self._wish
        if wish in ("text", "blob"):
            return isinstance(value, str if wish == "text" else bytes)
        if wish == "":
            return False
        try:
            made = from_sqlite(_SAMPLES[wish])(value)
            if wish == "moment":
                self._zoned.add(moment(value).tzinfo is not None)
            elif wish == "decimal" and isinstance(value, str):
                self._digits.add(Decimal(made))
            elif wish == "int" and isinstance(value, str):
                self._digits.add_integer(made, str(made))
        except (ValueError, OverflowError):
            return False
        return len(self._zoned) < 2

    @property
    def exact(self) -> bool:
        if not self._sound or not self._finite or self._too_long():
            return False
        if self._fits and self._wish:
            return self._wish != "json"
        return len(self._kinds) <= 1 or self._kinds == {int, float}

    def _too_long(self) -> bool:
        most = _MOST_FLOAT_DIGITS if float in self._kinds else MOST_DIGITS
        return not self._digits.fit(most)

    def kind(self, null: bool) -> FieldType:
        if self._wish and (self._fits or not self.exact):
            return self._declared_kind(null)
        if self._kinds == {bytes}:
            return BLOB(null)
        if self._kinds and self._kinds <= {int, float}:
            return self._digits.integer(null) if float not in self._kinds else self._decimal(null)
        if self._kinds == {str}:
            return TEXT(null)
        if not self._kinds:
            return TEXT(null)
        return self._digits.integer(null) if int in self._kinds else TEXT(null)

    def _declared_kind(self, null: bool) -> FieldType:
        if self._wish == "int":
            width = self._digits.width
            if self._numbers and width <= self._numbers[0] <= MOST_DIGITS:
                return INT(max(self._numbers[0], 1), null)
            return INT(min(max(width, DEFAULT_INT_WIDTH), MOST_DIGITS), null)
        if self._wish == "decimal":
            return self._decimal(null)
        if self._wish == "text":
            return self._text(null)
        if self._wish == "moment":
            utc = True in self._zoned or (not self._zoned and self._declared.endswith("UTC"))
            return DATETIME(null, utc=utc)
        return _PLAIN[self._wish](null)

    def _decimal(self, null: bool) -> FieldType:
        digits, declared = (*self._numbers, 0, 0)[:2] if self._wish == "decimal" else (0, 0)
        most = _MOST_FLOAT_DIGITS if float in self._kinds else MOST_DIGITS
        places = min(max(declared, self._digits.places), most)
        least = digits - declared if digits else 1
        before = min(max(least, self._digits.before), most - places)
        return DECIMAL(max(before + places, 1), places, null)

    def _text(self, null: bool) -> FieldType:
        size = self._numbers[0] if self._numbers else 0
        short = self._declared in ("CHAR", "CHARACTER") or size <= _LONGEST_VARCHAR
        if "CHAR" in self._declared and short and 0 < size < 1 << 30 and self._lengths.fit(size):
            return CHAR(size, null)
        return TEXT(null)


def _is_text(value: str) -> bool:
    """Whether it was valid UTF-8: other bytes were read as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_PLAIN: dict[str, Callable[[bool], FieldType]] = {
    "bool": BOOL,
    "date": DATE,
    "json": JSON,
    "blob": BLOB,
}
_SAMPLES: dict[str, FieldType] = {
    "bool": BOOL(),
    "moment": DATETIME(),
    "date": DATE(),
    "json": JSON(),
    "int": INT(),
    "decimal": DECIMAL(1),
}
"""One of each kind, for what reads it."""
