"""A stream of rows that has to find out how far it had come.

Once, when a vacuum had moved the rows, it went on behind the last row that had come and whose id
was still there, even if that id had meanwhile been given to another row at the end of the table:
the rows between were left out without a word.  And an index that was dropped before the first row
of a stream was read was reported as damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    DB,
    GE,
    INT,
    PK,
    DropIndex,
    Field,
    Migration,
    Schema,
    SchemaMismatch,
    Table,
)
from bazanite.query import stream
from bazanite.query.plan import Plan, plan


class Rows(Table):
    name = "rows"
    schema = Schema([Field("id", PK()), Field("n", INT())], indexes=["n"])


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stream, "_BATCH", 7)
    return tmp_path / "data"


@pytest.fixture
def db(path: Path) -> Iterator[DB]:
    with DB([Rows], path, durability="off") as opened:
        opened.tables["rows"].layout.codec.rows_at_once = 7
        opened.insert_many("rows", [{"n": 0} for _ in range(20)])
        yield opened


def take_the_place_of(db: DB, pk: int) -> None:
    """Let another row have this id, at the end of the table."""
    db.delete_by_id("rows", pk)
    db.insert("rows", {"n": 1})
    db.insert("rows", {"id": pk, "n": 0})


@pytest.mark.parametrize("where", [None, GE(n=0)], ids=["slots", "index"])
def test_another_row_with_the_id_of_the_last_one_is_not_taken_for_it(
    db: DB, path: Path, where: GE | None
) -> None:
    with DB([Rows], path, durability="off") as other:
        rows = db.iterate("rows", where)
        came = [next(rows)["id"] for _ in range(7)]
        take_the_place_of(other, came[-1])
        other.delete_by_id("rows", 1)
        other.vacuum("rows")
        came += [row["id"] for row in rows]
    stayed = [pk for pk in came if pk not in (1, 7) and pk <= 20]
    assert stayed == [*range(2, 7), *range(8, 21)]


def test_it_goes_on_though_none_of_the_rows_tells_where_it_was(db: DB, path: Path) -> None:
    with DB([Rows], path, durability="off") as other:
        rows = db.iterate("rows")
        assert [next(rows)["id"] for _ in range(7)] == [*range(1, 8)]
        other.delete_by_id("rows", 2)
        other.delete_by_id("rows", 5)
        other.insert("rows", {"n": 0})
        other.insert("rows", {"id": 5, "n": 0})  # where 2 was
        other.delete_by_id("rows", 20)
        other.vacuum("rows")
        rest = [row["id"] for row in rows]
    assert [pk for pk in rest if pk <= 20] == [*range(8, 20)]


def test_an_index_dropped_before_the_first_row_is_no_damage(db: DB, path: Path) -> None:
    rows = db.iterate("rows", order_by="n")
    second = db.iterate("rows", order_by="n")
    next(second)
    with DB.open(path, durability="off") as other:

        def plan_and_drop(*args: Any, **options: Any) -> Plan:
            found = plan(*args, **options)
            other.migrate([Migration(1, "without", [DropIndex("rows", "n")])])
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stream, "plan", plan_and_drop)
            with pytest.raises(SchemaMismatch, match="while it was read"):
                list(rows)
    with pytest.raises(SchemaMismatch, match="while it was read"):
        list(second)
