"""What goes out as CSV, JSON lines or SQLite comes in again as the same rows."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings

from bazanite import DB
from bazanite_tools.cli import main
from exchange_support import Made, catalog, databases, rows_of


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@settings(max_examples=30)
@given(made=databases())
def test_files_give_the_same_rows_to_the_same_tables(form: str, made: Made) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        made.fill(path / "data")
        assert main(["export", f"{path}/data", f"{path}/out", "--to", form]) == 0
        DB(made.classes, path / "copy", durability="off", int_width=made.int_width).close()
        assert main(["import", f"{path}/copy", f"{path}/out", "--from", form, "--append"]) == 0
        assert rows_of(path / "copy") == rows_of(path / "data")


@settings(max_examples=30)
@given(made=databases())
def test_an_sqlite_file_gives_the_same_tables_and_rows(made: Made) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        made.fill(path / "data")
        assert main(["export", f"{path}/data", f"{path}/out.db", "--to", "sqlite"]) == 0
        with closing(sqlite3.connect(path / "out.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        width = ["--int-width", str(made.int_width)]
        assert main(["import", f"{path}/copy", f"{path}/out.db", "--from", "sqlite", *width]) == 0
        assert rows_of(path / "copy") == rows_of(path / "data")
        copied, stored = catalog(path / "copy"), catalog(path / "data")
        for table, spec in stored.tables.items():
            assert copied.tables[table].fields == spec.fields
            assert set(copied.tables[table].indexes) == set(spec.indexes)
        assert copied.tables.keys() == stored.tables.keys()
