"""The types beyond Bazoola's, in a directory: what they take, what `cat` shows, what is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import (
    BLOB,
    BOOL,
    CHAR,
    DATE,
    DATETIME,
    DB,
    DECIMAL,
    EQ,
    FK,
    GT,
    INT,
    JSON,
    LT,
    PK,
    SUBSTR,
    TEXT,
    CorruptionError,
    Field,
    FieldType,
    Schema,
    SchemaMismatch,
    Table,
    ValidationError,
)
from bazanite.catalog import CHECKED_FORMAT, FORMAT, LATER_FORMAT, Catalog, decode, encode, spec_of
from bazanite.documents import DEEPEST

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
FIELDS = [
    Field("id", PK()),
    Field("b", BOOL(null=True)),
    Field("d", DATE(null=True)),
    Field("at", DATETIME(null=True)),
    Field("utc", DATETIME(null=True, utc=True)),
    Field("p", DECIMAL(6, 2, null=True)),
    Field("big", DECIMAL(40, 40, null=True)),
    Field("blob", BLOB(null=True)),
    Field("doc", JSON(null=True)),
    Field("text", TEXT(null=True)),
]
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


class Things(Table):
    name = "things"
    schema = Schema(FIELDS)


def one_column(kind: FieldType, name: str = "f") -> type[Table]:
    fields = [Field("id", PK()), Field(name, kind)]
    return type("One", (Table,), {"name": "one", "schema": Schema(fields)})


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


@pytest.mark.parametrize(
    "kind, value, message",
    [
        (BOOL(), 1, "Type mismatch: `1` is not `bool`"),
        (BOOL(), None, "The value can't be None"),
        (DATE(), "2026-11-26", "Type mismatch: `'2026-11-26'` is not `date`"),
        (
            DATE(), MOMENT,
            f"Type mismatch: `{MOMENT!r}` has a time: give its `.date()`",
        ),
        (
            DATETIME(), MOMENT.date(),
            "Type mismatch: `datetime.date(2026, 11, 26)` is not `datetime`",
        ),
        (DATETIME(), IN_UTC, ZONE),
        (DATETIME(utc=True), MOMENT, NO_ZONE),
        (
            DATETIME(utc=True), datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
            "The value is outside the years 1 to 9999 in UTC",
        ),
        (DECIMAL(5, 2), 0.1, FLOAT),
        (DECIMAL(5, 2), True, "Type mismatch: `True` is not `Decimal`"),
        (DECIMAL(5, 2), "1", "Type mismatch: `'1'` is not `Decimal`"),
        (DECIMAL(5, 2), Decimal("1.234"), "The value has more than 2 decimal places"),
        (DECIMAL(5, 2), Decimal("1E-9999"), "The value has more than 2 decimal places"),
        (DECIMAL(5, 2), Decimal(1000), "The value is too big"),
        (DECIMAL(5, 2), Decimal("-1E+9999"), "The value is too big"),
        (DECIMAL(5, 2), 1000, "The value is too big"),
        (DECIMAL(2, 2), 1, "The value is too big"),
        pytest.param(DECIMAL(5), 10**6000, "The value is too big", id="no digits to show"),
        (DECIMAL(5), Decimal("NaN"), "The value is not a number: `Decimal('NaN')`"),
        (DECIMAL(5), Decimal("-Infinity"), "The value is not a number: `Decimal('-Infinity')`"),
        (BLOB(), "text", "Type mismatch: `'text'` is not `bytes`"),
        (JSON(), None, "The value can't be None"),
        (JSON(), (1,), "JSON: the tuple `(1,)` would come back as a list: give a list"),
        (JSON(), [{"a": {1: 2}}], "JSON: the key `1` is not `str`"),
        (JSON(), [math.nan], "JSON: `nan` is not a finite number"),
        (JSON(), -math.inf, "JSON: `-inf` is not a finite number"),
        (JSON(), {"a": b""}, "JSON: `b''` cannot be stored as JSON"),
        (JSON(), ["\ud800"], "The value is not valid UTF-8"),
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


def test_a_moment_in_a_zone_is_stored_in_utc() -> None:
    kind = DATETIME(utc=True)
    east = IN_UTC.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert kind.serialize(east) == b"2026-11-26 15:33:10.123456Z"


@pytest.mark.parametrize(
    "make",
    [
        lambda: DECIMAL(0), lambda: DECIMAL(641), lambda: DECIMAL(3, 4), lambda: DECIMAL(3, -1),
        lambda: DECIMAL(cast("Any", "3")), lambda: DATETIME(utc=cast("Any", 1)),
        lambda: INT(3, unique=cast("Any", 1)), lambda: INT(3, index=cast("Any", "x")),
        lambda: INT(3, check=cast("Any", 5)),
    ],
)  # fmt: skip
def test_a_declaration_that_makes_no_sense_is_refused(make: Callable[[], FieldType]) -> None:
    with pytest.raises(ValidationError):
        make()


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


@pytest.mark.parametrize(
    "stored, declared",
    [
        (DECIMAL(4, 2), DECIMAL(3, 2, null=True)), (DECIMAL(3, 3), DECIMAL(4, 3)),
        (DECIMAL(5, 2), DECIMAL(5, 3)), (DATETIME(), DATETIME(utc=True)), (BLOB(), JSON()),
        (JSON(), TEXT()), (DATE(), CHAR(10)), (BOOL(), INT(1)),
    ],
)  # fmt: skip
def test_another_type_or_another_argument_is_a_mismatch(
    stored: FieldType, declared: FieldType, tmp_path: Path
) -> None:
    DB([one_column(stored)], str(tmp_path)).close()
    DB([one_column(stored)], str(tmp_path)).close()
    with pytest.raises(SchemaMismatch, match="'f': stored"):
        DB([one_column(declared)], str(tmp_path))
    DB([one_column(stored)], str(tmp_path)).close()


def _format(directory: Path) -> str:
    found: str = json.loads((directory / "schema.json").read_bytes())["format"]
    return found


@pytest.mark.parametrize("checksums", [False, True])
def test_only_a_directory_with_a_later_type_has_the_format_that_older_programs_refuse(
    tmp_path: Path, checksums: bool
) -> None:
    class Old(Table):
        name = "old"
        schema = Schema([Field("id", PK()), Field("n", INT(5, default=1, check=bool))])

    DB([Old], str(tmp_path), checksums=checksums).close()
    assert _format(tmp_path) == (CHECKED_FORMAT if checksums else FORMAT)
    DB([Old, Things], str(tmp_path)).close()
    assert _format(tmp_path) == LATER_FORMAT
    with DB([Old, Things], str(tmp_path)) as db:
        assert db.check().problems == []


def own(name: str, size: int) -> FieldType:
    """A type of a program's own that an older release let it call so."""
    made: FieldType = type(name, (CHAR,), {})(size)
    return made


