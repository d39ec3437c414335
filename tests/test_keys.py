"""Keys for sorting: of one width, in the order of the values, NULL first."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import (
    BLOB,
    BOOL,
    CHAR,
    DATE,
    DATETIME,
    DECIMAL,
    FK,
    INT,
    JSON,
    PK,
    TEXT,
    Field,
    FieldType,
    Schema,
    ValidationError,
)
from bazanite.keys import KeyMaker


class Own(CHAR):
    """A type of a program's own."""


def decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    largest = 10**digits - 1
    return st.integers(-largest, largest).map(lambda n: Decimal(f"{n}E-{places}"))


SHORT = st.text(max_size=3).filter(lambda text: text[:1] != "\0")
TEXTS = SHORT | st.text("aż", min_size=60, max_size=90)
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
EARLY, LATE = datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-01-01")
KINDS: list[tuple[FieldType, st.SearchStrategy[Any]]] = [
    (INT(1), st.integers(0, 9)),
    (INT(5), st.integers(-9999, 99999)),
    (INT(63), st.integers(-(10**62) + 1, 10**63 - 1)),
    (INT(64), st.integers(-(10**63) + 1, 10**64 - 1) | st.integers(-1000, 1000)),
    (INT(640), st.integers(-(10**639) + 1, 10**640 - 1) | st.integers(-1000, 1000)),
    (PK(), st.integers(1, 10**9 - 1)),
    (FK("t"), st.integers(1, 10**9 - 1)),
    (CHAR(3), st.text("abż", max_size=1)),
    (CHAR(180), TEXTS),
    (TEXT(), TEXTS),
    (BLOB(), st.binary(max_size=3) | st.binary(min_size=30, max_size=34)),
    (BOOL(), st.booleans()),
    (DATE(), st.dates()),
    (DATETIME(), st.datetimes()),
    (DATETIME(utc=True), st.datetimes(EARLY, LATE, timezones=ZONES)),
    (DECIMAL(1), decimals(1, 0)),
    (DECIMAL(5, 2), decimals(5, 2)),
    (DECIMAL(3, 3), decimals(3, 3)),
    (DECIMAL(61, 2), decimals(61, 2)),
    (DECIMAL(62, 62), decimals(62, 62)),
    (DECIMAL(640, 320), decimals(640, 320) | decimals(6, 3)),
]
NAMES = [f"{type(kind).__name__}({kind.size})" for kind, _ in KINDS]


def sort_key(kind: FieldType, value: Any) -> bytes:
    """The key of one value."""
    return KeyMaker([Field("f", kind)]).key({"f": value})


