"""A directory with a column of every type, for the tests of the commands that work with rows."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    BLOB,
    BOOL,
    CHAR,
    DATE,
    DATETIME,
    DB,
    DECIMAL,
    FK,
    INT,
    JSON,
    PK,
    TEXT,
    Field,
    Schema,
    Table,
)
from bazanite_tools.cli import main

WITH_DIRECTORY = [
    ["tables", "DIR"],
    ["schema", "DIR"],
    ["rows", "DIR", "person"],
    ["get", "DIR", "person", "1"],
    ["find", "DIR", "person", "id=1"],
    ["insert", "DIR", "city", "name=Bern"],
    ["upsert", "DIR", "city", "--on", "name", "name=Oslo"],
    ["update", "DIR", "city", "2", "name=Roma"],
    ["delete", "DIR", "person", "1"],
    ["migrate", "DIR"],
    ["migrate", "DIR", "--add-column", "city.size:INT null"],
    ["stats", "DIR"],
    ["lock", "DIR"],
]
"""A fine call of each command; DIR stands for the directory."""


class Cities(Table):
    name = "city"
    schema = Schema([Field("id", PK()), Field("name", CHAR(12, unique=True))])


class People(Table):
    name = "person"
    schema = Schema(
        [
            Field("id", PK()),
            Field("name", CHAR(20)),
            Field("city", FK("city", null=True, on_delete="cascade", index=True)),
            Field("age", INT(3, null=True)),
            Field("paid", BOOL()),
            Field("due", DATE(null=True)),
            Field("at", DATETIME(null=True)),
            Field("seen", DATETIME(null=True, utc=True)),
            Field("owes", DECIMAL(9, 2, null=True)),
            Field("note", TEXT(null=True)),
            Field("photo", BLOB(null=True)),
            Field("extra", JSON(null=True)),
        ],
        indexes=[("city", "age")],
    )


ADA: dict[str, Any] = {
    "name": "Ada",
    "city": 1,
    "age": 36,
    "paid": True,
    "due": date(2026, 11, 26),
    "at": datetime.fromisoformat("2026-11-26 15:33:10.123456"),
    "seen": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "owes": Decimal("12.50"),
    "note": 'likes "x"\nand more',
    "photo": b"\x00\x01",
    "extra": {"a": [1, 2.5, "\u6771"]},
}
NOTED = {"name": "\u6e05\u5c11\u7d0d\u8a00", "paid": False, "note": "NULL", "extra": "NULL"}
BOB = {"name": "Bob", "city": 2, "age": 7, "paid": False}


@pytest.fixture(scope="session")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("populated") / "data"
    with DB([Cities, People], path) as db:
        db.insert_many("city", [{"name": "Oslo"}, {"name": "Rome"}])
        db.insert_many("person", [ADA, NOTED, BOB])
    return path


@pytest.fixture
def data(populated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(populated, tmp_path / "data"))


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    code = main([str(word) for word in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def at(argv: list[str], path: Path) -> list[str]:
    return [str(path) if word == "DIR" else word for word in argv]


def stored(path: Path, table: str) -> dict[int, dict[str, Any]]:
    with DB.open(path) as db:
        return {row["id"]: dict(row) for row in db.find_all(table)}
