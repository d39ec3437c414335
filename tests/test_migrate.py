"""Migrations: each step, on tables as they come and on empty ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    DECIMAL,
    FK,
    INT,
    JSON,
    TEXT,
    AddColumn,
    AddIndex,
    AddUnique,
    ChangeColumn,
    DropColumn,
    DropIndex,
    DropUnique,
    Field,
    FieldType,
    IntegrityError,
    Migration,
    MigrationError,
    RenameColumn,
    RenameTable,
    SetOnDelete,
    ValidationError,
    building,
)
from bazanite.specs import IndexSpec
from bazanite.tables import Tables
from engine_support import opened, sound, table_class
from migrate_support import OWNERS, THINGS, filled, made
from seam import Killed, Seam


@dataclass
class Case:
    """A step, and what a row of before is to be afterwards."""

    step: Any
    after: Callable[[dict[str, Any]], dict[str, Any]]


def changed(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The row with these: values, or functions of the row."""
    return lambda row: row | {n: v(row) if callable(v) else v for n, v in values.items()}


class Own(FieldType):
    """A program's own type: two letters, doubled on disk."""

    def __init__(self, **options: Any) -> None:
        super().__init__(4, **options)

    def serialize(self, val: str) -> bytes:
        return (val * 2).encode()

    def deserialize(self, row: bytes, start: int) -> tuple[str, int]:
        return row[start : start + 2].decode(), start + 4

    def validate_type(self, val: object) -> None:
        if not isinstance(val, str) or len(val) != 2:
            raise ValidationError("two letters")


CASES = {
    "add": Case(AddColumn("things", Field("x", INT(null=True))), changed(x=None)),
    "add-value": Case(AddColumn("things", Field("x", CHAR(3)), "abc"), changed(x="abc")),
    "add-default": Case(AddColumn("things", Field("x", INT(default=7))), changed(x=7)),
    "add-made": Case(
        AddColumn("things", Field("x", TEXT()), lambda row: f"{row['note']}{row['doc']}"),
        changed(x=lambda row: f"{row['note']}{row['doc']}"),
    ),
    "add-json": Case(AddColumn("things", Field("x", JSON(default=dict))), changed(x={})),
    "add-own": Case(AddColumn("things", Field("x", Own()), "ab"), changed(x=b"abab")),
    "add-fk": Case(AddColumn("things", Field("x", FK("owners")), 3), changed(x=3)),
    "add-self": Case(
        AddColumn("things", Field("x", FK("things")), lambda row: row["id"]),
        changed(x=lambda row: row["id"]),
    ),
    "drop": Case(
        DropColumn("things", "owner"), lambda row: {k: v for k, v in row.items() if k != "owner"}
    ),
    "drop-long": Case(
        DropColumn("things", "data"), lambda row: {k: v for k, v in row.items() if k != "data"}
    ),
    "rename": Case(
        RenameColumn("things", "n", "number"),
        lambda row: {("number" if k == "n" else k): v for k, v in row.items()},
    ),
    "wider": Case(ChangeColumn("things", "name", CHAR(60)), changed()),
    "indexed-to-text": Case(ChangeColumn("things", "name", TEXT()), changed()),
    "int-to-char": Case(
        ChangeColumn("things", "n", CHAR(4), lambda n: "none" if n is None else str(n)),
        changed(n=lambda row: "none" if row["n"] is None else str(row["n"])),
    ),
    "text-to-char": Case(ChangeColumn("things", "note", CHAR(90, null=True)), lambda row: row | {
        "note": row["note"] and row["note"].rstrip(" ")}),
    "json-to-decimal": Case(
        ChangeColumn("things", "doc", DECIMAL(4, 1), lambda doc: Decimal(doc["i"]) / 2),
        changed(doc=lambda row: Decimal(row["doc"]["i"]) / 2),
    ),
    "blob-to-json": Case(
        ChangeColumn("things", "data", JSON(), list), changed(data=lambda row: list(row["data"]))
    ),
    "fk-to-int": Case(ChangeColumn("things", "owner", INT(null=True)), changed()),
    "int-to-fk": Case(
        ChangeColumn("things", "n", FK("things", null=True), lambda _: 1), changed(n=1)
    ),
    "on-delete": Case(SetOnDelete("things", "owner", "cascade"), changed()),
    "index": Case(AddIndex("things", ["owner", "name"]), changed()),
    "unique": Case(AddUnique("things", "name"), changed()),
    "drop-index": Case(DropIndex("things", "note"), changed()),
    "drop-unique": Case(DropUnique("things", ["name", "n"]), changed()),
    "rename-table": Case(RenameTable("owners", "people"), changed()),
}  # fmt: skip


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_each_step_keeps_every_row_in_its_place(tmp_path: Path, name: str, checksums: bool) -> None:
    case = CASES[name]
    with filled(tmp_path, checksums=checksums) as db:
        before = db.find_all("things")
        slots = db.tables["things"].slot_count()
        made(db, case.step)
        rows = db.find_all("things")
        assert rows == [case.after(row) for row in before]
        assert [list(row) for row in rows] == [list(case.after(row)) for row in before]
        assert db.tables["things"].slot_count() == slots
        assert db.find_by_id("things", 3) == rows[1]
        db.delete_by_id("things", 4)
        assert db.insert("things", rows[1] | {"id": 40, "name": "fresh"})["id"] == 40
        sound(db)
    with DB.open(tmp_path, durability="off") as db:
        assert db.find_by_id("things", 3) == rows[1]
        assert db.find_by_id("things", 40) == rows[1] | {"id": 40, "name": "fresh"}
        sound(db)


