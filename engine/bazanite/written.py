"""Comparing a column by what is written there, without making values of it.

Pure.  A DATETIME sorts as its text does, and a DECIMAL's digits without the point are a number.
Each is written in one way, so equal values have equal bytes; and a pattern says of a whole column
at once whether values are what stands there, which costs a fifth of reading them.

Invariant: what is found is what reading each value and comparing it would find; where a column has
anything but values, NULL where it may, and deleted slots, nothing is said of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import compress
from math import ceil, floor
from typing import Any

from .cond import EQ, GE, GT, LE, LT, FieldCond
from .decimals import DECIMAL
from .errors import ValidationError
from .fields import FieldType
from .moments import DATETIME

Found = Callable[[Sequence[bytes]], list[int] | None]
"""From a column of each row to the rows that fulfil a condition; None: that cannot be said."""

_FARTHEST = 2000
"""A number with a digit farther from the point than any field's is compared as a value."""
_LEAP_YEAR = rb"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
DAY = (
    rb"(?:(?!0000)[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    rb"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    rb"|" + _LEAP_YEAR + rb"-02-29)"
)
"""A day of the years 1 to 9999, as ``date.isoformat`` has it."""
_TIME = rb" (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}"


def written(kind: FieldType, cond: FieldCond, value: Any) -> Found | None:
    """How to compare the fields of this type with a value; None if there is no short way.

    It is one that they compare with, of a type that Python has.
    """
    if type(cond) not in (EQ, LT, LE, GT, GE):
        return None
    if type(kind) is DATETIME:
        return _column(kind, DAY + _TIME + (b"Z" if kind.params["utc"] else b""), cond, value)
    if type(kind) is DECIMAL:
        if isinstance(value, Decimal):
            if value and abs(value.adjusted()) > _FARTHEST:
                return None
            value = value or 0
        return _column(kind, _decimal(kind), cond, value)
    return None


def _decimal(kind: DECIMAL) -> bytes:
    digits, places = kind.params["digits"], kind.params["places"]
    before = b"0" if digits == places else rb"(?:0|[1-9][0-9]{0,%d})" % (digits - places - 1)
    behind = rb"\.[0-9]{%d}" % places if places else b""
    return rb"(?!-[0.]+ *\n)-?%b%b *" % (before, behind)


def _column(kind: FieldType, pattern: bytes, cond: FieldCond, value: Any) -> Found:
    null = b"#" * kind.size
    kinds = [pattern, rb"\*{%d}" % kind.size]
    if kind.null:
        kinds.append(null)
    are_values = re.compile(rb"(?:(?:%b)\n)*+" % b"|".join(kinds)).fullmatch
    find = _finder(kind, cond, value)

    def found(column: Sequence[bytes]) -> list[int] | None:
        lines = b"\n".join(column) + b"\n"
        # As many lines as rows: none has a newline, and each is as wide as the field.
        if lines.count(b"\n") != len(column) or are_values(lines) is None:
            return None
        return find(column, lines)

    return found


def _finder(
    kind: FieldType, cond: FieldCond, value: Any
) -> Callable[[Sequence[bytes], bytes], list[int]]:
    """From a column of values, as a sequence and as lines, to the rows that fulfil a condition."""
    if type(cond) is EQ:
        wanted = _stored(kind, value)
        if wanted is None:
            return lambda _column, _lines: []
        return lambda column, _lines: _true(map(wanted.__eq__, column), column)
    if type(kind) is DECIMAL:
        shifted = Fraction(value) * 10 ** kind.params["places"]
        limit = ceil(shifted) if type(cond) in (LT, GE) else floor(shifted)
        return lambda column, lines: _numbers_that(_holds(cond, limit), column, lines)
    holds = _holds(cond, kind.serialize(value))
    if type(cond) in (GT, GE):
        return lambda column, _lines: _true(map(holds, column), column)
    return lambda column, _lines: [
        number for number in _true(map(holds, column), column) if column[number] >= b"0"
    ]  # NULL and stars are below any digit


def _holds(cond: FieldCond, limit: int | bytes) -> Callable[[Any], bool]:
    """Whether it is true of something stored, as a method of what that is compared with."""
    methods = {LT: "__gt__", LE: "__ge__", GT: "__lt__", GE: "__le__"}
    method: Callable[[Any], bool] = getattr(limit, methods[type(cond)])
    return method


def _numbers_that(holds: Callable[[int], bool], column: Sequence[bytes], lines: bytes) -> list[int]:
    if b"#" in lines or b"*" in lines:
        digits = lines.replace(b".", b"").split(b"\n")
        return [n for n, own in enumerate(digits[:-1]) if own[0] not in b"#*" and holds(int(own))]
    return _true(map(holds, map(int, lines.replace(b".", b"").splitlines())), column)


def _true(truths: Any, column: Sequence[bytes]) -> list[int]:
    return list(compress(range(len(column)), truths))


def _stored(kind: FieldType, value: Any) -> bytes | None:
    """The bytes of what equals this value; None if nothing that can be stored does."""
    try:
        if isinstance(value, (int, float)):
            value = Decimal(value)
        kind.validate_type(value)
    except ValidationError:
        return None
    return kind.serialize(value)
