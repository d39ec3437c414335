"""One field's part of a condition, asked of the column of many rows at a time.

Pure.  The answer is that of the condition's ``holds`` on each value; bytes that are none of the
field's are an error that names the place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, compress
from math import isfinite
from typing import Any

from . import columns
from .codec import RowCodec
from .cond import EQ, GE, GT, IN, ISUBSTR, LE, LT, PREFIX, SUBSTR, FieldCond
from .decimals import DECIMAL
from .fields import CHAR, FieldType
from .kinds import NUMBERS
from .moments import BOOL, DATE, DATETIME
from .schema import DELETED
from .written import written

_MOST_VERDICTS = 50_000
"""How many different values a search remembers at a time."""
_PLAIN_NUMBERS = (bool, int, float)
_COMPARABLE: dict[type[FieldType], tuple[type, ...]] = {
    **dict.fromkeys(NUMBERS, _PLAIN_NUMBERS),
    CHAR: (str,),
    BOOL: _PLAIN_NUMBERS,
    DATE: (date,),
    DATETIME: (datetime,),
    DECIMAL: (*_PLAIN_NUMBERS, Decimal),
}
"""Types that are looked along, and of which type what has an order with their values is."""
_nothing: frozenset[int] = frozenset()


def is_simple(cond: FieldCond, kind: FieldType, value: object) -> bool:
    """Whether the comparison can be made of any stored value: no error, no method of others'."""
    comparable = _COMPARABLE.get(type(kind))
    if comparable is None:
        return False
    if type(cond) in (PREFIX, SUBSTR, ISUBSTR):
        return type(value) is str
    if type(cond) is IN:
        assert isinstance(value, list)
        return all(is_simple(EQ(any=each), kind, each) for each in value)
    if isinstance(value, datetime):
        zone = UTC if type(kind) is DATETIME and kind.params["utc"] else None
        return type(kind) is DATETIME and type(value) is datetime and value.tzinfo is zone
    if isinstance(value, Decimal):
        return type(value) is Decimal and value.is_finite() and type(kind) is DECIMAL
    if isinstance(value, float) and type(kind) is DECIMAL and not isfinite(value):
        return False
    if type(cond) is EQ:
        return value is None or type(value) in (*comparable, bool, int, float, str)
    return type(value) in comparable


class ColumnTest:
    """One field's part of a condition."""

    def __init__(
        self, codec: RowCodec, cond: FieldCond, name: str, kind: FieldType, value: Any
    ) -> None:
        self._codec = codec
        self._size = codec.row_size
        self._kind = kind
        self._is_text = type(kind) is CHAR
        self._start = start = codec.offsets[name]
        self._end = end = start + kind.size
        self._column = struct.Struct(f"{start}x{kind.size}s{codec.row_size - end}x").iter_unpack
        self._verdicts = _Verdicts(kind, lambda stored: cond.holds(name, stored, value))
        self._finds_null = value is None
        is_number = type(kind) in NUMBERS
        self._number_holds = _number_holds(cond, value) if is_number else None
        self._numbers: columns.Numbers | None = None
        self._texts: columns.Texts | None = None
        self._written = written(kind, cond, value)
        place = columns.Place(self._size, start, kind.size)
        if self._is_text:
            self._texts = columns.texts(place, cond, value)
        elif is_number:
            self._numbers = columns.numbers(place, kind.null, cond, value)

    def rows(self, first: int, data: bytes, use_numpy: Any) -> list[int]:
        """Which rows of a chunk fulfil it; some of them may be deleted."""
        if self._texts is not None and columns.are_texts(data, self._size, self._start, self._end):
            maybe = self._texts(data, use_numpy)
            if maybe is not None:
                return [number for number in maybe if self._holds(first, data, number)]
        if self._numbers is not None and use_numpy is not None:
            sure, unsure = self._numbers(data, use_numpy)
            if 4 * len(unsure) < len(data) // self._size:
                more = [number for number in unsure if self._holds(first, data, number)]
                return sorted(sure + more) if more else sure
        if self._written is not None and columns.stars_agree(data, self._size, self._start):
            found = self._written(list(chain.from_iterable(self._column(data))))
            if found is not None:
                return found
        return self._one_by_one(first, data)

    def _one_by_one(self, first: int, data: bytes) -> list[int]:
        """The same without NumPy, in loops that run in C where that is possible."""
        count = len(data) // self._size
        column = chain.from_iterable(self._column(data))
        try:
            if self._number_holds is not None and b"*" not in data and self._codec.is_plain(data):
                holds = self._number_holds
                if not self._kind.null or b"#" not in data:
                    return list(compress(range(count), map(holds, map(int, column))))
                null, finds_null = b"#" * self._kind.size, self._finds_null
                return [
                    number
                    for number, own in enumerate(column)
                    if (finds_null if own == null else holds(int(own)))
                ]
            if not (self._is_text or columns.stars_agree(data, self._size, self._start)):
                raise ValueError("a star in a number")
            return list(compress(range(count), map(self._verdicts.__getitem__, column)))
        except ValueError:
            return [number for number in range(count) if self._holds(first, data, number)]

    def _holds(self, first: int, data: bytes, number: int) -> bool:
        """The same for one row; an error if its bytes are none."""
        offset = number * self._size
        if data[offset] == DELETED:
            return False
        column = data[offset + self._start : offset + self._end]
        try:
            if not self._is_text and column[0] == DELETED:
                raise ValueError("a star in a number")
            return self._verdicts[column]
        except ValueError:
            self._codec.decode(data[offset : offset + self._size], first + number)
            raise AssertionError("a column that is no value in a row that is one") from None


def _number_holds(cond: FieldCond, value: Any) -> Callable[[int], Any] | None:
    """Whether a condition is true of a number, as a function in C; None if there is none.

    A method of the value: how it compares is known, as it is an int, a float or a bool.
    """
    if value is None:
        return _nothing.__contains__
    if type(value) not in (int, float, bool):
        return None
    methods = {EQ: "__eq__", LT: "__gt__", GT: "__lt__", LE: "__ge__", GE: "__le__"}
    found: Callable[[int], Any] | None = getattr(value, methods.get(type(cond), ""), None)
    return found


class _Verdicts(dict[bytes, bool]):
    """What a comparison says, by a column's bytes; ValueError if they are no value."""

    def __init__(self, kind: FieldType, holds: Callable[[Any], bool]) -> None:
        super().__init__()
        self._kind = kind
        self._holds = holds
        self._keep_stars()

    def __missing__(self, column: bytes) -> bool:
        value, _ = self._kind.deserialize(column, 0)
        if len(self) >= _MOST_VERDICTS:
            self.clear()
            self._keep_stars()
        found = self[column] = self._holds(value)
        return found

    def _keep_stars(self) -> None:
        if type(self._kind) is not CHAR:
            self[b"*" * self._kind.size] = False
