"""Values in a command line and in JSON: what is printed finds a row, and is stored as it was."""

from __future__ import annotations

import io
import json
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import BLOB, BOOL, CHAR, DATE, DATETIME, DECIMAL, FK, INT, JSON, TEXT, Field, Schema
from bazanite.row import Row
from bazanite.specs import FieldSpec
from bazanite.stored_schema import Opaque
from bazanite_tools.conditions import where
from bazanite_tools.output import CommandError
from bazanite_tools.rows_given import ids_text, json_rows
from bazanite_tools.type_text import parse_type, type_text
from bazanite_tools.values import document_cell, parsed, quoted, stored_value, to_json
from cli_support import People

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["NULL", "null", '"', '""', '"x"', "a,b", "a=b", " x", "\u200b", "\x7f", "is null", "\\n"]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
MOMENTS = st.datetimes()
KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (INT(9, null=True), st.integers(-(10**8) + 1, 10**9 - 1)),
    (FK("city", null=True), st.integers(1, 10**9 - 1)),
    (CHAR(64, null=True), TEXTS.map(lambda text: text.lstrip("\0").rstrip(" "))),
    (TEXT(null=True), TEXTS),
    (BOOL(null=True), st.booleans()),
    (DATE(null=True), st.dates()),
    (DATETIME(null=True), MOMENTS),
    (DATETIME(null=True, utc=True), MOMENTS.map(lambda m: m.replace(tzinfo=UTC))),
    (DECIMAL(9, 2, null=True), st.decimals(-(10**6), 10**6, places=2).map(lambda d: d + 0)),
    (BLOB(null=True), st.binary(max_size=9)),
    (JSON(null=True), DOCUMENTS.filter(lambda d: d is not None)),
    (Opaque(FieldSpec("x", "Own", 4, True)), st.binary(min_size=4, max_size=4)),
]  # fmt: skip
ONE = st.sampled_from(KINDS).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), pair[1] | st.none())
)  # fmt: skip


SEVERAL = st.sampled_from(KINDS).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), st.lists(pair[1] | st.none(), min_size=1, max_size=4))
)


def field(kind: Any, name: str = "x") -> Field:
    return Field(name, kind)


@given(ONE)
def test_what_is_shown_of_a_value_is_read_as_it(one: tuple[Any, Any]) -> None:
    kind, value = one
    shown = document_cell(kind, value)
    assert shown.isprintable()
    assert shown
    read = parsed(field(kind), shown)
    assert (read, type(read)) == (value, type(value))


@given(ONE)
def test_a_row_is_found_by_what_is_shown_of_it(one: tuple[Any, Any]) -> None:
    kind, value = one
    schema = Schema([field(INT(), "id"), field(kind)])
    shown = document_cell(kind, value)
    for words in ([f"x={shown}"], [f"x = {shown}"], ["x", "=", shown]):
        cond = where(schema, words)
        assert cond is not None
        cond.check_fields(schema)
        assert cond.eval(Row(id=1, x=value))
        if len(words) == 1:
            differs = where(schema, [words[0].replace("=", "!=", 1)])
            assert differs is not None
            assert not differs.eval(Row(id=1, x=value))


@given(SEVERAL)
def test_each_of_a_list_of_values_is_found(several: tuple[Any, list[Any]]) -> None:
    kind, values = several
    schema = Schema([field(INT(), "id"), field(kind)])
    shown = [quoted(v) if isinstance(v, str) else document_cell(kind, v) for v in values]
    cond, other = (
        where(schema, [f"x:={','.join(shown)}"]),
        where(schema, [f"x!:={','.join(shown)}"]),
    )
    assert cond is not None
    assert other is not None
    for value in values:
        assert cond.eval(Row(id=1, x=value))
        assert not other.eval(Row(id=1, x=value))


@given(ONE)
def test_what_is_a_row_in_json_is_stored_as_it_was(one: tuple[Any, Any]) -> None:
    kind, value = one
    line = json.dumps({"x": to_json(kind, value)}, ensure_ascii=False)
    (row,) = json_rows(Schema([field(kind)]), io.StringIO(line + "\n\n"))
    assert row == {"x": value}
    assert type(row["x"]) is type(value)


