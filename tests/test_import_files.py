"""``import`` of CSV and JSON lines: which types columns get, what is refused, all or nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import DB
from bazanite.specs import TableSpec
from bazanite_tools.cli import main
from exchange_support import catalog, next_ids, rows_of
from tools_support import City, Person, contents, run_json


def spec(path: Path, table: str) -> dict[str, str]:
    found: TableSpec = catalog(path).tables[table]
    return {field.name: str(field) for field in found.fields}


def bring(tmp_path: Path, name: str, text: str | bytes, *options: str) -> int:
    """Import a file of this text into ``data``; returns the exit status."""
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    form = file.suffix.removeprefix(".")
    return main(["import", f"{tmp_path}/data", f"{file}", "--from", form, *options])


CSV = """\
id,name,zip,price,born,seen,paid,at,note,all
7,Ada,007,12.50,1815-12-10,2026-11-26T10:00:00+02:00,true,2026-11-26 10:00:00.5,,""
9,"Grün, B.",123,-3,1990-01-01,2026-11-26 10:00:00Z,FALSE,2026-11-26 10:00,x,*
"""


def test_types_are_those_that_keep_every_value(tmp_path: Path) -> None:
    assert bring(tmp_path, "people.csv", CSV) == 0
    assert spec(tmp_path / "data", "people") == {
        "id": "PK(9)",
        "name": "CHAR(16)",
        "zip": "CHAR(8)",
        "price": "DECIMAL(6, digits=4, places=2)",
        "born": "DATE(10)",
        "seen": "DATETIME(27, utc=True)",
        "paid": "BOOL(1)",
        "at": "DATETIME(26, utc=False)",
        "note": "CHAR(8) null",
        "all": "CHAR(8)",
    }
    first, second = rows_of(tmp_path / "data")["people"]
    assert first == {
        "id": 7,
        "name": "Ada",
        "zip": "007",
        "price": Decimal("12.50"),
        "born": date(1815, 12, 10),
        "seen": datetime(2026, 11, 26, 8, tzinfo=UTC),
        "paid": True,
        "at": datetime(2026, 11, 26, 10, 0, 0, 500000),  # noqa: DTZ001  as in the file
        "note": None,
        "all": "",
    }
    assert (second["paid"], second["name"]) == (False, "Grün, B.")
    assert next_ids(tmp_path / "data") == {"people": 9}


@pytest.mark.parametrize(
    "values, kind",
    [
        (["1", "-20"], "INT(9)"),
        (["12345678901"], "INT(11)"),
        (["-0"], "DECIMAL(2, digits=1, places=0)"),
        (["+1"], "CHAR(8)"),
        (["1", "2.25", "0.1"], "DECIMAL(5, digits=3, places=2)"),
        (["1e5"], "CHAR(8)"),
        (["2026-02-30"], "CHAR(16)"),
        (["2026-02-28", "2026-02-28 10:00:00"], "CHAR(32)"),
        (["20260228"], "INT(9)"),
        (["2026-02-28 10:00:00.1234567"], "CHAR(32)"),
        (["2026-02-28 10:00:00", "2026-02-28 10:00:00Z"], "CHAR(32)"),
        (["true", "False"], "BOOL(1)"),
        (["true", "1"], "CHAR(8)"),
        (["x" * 64], "CHAR(64)"),
        (["x" * 65], "TEXT(9)"),
        (["ends in a space "], "TEXT(9)"),
        (["\0"], "TEXT(9)"),
        (["9" * 639], "INT(639)"),
        (["9" * 641], "TEXT(9)"),
        (["inf", "nan"], "CHAR(8)"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_type_of_a_csv_column(values: list[str], kind: str, tmp_path: Path) -> None:
    text = "id,c\n" + "".join(f'{n},"{value}"\n' for n, value in enumerate(values, 1))
    assert bring(tmp_path, "t.csv", text) == 0
    assert spec(tmp_path / "data", "t")["c"] == kind
    found = [row["c"] for row in rows_of(tmp_path / "data")["t"]]
    if kind.startswith(("CHAR", "TEXT")):
        assert found == values


def test_a_first_column_that_is_no_number_may_begin_with_a_star(tmp_path: Path) -> None:
    assert bring(tmp_path, "t.csv", "a,id\n*,1\n") == 0
    assert rows_of(tmp_path / "data")["t"] == [{"a": "*", "id": 1}]


def test_json_lines_keep_the_types_of_json(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"a": 1, "b": "2026-11-26", "c": 0.1, "d": True, "e": {"x": [1.5]}, "f": 1, "g": None},
        {"a": 12345678901234567890, "b": "", "c": 12, "d": False, "e": [], "f": "1", "h": 2},
    ]
    text = "\n".join(map(json.dumps, rows)) + "\n\n"
    assert bring(tmp_path, "t.jsonl", text, "--column", "b:CHAR(10) null index") == 0
    assert spec(tmp_path / "data", "t") == {
        "id": "PK(9)",
        "a": "INT(20)",
        "b": "CHAR(10) null",
        "c": "DECIMAL(5, digits=3, places=1)",
        "d": "BOOL(1)",
        "e": "JSON(9)",
        "f": "JSON(9)",
        "g": "TEXT(9) null",
        "h": "INT(9) null",
    }
    assert [index.columns for index in catalog(tmp_path / "data").tables["t"].indexes] == [("b",)]
    first, second = rows_of(tmp_path / "data")["t"]
    assert first == {**rows[0], "id": 1, "c": Decimal("0.1"), "h": None}
    assert second == {**rows[1], "id": 2, "g": None}


def test_columns_as_they_are_asked_for(tmp_path: Path) -> None:
    options = ["--column", "price:DECIMAL(8,2) not null", "--column", "who:FK(city,set_null) null",
               "--column", "code:TEXT unique", "--rename", "nr=id", "--table", "sale"]  # fmt: skip
    DB([City], tmp_path / "data").close()
    assert bring(tmp_path, "c.csv", "id,name\n3,Oslo\n", "--append", "--table", "city") == 0
    assert bring(tmp_path, "x.csv", "nr,price,who,code\n5,1,3,a\n6,2.5,,b\n", *options) == 0
    assert spec(tmp_path / "data", "sale") == {
        "id": "PK(9)",
        "price": "DECIMAL(10, digits=8, places=2)",
        "who": "FK(9) to 'city' null on_delete=\"set_null\"",
        "code": "TEXT(9)",
    }
    assert rows_of(tmp_path / "data")["sale"] == [
        {"id": 5, "price": 1, "who": 3, "code": "a"},
        {"id": 6, "price": Decimal("2.5"), "who": None, "code": "b"},
    ]


REFUSED = [
    ("t.csv", "", [], 2, "is empty"),
    ("t.csv", "a,a\n", [], 2, "two columns are called 'a'"),
    ("t.csv", "a,\n", [], 2, "'' cannot be a column's name"),
    ("t.csv", "a,\x1b[31m\n", [], 2, "'\\x1b[31m' cannot be a column's name"),
    ("t.csv", ",".join(f"c{n}" for n in range(1001)), [], 2, "1,001 columns"),
    ("t.csv", "a,b\n1\n", [], 1, "line 2: 2 cells were expected"),
    ("t.csv", "a,b\n1,2,3\n", [], 1, "line 2: 2 cells were expected"),
    ("t.csv", 'a,b\n1,"2\n', [], 1, "line 2: a cell in quotes does not end"),
    ("t.csv", b"a\n\xff\n", [], 1, "--encoding names another"),
    ("t.csv", "a\n1\n", ["--encoding", "klingon"], 2, "no such encoding"),
    ("t.csv", "a\n1\n", ["--delimiter", ",,"], 2, "must be one character"),
    ("t.csv", "a\n1\n", ["--null", 'x"'], 2, "may not have quotes"),
    ("t.csv", "a\n1\n", ["--table", "../x"], 2, "cannot be a table's name"),
    ("t.csv", "a\n1\n", ["--table", "/etc/x"], 2, "cannot be a table's name"),
    ("a b.csv", "a\n1\n", [], 2, "'a b' cannot be a table's name"),
    ("t.csv", "a\n1\n", ["--column", "b:INT"], 2, "there is no such column"),
    ("t.csv", "a\n1\n", ["--column", "a:FLOAT"], 2, "is no type of a column"),
    ("t.csv", "a\n1\n", ["--column", "a"], 2, "NAME:TYPE is expected"),
    ("t.csv", "a\n1\n", ["--column", "a:CHAR(0)"], 2, "greater than 0"),
    ("t.csv", "a\n1\n", ["--rename", "b=c"], 2, "there is no such column"),
    ("t.csv", "a\nx\n", ["--column", "a:INT"], 1, "line 2: table 't', column 'a': 'x' is not"),
    ("t.csv", "a\nabc\n", ["--column", "a:CHAR(2)"], 1, "The value is too long"),
    ("t.csv", "a,b\n,1\n", ["--column", "a:INT not null"], 1, "can't be None"),
    ("t.csv", "id\nx\n", [], 2, "ids are whole numbers above 0"),
    ("t.csv", "id,a\n0,1\n", [], 1, "line 2: table 't', column 'id': 0: ids are greater than 0"),
    ("t.csv", "id,a\n1,1\n1,2\n", [], 1, "line 3: table 't': 'id': row with id 1 already exists"),
    ("t.csv", "a\n1\n1\n", ["--column", "a:INT unique"], 1, "line 3: table 't': 'a': row with a 1"),
    ("t.csv", "a\n1\n", ["--column", "a:FK(t)"], 0, ""),
    ("t.csv", "a\n2\n", ["--column", "a:FK(t)"], 1, "column 'a': 1 row with id 1 refers to what"),
    ("t.csv", "a\n2\n", ["--column", "a:FK(t,keep)"], 0, ""),
    ("t.csv", "a\n2\n", ["--column", "a:FK(u)"], 2, "refers to 'u', which is neither there"),
    ("t.csv", "a,b\n1,x\n", ["--column", "b:JSON"], 1, "column 'b'"),
    ("t.jsonl", '{"a": 1}\n[1]\n', [], 1, "line 2: [1] is not an object"),
    ("t.jsonl", '{"a": NaN}\n', [], 1, "line 1: JSON has no NaN"),
    ("t.jsonl", '{"a": 1, "a": 2}\n', [], 1, "line 1: an object has a key twice"),
    ("t.jsonl", '{"a": 1}\n{"a"\n', [], 1, "line 2: "),
    ("t.jsonl", '{"a": ' + "[" * 100_000, [], 1, "line 1: "),
    ("t.jsonl", b'{"a": 1}\n\xff\n', [], 1, "behind line 0: "),
    ("t.jsonl", '{"": 1}\n', [], 2, "'' cannot be a column's name"),
    ("t.jsonl", '{"a": ' + "9" * 5000 + "}", [], 1, "line 1: "),
    ("t.jsonl", '{"a": {"b": 1e999}}', [], 1, "is not a finite number"),
    ("t.jsonl", json.dumps({f"c{n}": 1 for n in range(1001)}), [], 2, "more than 1,000"),
]


@pytest.mark.parametrize(
    "name, text, options, code, said", REFUSED, ids=[f"{n}-{r[4][:30]}" for n, r in
                                                      enumerate(REFUSED)]
)  # fmt: skip
def test_what_cannot_be_stored_is_told_and_nothing_is_made(
    name: str,
    text: str | bytes,
    options: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bring(tmp_path, name, text, *options) == code
    assert said in capsys.readouterr().err
    if code:
        assert [path.name for path in tmp_path.iterdir()] == [name]


def test_rows_that_cannot_be_stored_are_left_out_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "id,a\n1,1\n2,x\n0,3\n4,4\n"
    file = tmp_path / "t.csv"
    file.write_text(text, "utf-8")
    argv = ["import", f"{tmp_path}/data", f"{file}", "--from", "csv", "--column", "a:INT"]
    assert main(argv) == 1
    assert "2 values cannot be stored" in capsys.readouterr().err
    code, document = run_json(capsys, *argv, "--skip")
    assert (code, document["tables"]["t"]) == (0, {"rows": 2, "skipped": 2, "new": True})
    assert [row["id"] for row in rows_of(tmp_path / "data")["t"]] == [1, 4]


def test_a_mark_of_the_byte_order_and_other_encodings_are_read(tmp_path: Path) -> None:
    assert bring(tmp_path, "a.csv", b"\xef\xbb\xbfid,n\r\n1,x\r\n") == 0
    assert bring(tmp_path, "b.csv", "n\nGrün\n".encode("latin-1"), "--encoding", "latin-1") == 0
    assert bring(tmp_path, "c.csv", "n\nGrün\n".encode("utf-16"), "--encoding", "utf-16") == 0
    assert bring(tmp_path, "d.csv", "n\tm\n1\t-\n", "--delimiter", "tab", "--null", "-") == 0
    rows = rows_of(tmp_path / "data")
    assert rows["a"] == [{"id": 1, "n": "x"}]
    assert rows["b"] == rows["c"] == [{"id": 1, "n": "Grün"}]
    assert rows["d"] == [{"id": 1, "n": 1, "m": None}]


def test_ids_may_be_wide_in_a_new_directory(tmp_path: Path) -> None:
    assert bring(tmp_path, "t.csv", "id\n123456789012\n") == 0
    assert catalog(tmp_path / "data").int_width == 12
    assert bring(tmp_path, "u.csv", "id\n1234567890123\n") == 1
    assert [*rows_of(tmp_path / "data")] == ["t"]


def test_a_table_that_is_there_is_only_appended_to_if_asked(
    closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "city.csv"
    file.write_text("name\nBergen\n", "utf-8")
    argv = ["import", f"{closed}", f"{file}", "--from", "csv"]
    before = contents(closed)
    assert main(argv) == 2
    assert "--append puts the rows into it" in capsys.readouterr().err
    assert contents(closed) == before
    assert main([*argv, "--append"]) == 0
    assert rows_of(closed)["city"] == [{"id": 1, "name": "Oslo"}, {"id": 2, "name": "Bergen"}]
    file.write_text("name,x\nBergen,1\n", "utf-8")
    assert main([*argv, "--append"]) == 2
    assert "has no column 'x'" in capsys.readouterr().err
    file.write_text("id\n7\n", "utf-8")
    assert main([*argv, "--append"]) == 2
    assert "needs a column 'name'" in capsys.readouterr().err
    file.write_text("name\nmuch too long\n", "utf-8")
    assert main([*argv, "--append"]) == 1
    assert len(rows_of(closed)["city"]) == 2


def test_files_that_refer_to_each_other_come_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id,b\n1,2\n2,1\n", "utf-8")
    (tmp_path / "in" / "b.csv").write_text("id,a,b\n1,2,2\n2,1,1\n", "utf-8")
    (tmp_path / "in" / "notes.txt").write_text("?", "utf-8")
    columns = ["a.b:FK(b)", "b.a:FK(a)", "b.b:FK(b)"]
    options = [word for column in columns for word in ("--column", column)]
    argv = ["import", f"{tmp_path}/data", f"{tmp_path}/in", "--from", "csv"]
    assert main([*argv, *options]) == 0
    rows = rows_of(tmp_path / "data")
    assert rows["a"] == [{"id": 1, "b": 2}, {"id": 2, "b": 1}]
    assert rows["b"] == [{"id": 1, "a": 2, "b": 2}, {"id": 2, "a": 1, "b": 1}]


@pytest.mark.parametrize("checksums", [False, True])
def test_new_tables_in_a_directory_are_taken_away_if_rows_are_refused(
    checksums: bool, closed: Path, tmp_path: Path
) -> None:
    DB([City, Person], closed, checksums=checksums).close()
    stored, rows = catalog(closed), rows_of(closed)
    for text, options in [
        ("a,b\n1,1\n1,2\n", ["--column", "a:INT unique"]),
        ("a,b\n1,1\n2,9\n", ["--column", "a:FK(x)", "--column", "b:FK(city)"]),
    ]:
        (tmp_path / "x.csv").write_text(text, "utf-8")
        argv = ["import", f"{closed}", f"{tmp_path}/x.csv", "--from", "csv", *options]
        assert main(argv) == 1
        assert (catalog(closed), rows_of(closed)) == (stored, rows)
        with DB([City, Person], closed) as db:
            assert db.check().problems == []
    (tmp_path / "x.csv").write_text("a\n1\n", "utf-8")
    assert main(["import", f"{closed}", f"{tmp_path}/x.csv", "--from", "csv"]) == 0
    assert rows_of(closed) == {**rows, "x": [{"id": 1, "a": 1}]}
    assert catalog(closed).tables["x"].checksums == checksums
    (tmp_path / "city.csv").write_text("id,name\n5,Rome\n", "utf-8")
    assert main(["import", f"{closed}", f"{tmp_path}/city.csv", "--from", "csv", "--append"]) == 0
    assert [row["id"] for row in rows_of(closed)["city"]] == [1, 5]
    assert next_ids(closed)["city"] == 5


PIECES = st.sampled_from(
    [b'"', b",", b"\n", b"\r", b"id", b"a", b"1", b"-", b".5", b"\xff", b"\x00", b"{", b"}", b'"a"',
     b": ", b"[", b"]", b"null", b"true", b"1e999", b"2026-11-26", b" 10:00:00Z", b"\xef\xbb\xbf",
     b"\\ud800", b"\n1,2\n", b'{"a": 1}\n']
)  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@settings(max_examples=60)
@given(pieces=st.lists(PIECES, max_size=12))
def test_no_file_is_a_traceback(
    form: str, pieces: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any")
    code = bring(path, f"t.{form}", b"".join(pieces))
    assert code in (0, 1, 2)
    assert (path / "data").exists() == (code == 0)
