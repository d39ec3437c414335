"""What the catalog keeps of the types that came later, and of those of a program's own."""

from __future__ import annotations

import json
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
    INT,
    JSON,
    PK,
    TEXT,
    CorruptionError,
    Field,
    FieldType,
    Schema,
    SchemaMismatch,
    Table,
    ValidationError,
)
from bazanite.catalog import decode, encode, spec_of
from bazanite.specs import CHECKED_FORMAT, FORMAT, LATER_FORMAT, Catalog
from types_support import Things, one_column


@pytest.mark.parametrize(
    "stored, declared",
    [
        (DECIMAL(4, 2), DECIMAL(3, 2, null=True)), (DECIMAL(3, 3), DECIMAL(4, 3)),
        (DECIMAL(5, 2), DECIMAL(5, 3)), (DATETIME(), DATETIME(utc=True)), (BLOB(), JSON()),
        (JSON(), TEXT()), (DATE(), CHAR(10)), (BOOL(), INT(1)),
    ],
)  # fmt: skip
def test_another_type_or_another_argument_is_a_mismatch(
    stored: FieldType, declared: FieldType, tmp_path: Path
) -> None:
    DB([one_column(stored)], str(tmp_path)).close()
    DB([one_column(stored)], str(tmp_path)).close()
    with pytest.raises(SchemaMismatch, match="'f': stored"):
        DB([one_column(declared)], str(tmp_path))
    DB([one_column(stored)], str(tmp_path)).close()


def _format(directory: Path) -> str:
    found: str = json.loads((directory / "schema.json").read_bytes())["format"]
    return found


@pytest.mark.parametrize("checksums", [False, True])
def test_only_a_directory_with_a_later_type_has_the_format_that_older_programs_refuse(
    tmp_path: Path, checksums: bool
) -> None:
    class Old(Table):
        name = "old"
        schema = Schema([Field("id", PK()), Field("n", INT(5, default=1, check=bool))])

    DB([Old], str(tmp_path), checksums=checksums).close()
    assert _format(tmp_path) == (CHECKED_FORMAT if checksums else FORMAT)
    DB([Old, Things], str(tmp_path)).close()
    assert _format(tmp_path) == LATER_FORMAT
    with DB([Old, Things], str(tmp_path)) as db:
        assert db.check().problems == []


def own(name: str, size: int) -> FieldType:
    """A type of a program's own that an older release let it call so."""
    made: FieldType = type(name, (CHAR,), {})(size)
    return made


@pytest.mark.parametrize("name, size", [("DATE", 10), ("JSON", 9), ("BOOL", 1)])
def test_a_programs_own_type_of_that_name_stays_its_own(
    name: str, size: int, tmp_path: Path
) -> None:
    mine = one_column(own(name, size))
    with DB([mine], str(tmp_path)) as db:
        db.insert("one", {"f": "x"})
    fields = json.loads((tmp_path / "schema.json").read_bytes())["tables"]["one"]["fields"]
    assert (fields[1]["type"], _format(tmp_path)) == (name, FORMAT)
    built_in = {"DATE": DATE(), "JSON": JSON(), "BOOL": BOOL()}[name]
    with pytest.raises(SchemaMismatch, match=f"stored own:{name}"):
        DB([one_column(built_in)], str(tmp_path))
    DB([mine, Things], str(tmp_path)).close()
    assert _format(tmp_path) == LATER_FORMAT
    with pytest.raises(SchemaMismatch, match=f"stored own:{name}"):
        DB([one_column(built_in)], str(tmp_path))
    with DB([mine, Things], str(tmp_path)) as db:
        assert db.find_all("one") == [{"id": 1, "f": "x"}]
        assert db.check().problems == []


CATALOG = encode(decode(b'{"format": "bazanite 1", "int_width": 9, "tables": {}}'))


@pytest.mark.parametrize(
    "number, change",
    [
        (5, {"places": 7}), (5, {"places": None}), (5, {"digits": 7}), (5, {"digits": "6"}),
        (5, {"size": 9}), (4, {"utc": False}), (4, {"utc": 1}), (3, {"utc": True}),
        (1, {"size": 2}), (7, {"size": 8}), (2, {"type": "own:CHAR"}), (2, {"type": "own:"}),
    ],
)  # fmt: skip
def test_a_catalog_with_impossible_arguments_is_damaged(
    number: int, change: dict[str, Any]
) -> None:
    document = json.loads(CATALOG)
    document |= {"format": LATER_FORMAT, "tables": {"t": {"fields": _fields()}}}
    assert decode(json.dumps(document).encode()).tables["t"] == spec_of(Things.schema.bind(9))
    document["tables"]["t"]["fields"][number] |= change
    with pytest.raises(CorruptionError):
        decode(json.dumps(document).encode())


def test_a_catalog_of_a_later_format_without_a_later_type_is_damaged() -> None:
    with pytest.raises(CorruptionError, match='format "bazanite 1"'):
        decode(CATALOG.replace(b"bazanite 1", b"bazanite 3"))
    with pytest.raises(CorruptionError, match='format "bazanite 1" or "bazanite 3"'):
        decode(CATALOG.replace(b"bazanite 1", b"bazanite 4"))


def _fields() -> Any:
    data = encode(Catalog(9, {"t": spec_of(Things.schema.bind(9))}))
    return json.loads(data)["tables"]["t"]["fields"]


def test_a_long_type_cannot_be_subclassed(tmp_path: Path) -> None:
    class Mine(BLOB):
        pass

    with pytest.raises(ValidationError, match="BLOB cannot be subclassed"):
        DB([one_column(Mine())], str(tmp_path))
