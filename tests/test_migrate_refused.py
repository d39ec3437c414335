"""Migrations that cannot be made: what the error names, and that nothing was changed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    DECIMAL,
    EQ,
    FK,
    INT,
    JSON,
    AddColumn,
    AddIndex,
    AddUnique,
    ChangeColumn,
    DropColumn,
    DropIndex,
    DropTable,
    DropUnique,
    Field,
    Migration,
    MigrationError,
    RenameColumn,
    RenameTable,
    SetOnDelete,
)
from bazanite.steps import Step
from engine_support import data_bytes, sound
from migrate_support import filled, made

LIVE = (1, 3, 4, 6, 7, 8, 9, 10, 11)
"""The ids that are there."""
THINGS = "things"


def add(kind: Any, value: Any = None) -> AddColumn:
    """A column ``x``."""
    return AddColumn(THINGS, Field("x", kind), value)


def as_decimal(name: str) -> Decimal:
    """An ArithmeticError for one row."""
    return Decimal(name if name == "t2" else 1)


REFUSED: dict[str, tuple[Any, tuple[int, ...] | None, str]] = {
    # the step, the rows that its error names (None: some), and what it says
    "no-null": (add(INT()), LIVE, "can't be None"),
    "narrow": (ChangeColumn(THINGS, "name", CHAR(2)), (11,), "too long"),
    "null-in": (ChangeColumn(THINGS, "n", INT()), (1, 4, 7, 10), "can't be None"),
    "check": (add(INT(check=lambda x: x < 9), lambda row: row["id"]), (9, 10, 11), "check refuses"),
    "raises": (ChangeColumn(THINGS, "name", INT(), int), LIVE, "invalid literal"),
    "decimal": (ChangeColumn(THINGS, "name", DECIMAL(5), as_decimal), (3,), "ConversionSyntax"),
    "places": (
        ChangeColumn(THINGS, "doc", DECIMAL(4, 1), lambda doc: Decimal(doc["i"]) / 4),
        (4, 6, 8, 10),
        "places",
    ),
    "dangling": (add(FK("owners"), lambda row: row["id"]), LIVE[2:], "do not exist"),
    "to-fk": (ChangeColumn(THINGS, "n", FK("owners", null=True)), (6, 8, 9, 11), "do not exist"),
    "not-unique": (AddUnique(THINGS, "owner"), None, "cannot be unique: rows with id"),
    "made-equal": (
        ChangeColumn(THINGS, "n", INT(), lambda _: 1),
        None,
        "cannot be unique: rows with id",
    ),
    "drop-id": (DropColumn(THINGS, "id"), (), "cannot be dropped"),
    "in-index": (DropColumn(THINGS, "note"), (), "drop it first"),
    "no-column": (DropColumn(THINGS, "x"), (), "no column 'x'"),
    "no-table": (DropColumn("x", "x"), (), "no table 'x'"),
    "there-already": (AddColumn(THINGS, Field("n", INT())), (), "already"),
    "name-taken": (RenameColumn(THINGS, "n", "note"), (), "already"),
    "id-renamed": (RenameColumn(THINGS, "id", "key"), (), "stays"),
    "to-id": (RenameColumn(THINGS, "n", "id"), (), "stays"),
    "odd-name": (RenameColumn(THINGS, "n", "a\nb"), (), "cannot be"),
    "id-type": (ChangeColumn(THINGS, "id", CHAR(5)), (), "stays"),
    "no-target": (add(FK("x", null=True)), (), "no table 'x'"),
    "no-reference": (SetOnDelete(THINGS, "n", "cascade"), (), "refers to no table"),
    "odd-action": (SetOnDelete(THINGS, "owner", "explode"), (), "not one of"),
    "referred": (DropTable("owners"), (), "refers to"),
    "table-there": (RenameTable("owners", THINGS), (), "already"),
    "table-name": (RenameTable("owners", "../x"), (), "cannot be a table's name"),
    "index-there": (AddIndex(THINGS, "note"), (), "already"),
    "no-index": (DropIndex(THINGS, "n"), (), "has no"),
    "not-that-index": (DropUnique(THINGS, "note"), (), "has no"),
    "json-index": (AddIndex(THINGS, "doc"), (), "cannot be in an index"),
    "json-made": (ChangeColumn(THINGS, "note", JSON(null=True)), (), "cannot be in an index"),
    "no-columns": (AddIndex(THINGS, []), (), "needs columns"),
}


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_a_step_that_cannot_be_made_names_the_rows_and_changes_nothing(
    tmp_path: Path, name: str, checksums: bool
) -> None:
    step, ids, message = REFUSED[name]
    with filled(tmp_path, checksums=checksums) as db:
        if name == "made-equal":
            db.update_by_id("things", 3, {"name": "t0"})
        db.checkpoint()
        before = data_bytes(tmp_path)
        with pytest.raises(MigrationError, match=message) as caught:
            db.migrate([Migration(1, "refused", [step])])
        assert caught.value.version == 1
        assert str(caught.value).startswith("migration 1 (refused): ")
        assert caught.value.ids == ids if ids is not None else len(caught.value.ids) == 2
        db.checkpoint()
        after = data_bytes(tmp_path)
        assert {name: after[name] for name in before} == before
        assert all(not data for file, data in after.items() if file not in before)
        sound(db)
        made(db, AddColumn("things", Field("later", INT(null=True))))  # the number is still free


def test_steps_before_a_refused_one_of_their_transaction_go_with_it_and_indexes_stay(
    tmp_path: Path,
) -> None:
    with filled(tmp_path) as db:
        rows = db.find_all("things")
        wrong = ChangeColumn("things", "name", CHAR(1))
        with pytest.raises(MigrationError):
            db.migrate([Migration(1, "one", [RenameColumn("things", "n", "m"), wrong])])
        assert db.find_all("things") == rows
        first = [AddColumn("things", Field("x", INT(null=True))), AddIndex("things", "n")]
        with pytest.raises(MigrationError):
            db.migrate([Migration(1, "one", [*first, RenameColumn("things", "n", "m"), wrong])])
    with DB.open(tmp_path, durability="off") as db:
        assert db.find_all("things") == [row | {"x": None} for row in rows]
        sound(db)
        right = ChangeColumn("things", "name", CHAR(9))
        steps = [*first, RenameColumn("things", "n", "m"), right]
        assert db.migrate([Migration(1, "one", steps)]) == [1]  # it goes on behind the index
        assert db.migrate([Migration(1, "one", steps)]) == []
        assert len(db.find_by_cond("things", EQ(m=7))) == 1
        sound(db)


class Odd(INT):
    """A program's own type, with a mistake in it."""

    def validate_type(self, val: int | None) -> None:
        super().validate_type(val)
        raise LookupError(val)


