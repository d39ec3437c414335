"""A catalog that somebody wrote by hand: a typed error, and nothing outside is touched.

Found by it: columns of an index that are lists, a table without an id, and a catalog of terabytes
(sparse, so that it costs its author nothing) ended in a raw error of Python's.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB, INT, PK, CorruptionError, DBError, Field, Schema, Table, ValidationError
from bazanite.catalog import decode
from bazanite.catalog_copy import COPY_NAME
from bazanite_tools.cli import main
from bazanite_wal.datafiles import LARGEST_CATALOG

ID = {"name": "id", "type": "PK", "size": 9, "null": False}
COMMANDS = (["check"], ["info"], ["tables"], ["schema"], ["stats"], ["rows", "t"], ["checkpoint"])


class Rows(Table):
    name = "t"
    schema = Schema([Field("id", PK()), Field("n", INT())])


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """No more than two GiB of address space, whatever a catalog says."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def field(**changed: Any) -> dict[str, Any]:
    return {"name": "n", "type": "INT", "size": 9, "null": True} | changed


def document(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    tables = {"t": {"fields": [ID, *fields]} | more}
    return {"format": "bazanite 1", "int_width": 9, "tables": tables}


def index(columns: object) -> dict[str, Any]:
    return document(field(), indexes=[{"name": "n", "columns": columns}])


ABSURD: tuple[Any, ...] = (10**30, -1, 0, 1 << 62, 1e300, float("nan"), True, None, "9", [], {})
NAMES = ("../../etc/passwd", "a/b", "a\0b", "", ".", "..", "x" * 300, "t__free", "a\nb", ".lock")
BAD: dict[str, Any] = {
    **{f"size {v!r}": document(field(size=v)) for v in ABSURD},
    **{f"CHAR of {v!r}": document(field(type="CHAR", size=v)) for v in ABSURD},
    **{f"width {v!r}": document() | {"int_width": v} for v in ABSURD},
    **{f"built {v!r}": document(field(), indexes=[{"name": "n", "columns": ["n"], "built": v}])
       for v in ABSURD if v is not None and not (type(v) is int and v >= 0)},
    **{f"version {v!r}": document() | {"migrations": [{"version": v, "name": "x", "done": 1}]}
       for v in ABSURD if not (type(v) is int and v >= 0)},
    **{f"table {n!r}": {**document(), "tables": {n: {"fields": [ID]}}} for n in NAMES},
    **{f"refers to {n!r}": document(field(type="FK", table=n)) for n in NAMES},
    **{f"index {n!r}": document(field(), indexes=[{"name": n, "columns": ["n"]}])
       for n in NAMES if n != "t__free"},
    "a column twice": document(field(), field()),
    "an id twice": document(ID),
    "no id": {**document(), "tables": {"t": {"fields": [field()]}}},
    "no field": {**document(), "tables": {"t": {"fields": []}}},
    "columns that are lists": index([["n"]]),
    "columns that are objects": index([{}]),
    "no such column": index(["zz"]),
    "columns as text": index("n"),
    "a list for a type": document(field(type=["INT"])),
    "a list for on_delete": document(field(type="FK", table="t", on_delete=[])),
    "a list for a format": document() | {"format": []},
    "a list": [],
    "null": None,
}  # fmt: skip
TEXTS = {
    "nested deeply": "[" * 100_000 + "]" * 100_000,
    "objects without end": '{"a":' * 100_000,
    "a number of 5000 digits": json.dumps(document()).replace("9,", "9" * 5000 + ",", 1),
    "no text": "\udcff\udcfe",
    "cut": json.dumps(document())[:-1],
}


@pytest.mark.parametrize("data", [*BAD.values()], ids=[*BAD])
def test_a_catalog_that_cannot_be_is_a_typed_error(data: Any) -> None:
    with pytest.raises(CorruptionError):
        decode(json.dumps(data).encode())


@pytest.mark.parametrize("text", TEXTS.values(), ids=[*TEXTS])
def test_a_text_that_is_no_catalog_is_a_typed_error(text: str) -> None:
    with pytest.raises(CorruptionError):
        decode(text.encode("utf-8", "surrogateescape"))


def test_of_a_key_that_comes_twice_the_last_counts_and_is_checked() -> None:
    text = '{"format": "bazanite 1", "int_width": 9, "tables": {"t": 1}, "tables": {"../x": {}}}'
    with pytest.raises(CorruptionError, match="a table's name"):
        decode(text.encode())


@pytest.mark.parametrize("key", ["columns that are lists", "no id", "table '../../etc/passwd'"])
def test_whoever_opens_such_a_directory_gets_a_typed_error(tmp_path: Path, key: str) -> None:
    path = tmp_path / "data"
    DB([Rows], path).close()
    (path / COPY_NAME).unlink()
    (path / "schema.json").write_text(json.dumps(BAD[key]))
    before = sorted(os.listdir(tmp_path))
    attempts: list[Callable[[], DB]] = [lambda: DB([Rows], path), lambda: DB.open(path)]
    for attempt in attempts:
        with pytest.raises(DBError):
            attempt()
    for command in COMMANDS:
        assert main([command[0], str(path), *command[1:]]) in (0, 1, 2)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("size", [LARGEST_CATALOG + 1, 1 << 33, 1 << 43])
def test_a_catalog_without_an_end_does_not_fill_the_memory(tmp_path: Path, size: int) -> None:
    with DB([Rows], tmp_path) as db:
        db.insert("t", {"n": 1})
    (tmp_path / COPY_NAME).unlink()
    os.truncate(tmp_path / "schema.json", size)
    attempts: list[Callable[[], DB]] = [lambda: DB([Rows], tmp_path), lambda: DB.open(tmp_path)]
    for attempt in attempts:
        with pytest.raises(CorruptionError, match="at most"):
            attempt()
    with pytest.raises(CorruptionError):
        DB.open(tmp_path, read_only=True)
    for command in COMMANDS:
        assert main([command[0], str(tmp_path), *command[1:]]) in (0, 1)


def test_a_table_without_an_end_is_a_typed_error(tmp_path: Path) -> None:
    with DB([Rows], tmp_path) as db:
        db.insert("t", {"n": 1})
        os.truncate(tmp_path / "t.dat", 19 << 38)  # sparse
        with pytest.raises(CorruptionError, match="damaged"):
            db.find_all("t")


def test_nobody_can_make_a_catalog_that_nobody_could_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bazanite.catalog_file.LARGEST_CATALOG", 100)
    with pytest.raises(ValidationError, match="more than a directory can have"):
        DB([Rows], tmp_path)


def test_an_index_without_an_end_is_a_problem_and_takes_no_memory(tmp_path: Path) -> None:
    class Indexed(Table):
        name = "t"
        schema = Schema([Field("id", PK()), Field("n", INT(index=True))])

    with DB([Indexed], tmp_path) as db:
        db.insert("t", {"n": 1})
        os.truncate(tmp_path / "t.n.index.dat", 1 << 43)
        report = db.check()
    assert any("more than any index has" in problem.what for problem in report.problems)
