"""Searches that look along columns find what ``eval`` on every row finds, and tell damage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bazanite import (
    BOOL,
    CHAR,
    DATE,
    DATETIME,
    DB,
    DECIMAL,
    EQ,
    GE,
    GT,
    INT,
    ISUBSTR,
    LE,
    LT,
    PK,
    SUBSTR,
    TEXT,
    BaseCond,
    CorruptionError,
    Field,
    FieldType,
    Row,
    Schema,
    Table,
    column_test,
    columns,
    search,
)  # fmt: skip
from bazanite import codec as codec_module
from bazanite.codec import Layout
from bazanite.cond import FieldCond
from bazanite.errors import DBError
from bazanite.files import TableFiles
from check_support import Files
from engine_support import TableF, opened

KINDS: tuple[type[Any], ...] = (EQ, LT, LE, GT, GE, SUBSTR, ISUBSTR)
BUILT_IN: list[FieldType] = [
    *(INT(size=size, null=null) for size in (1, 2, 7, 8, 9, 12, 16, 17) for null in (False, True)),
    *(CHAR(size, null=null) for size in (1, 5, 8, 9, 17) for null in (False, True)),
    *(make(null=null) for make in (BOOL, DATE, DATETIME) for null in (False, True)),
    *(DATETIME(null=null, utc=True) for null in (False, True)),
    *(
        DECIMAL(*of, null=null)
        for of in ((1, 0), (2, 2), (5, 2), (20, 1))
        for null in (False, True)
    ),
]
LETTERS = st.sampled_from("aAbB01 *#-_+\t\n\0é€ßKİ😀")

DAYS = [date(1, 1, 1), date(2000, 2, 29), date(1999, 12, 31), date(9999, 12, 31)]
MOMENTS = [datetime.combine(day, time.max) for day in DAYS] + [datetime.combine(DAYS[0], time.min)]
AMOUNTS = [Decimal(0), Decimal("-0"), Decimal("0.1"), Decimal("-0.01"), Decimal("1.005")]
AMOUNTS += [Decimal("1E+9"), Decimal("99.99"), Decimal("0E+5000"), Decimal("1E+5000")]
AMOUNTS += [Decimal("-1E+5000"), Decimal("1E-5000"), Decimal("Infinity")]

pytestmark = pytest.mark.parametrize("with_numpy", [False, True], ids=["pure", "numpy"])
COMMON = settings(max_examples=200, deadline=None, print_blob=True,
                  suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip


@pytest.fixture(autouse=True)
def _small(with_numpy: bool) -> Iterator[None]:
    """NumPy or none, whatever is installed; small chunks, and few values that are remembered."""
    module = pytest.importorskip("numpy") if with_numpy else None
    with (
        mock.patch.object(columns, "numpy", return_value=module),
        mock.patch.object(codec_module, "SCAN_SIZE_BYTES", 300),
        mock.patch.object(codec_module, "_LEAST_ROWS", 1),
        mock.patch.object(search, "_MANY_FOUND", 4),
        mock.patch.object(column_test, "_MOST_VERDICTS", 3),
    ):
        yield


def numbers(size: int) -> st.SearchStrategy[int]:
    """Numbers that fit, most of them short: then equal ones meet."""
    return st.one_of(
        st.integers(0, min(12, 10**size - 1)),
        st.integers(1 - 10 ** (size - 1), 10**size - 1),
        st.sampled_from([0, 9, 10 ** (size - 1), 10**size - 1, 1 - 10 ** (size - 1)]),
    )


def texts(size: int) -> st.SearchStrategy[str]:
    """Texts that fit."""
    cut = st.text(LETTERS, max_size=size).map(lambda text: text.lstrip("\0*"))
    return cut.map(lambda text: text.encode()[:size].decode(errors="ignore").lstrip("\0*"))


def stored(kind: FieldType) -> st.SearchStrategy[Any]:
    """Values of a field."""
    values: st.SearchStrategy[Any] = numbers(kind.size)
    if isinstance(kind, CHAR):
        values = texts(kind.size)
    elif isinstance(kind, BOOL):
        values = st.booleans()
    elif isinstance(kind, DATE):
        values = st.dates() | st.sampled_from(DAYS)
    elif isinstance(kind, DATETIME):
        zones = st.just(UTC if kind.params["utc"] else None)
        values = st.datetimes(timezones=zones) | st.sampled_from(MOMENTS).flatmap(
            lambda moment: zones.map(lambda zone: moment.replace(tzinfo=zone))
        )
    elif isinstance(kind, DECIMAL):
        digits, places = kind.params["digits"], kind.params["places"]
        most = 10**digits - 1
        values = (st.integers(-most, most) | st.integers(-min(9, most), min(9, most))).map(
            lambda scaled: Decimal(scaled).scaleb(-places)
        )
    return st.none() | values if kind.null else values


def sought(kind: FieldType) -> st.SearchStrategy[Any]:
    """Values to compare with: mostly such as are stored, sometimes of another type, or huge."""
    other = st.one_of(
        st.none(), st.booleans(), st.floats(), st.integers(-(10**20), 10**20), st.text(LETTERS),
        st.sampled_from(["\ud800", b"a", "a ", "", 10**8, 10**8 - 1, 10**16, -1, 5.0]),
        st.sampled_from([*DAYS, *MOMENTS, MOMENTS[0].replace(tzinfo=UTC), *AMOUNTS]),
    )  # fmt: skip
    return st.one_of(stored(kind), stored(kind), other)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Layout, Files]:
    """A table's layout and its file of rows, with deleted slots among them."""
    kinds = draw(st.lists(st.sampled_from(BUILT_IN), min_size=1, max_size=3))
    fields = [Field(f"f{number}", kind) for number, kind in enumerate(kinds)]
    fields.insert(draw(st.integers(0, len(fields))), Field("id", PK()))
    schema = Schema(fields).bind(9)
    layout = Layout(TableFiles("db", "t"), schema, 9)
    rows: list[bytes] = []
    for pk in range(1, 1 + draw(st.integers(0, 20))):
        if draw(st.integers(0, 5)) == 5:
            rows.append(b"*" * (layout.row_size - 1) + b"\n")
        else:
            values = {name: pk if name == "id" else draw(stored(kind)) for name, kind in fields}
            rows.append(schema.to_row(values))
    return layout, Files({"t.dat": b"".join(rows)})


