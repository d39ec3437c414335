"""``import`` of SQLite files that others made: keys, references, types, and what has no like."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import DB
from bazanite_tools.cli import main
from exchange_support import catalog, next_ids, rows_of
from tools_support import run_json


def made(path: Path, script: str) -> Path:
    """An SQLite file that this script makes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def bring(tmp_path: Path, script: str, *options: str) -> int:
    """Import such a file into ``data``; returns the exit status."""
    file = made(tmp_path / "in.db", script)
    return main(["import", f"{tmp_path}/data", f"{file}", "--from", "sqlite", *options])


def fields(path: Path, table: str) -> dict[str, str]:
    return {field.name: str(field) for field in catalog(path).tables[table].fields}


def keys(path: Path, table: str) -> set[tuple[tuple[str, ...], bool]]:
    return {(index.columns, index.unique) for index in catalog(path).tables[table].indexes}


def test_a_usual_schema_comes_over(tmp_path: Path) -> None:
    script = """
    CREATE TABLE author (author_id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(30) NOT NULL
      UNIQUE, born DATE, boss INT REFERENCES author ON DELETE SET NULL);
    CREATE TABLE book (isbn TEXT PRIMARY KEY, author INTEGER NOT NULL REFERENCES author (author_id)
      ON DELETE CASCADE, price DECIMAL(6,2), rating REAL, paper BOOLEAN NOT NULL, cover BLOB,
      added TIMESTAMP, pages SMALLINT, long VARCHAR(3), extra JSON);
    CREATE INDEX book_author ON book (author, added DESC);
    CREATE TABLE lent (book TEXT REFERENCES book (isbn), reader INTEGER, day TEXT,
      PRIMARY KEY (book, reader));
    INSERT INTO author VALUES (3, 'Ada', '1815-12-10', 8), (8, 'Grün', NULL, 8);
    INSERT INTO book VALUES ('x-1', 3, 12.5, 0.1, 1, x'00ff', '2026-11-26 10:00:00', -7, 'long',
      '{"a": [1.5, null]}'), ('x-2', 8, 7, NULL, 0, NULL, '2026-11-26T10:00:00.25', 70000, 'é',
      '3');
    INSERT INTO lent VALUES ('x-1', 5, 'today');
    DELETE FROM author WHERE author_id = 9;
    UPDATE sqlite_sequence SET seq = 20;
    """
    assert bring(tmp_path, script) == 0
    data = tmp_path / "data"
    assert fields(data, "author") == {
        "id": "PK(9)",
        "name": "CHAR(30)",
        "born": "DATE(10) null",
        "boss": "FK(9) to 'author' null on_delete=\"set_null\"",
    }
    assert fields(data, "book") == {
        "id": "PK(9)",
        "isbn": "TEXT(9)",
        "author": "FK(9) to 'author' on_delete=\"cascade\"",
        "price": "DECIMAL(8, digits=6, places=2) null",
        "rating": "DECIMAL(4, digits=2, places=1) null",
        "paper": "BOOL(1)",
        "cover": "BLOB(9) null",
        "added": "DATETIME(26, utc=False) null",
        "pages": "INT(9) null",
        "long": "TEXT(9) null",
        "extra": "JSON(9) null",
    }
    assert keys(data, "author") == {(("name",), True)}
    assert keys(data, "book") == {(("isbn",), True), (("author", "added"), False)}
    assert keys(data, "lent") == {(("book", "reader"), True)}
    rows = rows_of(data)
    assert rows["author"][0] == {"id": 3, "name": "Ada", "born": date(1815, 12, 10), "boss": 8}
    assert rows["book"][0] == {
        "id": 1,
        "isbn": "x-1",
        "author": 3,
        "price": Decimal("12.50"),
        "rating": Decimal("0.1"),
        "paper": True,
        "cover": b"\0\xff",
        "added": datetime(2026, 11, 26, 10),  # noqa: DTZ001  it has no time zone
        "pages": -7,
        "long": "long",
        "extra": {"a": [1.5, None]},
    }
    assert (rows["book"][1]["extra"], rows["book"][1]["price"]) == (3, 7)
    assert next_ids(data) == {"author": 20, "book": 2, "lent": 1}
    with DB.open(data) as db:
        db.delete_by_id("author", 3)
        assert [row["isbn"] for row in db.find_all("book")] == ["x-2"]


