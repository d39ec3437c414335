"""Keys for sorting rows by columns: of a fixed width, in the order of their bytes, readable.

Pure.  Long values are cut, so different values may have the same key: who finds a row by a key has
to look at the row's own value.

Invariants: for values a < b of one field, key(a) <= key(b); equal values have equal keys; NULL
comes before everything, as ``#``, which no other key begins with.  Of several columns that holds
for each of them among rows that are equal in those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor, isinf
from typing import Any

from .decimals import DECIMAL
from .documents import BLOB
from .errors import ValidationError, shown_value
from .fields import CHAR, TEXT, Field, FieldType, utf8
from .kinds import NUMBERS
from .moments import BOOL, DATE, DATETIME

LONGEST_TEXT = 64
"""So many bytes of a text, or digits of its bytes, are in the key."""
_WIDEST_NUMBER = 64
_COUNTED = 60
"""So many digits of a number of more than 63 are in the key, behind how many it has."""
_VALUE = b"="
_LOWEST = b"$"
"""Above NULL and below what any key begins with."""
_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_FARTHEST = 2000
"""No field's number has a digit farther from the point, so nothing beyond has to be calculated."""

_Make = Callable[[Any], bytes]


def key_size(kind: FieldType) -> int | None:
    """How many bytes the keys of this type have; None if there are none."""
    found = _maker(kind)
    return None if found is None else found[0]


class KeyMaker:
    """The keys of some fields together, in this order; ``size`` is their width.

    ValidationError if one of the fields can have none: a JSON, whose values have no order, or a
    program's own type.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._makers: list[tuple[str, int, _Make]] = []
        self._kinds: list[FieldType] = []
        for name, kind in fields:
            found = _maker(kind)
            if found is None:
                shown = type(kind).__name__
                raise ValidationError(
                    f"'{name}': {shown} cannot be in an index: it has no order that one could keep"
                )
            self._makers.append((name, *found))
            self._kinds.append(kind)
        self.size = sum(size for _, size, _ in self._makers)

    def key(self, row: Mapping[str, Any]) -> bytes:
        """The key of a row as it reads, with its long values.

        Also of values that the fields cannot hold but that theirs compare with; ValidationError if
        they do not.
        """
        return b"".join(
            [
                make(row[name]) if row[name] is not None else b"#" * size
                for name, size, make in self._makers
            ]
        )

    def bounds(
        self, equal: Sequence[Any], low: Any = None, high: Any = None
    ) -> tuple[bytes, bytes]:
        """The lowest and the highest key that a row may have, both included.

        Of rows whose first columns equal these values, None for NULL, and whose next one, if
        ``low`` or ``high`` is given, is neither NULL nor below the one or above the other.

        ValidationError for a value that the column's values do not compare with.
        """
        prefix = b"".join(
            [
                make(value) if value is not None else b"#" * size
                for value, (_, size, make) in zip(equal, self._makers, strict=False)
            ]
        )
        first = last = prefix
        if low is not None or high is not None:
            _, _, make = self._makers[len(equal)]
            first += _LOWEST if low is None else make(low)
            last += b"" if high is None else make(high)
        return first.ljust(self.size, b"\0"), last.ljust(self.size, b"\xff")

    def not_null_bounds(self, equal: Sequence[Any]) -> tuple[bytes, bytes]:
        """The same for rows whose next column is not NULL."""
        prefix = self.bounds(equal)[0][: self.size_of(len(equal))]
        return (prefix + _LOWEST).ljust(self.size, b"\0"), prefix.ljust(self.size, b"\xff")

    def prefix_bounds(self, equal: Sequence[Any], text: str) -> tuple[bytes, bytes] | None:
        """The same for rows whose next column begins with ``text``; None if it is not a text."""
        _, size, make = self._makers[len(equal)]
        if type(self._kinds[len(equal)]) not in (CHAR, TEXT):
            return None
        low, _ = self.bounds(equal)
        before = low[: self.size_of(len(equal))]
        first = before + make(text)
        last = before + make(text).rstrip(b"\0").ljust(size, b"\xff")
        return first.ljust(self.size, b"\0"), last.ljust(self.size, b"\xff")

    def size_of(self, columns: int) -> int:
        """How many bytes the keys of the first so many columns have."""
        return sum(size for _, size, _ in self._makers[:columns])

    def is_exact(self, column: int) -> bool:
        """Whether different values of this column always have different keys."""
        return _is_exact(self._kinds[column])


def _is_exact(kind: FieldType) -> bool:
    own = type(kind)
    if own in (CHAR, TEXT, BLOB):
        return False  # a short text, too, is like itself with a NUL behind it
    if own is DECIMAL:
        shown: int = max(kind.params["digits"], kind.params["places"] + 1)
        return shown < _WIDEST_NUMBER - 1
    return own not in NUMBERS or kind.size < _WIDEST_NUMBER


def _maker(kind: FieldType) -> tuple[int, _Make] | None:
    """The width of a type's keys, and what makes them of values; None if it has none."""
    own = type(kind)
    if own in NUMBERS:
        return _numbers(kind.size)
    if own is DECIMAL:
        return _decimals(kind.params["digits"], kind.params["places"])
    if own in (CHAR, TEXT):
        longest = min(kind.size, LONGEST_TEXT) if own is CHAR else LONGEST_TEXT
        return 1 + longest, lambda value: _text(value, longest)
    if own is BLOB:
        return 1 + LONGEST_TEXT, _blob
    if own is BOOL:
        return kind.size, lambda value: b"T" if _floored(value, 0, 1) > 0 else b"F"
    if own in (DATE, DATETIME):
        return kind.size, lambda value: _as_stored(kind, value)
    return None


