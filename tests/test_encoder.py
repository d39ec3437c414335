"""Quick encoding of rows against the careful path: same bytes, same rows, same errors."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
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
    DECIMAL,
    FK,
    INT,
    JSON,
    PK,
    TEXT,
    Field,
    Row,
    Schema,
    insert,
)
from bazanite.catalog import spec_of
from bazanite.change import update_row
from bazanite.codec import Layout
from bazanite.deleting import Deletion
from bazanite.digits import consecutive
from bazanite.errors import DBError
from bazanite.files import TableFiles
from bazanite.foreign import ForeignKeys
from bazanite.many import made_at_once
from bazanite.rules import Rules
from bazanite.specs import Catalog
from bazanite.storage import Storage
from bazanite_wal.frame import Operation
from bazanite_wal.transaction import Transaction
from test_layer import Files


class Number(int):
    pass


class Word(str):
    __slots__ = ()


class Moment(datetime):
    pass


class Sly(dict[str, Any]):
    """A dict that says something else than it holds."""

    def get(self, key: str, default: Any = None) -> Any:
        return 7 if key == "n" else super().get(key, default)


def _refuses_long(text: str) -> bool:
    if len(text) > 200:
        raise ValueError("too long to read")
    return True


MOMENT = datetime.fromisoformat("2026-11-26 15:33:10.5")
SCHEMAS = {
    "usual": [
        Field("id", PK()), Field("n", INT()), Field("name", CHAR(16)), Field("m", INT(null=True)),
    ],
    "texts": [
        Field("name", CHAR(5)), Field("id", INT(4)), Field("a", TEXT(null=True)),
        Field("up", FK("t", null=True)), Field("b", TEXT()), Field("o", FK("o", null=True)),
        Field("c", CHAR(3, null=True)),
    ],
    "wide": [
        Field("it's", CHAR(300, null=True)), Field("n", INT(30, null=True)), Field("id", PK()),
    ],
    "later": [
        Field("day", DATE(null=True)), Field("b", BOOL()), Field("at", DATETIME(null=True)),
        Field("m", DATETIME(null=True, utc=True)), Field("id", PK()), Field("p", DECIMAL(4, 2)),
        Field("doc", JSON(null=True)), Field("raw", BLOB()), Field("t", TEXT(null=True)),
    ],
    "declared": [
        Field("id", PK()), Field("n", INT(3, default=7, check=lambda n: n != 50)),
        Field("name", CHAR(9, null=True, default="x ", check=lambda name: "b" not in name)),
        Field("doc", JSON(null=True, default=list, check=lambda doc: doc != 999)),
        Field("note", TEXT(check=_refuses_long)),
    ],
    "id only": [Field("id", PK())],
}  # fmt: skip
OWNERS = 4
FINE: dict[type, st.SearchStrategy[Any]] = {
    INT: st.integers(-99, 999),
    FK: st.integers(1, OWNERS),
    CHAR: st.text("ab c*ż", max_size=3),
    TEXT: st.text("ab\nż# ", max_size=12),
    BOOL: st.booleans(),
    DATE: st.dates(),
    DATETIME: st.sampled_from([MOMENT, MOMENT.replace(tzinfo=UTC)]),
    DECIMAL: st.integers(-9999, 9999).map(lambda n: Decimal(n) / 100),
    JSON: st.lists(st.integers(0, 3) | st.text('ż"', max_size=2), max_size=3),
    BLOB: st.binary(max_size=4),
}
ODD: list[Any] = [
        None, True, False, 0, -1, 10**8, 10**9 - 1, 10**9, 10**40, -(10**8) + 1, -(10**8),
        10**30 - 1, 10**30, -(10**29), 1.5, Number(3), Word("w"),
        "", " ", "x ", "x \n", "*", "*x", "x*", "\0", "\0x", "x\0", "\ud800", "żółw", "ż" * 150,
        "long " * 70, b"", b"by", b"\xff", b"*", b"x ", bytearray(b"x"), [], (1,), 50, 999,
        MOMENT, MOMENT.replace(fold=1), MOMENT.replace(tzinfo=UTC), MOMENT.date(), Decimal("-0"),
        MOMENT.replace(tzinfo=timezone(timedelta(hours=2))), Decimal("1.230"), Decimal("1.234"),
        Decimal("NaN"), {"b": 1, "a": [None]}, {1: 2}, [(1,)], float("nan"), Moment(2026, 1, 2),
]  # fmt: skip
WRAPPED = st.sampled_from([dict, dict, Row, Sly, MappingProxyType])


class Side:
    """One table in memory, and what happens to it."""

    def __init__(self, fields: list[Field], width: int, *, quick: bool) -> None:
        self.files = Files({"t__seqnum.dat": b"0"})
        schema = Schema(fields).bind(width)
        self.layout = Layout(TableFiles("dir", "t"), schema, width)
        others = Layout(TableFiles("dir", "o"), Schema([Field("id", PK())]).bind(width), width)
        for pk in range(1, OWNERS + 1):
            others.index.put(cast("Any", Transaction(self.files)), pk, [pk])
        tx = Transaction(self.files)
        others.index.put(tx, 1, [5, 6, 7, 8])
        self.files.apply(tx.operations)
        if not quick:
            schema.__dict__["encoder"] = None
        catalog = Catalog(width, {"t": spec_of(schema), "o": spec_of(others.schema)})
        self.rules = Rules("dir", catalog, {"t": self.layout})
        self.storage = cast("Storage", SimpleNamespace(rules=self.rules, base_dir="dir"))

    def insert(
        self, rows: list[Mapping[str, Any]], *, ids_only: bool = False
    ) -> tuple[object, list[Operation]]:
        """What a batch of these rows returns or raises, and what it writes."""
        tx = Transaction(self.files)
        outcome: object
        try:
            foreign = ForeignKeys(self.storage, self.layout.schema, "t")
            batch = insert.RowBatch(tx, self.layout, foreign, self.rules.table("t").keys)
            made: list[Any] = (batch.add_ids if ids_only else batch.add_all)(list(rows))
            batch.save()
        except (DBError, ValueError) as error:
            return (type(error), str(error)), []
        outcome = (
            made
            if ids_only
            else [(type(row), list(row.items()), [*map(type, row.values())]) for row in made]
        )
        if tx.furthest[0] < 1 << 20:  # the model has no holes
            self.files.apply(tx.operations)
        return outcome, tx.operations

    def update(self, pk: int, values: Mapping[str, Any]) -> tuple[object, list[Operation]]:
        tx = Transaction(self.files)
        try:
            foreign = ForeignKeys(self.storage, self.layout.schema, "t")
            row = update_row(tx, self.layout, pk, values, foreign, self.rules.table("t"))
        except (DBError, ValueError) as error:
            return (type(error), str(error)), []
        if tx.has_changes and tx.furthest[0] < 1 << 20:
            self.files.apply(tx.operations)
        return (type(row), list(row.items()), [*map(type, row.values())]), tx.operations

    def delete(self, pk: int) -> tuple[object, list[Operation]]:
        tx = Transaction(self.files)
        try:
            Deletion(tx, self.rules).run("t", [pk])
        except DBError as error:
            return str(error), []
        self.files.apply(tx.operations)
        return None, tx.operations


@st.composite
def batches(draw: st.DrawFn, fields: list[Field]) -> list[Mapping[str, Any]]:
    names = [f for f in fields if f.name != "id" and (not f.type.null or draw(st.booleans()))]
    keys = [f.name for f in draw(st.permutations(names))]
    kinds = {field.name: FINE[type(field.type)] for field in names}
    count = draw(st.integers(0, 9))
    rows = [{key: draw(kinds[key]) for key in keys} for _ in range(count)]
    ids = draw(st.sampled_from(["no", "no", "ascending", "any", "some"]))
    first = draw(st.integers(1, 20))
    for place, row in enumerate(rows):
        if ids == "ascending" or (ids == "some" and place // 2 % 2):
            row["id"] = first + place
        elif ids == "any":
            row["id"] = draw(st.integers(1, 20))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2])) if rows else 0):
        row = draw(st.sampled_from(rows))
        change = draw(st.sampled_from(["odd", "odd", "odd", "none", "missing", "unknown"]))
        name = draw(st.sampled_from([field.name for field in fields]))
        if change == "missing":
            row.pop(name, None)
        elif change == "unknown":
            row[cast("Any", draw(st.sampled_from(["zz", 5, None, "Id"])))] = 1
        else:
            row[name] = None if change == "none" else draw(st.sampled_from(ODD))
    if draw(st.integers(0, 4)):
        return list(rows)
    return [draw(WRAPPED)(row) for row in rows]


def ids_of(outcome: object) -> object:
    """What remains of a batch's rows if only their ids are asked for; an error stays as it is."""
    if not isinstance(outcome, list):
        return outcome
    return [dict(items)["id"] for _, items, _ in outcome]


