"""The catalog: encoding, decoding without trust, and comparing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import (
    CHAR,
    FK,
    INT,
    PK,
    TEXT,
    CorruptionError,
    Field,
    Schema,
    SchemaMismatch,
    Table,
)
from bazanite.catalog import decode, encode, spec_of
from bazanite.specs import Catalog, FieldSpec, TableSpec
from engine_support import data_bytes, opened


class MARK(CHAR):
    """A type of a program's own."""


FULL = Schema(
    [
        Field("id", PK()),
        Field("s", CHAR(5, null=True)),
        Field("n", INT(size=3)),
        Field("ref", FK("other", on_delete="keep")),
        Field("t", TEXT(null=True)),
        Field("own", MARK(2)),
    ]
)
CATALOG = Catalog(6, {"t": spec_of(FULL.bind(6)), "u": spec_of(FULL.bind(6))})


def test_a_catalog_survives() -> None:
    assert decode(encode(CATALOG)) == CATALOG


def test_it_is_json_with_sorted_keys_and_a_newline() -> None:
    data = encode(CATALOG)
    assert data.endswith(b"}\n")
    assert data.decode() == json.dumps(json.loads(data), indent=2, sort_keys=True) + "\n"


def test_a_spec_knows_where_references_stand_and_how_long_a_row_is() -> None:
    spec = CATALOG.tables["t"]
    assert spec.references("other") == [(14, 6)]
    assert spec.references("t") == []
    assert spec.row_size == FULL.bind(6).row_size() == 6 + 5 + 3 + 6 + 9 + 2 + 1
    assert spec.has_text


def changed(change: Callable[[Any], object]) -> bytes:
    document = json.loads(encode(CATALOG))
    change(document)
    return json.dumps(document).encode()


def field(document: Any, number: int = 0) -> Any:
    return document["tables"]["t"]["fields"][number]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"format": "bazanite 1"}',
        changed(lambda d: d.update(format="bazanite 2")),
        changed(lambda d: d.update(int_width=0)),
        changed(lambda d: d.update(int_width=True)),
        changed(lambda d: d.update(int_width="9")),
        changed(lambda d: d.update(tables=[])),
        changed(lambda d: d["tables"].update({"../x": d["tables"]["t"]})),
        changed(lambda d: d["tables"].update({"a__free": d["tables"]["t"]})),
        changed(lambda d: d["tables"].update({"x": None})),
        changed(lambda d: d["tables"].update({"x": {"fields": []}})),
        changed(lambda d: d["tables"].update({"x": {"fields": ["id"]}})),
        changed(lambda d: field(d).pop("size")),
        changed(lambda d: field(d).update(size=0)),
        changed(lambda d: field(d).update(size=1 << 40)),
        changed(lambda d: field(d).update(size=True)),
        changed(lambda d: field(d).update(null=1)),
        changed(lambda d: field(d).update(name="")),
        changed(lambda d: field(d).update(name="s")),
        changed(lambda d: field(d).update(type=None)),
        changed(lambda d: field(d, 3).pop("table")),
        changed(lambda d: field(d, 3).update(table="../../etc/passwd")),
        changed(lambda d: field(d, 4).update(size=6)),
    ],
)
def test_anything_else_is_corruption_that_names_the_catalog(data: bytes) -> None:
    with pytest.raises(CorruptionError) as caught:
        decode(data, "dir")
    assert caught.value.path == "dir/schema.json"


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_no_bytes_make_it_fail_otherwise(noise: bytes, offset: int) -> None:
    data = encode(CATALOG)
    try:
        decode(data[:offset] + noise + data[offset + len(noise) :])
    except CorruptionError:
        pass


@pytest.mark.parametrize(
    "declared, message",
    [
        (
            [Field("id", PK()), Field("text", CHAR(6)), Field("n", INT(null=True))],
            "table 't', 'text': stored CHAR(5), declared CHAR(6)",
        ),
        (
            [Field("id", PK()), Field("text", CHAR(5, null=True)), Field("n", INT(null=True))],
            "table 't', 'text': stored CHAR(5), declared CHAR(5) null",
        ),
        (
            [Field("id", PK()), Field("text", MARK(5)), Field("n", INT(null=True))],
            "table 't', 'text': stored CHAR(5), declared MARK(5)",
        ),
        (
            [Field("id", PK()), Field("text", CHAR(5)), Field("n", FK("t", null=True))],
            "table 't', 'n': stored INT(9) null, declared FK(9) to 't' null",
        ),
        (
            [Field("id", PK()), Field("txt", CHAR(5)), Field("n", INT(null=True))],
            "table 't': stored 'text' CHAR(5), declared 'txt' CHAR(5)",
        ),
        (
            [Field("id", PK()), Field("text", CHAR(5))],
            "table 't': stored 'n' INT(9) null is not declared",
        ),
        (
            [
                Field("id", PK()),
                Field("text", CHAR(5)),
                Field("n", INT(null=True)),
                Field("m", TEXT()),
            ],
            "table 't': declared 'm' TEXT(9) is not stored",
        ),
    ],
)
def test_a_changed_table_is_a_mismatch_that_names_the_first_difference(
    tmp_path: Path, declared: list[Field], message: str
) -> None:
    def table(fields: list[Field]) -> type[Table]:
        return type("Made", (Table,), {"name": "t", "schema": Schema(fields)})

    stored = [Field("id", PK()), Field("text", CHAR(5)), Field("n", INT(null=True))]
    with opened(tmp_path, table(stored)) as db:
        db.insert("t", {"text": "x"})
    before = data_bytes(tmp_path)
    with pytest.raises(SchemaMismatch) as caught:
        opened(tmp_path, table(declared))
    assert caught.value.message == f"{message}; a migration can change what is stored"
    assert data_bytes(tmp_path) == before
    with opened(tmp_path, table(stored)) as db:
        assert db.find_by_id("t", 1) == {"id": 1, "text": "x", "n": None}


def test_a_table_of_an_unknown_type_does_not_hinder_the_others(tmp_path: Path) -> None:
    first = type("First", (Table,), {"name": "first", "schema": FULL})
    plain = Schema([Field("id", PK()), Field("ref", FK("first", null=True))])
    second = type("Second", (Table,), {"name": "second", "schema": plain})
    other = type("Other", (Table,), {"name": "other", "schema": Schema([Field("id", PK())])})
    with opened(tmp_path, first, other) as db:
        db.insert("other", {})
        db.insert("first", {"n": 1, "ref": 1, "t": "x", "own": "y"})
    with opened(tmp_path, second) as db:
        assert db.insert("second", {"ref": 1})["ref"] == 1
        assert db.check().ok
    with opened(tmp_path, other) as db:
        with pytest.raises(ValueError, match="table 'first' has referring rows"):
            db.truncate("other")
        db.truncate("other", cascade=True)
    with opened(tmp_path, first, second, other) as db:
        assert [db.find_all(name) for name in db.tables] == [[], [], []]
    assert (tmp_path / "first.text.dat").read_bytes() == b""


def test_a_field_is_shown_as_it_is_declared() -> None:
    assert str(FieldSpec("x", "FK", 9, True, "a")) == "FK(9) to 'a' null"
    assert TableSpec((FieldSpec("x", "INT", 4, False),)).row_size == 5