def test_references_in_circles_and_to_themselves_come_over(tmp_path: Path) -> None:
    script = """
    CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER NOT NULL REFERENCES b (id));
    CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES a (id), up REFERENCES b);
    INSERT INTO a VALUES (1, 1), (2, 1); INSERT INTO b VALUES (1, 2, 2), (2, 1, 1);
    """
    assert bring(tmp_path, script) == 0
    rows = rows_of(tmp_path / "data")
    assert rows["a"] == [{"id": 1, "b": 1}, {"id": 2, "b": 1}]
    assert rows["b"] == [{"id": 1, "a": 2, "up": 2}, {"id": 2, "a": 1, "up": 1}]


def test_what_has_no_like_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(tmp_path / "in.db", """
    CREATE TABLE t (id TEXT PRIMARY KEY, a INTEGER CHECK (a > 0) DEFAULT 3, b TEXT COLLATE NOCASE
      UNIQUE, c INT GENERATED ALWAYS AS (a + 1), d TEXT REFERENCES t (id), e INTEGER);
    CREATE INDEX part ON t (a) WHERE a > 1;
    CREATE INDEX expr ON t (a + 1);
    CREATE VIEW v AS SELECT a FROM t;
    CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;
    INSERT INTO t (id, a, b, e) VALUES ('x', 1, 'B', NULL);
    """)  # fmt: skip
    argv = ["import", f"{tmp_path}/data", f"{file}", "--from", "sqlite"]
    code, document = run_json(capsys, *argv)
    assert code == 0
    notes = "\n".join(document["notes"])
    for said in [
        "view 'v' is left out",
        "trigger 'g' is left out",
        "a CHECK is left out",
        "column 'a': its default 3 is left out",
        "column 'c': is computed in SQLite",
        "column 'id': is called 'old_id'",
        "column 'd': its reference to 't' is left out",
        "index 'part' is left out",
        "index 'expr' is left out",
        "tells capitals from small letters",
    ]:
        assert said in notes
    assert rows_of(tmp_path / "data")["t"] == [
        {"id": 1, "old_id": "x", "a": 1, "b": "B", "c": 2, "d": None, "e": None}
    ]
    assert keys(tmp_path / "data", "t") == {(("old_id",), True), (("b",), True)}


REFUSED = [
    ("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (0), (-1);",
     "column 'id': 0: ids are greater than 0"),
    ("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), ('x'), (2.5);",
     "row 2: table 't', column 'a': 'x' is not a whole number"),
    ("CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('x'), (x'ff');", "row 2: table 't'"),
    ("CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'ff' AS TEXT));", "not valid UTF-8"),
    ("CREATE TABLE t (a REAL); INSERT INTO t VALUES (9e999);", "is not a finite number"),
    ("CREATE TABLE t (a REAL); INSERT INTO t VALUES (1e300), (1e-300);", "row 1: table 't'"),
    ("CREATE TABLE t (a); INSERT INTO t VALUES (1), ('x');", "table 't', column 'a'"),
    ('CREATE TABLE "a b" (a);', "'a b' cannot be a table's name"),
    ('CREATE TABLE "../t" (a);', "cannot be a table's name"),
    ('CREATE TABLE t ("");', "'' cannot be a column's name"),
    ('CREATE TABLE t ("\x1b");', "cannot be a column's name"),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY, a REFERENCES t); INSERT INTO t VALUES (1, 5);",
     "1 row refers to what 't' lacks: 5; --dangling keep"),
    ("CREATE VIEW v AS SELECT 1;", "there are no tables"),
]  # fmt: skip