@pytest.mark.parametrize("name", CASES)
def test_each_step_does_on_empty_tables_as_well(tmp_path: Path, name: str) -> None:
    with opened(tmp_path, OWNERS, THINGS) as db:
        made(db, CASES[name].step)
        assert db.find_all("things") == []


def own_column(path: Path) -> tuple[DB, Any]:
    table = table_class("t", Field("x", Own()), Field("n", INT()))
    db = opened(path, table)
    db.insert_many("t", [{"x": "ab", "n": 1}, {"x": "cd", "n": 2}])
    return db, table


def test_columns_of_a_programs_own_type_keep_their_bytes(tmp_path: Path) -> None:
    db, _ = own_column(tmp_path)
    with db:
        made(db, AddColumn("t", Field("y", Own()), "zz"), DropColumn("t", "n"))
        assert db.find_all("t") == [
            {"id": 1, "x": "ab", "y": b"zzzz"}, {"id": 2, "x": "cd", "y": b"zzzz"},
        ]  # fmt: skip
    with opened(tmp_path, table_class("t", Field("x", Own()), Field("y", Own()))) as db:
        assert [row["x"] + row["y"] for row in db.find_all("t")] == ["abzz", "cdzz"]


@pytest.mark.parametrize("turn", range(12))
def test_of_two_that_migrate_at_once_each_version_is_returned_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    monkeypatch.setattr(building, "SLOTS_AT_ONCE", 4)
    migrations = [
        Migration(1, "column", [AddColumn("owners", Field("x", INT(null=True)))]),
        Migration(2, "key", [AddIndex("owners", "x"), AddUnique("owners", "name")]),
        Migration(3, "nothing", []),
    ]
    here = Seam()
    returned: list[list[int]] = []

    def others_turn(left: int) -> None:
        if left:
            here.when("try_lock", ".lock", lambda: others_turn(left - 1))
        else:
            returned.append(other.migrate(migrations))

    with (
        filled(tmp_path, system=here) as db,
        DB.open(tmp_path, durability="off", system=Seam()) as other,
    ):
        db.insert_many("owners", [{"name": f"o{n}"} for n in range(9)])
        others_turn(turn + 1)
        returned.append(db.migrate(migrations))
        assert db.migrate(migrations) == other.migrate(migrations) == []
        sound(db)
    assert len(returned) == 2
    assert sorted(returned[0] + returned[1]) == [1, 2, 3]


def test_a_unique_index_that_is_half_built_holds_for_the_rows_it_has_and_check_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "SLOTS_AT_ONCE", 2)
    table = table_class("owners", Field("name", CHAR(6)))
    unique = [Migration(1, "unique", [AddUnique("owners", "name")])]
    with DB([table], tmp_path, durability="off", system=Seam()) as db:
        db.insert_many("owners", [{"name": f"o{n}"} for n in range(5)])
    killed = Seam()
    db = DB([table], tmp_path, durability="off", system=killed)
    take_some = building._take_some
    taken: list[None] = []

    def then_die(tables: Tables, table: str, index: IndexSpec) -> None:
        if taken:
            killed.kill()
            raise Killed
        take_some(tables, table, index)
        taken.append(None)

    monkeypatch.setattr(building, "_take_some", then_die)
    with pytest.raises(Killed):
        db.migrate(unique)
    monkeypatch.setattr(building, "_take_some", take_some)
    with DB([table], tmp_path, durability="off", system=Seam()) as db:
        (note,) = db.check().notes
        assert note.startswith(
            "table 'owners': unique (name) is half built, it has the rows of the first 2 slots and "
            "only these are compared with new values; unless that goes on, migrate again"
        )
        for pk, value in ((None, "o1"), (5, "o0")):
            with pytest.raises(IntegrityError):
                if pk is None:
                    db.insert("owners", {"name": value})
                else:
                    db.update_by_id("owners", pk, {"name": value})
        assert db.insert("owners", {"name": "o4"})["id"] == 6  # like the fifth, which it has not
        assert db.check().ok
        with pytest.raises(MigrationError, match="rows with id 5 and 6 have the same name 'o4'"):
            db.migrate(unique)
        assert db.check().notes == []
        db.insert("owners", {"name": "o1"})  # nothing is left of it
        db.delete_by_id("owners", 6)
        db.delete_by_id("owners", 7)
        assert db.migrate(unique) == [1]
        with pytest.raises(IntegrityError):
            db.insert("owners", {"name": "o4"})
        sound(db)