@st.composite
def conditions(draw: st.DrawFn, schema: Schema) -> Any:
    """A built-in condition on one or two fields."""
    fields = draw(st.lists(st.sampled_from(schema.schema), min_size=1, max_size=2))
    kind = draw(st.sampled_from(KINDS))
    values = {
        field.name: draw(
            sought(field.type) if kind in (EQ, LT, LE, GT, GE) else st.text(LETTERS, max_size=3)
        )
        for field in fields
    }
    return kind(**values)


def outcome(work: Any) -> Any:
    """What a search gives: rows, or its error."""
    try:
        return work()
    except DBError as error:
        return type(error), str(error)


@COMMON
@given(st.data())
def test_a_search_finds_what_eval_on_every_row_finds(with_numpy: bool, data: st.DataObject) -> None:
    layout, files = data.draw(tables())
    cond = data.draw(conditions(layout.schema))
    codec = layout.codec
    expected = outcome(lambda: [row for row in codec.rows(files) if cond.eval(row)])
    assert outcome(lambda: search.find(files, codec, cond)) == expected
    assert [row for _, row in codec.scan(files) if row is not None] == list(codec.rows(files))


def parsed(layout: Layout, row: bytes) -> Row | type[Exception] | None:
    """What reading all rows must make of one."""
    try:
        return layout.schema.parse(row)
    except ValueError:
        return CorruptionError


