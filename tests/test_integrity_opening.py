"""Which constraints hold when a directory is opened: declared, stored, adopted, Bazoola's."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import bazoola
import pytest

import bazanite
import bazanite.bazoola as ours
from bazanite import (
    CHAR,
    DB,
    FK,
    INT,
    JSON,
    PK,
    Field,
    FieldType,
    IntegrityError,
    Schema,
    SchemaMismatch,
    Table,
    ValidationError,
)
from engine_support import data_bytes, foreign_table, opened, table_class, their_db

USERS = table_class("users", Field("name", CHAR(5)))


def stored_actions(path: Path) -> dict[str, str | None]:
    """What the catalog says that each reference does, by its column's name."""
    tables = json.loads((path / "schema.json").read_text())["tables"]
    fields = [field for table in tables.values() for field in table["fields"] if "table" in field]
    return {field["name"]: field.get("on_delete") for field in fields}


def their_usual(path: Path) -> None:
    """Two of Bazoola's tables, the second refers to the first, one reference dangles."""
    theirs = their_db(path)
    theirs.insert("a", {"text": "x"})
    theirs.insert("a", {"text": "x"})
    theirs.insert("b", {"a_id": 1, "n": 7})
    theirs.insert("b", {"a_id": 2, "n": 7})
    theirs.delete_by_id("a", 1)
    theirs.close()


def our_usual(**options: Any) -> list[type[Table]]:
    """The classes for them; ``options`` are the reference's."""
    b = table_class(
        "b", Field("text", CHAR(5, null=True)), Field("a_id", FK("a", null=True, **options)),
        Field("n", INT(null=True)),
    )  # fmt: skip
    return [table_class("a", Field("text", CHAR(5))), b]


def test_a_new_reference_restricts_and_a_stored_one_stays_as_it_is(tmp_path: Path) -> None:
    loose = table_class("posts", Field("by", FK("users")))
    with opened(tmp_path, USERS, loose) as db:
        db.insert("users", {"name": "x"})
        db.insert("posts", {"by": 1})
    assert stored_actions(tmp_path) == {"by": "restrict"}
    strict = table_class("posts", Field("by", FK("users", on_delete="restrict")))
    for posts in (loose, strict):
        with opened(tmp_path, USERS, posts) as db, pytest.raises(IntegrityError):
            db.delete_by_id("users", 1)
    for action in ("cascade", "keep"):
        other = table_class("posts", Field("by", FK("users", on_delete=action)))
        before = data_bytes(tmp_path)
        with pytest.raises(SchemaMismatch, match=f'="restrict", declared .* on_delete="{action}"'):
            opened(tmp_path, USERS, other)
        assert data_bytes(tmp_path) == before


def test_what_cannot_be_declared_is_refused_before_a_directory_is_there(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="needs null=True"):
        FK("users", on_delete="set_null")
    with pytest.raises(ValidationError, match="must be one of"):
        FK("users", on_delete="delete")
    wrong: list[Any] = ["x", ("id", "x"), ("id", "id"), 5, (), [5]]
    for key in wrong:
        for which in ("unique", "indexes"):
            with pytest.raises(ValidationError):
                Schema([Field("id", PK())], **{which: [key]})
    with pytest.raises(ValidationError, match="JSON cannot be in an index"):
        Schema([Field("id", PK()), Field("j", JSON(unique=True))])
    with pytest.raises(ValidationError):
        Schema([Field("id", PK())], unique=5)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_declared_key_must_be_stored_and_the_error_names_the_step(tmp_path: Path) -> None:
    plain, indexed, unique = (
        table_class("t", Field("n", INT(**options)))  # type: ignore[arg-type]
        for options in ({}, {"index": True}, {"unique": True})
    )
    opened(tmp_path / "plain", plain).close()
    with pytest.raises(SchemaMismatch, match=r"declared index \(n\) .*AddIndex"):
        opened(tmp_path / "plain", indexed)
    with pytest.raises(SchemaMismatch, match=r"declared unique \(n\) .*AddUnique"):
        opened(tmp_path / "plain", unique)
    opened(tmp_path / "indexed", indexed).close()
    with pytest.raises(SchemaMismatch, match="AddUnique"):
        opened(tmp_path / "indexed", unique)
    opened(tmp_path / "unique", unique).close()
    for table in (plain, indexed, unique):
        with opened(tmp_path / "unique", table) as db:
            db.insert("t", {"n": len(db.find_all("t"))})
            with pytest.raises(IntegrityError):
                db.insert("t", {"n": 0})


