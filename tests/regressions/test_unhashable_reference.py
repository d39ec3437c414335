"""Joining many rows by a field of a program's own type, whose values have no hash, was a TypeError.

A tuple counts as hashable, whatever is in it; only asking for its hash tells.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bazanite import CHAR, DB, PK, Field, FieldType, InverseJoin, Schema, Table


class Nested(FieldType):
    """A letter in a list in a tuple."""

    def __init__(self) -> None:
        super().__init__(1)

    def validate_type(self, val: Any) -> None:
        pass

    def serialize(self, val: Any) -> bytes:
        return str(val[0][0]).encode()

    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        return ([row[start : start + 1].decode()],), start + 1


class Parents(Table):
    name = "p"
    schema = Schema([Field("id", PK()), Field("v", CHAR(1))])


class Children(Table):
    name = "c"
    schema = Schema([Field("id", PK()), Field("parent", Nested())])


def test_what_has_no_hash_refers_to_no_row(tmp_path: Path) -> None:
    with DB([Parents, Children], tmp_path / "data") as db:
        db.insert_many("p", [{"v": "x"}, {"v": "y"}])
        db.insert("c", {"parent": (["a"],)})
        rows = db.find_all("p", joins=[InverseJoin("parent", "children", "c")])
        assert [row["children"] for row in rows] == [[], []]