def verdict(layout: Layout, row: bytes, cond: FieldCond) -> Row | type[Exception] | None:
    """What a search must make of one row: it, nothing, or an error."""
    if row[-1:] != b"\n":
        return CorruptionError
    if row[:1] == b"*":
        return None
    kinds = {field.name: field.type for field in layout.schema.schema}
    try:
        found = [
            cond.holds(name, kinds[name].deserialize(row, layout.codec.offsets[name])[0], value)
            for name, value in cond.params.items()
        ]
        return layout.schema.parse(row) if all(found) else None
    except ValueError:
        return CorruptionError


@COMMON
@given(st.data())
def test_damage_of_what_is_looked_at_is_an_error(with_numpy: bool, data: st.DataObject) -> None:
    layout, files = data.draw(tables())
    cond = data.draw(conditions(layout.schema))
    rows = bytearray(files["t.dat"])
    places = st.integers(0, max(0, len(rows) - 1))
    byte = st.sampled_from(b"0159 *#-+_\n\t\0\x80\xc3a.:TFZ2")
    for place, value in data.draw(st.lists(st.tuples(places, byte), max_size=4)):
        rows[place : place + 1] = bytes([value]) if rows else b""
    files["t.dat"] = bytes(rows)
    size = layout.row_size
    every = [parsed(layout, files["t.dat"][n : n + size]) for n in range(0, len(rows), size)]
    read = outcome(lambda: layout.codec.all_rows(files))
    if CorruptionError in every:
        assert issubclass(read[0], CorruptionError)
    else:
        assert read == [row for row in every if row is not None]
    assume(search.test_of(layout.codec, cond) is not None)  # else all columns are looked at
    each = [verdict(layout, files["t.dat"][n : n + size], cond) for n in range(0, len(rows), size)]
    found = outcome(lambda: search.find(files, layout.codec, cond))
    if CorruptionError in each:
        assert issubclass(found[0], CorruptionError)
    else:
        assert found == [row for row in each if row is not None]


NAMES = Schema([Field("id", PK()), Field("n", INT(null=True)), Field("s", CHAR(9, null=True))])


def row(pk: int, n: bytes, s: bytes) -> bytes:
    return b"%-9d%-9b%-9b\n" % (pk, n, s)


@pytest.mark.parametrize(
    "n, s, cond, found",
    [
        (b"05", b"x", EQ(n=5), True),  # nobody writes it, and it always was this number
        (b"05", b"x", GT(n=4), True),
        (b"00", b"x", LT(n=1), True),
        (b"-0", b"x", EQ(n=0), True),
        (b"-0", b"x", GT(n=-1), True),
        (b"5", b"x", EQ(n=5.0), True),
        (b"1", b"x", EQ(n=True), True),
        (b"123456789", b"x", EQ(n=123456789), True),
        (b"123456789", b"x", EQ(n=12345678), False),
        (b"12345678", b"x", LT(n=123456789), True),
        (b"#########", b"x", EQ(n=None), True),
        (b"#########", b"x", LT(n=1), False),
        (b"5", b"a b", EQ(s="a b"), True),
        (b"5", b"a", EQ(s="a "), False),
        (b"5", b"a", SUBSTR(s="a "), False),
        (b"5", b"\0" * 9, EQ(s=None), True),
        (b"5", b"\0" * 9, SUBSTR(s=""), False),
        (b"5", b"a\0", SUBSTR(s="\0"), True),
        (b"5", "İ".encode(), ISUBSTR(s="i\u0307"), True),
        (b"5", b"K", ISUBSTR(s="k"), True),
        (b"5", b"k", ISUBSTR(s="K"), True),
    ],
)
@pytest.mark.parametrize("beside", [0, 9], ids=["alone", "beside others"])
def test_rare_values(
    with_numpy: bool, n: bytes, s: bytes, cond: BaseCond, found: bool, beside: int
) -> None:
    layout = Layout(TableFiles("db", "t"), NAMES.bind(9), 9)
    others = [row(pk, b"777", b"zzz") for pk in range(2, 2 + beside)]
    files = Files({"t.dat": row(1, n, s) + b"".join(others)})
    ids = [hit["id"] for hit in search.find(files, layout.codec, cond)]
    assert (1 in ids) is found
    assert ids == [hit["id"] for hit in layout.codec.rows(files) if cond.eval(hit)]