@pytest.mark.parametrize("name, size", [("DATE", 10), ("JSON", 9), ("BOOL", 1)])
def test_a_programs_own_type_of_that_name_stays_its_own(
    name: str, size: int, tmp_path: Path
) -> None:
    mine = one_column(own(name, size))
    with DB([mine], str(tmp_path)) as db:
        db.insert("one", {"f": "x"})
    fields = json.loads((tmp_path / "schema.json").read_bytes())["tables"]["one"]["fields"]
    assert (fields[1]["type"], _format(tmp_path)) == (name, FORMAT)
    built_in = {"DATE": DATE(), "JSON": JSON(), "BOOL": BOOL()}[name]
    with pytest.raises(SchemaMismatch, match=f"stored own:{name}"):
        DB([one_column(built_in)], str(tmp_path))
    DB([mine, Things], str(tmp_path)).close()
    assert _format(tmp_path) == LATER_FORMAT
    with pytest.raises(SchemaMismatch, match=f"stored own:{name}"):
        DB([one_column(built_in)], str(tmp_path))
    with DB([mine, Things], str(tmp_path)) as db:
        assert db.find_all("one") == [{"id": 1, "f": "x"}]
        assert db.check().problems == []


CATALOG = encode(decode(b'{"format": "bazanite 1", "int_width": 9, "tables": {}}'))


@pytest.mark.parametrize(
    "number, change",
    [
        (5, {"places": 7}), (5, {"places": None}), (5, {"digits": 7}), (5, {"digits": "6"}),
        (5, {"size": 9}), (4, {"utc": False}), (4, {"utc": 1}), (3, {"utc": True}),
        (1, {"size": 2}), (7, {"size": 8}), (2, {"type": "own:CHAR"}), (2, {"type": "own:"}),
    ],
)  # fmt: skip
def test_a_catalog_with_impossible_arguments_is_damaged(
    number: int, change: dict[str, Any]
) -> None:
    document = json.loads(CATALOG)
    document |= {"format": LATER_FORMAT, "tables": {"t": {"fields": _fields()}}}
    assert decode(json.dumps(document).encode()).tables["t"] == spec_of(Things.schema.bind(9))
    document["tables"]["t"]["fields"][number] |= change
    with pytest.raises(CorruptionError):
        decode(json.dumps(document).encode())


def test_a_catalog_of_a_later_format_without_a_later_type_is_damaged() -> None:
    with pytest.raises(CorruptionError, match='format "bazanite 1"'):
        decode(CATALOG.replace(b"bazanite 1", b"bazanite 3"))
    with pytest.raises(CorruptionError, match='format "bazanite 1" or "bazanite 3"'):
        decode(CATALOG.replace(b"bazanite 1", b"bazanite 4"))


def _fields() -> Any:
    data = encode(Catalog(9, {"t": spec_of(Things.schema.bind(9))}))
    return json.loads(data)["tables"]["t"]["fields"]


