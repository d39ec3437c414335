"""Columns that are compared as they are written: the patterns know just what is a value."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bazanite import DATETIME, DECIMAL, EQ, GE, GT, LE, LT, FieldType, Row
from bazanite.written import DAY, written


def test_the_pattern_of_days_has_those_of_the_calendar() -> None:
    is_day = re.compile(DAY).fullmatch
    few = ["02-28", "02-29", "02-30", "12-31"]
    many = [f"{month:02}-{day:02}" for month in range(100) for day in range(100)]
    for year in range(10_000):
        for rest in many if year in (0, 1900, 2000, 2023, 2024) else few:
            text = f"{year:04}-{rest}"
            try:
                date.fromisoformat(text)
            except ValueError:
                assert not is_day(text.encode())
            else:
                assert is_day(text.encode())


@pytest.mark.parametrize("kind", [DATETIME(), DATETIME(utc=True), DECIMAL(4, 2), DECIMAL(2, 2)])
@pytest.mark.parametrize("how", [EQ, LT, LE, GT, GE])
def test_a_column_is_compared_as_it_is_written_only_if_values_are(
    how: Any, kind: FieldType
) -> None:
    value: Any = Decimal("0.50")
    if isinstance(kind, DATETIME):
        value = datetime(2000, 2, 29, 23, 59, 59, 999999, UTC if kind.params["utc"] else None)
    find = written(kind, how(f=value), value)
    assert find is not None
    good = kind.serialize(value)
    assert find([good, good]) == ([0, 1] if how in (EQ, LE, GE) else [])
    for place in range(kind.size):
        for byte in b"\n\0 -0239:TZ#*\x80":
            column = good[:place] + bytes([byte]) + good[place + 1 :]
            try:
                stored = kind.deserialize(column, 0)[0]
            except ValueError:
                assert find([good, column]) is None
            else:
                assert find([column]) == [0] * how(f=value).eval(Row({"f": stored}))
