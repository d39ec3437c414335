"""A field named ``self`` could be stored, and never searched for.

Once, ``EQ(self=1)`` was a bare TypeError about an argument that was given twice.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import DB, EQ, GT, INT, ISUBSTR, LT, PK, SUBSTR, BaseCond, Field, Schema, Table


class Odd(Table):
    name = "odd"
    schema = Schema([Field("id", PK()), Field("self", INT())])


@pytest.mark.parametrize(
    "cond, ids",
    [
        (EQ(self=2), [2]),
        (LT(self=2), [1]),
        (GT(self=2), [3]),
        (SUBSTR(self="3"), [3]),
        (ISUBSTR(self="3"), [3]),
    ],
)
def test_a_field_may_have_any_name(tmp_path: Path, cond: BaseCond, ids: list[int]) -> None:
    with DB([Odd], tmp_path / "data") as db:
        db.insert_ids("odd", [{"self": n} for n in (1, 2, 3)])
        assert [row["id"] for row in db.find_by_cond("odd", cond)] == ids