@pytest.mark.parametrize("width", [9, 6, 3])
@pytest.mark.parametrize("name", SCHEMAS)
@given(data=st.data())
def test_whatever_is_given_the_quick_path_does_what_the_careful_one_does(
    name: str, width: int, data: st.DataObject
) -> None:
    fields = SCHEMAS[name]
    quick, careful = Side(fields, width, quick=True), Side(fields, width, quick=False)
    ids = Side(fields, width, quick=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(insert, "_FEW_ROWS", data.draw(st.sampled_from([1, 1, 3, 99])))
        patch.setattr(insert, "_CHUNK_ROWS", data.draw(st.sampled_from([2, 4, 100])))
        for _ in range(data.draw(st.integers(1, 4))):
            if data.draw(st.integers(0, 3)) == 0:
                pk = data.draw(st.integers(1, 12))
                assert quick.delete(pk) == careful.delete(pk) == ids.delete(pk)
            rows = data.draw(batches(fields))
            expected = careful.insert(rows)
            assert quick.insert(rows) == expected
            got = ids.insert(rows, ids_only=True)
            assert got == (ids_of(expected[0]), expected[1])
            for values in data.draw(batches(fields))[:2]:
                pk = data.draw(st.integers(1, 12))
                assert (
                    quick.update(pk, values) == careful.update(pk, values) == ids.update(pk, values)
                )
    assert quick.files.content == careful.files.content


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_odd_value_in_each_field_is_taken_or_refused_alike(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = SCHEMAS[name]
    fine: dict[type, object] = {
        INT: 5, FK: 1, CHAR: "c", TEXT: "text", BOOL: True, DATE: MOMENT.date(), JSON: [1],
        DATETIME: None, DECIMAL: Decimal(1), BLOB: b"b",
    }  # fmt: skip
    monkeypatch.setattr(insert, "_FEW_ROWS", 3)
    for field in fields:
        for odd in ODD:
            for count in (1, 3):
                quick, careful = Side(fields, 9, quick=True), Side(fields, 9, quick=False)
                quick.insert([{**{f.name: fine[type(f.type)] for f in fields if f.name != "id"}}])
                careful.insert([{**{f.name: fine[type(f.type)] for f in fields if f.name != "id"}}])
                rows = [{f.name: fine[type(f.type)] for f in fields if f.name != "id"}] * count
                rows[-1] = {**rows[-1], field.name: odd}
                assert quick.insert(list(rows)) == careful.insert(list(rows)), (field.name, odd)
                change = {field.name: odd}
                assert quick.update(1, change) == careful.update(1, change), (field.name, odd)
                assert quick.files.content == careful.files.content


@pytest.mark.parametrize("free", [0, 1, 30])
def test_a_table_with_more_slots_than_its_width_has_numbers_is_full_alike(
    free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insert, "_CHUNK_ROWS", 16)
    both = [Side(SCHEMAS["texts"], 2, quick=quick) for quick in (True, False)]
    for side in both:
        assert side.insert([{"name": "x", "b": ""}] * 50)[1]
        for pk in range(1, free + 1):
            side.delete(pk)
    for count in (50 + free + 1, 50 + free, 17):
        outcomes = [side.insert([{"name": "y", "b": "b"}] * count) for side in both]
        assert outcomes[0] == outcomes[1]
        assert bool(outcomes[0][1]) == (count == 50 + free)
    assert both[0].files.content == both[1].files.content


def test_plain_rows_do_not_take_the_careful_path(monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side(SCHEMAS["texts"], 9, quick=True)
    monkeypatch.setattr(insert.RowBatch, "_add", lambda *_: pytest.fail("one by one"))
    rows = [{"name": f"n{i} "[:5], "b": "ż" * i, "o": i % OWNERS + 1, "a": None} for i in range(50)]
    made, operations = side.insert(list(rows))
    assert len(cast("list[object]", made)) == 50
    assert [operation.name for operation in operations] == [
        "t.text.dat", "t.dat", "t__id.idx.dat", "t__seqnum.dat",
    ]  # fmt: skip
    again, _ = side.insert([{**row, "id": 60 + 2 * i, "up": 7} for i, row in enumerate(rows)])
    assert len(cast("list[object]", again)) == 50
    monkeypatch.setattr(insert, "_CHUNK_ROWS", 25)
    last, _ = side.insert(
        [{**row, "id": 200 + i, "up": 200 if i >= 25 else 7} for i, row in enumerate(rows)]
    )
    assert len(cast("list[object]", last)) == 50


def test_rows_that_a_chunk_of_columns_gives_are_dicts_of_their_own() -> None:
    side = Side(SCHEMAS["usual"], 9, quick=True)
    encoder = side.layout.schema.encoder
    assert encoder is not None
    columns = encoder.columns([{"n": 1, "name": "a"}, {"n": 2, "name": "b"}])
    assert columns is not None
    made = encoder.many(range(1, 3), columns, 0)
    assert made is not None
    made[1][0]["n"] = 99
    assert made[1] == [
        {"id": 1, "n": 99, "name": "a", "m": None}, {"id": 2, "n": 2, "name": "b", "m": None},
    ]  # fmt: skip


def test_the_widest_integers_are_encoded_whatever_python_converts() -> None:
    fields = [Field("id", PK()), Field("n", INT(640))]
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        for count in (1, 20):
            quick, careful = Side(fields, 9, quick=True), Side(fields, 9, quick=False)
            for number in (10**640 - 1, 10**640, -(10**639) + 1, -(10**639), 10**700):
                rows = [{"n": number}] * count
                assert quick.insert(list(rows)) == careful.insert(list(rows))
            assert quick.files.content == careful.files.content
    finally:
        sys.set_int_max_str_digits(before)


@given(st.integers(0, 10**7), st.integers(0, 3500), st.integers(8, 12))
def test_consecutive_numbers_are_what_one_by_one_gives(first: int, count: int, width: int) -> None:
    expected = b"".join((b"%d" % n).ljust(width) for n in range(first, first + count))
    assert consecutive(first, count, width) == expected


@pytest.mark.parametrize("first,width", [(995, 4), (98_990, 5), (1, 1), (9990, 4), (999_990, 6)])
def test_consecutive_numbers_may_fill_their_width(first: int, width: int) -> None:
    count = min(10, 10**width - first)
    expected = b"".join((b"%d" % n).ljust(width) for n in range(first, first + count))
    assert consecutive(first, count, width) == expected


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was(enabled: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        assert made_at_once(gc.isenabled) is False
        assert gc.isenabled() is enabled
        with pytest.raises(LookupError):
            made_at_once(lambda: {"a": 1}["b"])
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()
