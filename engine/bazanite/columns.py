"""Looking along one column of a chunk of rows, many rows at a time.

Pure.  Texts are looked for as bytes.  Numbers are compared as the bytes that they are, eight of a
row in one machine word, if NumPy is installed (the extra ``fast``); a number of fewer digits is the
smaller one, and of two with equally many the one whose digits come first in order.

Invariant: a row about which nothing certain can be said is never left out: it is told as unsure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from .cond import EQ, GT, ISUBSTR, LT, SUBSTR, FieldCond

Texts = Callable[[bytes, Any], list[int] | None]
"""From a chunk of valid texts, and NumPy or None, to the rows that may fulfil a condition.

None if that is for each row to say.
"""
Numbers = Callable[[bytes, Any], tuple[list[int], list[int]]]
"""From a chunk and NumPy to the rows that fulfil a condition, and those to be looked at singly."""

MANY_ROWS = 50_000
"""From how many slots on it is worth importing NumPy."""
_WORD = 8
_WIDEST = 16
_FIRST_STAR = bytes(byte == ord("*") for byte in range(256))
_CONTINUES = bytes(0x80 <= byte < 0xC0 for byte in range(256))


class Place(NamedTuple):
    """Where a column stands: rows of ``size`` bytes, ``width`` bytes from ``start`` on."""

    size: int
    start: int
    width: int


def numpy(*, wanted: bool) -> Any:
    """NumPy if it is installed, and either imported already or ``wanted``; else None.

    Importing it costs as much time as some hundred thousand rows.
    """
    if "numpy" not in sys.modules and not wanted:
        return None
    try:
        import numpy as np  # noqa: PLC0415  see above
    except ImportError:
        return None
    return np


def are_texts(data: bytes, size: int, start: int, end: int) -> bool:
    """Whether this column has valid text, and never NULL, in every row."""
    if b"\0" in data and 0 in data[start::size]:
        return False
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    # and no character reaches across the column's ends
    edges = data[start::size] + data[end::size]
    return not any(edges.translate(_CONTINUES))


def stars_agree(data: bytes, size: int, start: int) -> bool:
    """Whether this column of a row begins with a star if and only if the row does."""
    if b"*" not in data:
        return True
    own = data[start::size].translate(_FIRST_STAR)
    return own == data[::size].translate(_FIRST_STAR)


def texts(place: Place, cond: FieldCond, value: object) -> Texts | None:
    """How to look for a text; None if there is no short way."""
    if type(value) is not str or not value or type(cond) not in (EQ, SUBSTR, ISUBSTR):
        return None
    whole, folded = type(cond) is EQ, type(cond) is ISUBSTR
    try:
        wanted = (value.lower() if folded else value).encode()
    except UnicodeEncodeError:
        return None
    if whole:
        wanted = wanted.ljust(place.width)

    def rows(data: bytes, np: Any) -> list[int] | None:
        if folded and not data.isascii():
            return None
        if len(wanted) > place.width:
            return []
        if whole and np is not None and place.width >= _WORD:
            return _equal(data, place, wanted, np)
        return _containing(data.lower() if folded else data, place, wanted)

    return rows


def _containing(data: bytes, place: Place, wanted: bytes) -> list[int]:
    """The rows whose column contains these bytes."""
    size, start, width = place
    last = width - len(wanted)
    result: list[int] = []
    position = data.find(wanted, start)
    while position >= 0:
        row, within = divmod(position, size)
        if within < start:
            position = row * size + start
        elif within - start > last:
            position = (row + 1) * size + start
        else:
            result.append(row)
            position = (row + 1) * size + start
        position = data.find(wanted, position)
    return result


def _equal(data: bytes, place: Place, wanted: bytes, np: Any) -> list[int]:
    """The rows whose column is these bytes, at least eight."""
    starts = [*range(0, place.width - _WORD, _WORD), place.width - _WORD]
    found = None
    for start in starts:
        word = int.from_bytes(wanted[start : start + _WORD], "little")
        same = _words(data, place.size, place.start + start, np) == np.uint64(word)
        found = same if found is None else found & same
        if not found.any():
            return []
    rows: list[int] = np.flatnonzero(found).tolist()
    return rows


def _words(data: bytes, size: int, start: int, np: Any) -> Any:
    """Eight bytes of each row as a little-endian word."""
    count = len(data) // size
    if start + _WORD > size:
        data += bytes(_WORD)
    return np.ndarray((count,), "<u8", data, start, (size,)).copy()


def _each(byte: int) -> int:
    """A word with this byte in each place."""
    return byte * 0x0101010101010101


def numbers(place: Place, null: bool, cond: FieldCond, value: object) -> Numbers | None:
    """How to look for a number, or with None for NULL; None if there is no short way.

    ``null``: whether the column may be NULL.
    """
    if place.width > _WIDEST or type(cond) not in (EQ, LT, GT):
        return None
    if value is None:
        return _NumberTest(place, null, _nothing, finds_null=True).rows
    if not isinstance(value, int):
        return None
    if type(cond) is EQ:
        return _NumberTest(place, null, _equal_to(int(value))).rows
    if type(cond) is GT:
        return _NumberTest(place, null, _at_least(int(value) + 1)).rows
    less = _at_least(int(value))
    return _NumberTest(place, null, lambda word, digits: ~less(word, digits)).rows


_Compare = Callable[[Any, Any], Any]
"""From each number's bytes and a 1 for each of its digits, both as words, to where it is true."""


