"""The types beyond Bazoola's, in a directory: what they take, what `cat` shows, what is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import (
    BLOB,
    BOOL,
    DATE,
    DATETIME,
    DB,
    DECIMAL,
    EQ,
    GT,
    JSON,
    LT,
    SUBSTR,
    CorruptionError,
    FieldType,
    ValidationError,
)
from bazanite.documents import DEEPEST
from types_support import Things, one_column

MOMENT = datetime.fromisoformat("2026-11-26 15:33:10.123456")
IN_UTC = MOMENT.replace(tzinfo=UTC)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EARLY, LATE = datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("9999-12-30")


def nested(depth: int) -> list[Any]:
    result: list[Any] = []
    for _ in range(depth - 1):
        result = [result]
    return result


DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=3
        )
    ),
    max_leaves=8,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "b": st.booleans(),
    "d": st.dates(),
    "at": st.datetimes(),
    "utc": st.datetimes(EARLY, LATE, timezones=ZONES),
    "p": st.integers(-(10**6) + 1, 10**6 - 1).map(lambda n: Decimal(f"{n}E-2"))
    | st.integers(-9999, 9999),
    "big": st.integers(-(10**40) + 1, 10**40 - 1).map(lambda n: Decimal(f"{n}E-40")),
    "blob": st.binary(max_size=20),
    "doc": DOCUMENTS,
    "text": st.text(st.characters(exclude_categories=["Cs"])),
}


ROW = st.fixed_dictionaries({}, optional={n: st.none() | v for n, v in VALUES.items()})


@given(rows=st.lists(ROW, min_size=1, max_size=20), changes=st.lists(ROW, max_size=3), many=...)
def test_what_is_stored_reads_back_equal_and_of_its_type(
    rows: list[dict[str, Any]],
    changes: list[dict[str, Any]],
    many: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("db")
    nothing = dict.fromkeys(VALUES)
    expected = [{**nothing, **row} for row in rows]
    with DB([Things], str(directory), durability="off") as db:
        made = (
            db.insert_many("things", rows) if many else [db.insert("things", row) for row in rows]
        )
        for number, values in enumerate(changes):
            pk = number % len(rows) + 1
            expected[pk - 1].update(values)
            made[pk - 1] = db.update_by_id("things", pk, values)
    with DB([Things], str(directory), durability="off") as db:
        found = db.find_all("things")
        assert db.check().problems == []
    for row, other, wanted in zip(made, found, expected, strict=True):
        assert repr(row) == repr(other)
        assert {name: other[name] for name in wanted} == wanted
        for name, kind in (("p", Decimal), ("blob", bytes), ("b", bool), ("at", datetime)):
            assert other[name] is None or type(other[name]) is kind
        assert other["p"] is None or other["p"].as_tuple().exponent == -2
        assert other["utc"] is None or other["utc"].tzinfo is UTC


def test_cat_shows_the_values(tmp_path: Path) -> None:
    with DB([Things], str(tmp_path)) as db:
        values = {
            "b": True, "d": MOMENT.date(), "at": MOMENT, "utc": IN_UTC, "p": Decimal("-12.5"),
            "big": Decimal("0.5"), "blob": b"\0\xff\n", "doc": {"b": ["ż\n", 1.5], "a": None},
        }  # fmt: skip
        db.insert("things", values)
        db.insert("things", {})
    nothing = "#" * (1 + 10 + 26 + 27 + 8 + 43 + 9 * 3)
    assert (tmp_path / "things.dat").read_text(encoding="utf-8") == (
        "1        T2026-11-262026-11-26 15:33:10.1234562026-11-26 15:33:10.123456Z-12.50  "
        "0.5" + "0" * 39 + " 0        13       #########\n"
        "2        " + nothing + "\n"
    )
    assert (tmp_path / "things.text.dat").read_text(encoding="utf-8") == (
        '4        AP8K27       {"a":null,"b":["ż\\n",1.5]}'
    )


NO_ZONE = (
    f"Type mismatch: `{MOMENT!r}` has no time zone, but DATETIME(utc=True) stores moments: give "
    "one with a time zone, such as `datetime.now(UTC)`"
)
ZONE = (
    f"Type mismatch: `{IN_UTC!r}` has a time zone, and DATETIME() has none: declare "
    "DATETIME(utc=True), or give `.replace(tzinfo=None)`"
)
FLOAT = (
    "Type mismatch: `0.1` is a `float`, which is seldom the exact number that is meant: "
    "give `Decimal('0.1')`"
)
TOO_EARLY = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
MORE_PLACES = "The value has more than 2 decimal places"


def too_big(shown: str, before: int) -> str:
    return f"The value is too big: `{shown}` has more than {before} digits before the point"


@pytest.mark.parametrize(
    "kind, value, message",
    [
        (BOOL(), 1, "Type mismatch: `1` is not `bool`, but `int`"),
        (BOOL(), None, "The value can't be None"),
        (DATE(), "2026-11-26", "Type mismatch: `'2026-11-26'` is not `date`, but `str`"),
        (
            DATE(), MOMENT,
            f"Type mismatch: `{MOMENT!r}` has a time: give its `.date()`",
        ),
        (
            DATETIME(), MOMENT.date(),
            "Type mismatch: `datetime.date(2026, 11, 26)` is not `datetime`, but `date`",
        ),
        (DATETIME(), IN_UTC, ZONE),
        (DATETIME(utc=True), MOMENT, NO_ZONE),
        (
            DATETIME(utc=True), TOO_EARLY,
            f"The value is outside the years 1 to 9999 in UTC: `{TOO_EARLY!r}`",
        ),
        (DECIMAL(5, 2), 0.1, FLOAT),
        (DECIMAL(5, 2), True, "Type mismatch: `True` is not `Decimal` or `int`, but `bool`"),
        (DECIMAL(5, 2), "1", "Type mismatch: `'1'` is not `Decimal` or `int`, but `str`"),
        (DECIMAL(5, 2), Decimal("1.234"), f"{MORE_PLACES}: `Decimal('1.234')`"),
        (DECIMAL(5, 2), Decimal("1E-9999"), f"{MORE_PLACES}: `Decimal('1E-9999')`"),
        (DECIMAL(5, 2), Decimal(1000), too_big("Decimal('1000')", 3)),
        (DECIMAL(5, 2), Decimal("-1E+9999"), too_big("Decimal('-1E+9999')", 3)),
        (DECIMAL(5, 2), 1000, too_big("1000", 3)),
        (DECIMAL(2, 2), 1, too_big("1", 0)),
        pytest.param(DECIMAL(5), 10**6000, too_big("a value of type int", 5), id="no digits"),
        (DECIMAL(5), Decimal("NaN"), "The value is not a number: `Decimal('NaN')`"),
        (DECIMAL(5), Decimal("-Infinity"), "The value is not a number: `Decimal('-Infinity')`"),
        (BLOB(), "text", "Type mismatch: `'text'` is not `bytes` or `bytearray`, but `str`"),
        (JSON(), None, "The value can't be None"),
        (JSON(), (1,), "JSON: the tuple `(1,)` would come back as a list: give a list"),
        (JSON(), [{"a": {1: 2}}], "JSON: the key `1` is not `str`, but `int`"),
        (JSON(), [math.nan], "JSON: `nan` is not a finite number"),
        (JSON(), -math.inf, "JSON: `-inf` is not a finite number"),
        (JSON(), {"a": b""}, "JSON: `b''`, of `bytes`, cannot be stored as JSON"),
        (JSON(), ["\ud800"], "The value is not valid UTF-8: `'[\"\\ud800\"]'`"),
        (JSON(), nested(DEEPEST + 1), "JSON: more than 100 lists and dicts in each other"),
        pytest.param(JSON(), [10**640], "JSON: an integer has at most 640 digits", id="digits"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_by_name_in_every_call(
    kind: FieldType, value: Any, message: str, tmp_path: Path
) -> None:
    kind.null = value is not None
    with DB([one_column(kind)], str(tmp_path)) as db:
        fine = db.insert("one", {}) if kind.null else None
        calls: list[Callable[[], object]] = [
            lambda: db.insert("one", {"f": value}),
            lambda: db.insert_many("one", [{"f": value}] * 20),
            lambda: db.insert_ids("one", [{"f": value}] * 20),
        ]
        if fine is not None:
            calls.append(lambda: db.update_by_id("one", fine["id"], {"f": value}))
        for call in calls:
            with pytest.raises(ValidationError) as caught:
                call()
            assert caught.value.message == f"'f': {message}"
        assert len(db.find_all("one")) == (fine is not None)


def test_a_list_that_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle += [circle, circle]
    with pytest.raises(ValidationError, match="more than 100"):
        JSON().validate(circle)
    JSON().validate(nested(DEEPEST))


def test_a_zero_has_no_sign_and_a_decimal_all_its_places() -> None:
    kind = DECIMAL(5, 2)
    for value in (Decimal("-0"), Decimal("0E+99"), Decimal("-0.000"), 0):
        assert kind.serialize(value) == b"0.00   "
    for value in (Decimal("1.5"), Decimal("1.500"), Decimal("15E-1")):
        assert kind.serialize(value) == b"1.50   "
    assert str(kind.deserialize(b"1.50   ", 0)[0]) == "1.50"


class Finer(datetime):
    """A moment of more digits than a datetime has, as other libraries make them."""

    nanosecond = 5


def test_a_moment_finer_than_a_microsecond_is_refused() -> None:
    with pytest.raises(ValidationError, match="finer than a microsecond"):
        DATETIME().validate(Finer(2026, 1, 1))
    Finer.nanosecond = 0
    assert DATETIME().serialize(Finer(2026, 1, 1)) == b"2026-01-01 00:00:00.000000"


def test_a_moment_in_a_zone_is_stored_in_utc() -> None:
    kind = DATETIME(utc=True)
    east = IN_UTC.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert kind.serialize(east) == b"2026-11-26 15:33:10.123456Z"


@pytest.mark.parametrize(
    "kind, data",
    [
        (BOOL(), b"t"), (BOOL(), b"1"), (BOOL(), b"#"), (BOOL(), b"*"),
        (DATE(), b"2026-11-31"), (DATE(), b"2026-W01-1"), (DATE(), b"20261126  "),
        (DATE(), b"#" * 10), (DATE(null=True), b"#########1"),
        (DATETIME(), b"2026-11-26T15:33:10.123456"), (DATETIME(), b"2026-11-26 15:33:10.12345 "),
        (DATETIME(), b"2026-11-26 15:33:10 +01:00"), (DATETIME(), b"2026-11-26 15:33:10+01:00 "),
        (DATETIME(), b"2026-11-26 15:33:10,123456"), (DATETIME(), b"2026-11-26 24:33:10.123456"),
        (DATETIME(), b"20261126 153310+01:00:00.1"), (DATETIME(), b"2026-11-26 15:33+01:00:01 "),
        (DATETIME(utc=True), b"2026-11-26 15:33:10.123456z"),
        (DATETIME(utc=True), b"2026-11-26 15:33:10.123456 "),
        (DECIMAL(4, 2), b"1.5   "), (DECIMAL(4, 2), b"-0.00 "), (DECIMAL(4, 2), b"01.00 "),
        (DECIMAL(4, 2), b"1     "), (DECIMAL(4, 2), b" 1.00 "), (DECIMAL(4, 2), b"+1.00 "),
        (DECIMAL(4, 2), b"1,00  "), (DECIMAL(4, 2), b"######"), (DECIMAL(4, 2), b"123.45"),
        (DECIMAL(2, 2), b"1.00 "), (DECIMAL(2), b"-0 "), (DECIMAL(2), b"1e1"),
        (DECIMAL(2), "١ ".encode()), (BLOB(), b"-1       "), (JSON(), b"#########"),
    ],
)  # fmt: skip
def test_bytes_that_no_value_gives_are_a_value_error(kind: FieldType, data: bytes) -> None:
    assert len(data) == kind.size
    with pytest.raises(ValueError, match=r".*"):
        kind.deserialize(data, 0)


@pytest.mark.parametrize(
    "kind, good, bad",
    [
        (BLOB(), b"abc", b"YW=j"), (BLOB(), b"ab", b"YWK="), (BLOB(), b"abc", b"YWJ\n"),
        (JSON(), [1, 2], b"[2,1 "), (JSON(), [1, 2], b"[1 2]"), (JSON(), {"a": 1}, b'{"a":"}'),
        (JSON(), [10], b"[01]"), (JSON(), [1.5], b"[1e9]"), (JSON(), 1234, b"null"),
        (JSON(), ["a"], b'["\xff"]'), (JSON(), "nan", b"  NaN"), (JSON(), [0], b"[{}"),
        (JSON(), {"a": 1, "b": 2}, b'{"b":2,"a":1}'),
    ],
)  # fmt: skip
def test_damage_in_the_text_file_is_an_error_and_check_finds_it(
    kind: FieldType, good: Any, bad: bytes, tmp_path: Path
) -> None:
    classes = [one_column(kind)]
    with DB(classes, str(tmp_path)) as db:
        db.insert("one", {"f": good})
        assert db.check().problems == []
        assert db.check().tables["one"].text_bytes == len(bad)
    file = tmp_path / "one.text.dat"
    data = file.read_bytes()
    assert len(data) == 9 + len(bad)
    file.write_bytes(data[:9] + bad)
    with DB(classes, str(tmp_path)) as db:
        with pytest.raises(CorruptionError, match=r"one\.text\.dat"):
            db.find_all("one")
        with pytest.raises(CorruptionError, match=r"one\.text\.dat"):
            db.update_by_id("one", 1, {"f": good})
        assert db.check().problems


@pytest.mark.parametrize("kind, good", [(BOOL(), True), (DATE(), date.min), (DECIMAL(3, 1), 1)])
def test_damage_in_a_row_is_an_error_and_check_finds_it(
    kind: FieldType, good: Any, tmp_path: Path
) -> None:
    classes = [one_column(kind)]
    for bad in (b"x", b"#" * kind.size):
        with DB(classes, str(tmp_path)) as db:
            db.truncate("one")
            db.insert("one", {"f": good})
        file = tmp_path / "one.dat"
        data = file.read_bytes()
        file.write_bytes(data[:9] + bad + data[9 + len(bad) :])
        with DB(classes, str(tmp_path)) as db:
            with pytest.raises(CorruptionError, match=r"one\.dat"):
                db.find_all("one")
            problems = db.check().problems
            assert [problem.row for problem in problems] == [1]
            assert "field 'f'" in problems[0].what


@pytest.mark.parametrize("checksums", [False, True])
def test_searches_counts_and_deletes_know_them(tmp_path: Path, checksums: bool) -> None:
    day = date.fromisoformat("2026-01-01")
    rows = [
        {
            "b": n % 2 == 0, "d": day + timedelta(days=n % 5), "at": MOMENT + timedelta(hours=n),
            "utc": IN_UTC + timedelta(hours=n), "p": Decimal(n), "blob": bytes([n % 3]),
            "doc": {"n": n % 3},
        }
        for n in range(40)
    ]  # fmt: skip
    with DB([Things], str(tmp_path), checksums=checksums) as db:
        db.insert_many("things", rows)

        def ids(cond: Any) -> list[int]:
            return [row["id"] - 1 for row in db.find_by_cond("things", cond)]

        everything = range(40)
        assert ids(EQ(b=True)) == [n for n in everything if n % 2 == 0]
        assert ids(LT(d=day + timedelta(days=2))) == [n for n in everything if n % 5 < 2]
        assert ids(GT(at=MOMENT + timedelta(hours=30))) == [*range(31, 40)]
        assert ids(LT(utc=IN_UTC + timedelta(hours=3))) == [0, 1, 2]
        assert ids(GT(p=37)) == [38, 39]
        assert ids(EQ(p=Decimal("3.00"), b=False)) == [3]
        assert ids(EQ(doc={"n": 1})) == ids(EQ(blob=b"\1")) == [*range(1, 40, 3)]
        assert ids(SUBSTR(d="01-03")) == [*range(2, 40, 5)]
        for cond in (LT(at=IN_UTC), GT(utc=MOMENT), LT(d=5), GT(doc={"n": 1})):
            with pytest.raises(ValidationError, match="cannot compare"):
                db.find_by_cond("things", cond)
        table = db.tables["things"]
        assert table.count_by("b") == {True: 20, False: 20}
        assert table.count_by("d")[day] == 8
        assert table.count_by("blob") == {b"\0": 14, b"\1": 13, b"\2": 13}
        db.delete_by_id("things", 1)
        assert db.check().problems == []
        text = (tmp_path / "things.text.dat").read_bytes()
        assert text.startswith(b"#" * (9 + 4 + 9 + 7) + b"4        AQ==")
        db.truncate("things")
        assert db.find_all("things") == []
        assert db.check().problems == []


def test_a_document_that_stays_the_same_keeps_its_place(tmp_path: Path) -> None:
    with DB([Things], str(tmp_path)) as db:
        db.insert("things", {"doc": {"a": 1, "b": 2}, "blob": b"x"})
        size = (tmp_path / "things.text.dat").stat().st_size
        given: dict[str, Any] = {"b": 2, "a": 1}
        row = db.update_by_id("things", 1, {"doc": given, "blob": bytearray(b"x")})
        assert (tmp_path / "things.text.dat").stat().st_size == size
        given["c"] = 3
        assert row["doc"] == {"a": 1, "b": 2}
        assert row["blob"] == b"x"
