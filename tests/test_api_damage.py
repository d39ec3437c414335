"""Damaged files: every reading call names file and offset, and makes nothing worse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import (
    DB,
    CorruptionError,
    DBError,
    Table,
)
from engine_support import (
    TableA,
    TableB,
    TableC,
    TableF,
    data_bytes,
    opened,
)

DAMAGE: dict[str, tuple[str, int, bytes, Callable[[DB], object], str, int]] = {
    "digit of an id": ("a.dat", 0, b"x", lambda db: db.find_by_id("a", 1), "a.dat", 0),
    "another row's id": ("a.dat", 0, b"7", lambda db: db.find_by_id("a", 1), "a.dat", 0),
    "deleted row in the index": (
        "a.dat",
        0,
        b"*" * 14,
        lambda db: db.find_by_id("a", 1),
        "a.dat",
        0,
    ),
    "text of a row": ("a.dat", 24, b"\xff", lambda db: db.find_all("a"), "a.dat", 24),
    "newline": ("a.dat", 29, b" ", lambda db: db.find_all("a"), "a.dat", 15),
    "half a row more": ("a.dat", 60, b"5   ", lambda db: db.find_all("a"), "a.dat", 60),
    "insert behind half a row": (
        "b.dat",
        0,
        b"5   ",
        lambda db: db.insert("b", {"text": "x", "a_id": 1}),
        "b.dat",
        0,
    ),
    "index entry": (
        "a__id.idx.dat",
        9,
        b"##",
        lambda db: db.find_by_id("a", 2),
        "a__id.idx.dat",
        9,
    ),
    "index cut short": (
        "a__id.idx.dat",
        36,
        b"4",
        lambda db: db.find_by_id("a", 5),
        "a__id.idx.dat",
        36,
    ),
    "index beyond the rows": (
        "a__id.idx.dat",
        0,
        b"99",
        lambda db: db.find_by_id("a", 1),
        "a.dat",
        99 * 15,
    ),
    "freed slot that is live": (
        "a__free.dat",
        0,
        b"1        ",
        lambda db: db.insert("a", {"text": "x"}),
        "a__free.dat",
        0,
    ),
    "freed slot that is no number": (
        "a__free.dat",
        0,
        b"z        ",
        lambda db: db.insert("a", {"text": "x"}),
        "a__free.dat",
        0,
    ),
    "half a freed slot": (
        "a__free.dat",
        0,
        b"3       ",
        lambda db: db.insert("a", {"text": "x"}),
        "a__free.dat",
        0,
    ),
    "sequence": (
        "a__seqnum.dat",
        0,
        b"!",
        lambda db: db.insert("a", {"text": "x"}),
        "a__seqnum.dat",
        0,
    ),
    "header of a text": ("f.text.dat", 0, b"x", lambda db: db.find_by_id("f", 1), "f.text.dat", 0),
    "length of a text": (
        "f.text.dat",
        0,
        b"999999999",
        lambda db: db.find_all("f"),
        "f.text.dat",
        9,
    ),
    "length of a text to delete": (
        "f.text.dat",
        0,
        b"99",
        lambda db: db.delete_by_id("f", 1),
        "f.text.dat",
        0,
    ),
    "bytes of a text": ("f.text.dat", 10, b"\xff", lambda db: db.find_all("f"), "f.text.dat", 10),
    "offset of a text": ("f.dat", 9, b"500", lambda db: db.find_by_id("f", 1), "f.text.dat", 500),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_by_file_and_offset_and_not_made_worse(tmp_path: Path, case: str) -> None:
    name, offset, data, call, expected_name, expected_offset = DAMAGE[case]
    with opened(tmp_path, TableA, TableB, TableF) as db:
        db.insert_many("a", [{"text": text} for text in ("one", "two", "three", "four", "five")])
        db.delete_by_id("a", 5)
        db.insert("f", {"text": "eggs"})
    if name == "a.dat" and offset == 60:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    if case in ("index cut short", "half a freed slot"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[: offset or 8])
    with (tmp_path / name).open("r+b") as file:
        file.seek(offset)
        file.write(data)
    before = data_bytes(tmp_path)
    with opened(tmp_path, TableA, TableB, TableF) as db:
        with pytest.raises(CorruptionError) as caught:
            call(db)
        assert caught.value.path == f"{tmp_path}/{expected_name}"
        assert caught.value.offset == expected_offset
        assert isinstance(caught.value, DBError)
        assert data_bytes(tmp_path) == before
        assert not db.check().ok


@pytest.mark.parametrize(
    "table, row",
    [
        (TableA, b"1        \0\0\0\0\0\n"),
        (TableC, b"1        abc       #########\n"),
    ],
)
def test_a_stored_null_that_is_not_allowed_is_a_value_error(
    tmp_path: Path, table: type[Table], row: bytes
) -> None:
    values = {"text": ""} if table is TableA else {"varchar": "", "int": 1}
    with opened(tmp_path, table) as db:
        db.insert(table.name, values)
    (tmp_path / f"{table.name}.dat").write_bytes(row)
    with opened(tmp_path, table) as db, pytest.raises(ValueError, match="Inconsistent data"):
        db.find_by_id(table.name, 1)