def _nothing(word: Any, _digits: Any) -> Any:
    return word != word  # noqa: PLR0124  an array of as many False


def _equal_to(value: int) -> _Compare:
    if not 0 <= value < 10**_WORD:
        return _nothing
    wanted = int.from_bytes(b"%-8d" % value, "little")
    return lambda word, _digits: word == word.dtype.type(wanted)


def _at_least(value: int) -> _Compare:
    if value <= 0:
        return lambda word, _digits: word >= 0
    if value >= 10**_WORD:
        return _nothing
    text = b"%d" % value
    wanted = int.from_bytes(text.ljust(_WORD), "big")
    as_many = 1 << _WORD * (len(text) - 1)

    def compare(word: Any, digits: Any) -> Any:
        number = word.dtype.type
        result = (word.byteswap() >= number(wanted)) & (digits >= number(as_many))
        if len(text) < _WORD:
            result |= digits >= number(as_many << _WORD)
        return result

    return compare


def values(data: bytes, place: Place, null: bool, np: Any) -> list[int | None] | None:
    """The numbers of a column; None if a row has no plain one, of at most eight digits, nor NULL.

    Eight digits become four numbers below 100, then two, then one, all in their own places of one
    word (Daniel Lemire, "Quickly parsing eight digits", 2018, has the steps).
    """
    if place.width > _WIDEST:
        return None
    word = _column(data, place, np)
    digits, unsure = _digits(word, np)
    _mark_longer(data, place, unsure, np)
    nulls: list[int] = []
    if unsure.any():
        if not null:
            return None
        found = _nulls(data, place, word, np)
        if (unsure & ~found).any():
            return None
        nulls = np.flatnonzero(found).tolist()
        digits |= found  # anything from 1 to 8 digits: it is not looked at
    number = np.uint64
    count = (digits * number(_each(1))) >> number(56)
    rest = (word & number(_each(0x0F))) << (number(64) - (count << number(3)))
    rest = (rest * number(10) + (rest >> number(8))) & number(0x00FF00FF00FF00FF)
    rest = (rest * number(100) + (rest >> number(16))) & number(0x0000FFFF0000FFFF)
    rest = (rest * number(10000) + (rest >> number(32))) & number(0xFFFFFFFF)
    result: list[int | None] = rest.tolist()
    for row in nulls:
        result[row] = None
    return result


def _column(data: bytes, place: Place, np: Any) -> Any:
    """The first eight bytes of a column of each row, with spaces if it has fewer."""
    word = _words(data, place.size, place.start, np)
    if place.width < _WORD:
        own = (1 << 8 * place.width) - 1
        word &= np.uint64(own)
        word |= np.uint64(_each(0x20) & ~own)
    return word


def _mark_longer(data: bytes, place: Place, unsure: Any, np: Any) -> None:
    """Mark the rows that have something behind the first eight bytes of the column."""
    size, start, width = place
    for behind in range(start + _WORD, start + width):
        rest = data[behind::size]
        if rest.count(b" ") != len(rest):
            unsure |= np.frombuffer(rest, "u1") != ord(" ")


def _nulls(data: bytes, place: Place, word: Any, np: Any) -> Any:
    """Where the column, of which ``word`` has the beginning, is NULL."""
    size, start, width = place
    if width < _WORD:
        own = (1 << 8 * width) - 1
        return word == np.uint64(_each(0x23) & own | _each(0x20) & ~own)
    found = word == np.uint64(_each(0x23))
    for last in range(_WORD, width, _WORD):
        begin = start + min(last, width - _WORD)
        found &= _words(data, size, begin, np) == np.uint64(_each(0x23))
    return found


class _NumberTest:
    """A comparison with all numbers of a column.

    Sure are numbers from 0 on, of at most eight digits and without a zero in front, and NULL where
    it is allowed; anything else is unsure, be it a number or not.
    """

    def __init__(
        self, place: Place, null: bool, compare: _Compare, *, finds_null: bool = False
    ) -> None:
        self._place = place
        self._null = null
        self._compare = compare
        self._finds_null = finds_null

    def rows(self, data: bytes, np: Any) -> tuple[list[int], list[int]]:
        word = _column(data, self._place, np)
        digits, unsure = _digits(word, np)
        _mark_longer(data, self._place, unsure, np)
        sure = self._compare(word, digits)
        if unsure.any():
            sure &= ~unsure
            if self._null:
                nulls = _nulls(data, self._place, word, np)
                unsure &= ~nulls
                if self._finds_null:
                    sure |= nulls
            return np.flatnonzero(sure).tolist(), np.flatnonzero(unsure).tolist()
        return np.flatnonzero(sure).tolist(), []


def _digits(word: Any, np: Any) -> tuple[Any, Any]:
    """A 1 in each byte of each word that is a digit; and which words are no plain number.

    A plain one is digits, then spaces, and begins with 0 only if it is 0.  Digits differ from a
    space by 0x10 to 0x19, so each byte is looked at in its own place of one word.
    """
    number = np.uint64
    other = word ^ number(_each(0x20))
    digits = (other >> number(4)) & number(_each(1))
    flaw = (other + number(_each(0x66))) & number(_each(0x80))  # above "9"
    flaw |= other & ~((digits << number(5)) - digits)  # neither a digit nor a space
    flaw |= (digits ^ number(1)) & ~(digits << number(8))  # a digit behind a space, or none
    unsure = flaw != number(0)
    unsure |= (other & number(0x101F)) == number(0x1010)  # a zero, and more
    return digits, unsure
