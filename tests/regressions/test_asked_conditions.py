"""Conditions and values that an index, or a query without the lock, took for others.

Once, the planner took a class derived from ISNULL, And or Or for what it is derived from, and a
text with comparisons of its own for plain text: rows that `eval` finds were missing.  `eval` of a
program's own condition was called without the lock, several times and on bytes that were just being
changed: what it stored in the database was stored, though the call ended in "nothing was done".  In
`update_where` neither the condition nor the function could read the database.  A Decimal that is
not a number ended a search in an error of the module `decimal`, a condition of some hundred levels
in a RecursionError, and a chain of some thousand equalities looked along the column for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    EQ,
    GE,
    IN,
    INT,
    ISNULL,
    LT,
    PK,
    And,
    BaseCond,
    Field,
    Not,
    Or,
    Row,
    Schema,
    Table,
    TransactionError,
    ValidationError,
)
from bazanite.cond import MOST_LEVELS


class Rows(Table):
    name = "rows"
    schema = Schema(
        [Field("id", PK()), Field("n", INT(null=True)), Field("s", CHAR(5))], indexes=["n", "s"]
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([Rows], tmp_path / "data", durability="off") as opened:
        values = [{"n": n % 3 or None, "s": f"s{n}"} for n in range(30)]
        opened.insert_many("rows", values)
        yield opened


class NotNull(ISNULL):
    def eval(self, row: Row) -> bool:
        return not super().eval(row)


class Nand(And):
    def eval(self, row: Row) -> bool:
        return not super().eval(row)


class Nor(Or):
    def eval(self, row: Row) -> bool:
        return not super().eval(row)


class AnyCase(str):
    """A text that equals others whatever their case."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()


@pytest.mark.parametrize(
    "where",
    [
        ~NotNull("n"),
        Nand(EQ(n=1), EQ(s="s1")),
        Nand(EQ(n=1), EQ(s="s1")) & GE(id=1),
        EQ(n=2) & Nand(EQ(n=1), EQ(s="s1")),
        Nor(EQ(n=1), EQ(n=2)),
        Nor(EQ(n=1), EQ(n=2)) | EQ(s="s1"),
        EQ(s=AnyCase("S7")),
    ],
    ids=str,
)
def test_a_condition_means_what_its_own_eval_says(db: DB, where: BaseCond) -> None:
    expected = [row for row in db.find("rows") if where.eval(row)]
    assert expected
    assert db.find("rows", where) == expected
    assert list(db.iterate("rows", where)) == expected
    assert db.count("rows", where) == len(expected)


class Storing(BaseCond):
    def eval(self, row: Row) -> bool:
        db = self.params["db"]
        db.insert("rows", {"n": 1, "s": row["s"]})
        return True


class Alone(BaseCond):
    def eval(self, row: Row) -> bool:
        return bool(self.params["db"].count("rows", EQ(s=row["s"])) == 1)


@pytest.mark.parametrize("where", [EQ(n=1), EQ(id=3), GE(id=0)], ids=str)
def test_a_condition_that_stores_is_refused_and_nothing_is_stored(db: DB, where: BaseCond) -> None:
    calls: list[Any] = [db.find, lambda *args: list(db.iterate(*args)), db.count, db.delete_where]
    for call in calls:
        with pytest.raises(TransactionError):
            call("rows", where & Storing(db=db))
    assert db.count("rows") == 30


def test_what_update_where_asks_may_read_and_not_write(db: DB) -> None:
    def more(row: Row) -> dict[str, Any]:
        return {"n": db.count("rows", EQ(n=row["n"])) + row["id"]}

    # each row is counted as all are before the call
    assert db.update_where("rows", EQ(n=1) & Alone(db=db), more) == list(range(2, 30, 3))
    assert [row["n"] for row in db.find("rows", GE(n=3))] == [10 + pk for pk in range(2, 30, 3)]
    assert db.delete_where("rows", ISNULL("n") & Alone(db=db)) == list(range(1, 30, 3))

    def store(row: Row) -> dict[str, Any]:
        db.insert("rows", {"n": 1, "s": row["s"]})
        return {"n": 1}

    with pytest.raises(TransactionError):
        db.update_where("rows", None, store)
    assert db.count("rows") == 20
    assert db.check().ok


def test_a_condition_too_deep_for_python_is_refused(db: DB) -> None:
    deep: BaseCond = EQ(n=1)
    for _ in range(MOST_LEVELS // 2):
        deep = (deep | EQ(s="s7")) & GE(id=0)
    assert len(db.find("rows", deep)) == len(list(db.iterate("rows", deep))) == 10
    assert "EQ(s='s7')" in db.explain("rows", deep)
    with pytest.raises(ValidationError, match="levels"):
        Not(deep)
    with pytest.raises(ValidationError, match="is not a condition"):
        Not("n")  # type: ignore[arg-type]


def test_a_long_chain_is_one_level_and_its_equalities_are_looked_for_together(db: DB) -> None:
    chain: BaseCond = GE(id=29) | IN(n=[])
    for n in range(2_000):
        chain |= EQ(s=f"s{n * 3}") | IN(s=[f"s{n + 28}", None]) | ISNULL("s")
    found = [row["id"] for row in db.find("rows", chain)]
    assert found == [row["id"] for row in db.find("rows") if chain.eval(row)]
    assert found == [*range(1, 29, 3), 29, 30]


def test_what_is_not_a_number_cannot_be_compared(db: DB) -> None:
    for where in (LT(n=Decimal("nan")), GE(id=Decimal("nan"))):
        with pytest.raises(ValidationError, match="cannot compare"):
            db.find("rows", where)
    assert db.find("rows", EQ(n=Decimal("nan"))) == []