@pytest.mark.parametrize("n", [b" 5", b"5 5", b"", b"+5", b"5_5", b"5-", b"--5", b"##", b"5*",
                               b"*********", b"\x9a5", b"5\t", b"\xff"])  # fmt: skip
@pytest.mark.parametrize("cond", [EQ(n=1), GT(n=1), LT(n=1), EQ(n=None), SUBSTR(n="1")])
@pytest.mark.parametrize("beside", [0, 9], ids=["alone", "beside others"])
def test_bytes_that_are_no_number_are_told_with_their_place(
    with_numpy: bool, n: bytes, cond: BaseCond, beside: int
) -> None:
    layout = Layout(TableFiles("db", "t"), NAMES.bind(9), 9)
    others = b"".join(row(pk, b"777", b"zzz") for pk in range(2, 2 + beside))
    files = Files({"t.dat": others + row(1, n, b"x")})
    with pytest.raises(CorruptionError) as caught:
        search.find(files, layout.codec, cond)
    assert (caught.value.path, caught.value.offset) == ("db/t.dat", 28 * beside + 9)


def test_other_columns_of_rows_that_are_not_returned_are_not_looked_at(with_numpy: bool) -> None:
    layout = Layout(TableFiles("db", "t"), NAMES.bind(9), 9)
    files = Files({"t.dat": row(1, b"5", b"\xff") + row(2, b"6", b"b")})
    assert search.find(files, layout.codec, EQ(n=6)) == [{"id": 2, "n": 6, "s": "b"}]
    for cond in (EQ(n=5), EQ(s="b")):
        with pytest.raises(CorruptionError):
            search.find(files, layout.codec, cond)


class Roman(INT):
    """A program's own type of number."""

    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        value, end = super().deserialize(row, start)
        return "I" * (value or 0), end


def test_types_and_conditions_of_ones_own_are_asked_row_by_row(
    with_numpy: bool, tmp_path: Path
) -> None:
    class Own(Table):
        name = "own"
        schema = Schema([Field("id", PK()), Field("n", Roman(size=3)), Field("t", TEXT(null=True))])

    class Both(EQ):
        def eval(self, row: Row) -> bool:
            return super().eval(row) and row["id"] > 1

    with DB([Own], str(tmp_path)) as db:
        db.insert_many("own", [{"n": 2, "t": "two"}, {"n": 2}, {"n": 3}])
        two = [{"id": 1, "n": "II", "t": "two"}, {"id": 2, "n": "II", "t": None}]
        assert db.find_by_cond("own", EQ(n="II")) == two
        assert db.find_by_cond("own", Both(n="II")) == two[1:]
        assert db.find_by_cond("own", EQ(t="two")) == two[:1]
        assert db.find_by_cond("own", EQ(id=1)) == two[:1]


def test_rows_that_are_found_have_their_texts(with_numpy: bool, tmp_path: Path) -> None:
    with opened(tmp_path, TableF) as db:
        db.insert_many("f", [{"text": str(number) * 300} for number in range(30)])
        db.delete_by_id("f", 7)
        assert [hit["text"][:2] for hit in db.find_by_cond("f", GT(id=28))] == ["28", "29"]
        assert db.find_by_cond("f", EQ(id=7)) == []


def test_a_search_sees_what_its_own_transaction_changed(with_numpy: bool, tmp_path: Path) -> None:
    with opened(tmp_path, TableF) as db:
        db.insert("f", {"text": "a"})
        with db.transaction():
            db.insert("f", {"text": "b"})
            assert [hit["text"] for hit in db.find_by_cond("f", GT(id=0))] == ["a", "b"]
