"""``dump`` and ``load``: the directory that comes back is the one that was written."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bazanite import (
    DB,
    FK,
    INT,
    PK,
    AddColumn,
    AddIndex,
    Field,
    FieldType,
    Migration,
    Schema,
    Table,
    ValidationError,
)
from bazanite_tools.cli import main
from exchange_support import Made, catalog, databases, next_ids, rows_of
from tools_support import City, Person, contents


@settings(max_examples=30)
@given(made=databases())
def test_a_dump_gives_the_same_directory_back(made: Made) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        made.fill(path / "data")
        assert main(["dump", f"{path}/data", f"{path}/dump"]) == 0
        assert main(["load", f"{path}/copy", f"{path}/dump"]) == 0
        assert rows_of(path / "copy") == rows_of(path / "data")
        assert catalog(path / "copy") == catalog(path / "data")
        assert next_ids(path / "copy") == next_ids(path / "data")
        assert main(["dump", f"{path}/copy", f"{path}/again"]) == 0
        assert (path / "again").read_bytes() == (path / "dump").read_bytes()
        assert sorted(p.name for p in path.iterdir()) == ["again", "copy", "data", "dump"]


class Hue(FieldType):
    """A type of a program's own."""

    def __init__(self) -> None:
        super().__init__(3)

    def serialize(self, val: bytes) -> bytes:
        return val

    def deserialize(self, row: bytes, start: int) -> tuple[bytes, int]:
        return row[start : start + 3], start + 3

    def validate_type(self, val: object) -> None:
        if not isinstance(val, bytes) or len(val) != 3:
            raise ValidationError("needs three bytes")


class Owner(FK):
    """A reference of a program's own."""


class Lamp(Table):
    name = "lamp"
    schema = Schema(
        [
            Field("id", PK()),
            Field("hue", Hue()),
            Field("owner", Owner("city", null=True, on_delete="keep")),
        ]
    )


def test_what_only_a_program_knows_stays_in_a_dump(closed: Path, tmp_path: Path) -> None:
    steps = [AddColumn("city", Field("size", INT(null=True))), AddIndex("city", "size")]
    with DB([City, Person], closed, checksums=True) as db:
        db.migrate([Migration(3, "sizes", steps)])
    with DB([Lamp], closed, checksums=False) as db:
        db.insert("lamp", {"hue": b"\0\xff\n", "owner": 1})
    with DB.open(closed) as db:
        db.delete_by_id("person", 1)
        db.delete_by_id("city", 1)
    assert main(["dump", f"{closed}", f"{tmp_path}/dump"]) == 0
    assert main(["load", f"{tmp_path}/copy", f"{tmp_path}/dump"]) == 0
    found = catalog(tmp_path / "copy")
    assert found == catalog(closed)
    assert [record.version for record in found.migrations] == [3]
    assert {name: spec.checksums for name, spec in found.tables.items()} == {
        "city": True,
        "person": True,
        "lamp": False,
    }
    with DB([Lamp], tmp_path / "copy") as db:
        assert db.find_all("lamp") == [{"id": 1, "hue": b"\0\xff\n", "owner": 1}]
        assert db.check().problems == []


def damaged(lines: list[str]) -> list[tuple[str, str]]:
    """Texts that are no dump, and what is said of each."""
    head = json.loads(lines[0])
    tables = head["catalog"]["tables"]
    bad_name = json.dumps(head).replace('"city": {', '"../x": {')
    return [
        ("", "cut short"),
        ("\n".join(lines[:-1]), "cut short"),
        ("\n".join(lines[1:]), "line 1: this is no dump"),
        ("\xff", "line 1: "),
        ('{"bazanite dump": 2}\n', "version 1"),
        ('{"bazanite dump": 1, "catalog": 3}\n', "its catalog is damaged"),
        ("\n".join([bad_name, *lines[1:]]), "its catalog is damaged"),
        ("\n".join([*lines[:2], *lines[3:]]), "rows are missing"),
        ("\n".join([*lines, "{}"]), "behind the end"),
        ("\n".join([lines[0], lines[2]]), "a table or a row was expected"),
        ("\n".join([*lines[:2], '[1,"Oslo",2]', *lines[2:]]), "a row of 2 values"),
        ("\n".join([*lines[:2], '[2,"far too long"]', *lines[2:]]), "line 3: table 'city': 'name'"),
        ("\n".join([*lines[:2], "[2,7]", *lines[2:]]), "line 3: 'name': 7 is not text"),
        ("\n".join([*lines[:3], lines[2], *lines[3:]]), "line 4: table 'city': 'id': row with id"),
        ("\n".join([*lines[:3], lines[1], *lines[3:]]), "a table of the catalog was expected"),
        ("\n".join(lines).replace('["id","name"]', '["id","id"]'), "is named twice"),
        ("\n".join(lines).replace('[1,1,"', '[1,8,"'), "refers to what 'city' does not have"),
        ("\n".join(lines).replace('"last_id":1', '"last_id":-1'), "last automatic id"),
        (lines[0].replace(json.dumps(tables["city"], separators=(",", ":")), "{}"), "is damaged"),
    ]


@pytest.mark.parametrize("number", range(19))
def test_a_damaged_dump_is_told_with_its_line_and_makes_nothing(
    number: int, closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "dump"
    assert main(["dump", f"{closed}", f"{file}"]) == 0
    text, said = damaged(file.read_text("utf-8").splitlines())[number]
    file.write_text(text, "latin-1" if text == "\xff" else "utf-8")
    assert main(["load", f"{tmp_path}/copy", f"{file}"]) == 1
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closed", "dump"]


def test_a_dump_makes_new_directories_only(
    closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dump", f"{closed}", f"{tmp_path}/dump"]) == 0
    before = contents(closed)
    assert main(["load", f"{closed}", f"{tmp_path}/dump"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert contents(closed) == before
    (tmp_path / "empty").mkdir()
    assert main(["load", f"{tmp_path}/empty", f"{tmp_path}/dump"]) == 0
    assert rows_of(tmp_path / "empty") == rows_of(closed)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_in_a_dump_is_a_traceback(
    data: st.DataObject, closed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged")
    assert main(["dump", f"{closed}", f"{path}/dump"]) == 0
    content = bytearray((path / "dump").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        pieces = [b"", b"0", b'"', b"}", b"null", b"-1", b"\xff", b"\n", b"[", b"99999999999999"]
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.sampled_from(pieces))
    (path / "dump").write_bytes(content)
    code = main(["load", f"{path}/copy", f"{path}/dump"])
    assert code in (0, 1)
    assert (path / "copy").exists() == (code == 0)