def _numbers(digits: int) -> tuple[int, _Make]:
    if digits >= _WIDEST_NUMBER:
        return 4 + _COUNTED, lambda value: _long_number(_floored(value, 0, digits))
    width, limit = digits + 1, 10**digits

    def make(value: Any) -> bytes:
        if type(value) is int and 0 <= value < limit:
            return b"%0*d" % (width, value)
        return _number(_floored(value, 0, digits), digits)

    return width, make


def _decimals(digits: int, places: int) -> tuple[int, _Make]:
    shown = max(digits, places + 1)
    if shown >= _WIDEST_NUMBER - 1:
        return 4 + _COUNTED, lambda value: _long_number(_floored(value, places, digits))

    def make(value: Any) -> bytes:
        key = _number(_floored(value, places, digits), shown)
        return key[:-places] + b"." + key[-places:] if places else key

    return 1 + shown + (places > 0), make


def _number(value: int, digits: int) -> bytes:
    """Digits with zeros in front; if negative, ``-`` and the complement of each digit to nine."""
    if value >= 0:
        return b"0%0*d" % (digits, value)
    return b"-%0*d" % (digits, 10**digits - 1 + value)


def _long_number(value: int) -> bytes:
    """The same of how many digits it has, and the first of them."""
    text = str(abs(value))
    digits = f"{len(text):03d}{text[:_COUNTED].ljust(_COUNTED, '0')}"
    return f"0{digits}".encode() if value >= 0 else f"-{digits.translate(_COMPLEMENT)}".encode()


def _floored(value: Any, places: int, digits: int) -> int:
    """The value times ``10**places``, without its fraction, within what so many digits can say."""
    largest: int = 10**digits - 1
    if isinstance(value, int):
        return max(-largest, min(int(value) * int(10**places), largest))
    if not isinstance(value, (float, Decimal)) or Decimal(value).is_nan():
        raise ValidationError(f"Type mismatch: `{shown_value(value)}` has no place among numbers")
    if value.is_infinite() if isinstance(value, Decimal) else isinf(value):
        return largest if value > 0 else -largest
    if isinstance(value, Decimal) and abs(value.adjusted()) > _FARTHEST and value:
        if value.adjusted() < 0:
            return 0 if value > 0 else -1
        return largest if value > 0 else -largest
    if not value:
        return 0
    return max(-largest, min(floor(Fraction(value) * int(10**places)), largest))


def _text(value: Any, longest: int) -> bytes:
    if not isinstance(value, (str, bytes)):
        raise ValidationError(f"Type mismatch: `{shown_value(value)}` is not text")
    return _VALUE + utf8(value)[:longest].ljust(longest, b"\0")


def _blob(value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray)):
        raise ValidationError(f"Type mismatch: `{shown_value(value)}` is not `bytes`")
    return _VALUE + value[: LONGEST_TEXT // 2].hex().encode().ljust(LONGEST_TEXT, b"\0")


def _as_stored(kind: FieldType, value: Any) -> bytes:
    """The column's own bytes, which are in order."""
    kind.validate_type(value)
    return kind.serialize(value)