@pytest.mark.parametrize("kind, values", KINDS, ids=NAMES)
@given(data=st.data())
def test_keys_are_in_the_order_of_the_values_and_null_is_first(
    kind: FieldType, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    low, high = sorted([data.draw(values), data.draw(values)])
    kind.validate_type(low)
    kind.validate_type(high)
    keys = [sort_key(kind, None), sort_key(kind, low), sort_key(kind, high)]
    assert keys == sorted(keys)
    assert keys[0] < keys[1]
    assert {len(key) for key in keys} == {KeyMaker([Field("f", kind)]).size}
    if low == high:
        assert keys[1] == keys[2]


@pytest.mark.parametrize("kind, values", KINDS, ids=NAMES)
@given(data=st.data())
def test_values_that_no_cut_makes_alike_have_different_keys(
    kind: FieldType, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    if isinstance(kind, (CHAR, TEXT, BLOB)) or kind.size > 63:
        return
    one, other = data.draw(values), data.draw(values)
    assert (one == other) == (sort_key(kind, one) == sort_key(kind, other))


@pytest.mark.parametrize(
    "kind, value, key",
    [
        (INT(3), None, b"####"),
        (INT(3), 42, b"0042"),
        (INT(3), -42, b"-957"),
        (PK(), 7, b"0000000007"),
        (CHAR(5), "żó", b"=\xc5\xbc\xc3\xb3\0"),
        (CHAR(2), None, b"###"),
        (BLOB(), b"\0\xff", b"=00ff".ljust(65, b"\0")),
        (BOOL(), True, b"T"),
        (DATE(), date(2026, 11, 26), b"2026-11-26"),
        (DATETIME(), datetime.fromisoformat("2026-11-26 01:00"), b"2026-11-26 01:00:00.000000"),
        (DATETIME(utc=True), datetime(2026, 11, 26, tzinfo=UTC), b"2026-11-26 00:00:00.000000Z"),
        (DECIMAL(5, 2), Decimal("12.3"), b"0012.30"),
        (DECIMAL(5, 2), Decimal("-12.3"), b"-987.69"),
        (DECIMAL(2, 2), Decimal("0.05"), b"00.05"),
    ],
)
def test_a_key_reads_well(kind: FieldType, value: Any, key: bytes) -> None:
    assert sort_key(kind, value) == key


ODD_NUMBERS = (
    st.integers()
    | st.integers(-9999, 9999)
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.sampled_from([Decimal("1E+9999"), Decimal("-1E-9999"), Decimal("1E-9999"), True])
)


@pytest.mark.parametrize("kind", [INT(4), INT(70), DECIMAL(4, 2), DECIMAL(70, 2)])
@given(data=st.data())
def test_a_number_that_cannot_be_stored_has_its_place_among_those_that_can(
    kind: FieldType, data: st.DataObject
) -> None:
    stored: Any = data.draw(st.integers(-99, 99))
    if isinstance(kind, DECIMAL):
        stored = Decimal(stored) / 100
    value = data.draw(ODD_NUMBERS)
    key, wanted = sort_key(kind, stored), sort_key(kind, value)
    if stored <= value:
        assert key <= wanted
    if stored >= value:
        assert key >= wanted


@pytest.mark.parametrize(
    "kind, value",
    [
        (INT(3), "1"),
        (INT(3), math.nan),
        (DECIMAL(3), Decimal("NaN")),
        (DECIMAL(3), Decimal("sNaN")),
        (CHAR(3), 1),
        (CHAR(3), "\ud800"),
        (BLOB(), "x"),
        (BOOL(), "x"),
        (DATE(), datetime.fromisoformat("2026-01-01")),
        (DATETIME(), datetime(2026, 1, 1, tzinfo=UTC)),
        (DATETIME(utc=True), datetime.fromisoformat("2026-01-01")),
        (JSON(), 1),
        (Own(3), "x"),
    ],
)
def test_a_value_without_a_place_in_the_order_is_refused(kind: FieldType, value: Any) -> None:
    with pytest.raises(ValidationError):
        sort_key(kind, value)


@pytest.mark.parametrize("kind", [JSON(), Own(3)])
def test_a_type_without_an_order_has_no_keys(kind: FieldType) -> None:
    text = (
        rf"^'f': {type(kind).__name__} cannot be in an index: it has no order that one could keep$"
    )
    for make in (
        lambda: KeyMaker([Field("f", kind)]),
        lambda: Schema([Field("f", kind)], unique=["f"]),
    ):
        with pytest.raises(ValidationError, match=text):
            make()


FIELDS = [
    Field("a", CHAR(2, null=True)), Field("b", INT(2, null=True)), Field("c", BOOL(null=True)),
]  # fmt: skip
ROWS = st.fixed_dictionaries(
    {
        "a": st.none() | st.sampled_from(["", "a", "b"]),
        "b": st.none() | st.integers(-3, 3),
        "c": st.none() | st.booleans(),
    }
)
COLUMNS = ["a", "b", "c"]


@given(row=ROWS, other=ROWS)
def test_a_key_of_several_columns_is_in_the_order_of_the_first_that_differs(
    row: dict[str, Any], other: dict[str, Any]
) -> None:
    maker = KeyMaker(FIELDS)
    assert len(maker.key(row)) == maker.size == 3 + 3 + 1

    def order(values: dict[str, Any]) -> list[Any]:
        return [(v is not None, v if v is not None else 0) for v in map(values.get, COLUMNS)]

    assert (order(row) < order(other)) == (maker.key(row) < maker.key(other))


@given(row=ROWS, wanted=ROWS, columns=st.integers(0, 3), bounds=st.integers(0, 3))
def test_bounds_hold_every_row_that_is_wanted_and_of_short_values_no_other(
    row: dict[str, Any], wanted: dict[str, Any], columns: int, bounds: int
) -> None:
    maker = KeyMaker(FIELDS)
    names = COLUMNS
    equal = [wanted[name] for name in names[:columns]]
    low = high = None
    found = all(row[name] == wanted[name] for name in names[:columns])
    if columns < 3 and bounds and wanted[names[columns]] is not None:
        value, own = wanted[names[columns]], row[names[columns]]
        found = found and own is not None
        if bounds & 1:
            low = value
            found = found and own >= value
        if bounds & 2:
            high = value
            found = found and own <= value
    first, last = maker.bounds(equal, low, high)
    assert len(first) == len(last) == maker.size
    assert (first <= maker.key(row) <= last) == found
