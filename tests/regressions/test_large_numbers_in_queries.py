"""Numbers that are large in one way or another.

Once, `sum` of a DECIMAL was rounded to the 28 digits of the program's decimal context.  Decimals
above what a float can be had all one key, so that they were not in order with such ints, and an
index did not find them by an int.  A `limit` or `offset` above `sys.maxsize` was a bare ValueError,
and two lists of ids that must both hold took the square of their length.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from bazanite import (
    COUNT,
    DB,
    DECIMAL,
    EQ,
    GE,
    IN,
    INT,
    LT,
    PK,
    SUM,
    BaseCond,
    Field,
    Schema,
    Table,
)

HUGE = [10**308, 10**309, 10**350, 10**400 + 1, -(10**400), 5]


class Numbers(Table):
    name = "numbers"
    schema = Schema(
        [Field("id", PK()), Field("d", DECIMAL(640, 2)), Field("w", INT(640))], indexes=["d", "w"]
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([Numbers], tmp_path / "data", durability="off") as opened:
        opened.insert_many("numbers", [{"d": n + Decimal("0.5"), "w": n} for n in HUGE[-1:]])
        yield opened


def test_a_sum_has_all_its_digits_whatever_the_context(db: DB) -> None:
    with localcontext(prec=1000):
        values = [Decimal(10) ** 637 - 1 - Decimal("0.25"), Decimal("0.01"), Decimal(10) ** 300]
        expected = sum(values, Decimal("5.5"))
    db.insert_many("numbers", [{"d": value, "w": 5} for value in values])
    with localcontext(prec=3):
        found = [db.sum("numbers", "d"), db.group_by("numbers", "w", {"d": SUM("d")})[0]["d"]]
    assert found == [expected, expected]


@pytest.mark.parametrize("value", HUGE, ids=[f"{value:.3e}" for value in map(Decimal, HUGE)])
def test_an_index_has_large_decimals_and_ints_in_one_order(db: DB, value: int) -> None:
    db.truncate("numbers")
    db.insert_many("numbers", [{"d": Decimal(n), "w": n} for n in HUGE])
    conditions: list[BaseCond] = [
        cond(**{field: given})
        for cond in (EQ, LT, GE)
        for field in ("d", "w")
        for given in (value, Decimal(value))
    ]
    for where in conditions:
        expected = [row for row in db.find("numbers") if where.eval(row)]
        assert db.find("numbers", where) == expected, where
    assert [row["w"] for row in db.find("numbers", order_by="d")] == sorted(HUGE)


def test_limits_may_be_as_large_as_one_likes(db: DB) -> None:
    for large in (sys.maxsize, sys.maxsize + 1, 10**30):
        assert len(db.find("numbers", limit=large, offset=0)) == 1
        for limit in (None, large):
            assert db.find("numbers", limit=limit, offset=large) == []
            assert list(db.iterate("numbers", order_by="w", limit=limit, offset=large)) == []


def test_many_ids_twice_are_looked_for_once(db: DB) -> None:
    count = 100_000
    ids = range(count)
    assert db.count("numbers", IN(id=ids) & IN(id=ids)) == 1
    assert db.group_by("numbers", "w", {"n": COUNT()}, IN(id=ids) & IN(id=ids)) == [
        {"w": 5, "n": 1}
    ]