@pytest.mark.parametrize("script, said", REFUSED, ids=[said for _, said in REFUSED])
def test_what_cannot_be_stored_is_told_with_its_row_and_nothing_is_made(
    script: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(tmp_path, script) in (1, 2)
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.db"]


def test_what_was_told_can_be_renamed_skipped_typed_and_kept(tmp_path: Path) -> None:
    script = """
    CREATE TABLE "a b" (id INTEGER PRIMARY KEY, "" INTEGER, up REFERENCES "a b", r REAL);
    INSERT INTO "a b" VALUES (1, 1, 5, 1.5), (2, 'x', 1, 2), (3, 3, 1, NULL);
    """
    options = ["--rename", "a b=t", "--rename", "t.=n", "--skip", "--dangling", "keep"]
    assert bring(tmp_path, script, *options, "--column", "r:DECIMAL(9,3)") == 0
    assert rows_of(tmp_path / "data")["t"] == [
        {"id": 1, "n": 1, "up": 5, "r": Decimal("1.5")},
        {"id": 3, "n": 3, "up": 1, "r": None},
    ]
    assert "keep" in fields(tmp_path / "data", "t")["up"]
    assert "digits=9, places=3" in fields(tmp_path / "data", "t")["r"]


@pytest.mark.parametrize(
    "declared, values, kind",
    [
        ("INTEGER", [2**63 - 1, -(2**63)], "INT(20)"),
        ("INT(11)", [5], "INT(11)"),
        ("BOOLEAN", [0, 1, 2], "INT(9)"),
        ("DATE", ["2026-11-26", "yesterday"], "TEXT(9)"),
        ("DATETIME", [1764150000], "INT(10)"),
        ("DATETIME", ["2026-11-26 10:00:00Z", "2026-11-26 10:00:00+01:00"],
         "DATETIME(27, utc=True)"),
        ("DATETIME", ["2026-11-26 10:00:00Z", "2026-11-26 10:00:00"], "TEXT(9)"),
        ("NUMERIC", [1, 2.25], "DECIMAL(5, digits=3, places=2)"),
        ("DECIMAL(4, 1)", [123.25], "DECIMAL(7, digits=5, places=2)"),
        ("DOUBLE PRECISION", [1e-7], "DECIMAL(10, digits=8, places=7)"),
        ("JSON", ["{", "[1]"], "TEXT(9)"),
        ("", ["a"], "TEXT(9)"),
        ("", [b"a"], "BLOB(9)"),
        ("", [1.5, 2], "DECIMAL(4, digits=2, places=1)"),
        ("VARCHAR(3)", ["abc", "d "], "TEXT(9)"),
        ("NVARCHAR(300)", ["a"], "TEXT(9)"),
        ("CHAR(300)", ["a"], "CHAR(300)"),
        ("GEOMETRY", [b"x"], "BLOB(9)"),
    ],
    ids=str,
)  # fmt: skip
def test_the_type_of_a_column(
    declared: str, values: list[object], kind: str, tmp_path: Path
) -> None:
    file = made(tmp_path / "in.db", f"CREATE TABLE t (c {declared} NOT NULL)")
    with closing(sqlite3.connect(file)) as connection:
        connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
        connection.commit()
    assert main(["import", f"{tmp_path}/data", f"{file}", "--from", "sqlite"]) == 0
    assert fields(tmp_path / "data", "t")["c"] == kind
    found = [row["c"] for row in rows_of(tmp_path / "data")["t"]]
    if kind.startswith("DECIMAL"):
        assert list(map(float, found)) == values
    elif kind.startswith("DATETIME"):
        assert found == [datetime(2026, 11, 26, 10, tzinfo=UTC),
                         datetime(2026, 11, 26, 9, tzinfo=UTC)]  # fmt: skip
    else:
        assert found == values


def test_a_file_that_is_no_database_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_bytes(b"no database " * 100)
    for name, code, said in [("x", 1, "SQLite says: file is not a database"),
                             ("none", 2, "no such file"), (".", 2, "is no file")]:  # fmt: skip
        argv = ["import", f"{tmp_path}/data", f"{tmp_path}/{name}", "--from", "sqlite"]
        assert main(argv) == code
        assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@settings(max_examples=40)
@given(data=st.data())
def test_no_damage_in_an_sqlite_file_is_a_traceback(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged")
    file = made(path / "in.db", """
    CREATE TABLE a (id INTEGER PRIMARY KEY, b VARCHAR(9) UNIQUE, c REFERENCES a);
    INSERT INTO a VALUES (1, 'x', 1), (2, 'y', 1);
    """)  # fmt: skip
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        places = st.one_of(st.integers(0, 110), st.integers(0, len(content) - 1),
                           st.integers(3700, 4200))  # fmt: skip
        content[data.draw(places)] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    assert main(["import", f"{path}/data", f"{file}", "--from", "sqlite"]) in (0, 1, 2)