def at_six(row: Any) -> Any:
    """What a function of a migration comes to that does not expect the row with id 6."""
    return {6: {}}.get(row["id"], {"x": 1})["x"]


def at_six_checked(value: int) -> bool:
    if value == 6:
        raise KeyError("x")
    return True


RAISES: dict[str, tuple[Step, type[Exception], str]] = {
    "value": (add(INT(), at_six), KeyError, "with id 6: KeyError: 'x'"),
    "convert": (
        ChangeColumn(THINGS, "name", CHAR(9), lambda name: name.nothing),
        AttributeError,
        "with id 1: AttributeError: 'str' object has no attribute 'nothing'",
    ),
    "check": (add(INT(check=at_six_checked), lambda row: row["id"]), KeyError, "id 6: KeyError"),
    "default": (
        AddColumn(THINGS, Field("x", INT(default={}.popitem))),
        KeyError,
        "with id 1: KeyError: 'popitem",
    ),
    "type": (add(Odd(), 5), LookupError, "with id 1: LookupError: 5"),
    "fits": (add(INT(), lambda row: int(row["name"])), ValueError, "invalid literal for int"),
}


@pytest.mark.parametrize("name", RAISES)
def test_what_a_function_of_a_migration_raises_is_told_with_its_row(
    tmp_path: Path, name: str
) -> None:
    step, error, message = RAISES[name]
    with filled(tmp_path) as db:
        db.checkpoint()
        before = data_bytes(tmp_path)
        first = AddColumn("owners", Field("early", INT(null=True)))
        with pytest.raises(MigrationError, match=message) as caught:
            db.migrate([Migration(3, "raises", [first, step])])
        assert str(caught.value).startswith("migration 3 (raises): table 'things': ")
        assert caught.value.version == 3
        assert type(caught.value.__cause__) is error
        assert str(caught.value.ids[0]) in str(caught.value)
        db.checkpoint()
        assert data_bytes(tmp_path) == before
        sound(db)
