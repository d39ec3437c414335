"""Two small directories for the tests of the commands, one closed and one as a kill leaves it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bazanite import CHAR, DB, FK, PK, TEXT, Field, Schema, Table
from bazanite_tools.cli import main

READ_ONLY = [
    ["check"],
    ["info"],
    ["wal", "show"],
    ["wal", "verify"],
    ["wal", "archive"],
]


class City(Table):
    name = "city"
    schema = Schema([Field("id", PK()), Field("name", CHAR(8))])


class Person(Table):
    name = "person"
    schema = Schema(
        [Field("id", PK()), Field("city_id", FK("city", null=True)), Field("note", TEXT(null=True))]
    )


def fill(path: Path) -> DB:
    db = DB([City, Person], path)
    db.insert("city", {"name": "Oslo"})
    with db.transaction():
        db.insert("person", {"city_id": 1, "note": "likes \u201cquotes\u201d"})
        db.insert("person", {"city_id": None, "note": None})
    db.delete_by_id("person", 2)
    return db


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A directory that was closed, and one as a killed process leaves it."""
    base = tmp_path_factory.mktemp("built")
    db = fill(base / "killed_original")
    shutil.copytree(base / "killed_original", base / "killed")  # while it is open
    (base / "killed" / ".shared").unlink()  # else it would name this process, which is alive
    db.close()
    fill(base / "closed").close()
    return {"closed": base / "closed", "killed": base / "killed"}


@pytest.fixture
def closed(built: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(built["closed"], tmp_path / "closed"))


@pytest.fixture
def killed(built: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(built["killed"], tmp_path / "killed"))


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def patch(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(data)


def run_json(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, dict[str, Any]]:
    code = main([*map(str, argv), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, dict)
    return code, document