def test_an_adopted_directory_keeps_dangling_references(tmp_path: Path) -> None:
    their_usual(tmp_path)
    with opened(tmp_path, *our_usual()) as db:
        assert [row["a_id"] for row in db.find_all("b")] == [1, 2]
        db.delete_by_id("a", 2)
        with pytest.raises(ValueError, match="does not exist"):
            db.insert("b", {"a_id": 2})
        assert len(db.check().notes) == 1
    assert stored_actions(tmp_path) == {"a_id": None}
    assert json.loads((tmp_path / "schema.json").read_text())["format"] == "bazanite 1"
    theirs = their_db(tmp_path)
    assert [row["a_id"] for row in theirs.find_all("b")] == [1, 2]
    theirs.close()


def test_adopting_builds_the_declared_indexes_or_leaves_all_as_it_is(tmp_path: Path) -> None:
    their_usual(tmp_path)
    a, b = our_usual()
    twice = table_class("b", *b.schema.schema[1:-1], Field("n", INT(null=True, unique=True)))
    before = data_bytes(tmp_path)
    rows = r"table 'b': \(n\) cannot be unique: rows with id 1 and 2 have the same n 7"
    with pytest.raises(IntegrityError, match=rows) as caught:
        opened(tmp_path, a, twice)
    assert (caught.value.table, caught.value.columns, caught.value.ids) == ("b", ("n",), (1, 2))
    after = data_bytes(tmp_path)
    assert {name: after[name] for name in before} == before
    assert all(not data for name, data in after.items() if name not in before)
    indexed = table_class("b", *b.schema.schema[1:-1], Field("n", INT(null=True, index=True)))
    with opened(tmp_path, a, indexed) as db:
        assert len(db.find_by_cond("b", bazanite.EQ(n=7))) == 2
        assert db.check().problems == []


def test_a_program_of_bazoolas_deletes_as_it_did(tmp_path: Path) -> None:
    def program(module: Any, path: Path) -> list[Any]:
        users = foreign_table(module, "users", ("id", None), ("name", module.CHAR(5)))
        posts = foreign_table(module, "posts", ("id", None), ("by", module.FK("users", null=True)))
        db = module.DB([users, posts], str(path))
        db.insert("users", {"name": "x"})
        db.insert("users", {"name": "y"})
        for by in (1, 1, 2, None):
            db.insert("posts", {"by": by})
        db.delete_by_id("users", 1)
        seen = [db.find_all("users"), db.find_all("posts")]
        db.close()
        return seen

    assert program(ours, tmp_path / "ours") == program(bazoola, tmp_path / "theirs")
    assert stored_actions(tmp_path / "ours") == {"by": None}


def test_what_bazoola_did_to_an_indexed_table_is_found_and_an_index_made_anew_has_it(
    tmp_path: Path,
) -> None:
    table = table_class("t", Field("n", INT(unique=True)))
    with opened(tmp_path, table, int_width=6) as db:
        db.insert_many("t", [{"n": n} for n in range(5)])
    theirs = their_db(tmp_path, foreign_table(bazoola, "t", ("id", None), ("n", bazoola.INT())))
    assert [row["n"] for row in theirs.find_all("t")] == [0, 1, 2, 3, 4]
    theirs.insert("t", {"n": 77})
    theirs.delete_by_id("t", 2)
    theirs.close()
    with opened(tmp_path, table) as db:
        assert len(db.check().problems) == 2
        assert db.find_by_cond("t", bazanite.EQ(n=77)) == []
        with pytest.raises(bazanite.CorruptionError):
            db.find_by_cond("t", bazanite.EQ(n=1))
        again = [bazanite.DropUnique("t", "n"), bazanite.AddUnique("t", "n")]
        db.migrate([bazanite.Migration(1, "anew", again)])
        assert db.check().problems == []
        assert db.find_by_cond("t", bazanite.EQ(n=77)) == [{"id": 6, "n": 77}]


def test_bazanite_bazoola_has_every_name_of_both(tmp_path: Path) -> None:
    theirs = {
        n
        for n in dir(bazoola)
        if not n.startswith("_") and not inspect.ismodule(getattr(bazoola, n))
    }
    assert theirs <= set(dir(ours))
    assert set(bazanite.__all__) <= set(ours.__all__)
    different = {n for n in bazanite.__all__ if getattr(ours, n) is not getattr(bazanite, n)}
    assert different == {"FK"}
    made = ours.FK("t", True, unique=True, default=None, check=lambda pk: pk > 1)
    assert isinstance(made, bazanite.FK)
    assert (made.on_delete, made.null) == ("keep", True)
    assert ours.FK("t", on_delete="cascade").on_delete == "cascade"
    table = table_class("t", Field("r", made))
    with opened(tmp_path, table) as db:
        db.insert("t", {})
        db.insert("t", {})
        db.update_by_id("t", 1, {"r": 2})
        with pytest.raises(IntegrityError):
            db.update_by_id("t", 2, {"r": 2})