@given(ONE)
def test_a_type_is_read_as_it_is_written(one: tuple[Any, Any]) -> None:
    kind, _ = one
    if isinstance(kind, Opaque):
        with pytest.raises(CommandError, match="is no type of a column"):
            parse_type(type_text(kind))
        return
    read, rest = parse_type(f"{type_text(kind)}=1")
    assert rest == "=1"
    assert (type(read), read.size, read.null, read.params) == (
        type(kind), kind.size, kind.null, kind.params,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "int x", "FK", "FK()", "FK(a,b)", "FK(a,cascade,c)", "CHAR", "CHAR(0)", "CHAR(x)",
             "CHAR(2,3)", "DECIMAL", "DECIMAL(1,2,3)", "DATE(3)", "PK", "DATETIME(x)",
             "FK(a,set_null)", "INT(700)", "9"],
)  # fmt: skip
def test_what_is_no_type_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(CommandError):
        _, rest = parse_type(text)
        assert rest  # "int x" has a type, and something behind it
        raise CommandError(rest)


def test_a_decimal_in_json_is_exact_whether_it_is_a_number_or_a_text() -> None:
    schema = Schema([field(DECIMAL(30, 20))])
    exact = "1234567890.12345678901234567891"[:30]
    for written in (exact, f'"{exact}"'):
        (row,) = json_rows(schema, io.StringIO(f'{{"x": {written}}}'))
        assert row["x"] == Decimal(exact)
    with pytest.raises(CommandError, match=r"line 1: 'x' is DECIMAL.*decimal places"):
        list(json_rows(schema, io.StringIO('{"x": 0.123456789012345678901}')))


@pytest.mark.parametrize(
    "name, text, error",
    [
        ("age", "x", "'age' is INT(3) null: 'x' is no such value; write digits, or NULL"),
        ("age", "1e3", "'1e3' is no such value"),
        ("age", "1_0", "'1_0' is no such value"),
        ("age", "1000", "The value is too big"),
        ("name", "NULL", "'name' is CHAR(20): 'NULL' is no such value: The value can't be None"),
        ("name", "x" * 21, "The value is too long"),
        ("name", '"x', None),
        ("name", '"x"y"', "between double quotes stands a JSON string"),
        ("name", "\udcff", "not valid UTF-8"),
        ("paid", "maybe", "'paid' is BOOL: 'maybe' is no such value; write true or false"),
        ("due", "tomorrow", "'due' is DATE null: 'tomorrow' is no such value; write 2026-11-26"),
        ("at", "2026-01-01 10:00Z", "it has no time zone"),
        ("seen", "2026-01-01 10:00", "needs a time zone, such as Z"),
        ("owes", "NaN", "'NaN' is no such value; write -12.50"),
        ("owes", "1.234", "more than 2 decimal places"),
        ("photo", "!", "write base64"),
        ("extra", "{", "write JSON"),
        ("extra", "[" * 5000, "write JSON"),
        ("extra", "NaN", "not a finite number"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_column_type_and_value(
    name: str, text: str, error: str | None
) -> None:
    column = next(f for f in People.schema.schema if f.name == name)
    if error is None:
        assert stored_value(column, text) == text
        return
    with pytest.raises(CommandError) as caught:
        stored_value(column, text)
    assert error in str(caught.value)
    assert f"'{name}' is " in str(caught.value)
    assert caught.value.code == 2
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "line, error",
    [
        ("{", "line 2: not a line of JSON"),
        ("[1]", "line 2: a row is a JSON object"),
        ('{"nope": 1}', "line 2: no column 'nope'; there are id, name"),
        ('{"age": true}', "line 2: 'age' is INT(3) null"),
        ('{"age": "7"}', "line 2: 'age' is INT(3) null"),
        ('{"paid": 1}', "line 2: 'paid' is BOOL"),
        ('{"due": 5}', "line 2: 'due' is DATE null"),
        ('{"photo": "?"}', "line 2: 'photo' is BLOB null"),
        ('{"name": null}', "line 2: 'name' is CHAR(20)"),
    ],
)
def test_a_line_that_is_no_row_is_named(line: str, error: str) -> None:
    with pytest.raises(CommandError) as caught:
        list(json_rows(People.schema, io.StringIO(f'{{"name": "A"}}\n{line}\n')))
    assert error in str(caught.value)


def test_ids_are_told_in_few_words() -> None:
    assert ids_text([3]) == "id 3"
    assert ids_text([3, 5, 7, 8, 9]) == "ids 3, 5, 7 to 9"
    assert ids_text(range(1, 100, 2)) == "ids 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, ..."
