"""Rows were left referring to nothing, where the deleting program did not know their column's type.

The column was of a class of the program's own, derived from FK.  The catalog had its ``on_delete``;
but a handle that had not opened that table took the column for plain bytes, which are no row's id.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CHAR, DB, FK, PK, CorruptionError, Field, IntegrityError, Schema, Table


class OwnerFK(FK):
    """As it is, by a name of its own."""


class HexFK(FK):
    """Written in another way."""

    def serialize(self, val: int | None) -> bytes:
        return b"x" * self.size if val is None else b"%0*x" % (self.size, val + 0xABC0)

    def deserialize(self, row: bytes, start: int) -> tuple[int | None, int]:
        end = start + self.size
        data = row[start:end]
        return None if data == b"x" * self.size else int(data, 16) - 0xABC0, end


class Owners(Table):
    """Who is referred to."""

    name = "owners"
    schema = Schema([Field("id", PK()), Field("name", CHAR(8))])


def _pets(kind: FK) -> type[Table]:
    class Pets(Table):
        name = "pets"
        schema = Schema([Field("id", PK()), Field("owner", kind)])

    return Pets


@pytest.mark.parametrize("on_delete", ["restrict", "cascade", "set_null"])
def test_a_delete_finds_references_of_a_type_it_does_not_know(
    tmp_path: Path, on_delete: str
) -> None:
    pets = _pets(OwnerFK("owners", null=True, on_delete=on_delete))
    with DB([Owners, pets], tmp_path) as db:
        db.insert("owners", {"name": "a"})
        db.insert("pets", {"owner": 1})
    with DB([Owners], tmp_path) as db:
        if on_delete == "restrict":
            with pytest.raises(IntegrityError):
                db.delete_by_id("owners", 1)
        else:
            db.delete_by_id("owners", 1)
    left = {"restrict": [(1, 1)], "cascade": [], "set_null": [(1, None)]}[on_delete]
    with DB([Owners, pets], tmp_path) as db:
        assert [(row["id"], row["owner"]) for row in db.find_all("pets")] == left
    with DB.open(tmp_path) as db:
        assert [(row["id"], row["owner"]) for row in db.find_all("pets")] == left
        assert db.check().problems == []


def test_a_delete_is_refused_by_references_that_it_cannot_read(tmp_path: Path) -> None:
    pets = _pets(HexFK("owners", on_delete="cascade"))
    with DB([Owners, pets], tmp_path) as db:
        db.insert("owners", {"name": "a"})
        db.insert("pets", {"owner": 1})
    with DB([Owners], tmp_path) as db, pytest.raises(CorruptionError):
        db.delete_by_id("owners", 1)
    with DB([Owners, pets], tmp_path) as db:
        db.delete_by_id("owners", 1)
        assert db.find_all("pets") == []