class Shout(FieldType):
    """Three letters."""

    def __init__(self) -> None:
        super().__init__(3)

    def serialize(self, val: str) -> bytes:
        return val.upper().encode()

    def deserialize(self, row: bytes, start: int) -> tuple[str, int]:
        return row[start : start + 3].decode().lower(), start + 3

    def validate_type(self, val: object) -> None:
        if not isinstance(val, str) or len(val) != 3:
            raise ValidationError("three letters")


def test_a_directory_opens_without_classes_as_it_is_stored(tmp_path: Path) -> None:
    table = table_class("t", Field("s", Shout()), Field("n", INT(unique=True, default=5)))
    low = table_class("low", Field("r", FK("t", null=True, on_delete="set_null")))
    with opened(tmp_path, table, low) as db:
        db.insert("t", {"s": "abc"})
        db.insert("low", {"r": 1})
    with DB.open(tmp_path, durability="off") as db:
        assert sorted(db.tables) == ["low", "t"]
        assert db.find_by_id("t", 1) == {"id": 1, "s": b"ABC", "n": 5}  # its bytes: nobody knows it
        db.insert("t", {"s": b"XYZ", "n": 6})
        for wrong in ("XYZ", b"XY", 5):
            with pytest.raises(ValidationError):
                db.insert("t", {"s": wrong, "n": 7})
        with pytest.raises(IntegrityError):
            db.insert("t", {"s": b"XYZ", "n": 5})
        with pytest.raises(ValidationError):
            db.insert("t", {"s": b"XYZ"})  # the default is the program's
        db.delete_by_id("t", 1)
        assert db.find_by_id("low", 1) == {"id": 1, "r": None}
    with opened(tmp_path, table, low) as db:
        assert db.find_all("t") == [{"id": 2, "s": "xyz", "n": 6}]


def test_a_directory_without_tables_cannot_be_opened_without_classes(tmp_path: Path) -> None:
    with pytest.raises(bazanite.DirectoryError, match="give their classes"):
        DB.open(tmp_path / "new")
    their_usual(tmp_path / "theirs")
    with pytest.raises(bazanite.DirectoryError, match="give their classes"):
        DB.open(tmp_path / "theirs")


@pytest.mark.parametrize("name", ["typo", "typo/below", "theirs", "empty"])
def test_a_refused_opening_without_classes_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    their_usual(tmp_path / "theirs")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(bazanite.DirectoryError, match="another directory that is meant"):
        DB.open(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(bazanite.DirectoryError, match="Not a directory"):
        DB.open(before[-1])


@pytest.mark.parametrize("lost", [".shared", "wal.log", "schema.json"])
def test_what_is_left_of_a_directory_is_looked_at_by_the_opening_itself(
    tmp_path: Path, lost: str
) -> None:
    with opened(tmp_path, USERS) as db:
        db.insert("users", {"name": "Ada"})
    (tmp_path / lost).unlink()
    if lost == "schema.json":
        with pytest.raises(bazanite.DirectoryError):
            DB.open(tmp_path, durability="off")
        return
    with DB.open(tmp_path, durability="off", accept_unsafe=lost == "wal.log") as db:
        assert db.find_all("users") == [{"id": 1, "name": "Ada"}]


def test_a_new_table_does_not_refer_to_one_that_there_is_not(tmp_path: Path) -> None:
    def low(**more: Any) -> type[Table]:
        return table_class("low", Field("r", FK("users", null=True, **more)))

    for more in ({}, {"on_delete": "restrict"}, {"on_delete": "cascade"}):
        with pytest.raises(SchemaMismatch, match=r"table 'low', 'r': refers to table 'users'"):
            opened(tmp_path / "new", low(**more))
    with opened(tmp_path / "other", table_class("other", Field("n", INT()))) as db:
        before = data_bytes(tmp_path / "other")
        with pytest.raises(SchemaMismatch, match="which the directory does not have"):
            opened(tmp_path / "other", low())
        db.insert("other", {"n": 1})
        assert data_bytes(tmp_path / "other").keys() == before.keys()
    with opened(tmp_path / "both", low(), USERS) as db:
        db.insert_many("users", [{"name": "Ada"}])
        db.insert("low", {"r": 1})
    with opened(tmp_path / "before", USERS):
        pass
    with opened(tmp_path / "before", low()) as db:  # it is there, and not opened
        db.insert("low", {"r": None})
    with opened(tmp_path / "tree", table_class("users", Field("r", FK("users", null=True)))):
        pass


def test_a_program_of_bazoolas_may_open_its_tables_one_by_one(tmp_path: Path) -> None:
    low = table_class("low", Field("r", ours.FK("users", null=True)))
    with opened(tmp_path, low) as db:
        assert db.insert("low", {}) == {"id": 1, "r": None}
        with pytest.raises(ValidationError, match="'r': refers to table 'users', which does not"):
            db.insert("low", {"r": 1})
    with opened(tmp_path, low, USERS) as db:
        db.insert("users", {"name": "Ada"})
        db.insert("low", {"r": 1})
