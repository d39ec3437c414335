"""Finding the type of a column by its values: of text as CSV has it, and of what ``json`` reads.

Pure.  A type is taken only if each value reads back as the same: ``007`` is text, not a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from bazanite.decimals import DECIMAL, MOST_DIGITS
from bazanite.documents import JSON
from bazanite.fields import CHAR, DEFAULT_INT_WIDTH, INT, TEXT, FieldType
from bazanite.moments import BOOL, DATE, DATETIME

from .values import day, moment

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,638})\Z", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,200})?\Z", re.ASCII)
_CHARS = (8, 16, 32, 64)
"""Widths that are proposed for short texts."""


class Guess(Protocol):
    """Looks at all values of a column but NULL."""

    def add(self, value: Any) -> None:
        """Look at one."""
        ...

    def kind(self, null: bool) -> FieldType:
        """The type that fits best."""
        ...

    @property
    def exact(self) -> bool:
        """Whether all values that were seen fit it for certain."""
        ...


class Lengths:
    """What is to be known of texts to choose a width for them."""

    def __init__(self, *, first: bool) -> None:
        self._first = first
        self.longest = 0
        self.padded = False
        """Whether a CHAR would lose something of them, or could not hold one."""

    def add(self, text: str) -> None:
        """Look at one."""
        if len(text) > self.longest or not text.isascii():
            self.longest = max(self.longest, len(text.encode("utf-8", "surrogatepass")))
        if text[-1:] == " " or text[:1] == "\0" or (self._first and text[:1] == "*"):
            self.padded = True

    def fit(self, size: int) -> bool:
        """Whether a CHAR of this size keeps each of them as it is."""
        return self.longest <= size and not self.padded

    def kind(self, null: bool) -> FieldType:
        """CHAR if all are short, else TEXT."""
        for size in _CHARS:
            if self.fit(size) and self.longest:
                return CHAR(size, null)
        return TEXT(null)


class Digits:
    """What is to be known of numbers to choose a width for them."""

    def __init__(self) -> None:
        self.before = 0
        self.places = 0
        self.width = 1

    def add_integer(self, value: int, text: str) -> None:
        """Look at one, which is written so."""
        self.width = max(self.width, len(text))
        if value:
            self.before = max(self.before, len(text) - (value < 0))

    def add(self, value: Decimal) -> None:
        """Look at one."""
        _, figures, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        if any(figures):
            while figures[-1] == 0 and exponent < 0:
                figures, exponent = figures[:-1], exponent + 1
            self.before = max(self.before, len(figures) + exponent)
            self.places = max(self.places, -exponent)

    def fit(self, most: int = MOST_DIGITS) -> bool:
        """Whether a DECIMAL can hold all of them."""
        return max(self.before, 0) + self.places <= most

    def integer(self, null: bool) -> FieldType:
        """An INT for all of them."""
        return INT(max(self.width, DEFAULT_INT_WIDTH), null)

    def decimal(self, null: bool) -> FieldType:
        """A DECIMAL for all of them."""
        return DECIMAL(max(self.before, 1) + self.places, self.places, null)


class TextGuess:
    """Of the cells of a CSV file: INT, DECIMAL, DATE, DATETIME, BOOL, CHAR or TEXT."""

    exact = True

    def __init__(self, *, first: bool) -> None:
        self._may: dict[str, Callable[[str], bool]] = {
            "bool": _is_bool,
            "int": self._is_int,
            "decimal": self._is_decimal,
            "date": _is_date,
            "moment": self._is_moment,
        }
        self._lengths = Lengths(first=first)
        self._digits = Digits()
        self._zoned: set[bool] = set()
        self._some = False

    def add(self, value: str) -> None:
        self._some = True
        self._lengths.add(value)
        for name, fits in [*self._may.items()]:
            if not fits(value):
                del self._may[name]

    def _is_int(self, value: str) -> bool:
        if not _INTEGER.match(value) or value == "-0":
            return False
        self._digits.add_integer(int(value), value)
        return True

    def _is_decimal(self, value: str) -> bool:
        if not _DECIMAL.match(value):
            return False
        before, _, behind = value.removeprefix("-").partition(".")
        self._digits.before = max(self._digits.before, len(before))
        self._digits.places = max(self._digits.places, len(behind))
        return True

    def _is_moment(self, value: str) -> bool:
        try:
            found = moment(value)
        except (ValueError, OverflowError):
            return False
        self._zoned.add(found.tzinfo is not None)
        return len(value) > 10 and len(self._zoned) == 1

    def kind(self, null: bool) -> FieldType:
        may = self._may if self._some else {}
        if "bool" in may:
            return BOOL(null)
        if "int" in may:
            return self._digits.integer(null)
        if "decimal" in may and self._digits.fit():
            return self._digits.decimal(null)
        if "date" in may:
            return DATE(null)
        if "moment" in may:
            return DATETIME(null, utc=True in self._zoned)
        return self._lengths.kind(null)


class JsonGuess:
    """Of values that ``json`` read with ``parse_float=Decimal``: text stays text."""

    exact = True

    def __init__(self, *, first: bool) -> None:
        self._types: set[str] = set()
        self._lengths = Lengths(first=first)
        self._digits = Digits()

    def add(self, value: Any) -> None:
        if isinstance(value, bool):
            self._types.add("bool")
        elif isinstance(value, int):
            self._types.add("int")
            self._digits.add_integer(value, str(value))
        elif isinstance(value, Decimal):
            self._types.add("decimal")
            self._digits.add(value)
        elif isinstance(value, str):
            self._types.add("text")
            self._lengths.add(value)
        else:
            self._types.add("document")

    def kind(self, null: bool) -> FieldType:
        types = self._types
        if types == {"bool"}:
            return BOOL(null)
        if types == {"int"} and self._digits.width <= MOST_DIGITS:
            return self._digits.integer(null)
        if types and types <= {"int", "decimal"} and self._digits.fit():
            return self._digits.decimal(null)
        if types <= {"text"}:
            return self._lengths.kind(null)
        return JSON(null)


def _is_bool(value: str) -> bool:
    return value.lower() in ("true", "false")


def _is_date(value: str) -> bool:
    try:
        day(value)
    except ValueError:
        return False
    return True
