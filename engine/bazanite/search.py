"""Finding the rows of a table that fulfil a condition, without making a row of each.

For the built-in conditions on built-in types only the named columns are looked at, chunk by chunk,
and only rows that fulfil the condition are decoded.  Everything else is asked row by row.

Invariants: the result is that of ``cond.eval`` on every row; the bytes of every named column are
those of a value, of NULL or of a deleted slot, or the search is an error that names the place.  The
other columns of rows that are not returned are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, Protocol

from bazanite_wal.layer import View

from . import columns
from .codec import RowCodec
from .column_test import ColumnTest, is_simple
from .cond import (
    BETWEEN,
    BUILT_IN,
    EQ,
    GE,
    GT,
    IN,
    ISNULL,
    LE,
    LT,
    NE,
    And,
    BaseCond,
    FieldCond,
    Not,
    Or,
)
from .fields import FieldType
from .kinds import NUMBERS
from .many import made_at_once
from .row import Row
from .schema import DELETED
from .textfile import TextReader

_MANY_FOUND = 8192
"""So many rows are decoded together: that costs less than a few at a time."""


def find(view: View, codec: RowCodec, cond: BaseCond) -> list[Row]:
    """The rows for which the condition is true, in slot order, with their TEXT values."""

    def make() -> list[Row]:
        result: list[Row] = []
        for _, rows in found(view, codec, cond):
            result += rows
        return result

    return made_at_once(make)


def found(
    view: View, codec: RowCodec, cond: BaseCond | None, begin: int = 0, end: int | None = None
) -> Iterator[tuple[list[int], list[Row]]]:
    """The slots of the rows for which the condition is true, None: all, and these rows.

    In slot order, some thousands at a time, from one slot up to another.
    """
    test, rest = split(codec, cond)
    if test is None:
        yield from _one_by_one(view, codec, rest, begin, end)
        return
    texts = TextReader(view, codec.files)
    slots: list[int] = []
    pieces: list[bytes] = []
    for some, data in pieces_found(view, codec, test, begin, end):
        slots += some
        pieces.append(data)
        if len(slots) >= _MANY_FOUND:
            yield _kept(slots, codec.rows_at(slots, b"".join(pieces), texts), rest)
            slots, pieces = [], []
    yield _kept(slots, codec.rows_at(slots, b"".join(pieces), texts), rest)


def pieces_found(
    view: View, codec: RowCodec, test: Test | None, begin: int = 0, end: int | None = None
) -> Iterator[tuple[Sequence[int], bytes]]:
    """The slots of the rows of which the test is true, None: all, and their bytes, by chunks."""
    use_numpy = columns.numpy(wanted=codec.slot_count(view) >= columns.MANY_ROWS)
    size = codec.row_size
    for first, data in codec.chunks(view, begin, end):
        count = len(data) // size
        firsts = data[::size]
        if test is None:
            numbers: Sequence[int] = range(count)
        else:
            numbers = test.rows(first, data, use_numpy)
        if DELETED in firsts:
            numbers = [number for number in numbers if firsts[number] != DELETED]
        if len(numbers) == count:
            yield range(first, first + count), data
        else:
            slots = [first + number for number in numbers]
            yield slots, b"".join([data[n * size : (n + 1) * size] for n in numbers])


def _one_by_one(
    view: View, codec: RowCodec, cond: BaseCond | None, begin: int, end: int | None
) -> Iterator[tuple[list[int], list[Row]]]:
    texts = TextReader(view, codec.files)
    for first, data in codec.chunks(view, begin, end):
        live = data[:: codec.row_size]
        slots = [first + number for number, byte in enumerate(live) if byte != DELETED]
        rows = codec.live_rows(first, data)
        for row in rows if codec.text_fields else ():
            codec.with_text(row, texts)
        yield _kept(slots, rows, cond)


def _kept(slots: list[int], rows: list[Row], cond: BaseCond | None) -> tuple[list[int], list[Row]]:
    """Those for which the condition is true."""
    if cond is None:
        return slots, rows
    kept = [cond.eval(row) for row in rows]
    return list(compress(slots, kept)), list(compress(rows, kept))


def split(codec: RowCodec, cond: BaseCond | None) -> tuple[Test | None, BaseCond | None]:
    """What to look for in which columns, and what is then to be asked of each row."""
    if type(cond) is not And:
        test = None if cond is None else test_of(codec, cond)
        return test, cond if test is None else None
    assert isinstance(cond, And)
    tests, rest = [], []
    for part in cond.parts:
        test = test_of(codec, part)
        if test is None:
            rest.append(part)
        else:
            tests.append(test)
    return _All(tests) if tests else None, And(*rest) if rest else None


class Test(Protocol):
    """A condition that is asked of the columns of many rows at a time."""

    def rows(self, first: int, data: bytes, use_numpy: Any) -> list[int]:
        """Which rows of a chunk, which begins with slot ``first``, fulfil it, ascending.

        Some of them may be deleted.
        """


class _All:
    """Every one of these is true."""

    def __init__(self, tests: list[Test]) -> None:
        self._tests = tests

    def rows(self, first: int, data: bytes, use_numpy: Any) -> list[int]:
        result = self._tests[0].rows(first, data, use_numpy)
        for test in self._tests[1:]:
            fewer, more = sorted((result, test.rows(first, data, use_numpy)), key=len)
            wanted = set(fewer)
            result = [number for number in more if number in wanted]
        return result


class _Any:
    """One of these is true."""

    def __init__(self, tests: list[Test]) -> None:
        self._tests = tests

    def rows(self, first: int, data: bytes, use_numpy: Any) -> list[int]:
        return sorted({n for test in self._tests for n in test.rows(first, data, use_numpy)})


class _Not:
    """It is false."""

    def __init__(self, test: Test, row_size: int) -> None:
        self._test = test
        self._row_size = row_size

    def rows(self, first: int, data: bytes, use_numpy: Any) -> list[int]:
        others = set(self._test.rows(first, data, use_numpy))
        return [number for number in range(len(data) // self._row_size) if number not in others]


def test_of(codec: RowCodec, cond: BaseCond) -> Test | None:
    """What to look for in which columns; None if only ``eval`` can tell."""
    if type(cond) in (And, Or):
        assert isinstance(cond, (And, Or))
        parts = _equals_joined(cond.parts) if type(cond) is Or else cond.parts
        tests = [test_of(codec, part) for part in parts]
        known = [test for test in tests if test is not None]
        if len(known) != len(tests):
            return None
        return _All(known) if type(cond) is And else _Any(known)
    if type(cond) is Not:
        test = test_of(codec, cond.part)
        return None if test is None else _Not(test, codec.row_size)
    if type(cond) not in BUILT_IN:
        return None
    assert isinstance(cond, FieldCond)
    kinds = {field.name: field.type for field in codec.schema.schema}
    result: list[Test] = []
    for name, value in cond.params.items():
        test = _column_test(codec, cond, name, kinds[name], value)
        if test is None:
            return None
        result.append(test)
    return result[0] if len(result) == 1 else _All(result)


def _equals_joined(parts: Sequence[BaseCond]) -> list[BaseCond]:
    """The parts of an Or, those of what a field equals as one: its column is looked along once."""
    values: dict[str, list[Any]] = {}
    result: list[BaseCond] = []
    for part in parts:
        if type(part) in (EQ, IN) and len(part.params) == 1:
            ((name, value),) = part.params.items()
            values.setdefault(name, []).extend(value if type(part) is IN else [value])
        else:
            result.append(part)
    for name, wanted in values.items():
        result.append(EQ(**{name: wanted[0]}) if len(wanted) == 1 else IN(**{name: wanted}))
    return result


def _column_test(
    codec: RowCodec, cond: FieldCond, name: str, kind: FieldType, value: Any
) -> Test | None:
    """One field's part of a condition, in terms of those that columns are searched for."""
    if type(cond) is NE:
        test = _column_test(codec, EQ(**{name: value}), name, kind, value)
        return None if test is None else _Not(test, codec.row_size)
    if type(cond) is BETWEEN:
        low = _column_test(codec, GE(**{name: value[0]}), name, kind, value[0])
        high = _column_test(codec, LE(**{name: value[1]}), name, kind, value[1])
        return None if low is None or high is None else _All([low, high])
    if type(cond) is ISNULL:
        cond = EQ(**{name: None})
    elif type(value) is int and type(kind) in NUMBERS and type(cond) in (LE, GE):
        value += 1 if type(cond) is LE else -1
        cond = LT(**{name: value}) if type(cond) is LE else GT(**{name: value})
    if not is_simple(cond, kind, value):
        return None
    return ColumnTest(codec, cond, name, kind, value)
