"""Searches of numbers with NumPy in a table whose rows are at most eight bytes long.

Once, the bytes that were added behind a chunk, so that a machine word could be read at its last
column, were counted as one row more, or two: the search ended in NumPy's ValueError or in an
IndexError.
"""

from __future__ import annotations

import operator
from pathlib import Path

import pytest

from bazanite import CHAR, DB, EQ, GT, INT, LT, PK, Field, FieldType, Schema, Table

pytest.importorskip("numpy")

FIELDS: list[dict[str, FieldType]] = [
    {"id": INT(2)},
    {"id": INT(3), "a": INT(1)},
    {"a": INT(1), "id": INT(3)},
    {"a": CHAR(1, null=True), "id": INT(2), "b": INT(1, null=True)},
    {"id": PK()},
    {"a": INT(1, null=True), "id": PK()},
]


@pytest.mark.parametrize("fields", FIELDS, ids="-".join)
@pytest.mark.parametrize("rows", [1, 2, 3, 99])
def test_a_search_of_narrow_rows_finds_what_is_there(
    tmp_path: Path, fields: dict[str, FieldType], rows: int
) -> None:
    class Narrow(Table):
        name = "narrow"
        schema = Schema([Field(name, kind) for name, kind in fields.items()])

    with DB([Narrow], tmp_path / "data", int_width=6, durability="off") as db:
        texts = {name: isinstance(kind, CHAR) for name, kind in fields.items() if name != "id"}
        given = [
            {name: str(n % 10) if is_text else n % 10 for name, is_text in texts.items()}
            for n in range(rows)
        ]
        everything = db.insert_many("narrow", given)
        assert db.find_all("narrow") == everything
        for name in [name for name in fields if not texts.get(name)]:
            for kind, holds in ((EQ, operator.eq), (LT, operator.lt), (GT, operator.gt)):
                for value in (0, 1, 5, rows):
                    expected = [row for row in everything if holds(row[name], value)]
                    assert db.find_by_cond("narrow", kind(**{name: value})) == expected