def test_a_default_is_for_what_is_left_out_and_a_callable_is_called_for_each_row(
    tmp_path: Path,
) -> None:
    calls = iter(range(1000))

    class Owners(Table):
        name = "owners"
        schema = Schema([Field("id", PK())])

    class Made(Table):
        name = "made"
        schema = Schema(
            [
                Field("id", PK()), Field("n", INT(null=True, default=lambda: next(calls))),
                Field("doc", JSON(default={})), Field("owner", FK("owners", default=1)),
                Field("name", CHAR(5, null=True, default="x ")),
            ]
        )  # fmt: skip

    with DB([Owners, Made], str(tmp_path)) as db:
        with pytest.raises(ValueError, match="owner"):
            db.insert("made", {})
        db.insert("owners", {})
        first = next(calls) + 1
        assert db.insert("made", {}) == {
            "id": 1, "n": first, "doc": {}, "owner": 1, "name": "x",
        }  # fmt: skip
        rows = db.insert_many("made", [{}, {"n": None, "name": None}, *([{}] * 30)])
        assert [row["n"] for row in rows] == [first + 1, None, *range(first + 2, first + 32)]
        assert rows[1]["name"] is None
        odd: list[Any] = [{"name": b"abc"}, *([{}] * 30)]
        assert [row["n"] for row in db.insert_many("made", odd)] == [*range(first + 32, first + 63)]
        rows[0]["doc"]["a"] = 1
        assert db.insert("made", {})["doc"] == {}
        assert db.update_by_id("made", 1, {"n": None})["n"] is None


def test_a_check_is_asked_about_what_will_be_read_and_names_its_field(tmp_path: Path) -> None:
    asked: list[object] = []

    def looked_at(value: object) -> bool:
        asked.append(value)
        return value != "no"

    def refuses(value: int) -> bool:
        if value > 5:
            raise ValueError("above five")
        if value == 3:
            raise ValidationError("three")
        return value != 4

    class Checked(Table):
        name = "checked"
        schema = Schema(
            [
                Field("id", PK(check=lambda pk: pk != 99)),
                Field("name", CHAR(5, check=looked_at)),
                Field("n", INT(null=True, check=refuses)),
                Field("note", TEXT(null=True, check=lambda text: text.islower())),
            ]
        )

    with DB([Checked], str(tmp_path)) as db:
        db.insert("checked", {"name": b"a  ", "note": "low"})
        assert asked == ["a"]
        for values, message in [
            ({"name": "no"}, "'name': The check refuses `'no'`"),
            ({"name": "b", "n": 6}, "'n': above five"),
            ({"name": "b", "n": 3}, "'n': three"),
            ({"name": "b", "n": 4}, "'n': The check refuses `4`"),
            ({"name": "b", "note": "High"}, "'note': The check refuses `'High'`"),
            ({"name": "b", "id": 99}, "'id': The check refuses `99`"),
        ]:
            for call in (
                lambda values=values: db.insert("checked", values),
                lambda values=values: db.insert_many("checked", [{"name": "b"}] * 20 + [values]),
                lambda values=values: (
                    db.insert_ids(
                        "checked", [{"name": "b", "n": None, "note": None, **values}] * 20
                    )
                    if "id" not in values
                    else db.insert("checked", values)
                ),
                lambda values=values: db.update_by_id("checked", 1, values),
            ):
                with pytest.raises(ValidationError) as caught:
                    call()
                assert caught.value.message == message
        asked.clear()
        assert db.update_by_id("checked", 1, {"n": 1})["note"] == "low"
        assert asked == []
        assert db.find_all("checked") == [{"id": 1, "name": "a", "n": 1, "note": "low"}]
        assert db.check().problems == []


class OldStyle(FieldType):
    """A type that never heard of these arguments, and uses their names for its own purposes."""

    def __init__(self, null: bool = False) -> None:
        super().__init__(3, null)
        self.default = "own"
        self.index = 5

    def check(self, value: object) -> None:
        raise AssertionError("not for the engine to call")

    def validate_type(self, val: Any) -> None:
        if val == self.default:
            self.check(val)

    def serialize(self, val: Any) -> bytes:
        return b"---" if val is None else str(val).ljust(3).encode()

    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        return row[start : start + 3].decode(), start + 3


class Bare(OldStyle):
    """One that does not even call the base."""

    def __init__(self) -> None:
        self.size, self.null, self.params = 3, True, {}


@pytest.mark.parametrize("kind", [OldStyle(null=True), Bare()])
def test_a_type_of_a_programs_own_that_knows_nothing_of_this_goes_on_working(
    kind: FieldType, tmp_path: Path
) -> None:
    with DB([one_column(kind)], str(tmp_path)) as db:
        assert db.insert("one", {"f": "abc"})["f"] == "abc"
        assert db.insert("one", {})["f"] == "---"
        assert db.update_by_id("one", 1, {"f": "xyz"})["f"] == "xyz"


def test_a_long_type_cannot_be_subclassed(tmp_path: Path) -> None:
    class Mine(BLOB):
        pass

    with pytest.raises(ValidationError, match="BLOB cannot be subclassed"):
        DB([one_column(Mine())], str(tmp_path))


def test_arguments_are_attributes_of_the_type() -> None:
    kind = INT(3, unique=True, index=True, default=5, check=bool)
    assert (kind.unique, kind.index, kind.default, kind.check) == (True, True, 5, bool)
    plain = kind.bind_width(6), INT(null=True).bind_width(6)
    assert [(k.unique, k.check) for k in plain] == [(True, bool), (False, None)]
