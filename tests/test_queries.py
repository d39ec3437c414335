"""The query calls of ``DB``: what they refuse, what they explain, in which form rows come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    BETWEEN,
    CHAR,
    COUNT,
    DB,
    DECIMAL,
    EQ,
    FK,
    GE,
    GT,
    IN,
    ISNULL,
    ISUBSTR,
    JSON,
    LT,
    MAX,
    NE,
    PK,
    PREFIX,
    SUM,
    And,
    Field,
    IntegrityError,
    Join,
    NotFoundError,
    Or,
    Row,
    Schema,
    Table,
    TransactionError,
    ValidationError,
)


@dataclass
class Account:
    """A row of accounts."""

    id: int
    owner: int
    name: str
    balance: Decimal | None
    more: Any = None


class Owners(Table):
    """Those whom accounts belong to."""

    name = "owners"
    schema = Schema([Field("id", PK()), Field("first", CHAR(10))])


class Accounts(Table):
    """A field of each kind that matters here."""

    name = "accounts"
    schema = Schema(
        [
            Field("id", PK()),
            Field("owner", FK("owners", on_delete="cascade")),
            Field("name", CHAR(10, unique=True)),
            Field("balance", DECIMAL(7, 2, null=True)),
            Field("more", JSON(null=True)),
        ],
        indexes=[("owner", "balance")],
    )
    row_type = Account


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([Owners, Accounts], tmp_path, durability="off") as opened:
        opened.insert_many("owners", [{"first": "Ada"}, {"first": "Bob"}])
        opened.insert_many(
            "accounts",
            [
                {"owner": 1, "name": "a", "balance": Decimal(10)},
                {"owner": 2, "name": "b", "balance": None},
                {"owner": 1, "name": "c", "balance": Decimal("2.50"), "more": {"x": 1}},
            ],
        )
        yield opened


REFUSED: dict[str, Callable[[DB], object]] = {
    "No such table": lambda db: db.find("nothing"),
    "is neither a table's name nor its class": lambda db: db.find(3),  # type: ignore[call-overload]
    "is not a condition": lambda db: db.find("accounts", {"id": 1}),  # type: ignore[call-overload]
    "'nix': no such field": lambda db: db.find("accounts", EQ(id=1) & ~EQ(nix=1)),
    "'nope': no such field": lambda db: db.find("accounts", fields=["nope"]),
    "'other': no such field": lambda db: db.find("accounts", order_by="-other"),
    "JSON have no order": lambda db: db.find("accounts", order_by="more"),
    "limit=-1": lambda db: db.find("accounts", limit=-1),
    "limit=True": lambda db: db.find("accounts", limit=True),
    "offset=1.5": lambda db: db.iterate("accounts", offset=1.5),  # type: ignore[call-overload]
    "is no pair of bounds": lambda _: BETWEEN(id=3),
    "is no list of values": lambda _: IN(name="abc"),
    "combined by & | ~": lambda _: EQ(id=1) and EQ(id=2),
    "And needs at least one": lambda _: And(),
    "cannot compare `Decimal`": lambda db: db.find("accounts", GT(balance="x")),
    "cannot be added up": lambda db: db.sum("accounts", "name"),
    "MAX needs|no such field": lambda db: db.max("accounts", "never"),
    "no order": lambda db: db.min("accounts", "more"),
    "no field to group by": lambda db: db.group_by("accounts", [], {}),
    "is no aggregate": lambda db: db.group_by(
        "accounts",
        "owner",
        {"n": 3},  # type: ignore[dict-item]
    ),
    "have this name": lambda db: db.group_by("accounts", "owner", {"owner": COUNT()}),
    "a value is needed": lambda db: db.upsert("accounts", {"name": "z"}),
    "finds several rows, with ids 1, 3": lambda db: db.upsert(
        "accounts", {"owner": 1, "name": "z"}, on="owner"
    ),
    "does not map field names": lambda db: db.update_where("accounts", None, lambda row: row["id"]),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_says_why_and_changes_nothing(db: DB, text: str) -> None:
    before = db.find_all("accounts")
    with pytest.raises(ValidationError, match=text):
        REFUSED[text](db)
    assert db.find_all("accounts") == before


def test_an_option_that_there_is_not_is_a_type_error(db: DB) -> None:
    with pytest.raises(TypeError, match="orderby"):
        db.find("accounts", orderby="id")  # type: ignore[call-overload]


def test_rows_come_as_the_class_has_them(db: DB) -> None:
    found = db.find(Accounts, EQ(owner=1), order_by="-balance")
    assert found == [
        Account(1, 1, "a", Decimal("10.00")), Account(3, 1, "c", Decimal("2.50"), {"x": 1}),
    ]  # fmt: skip
    assert [account.name for account in db.iterate(Accounts, order_by="id")] == ["a", "b", "c"]
    assert type(db.find("accounts")[0]) is Row
    assert type(db.find(Owners)[0]) is Row
    with pytest.raises(ValidationError, match="Account cannot be made of id, name: "):
        db.find(Accounts, fields=["id", "name"])
    with pytest.raises(ValidationError, match="Account cannot be made of"):
        db.find(Accounts, joins=[Join("owner", "who", "owners")])


def test_conditions_are_combined_and_shown_as_one_writes_them() -> None:
    cond = (EQ(a=1) | ISNULL("b", "c")) & ~(NE(d="x") & GE(e=2)) & ~IN(f=[1, None])
    text = "(EQ(a=1) | ISNULL('b', 'c')) & ~(NE(d='x') & GE(e=2)) & ~IN(f=[1, None])"
    assert repr(cond) == text
    assert repr(PREFIX(a="b")) == "PREFIX(a='b')"
    assert len(And(EQ(a=1), EQ(b=2) & EQ(c=3)).parts) == 3
    assert len(Or(EQ(a=1), EQ(b=2) & EQ(c=3)).parts) == 2


PLANS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["read the whole table"]),
    ({"where": EQ(id=3)}, ["look 1 id up", "keep rows that fulfil EQ(id=3)"]),
    ({"where": IN(id=[3, 4, 3])}, ["look 2 ids up"]),
    ({"where": GT(id=3), "order_by": "-id"}, ["read a range of ids, backwards", "nothing to sort"]),
    ({"order_by": "id", "limit": 5}, ["read a range of ids", "stop after 5 rows"]),
    ({"where": EQ(name="a")}, ["read a stretch of the unique index of name"]),
    ({"where": PREFIX(name="a") & EQ(balance=None)}, ["the unique index of name"]),
    ({"where": IN(owner=[1, 2])}, ["read 2 stretches of the index of owner, balance"]),
    ({"where": IN(owner=[])}, ["nothing, by the index of owner, balance"]),
    (
        {"where": EQ(owner=1) & BETWEEN(balance=(1, 2)), "order_by": "-balance"},
        ["read a stretch of the index of owner, balance, backwards", "nothing to sort"],
    ),
    (
        {"where": EQ(owner=1), "order_by": ["balance", "name"], "limit": 1},
        ["the index of owner, balance", "sort rows that the index does not tell apart"],
    ),
    (
        {"where": EQ(name="a") | EQ(id=1)},
        ["each of these ways: read a stretch of the unique index of name; or look 1 id up"],
    ),
    ({"where": EQ(name="a") | ISUBSTR(name="b")}, ["read the whole table"]),
    ({"where": ~EQ(owner=1)}, ["read the whole table", "fulfil ~EQ(owner=1)"]),
    (
        {"where": GE(owner=1), "order_by": "name", "limit": 1},
        [
            "read a stretch of the index of owner, balance",
            "if that is more than 1000 rows: read a stretch of the unique index of name",
            "sort by name",
        ],
    ),
    ({"where": EQ(balance=1), "order_by": "balance"}, ["read the whole table", "sort by balance"]),
    (
        {"order_by": ["-name"], "limit": 2, "offset": 1, "fields": ["id", "name"]},
        ["the unique index of name, backwards", "leave out 1 row", "give id, name of each row"],
    ),
    ({"joins": [Join("owner", "who", "owners")]}, ["join owners by owner"]),
]


@pytest.mark.parametrize("asked,lines", PLANS, ids=["+".join(asked) for asked, _ in PLANS])
def test_explain_tells_the_way(db: DB, asked: dict[str, Any], lines: list[str]) -> None:
    text = db.explain("accounts", **asked)
    assert text.startswith("accounts: ")
    for line in lines:
        assert line in text


def test_upsert_changes_or_stores_and_both_are_checked(db: DB) -> None:
    assert db.upsert("accounts", {"id": 2, "balance": Decimal(1)})["name"] == "b"
    new = db.upsert("accounts", {"name": "d", "owner": 2, "balance": Decimal(4)}, on="name")
    assert new["id"] == 4
    assert db.upsert("accounts", {"name": "d", "owner": 1}, on=["name"])["balance"] == 4
    with pytest.raises(IntegrityError):
        db.upsert("accounts", {"id": 1, "name": "d"})
    with pytest.raises(ValueError, match="9"):
        db.upsert("accounts", {"name": "e", "owner": 9}, on="name")
    assert db.count("accounts") == 4


def test_update_where_takes_a_function_and_is_one_transaction(db: DB) -> None:
    ids = db.update_where(
        "accounts", ~ISNULL("balance"), lambda row: {"balance": row["balance"] * 2}
    )
    assert ids == [1, 3]
    assert db.sum("accounts", "balance") == 25
    with pytest.raises(IntegrityError):
        db.update_where("accounts", LT(id=3), {"name": "same"})
    assert [row["name"] for row in db.find("accounts")] == ["a", "b", "c"]
    assert db.update_where("accounts", EQ(id=77), {"name": "same"}) == []


def test_a_function_that_uses_the_database_is_refused(db: DB) -> None:
    def meddling(row: Row) -> dict[str, Any]:
        db.delete_by_id("accounts", row["id"])
        return {"name": "x"}

    with pytest.raises(TransactionError):
        db.update_where("accounts", EQ(id=1), meddling)
    assert db.count("accounts") == 3


def test_delete_where_decides_for_all_rows_together(db: DB) -> None:
    assert db.delete_where("owners", EQ(first="Ada")) == [1]
    assert [row["id"] for row in db.find("accounts")] == [2]
    assert db.delete_where("accounts", None) == [2]
    assert db.delete_where("accounts", None) == []
    with pytest.raises(NotFoundError):
        db.delete_by_id("accounts", 2)


def test_rows_are_added_up(db: DB) -> None:
    assert db.count(Accounts) == 3
    assert db.count("accounts", GE(balance=3)) == 1
    assert db.max("accounts", "balance") == 10
    assert db.min("accounts", "balance", EQ(owner=2)) is None
    assert db.sum("accounts", "balance", EQ(owner=2)) == 0
    assert db.group_by(
        "accounts", "owner", {"n": COUNT(), "some": COUNT("balance"), "sum": SUM("balance")}
    ) == [
        {"owner": 1, "n": 2, "some": 2, "sum": Decimal("12.50")},
        {"owner": 2, "n": 1, "some": 0, "sum": 0},
    ]
    assert db.group_by("accounts", ["balance"], {}, EQ(owner=2)) == [{"balance": None}]
    assert db.group_by("accounts", "owner", {"most": MAX("name")}, EQ(id=99)) == []


def test_queries_see_the_transaction_that_they_are_in(db: DB) -> None:
    with db.transaction():
        db.insert("accounts", {"owner": 2, "name": "e", "balance": Decimal(3)})
        assert db.count("accounts") == 4
        assert db.find("accounts", EQ(name="e"), fields=["id"]) == [{"id": 4}]
        assert db.max("accounts", "balance", EQ(owner=2)) == 3
        assert db.find("accounts", order_by="-name", limit=1)[0]["name"] == "e"
        db.delete_where("accounts", EQ(name="e"))
    assert db.count("accounts") == 3
