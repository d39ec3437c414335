"""Queries against sqlite3: the same rows, the same question, the same answer in the same order.

A table of each kind is asked: without an index, and with some of each shape; and once with so small
a bound on what is looked at along an index that the whole table is read instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import (
    BETWEEN,
    BOOL,
    CHAR,
    COUNT,
    DATE,
    DB,
    DECIMAL,
    EQ,
    FK,
    GE,
    GT,
    IN,
    INT,
    ISNULL,
    ISUBSTR,
    LE,
    LT,
    MAX,
    MIN,
    NE,
    PK,
    PREFIX,
    SUBSTR,
    SUM,
    TEXT,
    And,
    BaseCond,
    Field,
    InverseJoin,
    Join,
    Not,
    Or,
    Row,
    Schema,
    Table,
)
from bazanite.query import fetch, order, plan, top

Values = dict[str, Any]
KEYS: list[list[str | tuple[str, ...]]] = [
    [],
    ["n"],
    ["s", "d"],
    [("n", "s"), "t"],
    [("b", "n", "id"), ("s", "n"), "m"],
]


def table_class(keys: list[str | tuple[str, ...]]) -> type[Table]:
    """One of each type, and of each another that is indexed."""

    class Things(Table):
        name = "things"
        schema = Schema(
            [
                Field("id", PK()),
                Field("n", INT(3, null=True)),
                Field("s", CHAR(6, null=True)),
                Field("d", DATE(null=True)),
                Field("b", BOOL(null=True)),
                Field("m", DECIMAL(4, 1, null=True)),
                Field("t", TEXT(null=True)),
                Field("p", FK("parents", null=True)),
            ],
            indexes=keys,
        )

    return Things


class Parents(Table):
    """What things refer to; they have a parent themselves."""

    name = "parents"
    schema = Schema([Field("id", PK()), Field("up", FK("parents", null=True))])


TEXTS = ["", "a", "A", "ab", "aB b", "b", "é", "Éa", "zz", "0"]
LONG = ["x" * 70 + "1", "x" * 70, "x" * 70 + "0", "x" * 64]
DAYS = [date(1, 1, 1), date(1999, 12, 31), date(2026, 1, 2), date(2026, 11, 26)]
AMOUNTS = [Decimal(n) / 10 for n in (-25, -5, 0, 5, 100)]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(-3, 5),
    "s": st.sampled_from(TEXTS),
    "d": st.sampled_from(DAYS),
    "b": st.booleans(),
    "m": st.sampled_from(AMOUNTS),
    "t": st.sampled_from(TEXTS + LONG),
    "p": st.integers(1, 3),
}
FIELDS = ["id", *VALUES]
COMPARING = [EQ, NE, LT, LE, GT, GE]


def of_field(kind: str) -> st.SearchStrategy[Any]:
    """A value of one field."""
    return st.integers(-1, 12) if kind == "id" else VALUES[kind]


def conditions() -> st.SearchStrategy[BaseCond]:
    """Every condition, in each other."""

    def of(kind: str) -> st.SearchStrategy[BaseCond]:
        value = of_field(kind)
        pairs = st.tuples(value, value)
        return st.one_of(
            st.builds(
                lambda c, v: c(**{kind: v}), st.sampled_from([EQ, NE, LT, LE, GT, GE]), value
            ),
            pairs.map(lambda pair: BETWEEN(**{kind: pair})),
            st.lists(st.none() | value, max_size=3).map(lambda some: IN(**{kind: some})),
            st.sampled_from([EQ(**{kind: None}), NE(**{kind: None}), ISNULL(kind)]),
        )

    texts = st.sampled_from(["", "a", "A", "B", " ", "x" * 65, "é"])
    of_texts = st.builds(
        lambda c, k, v: c(**{k: v}),
        st.sampled_from([PREFIX, SUBSTR, ISUBSTR]), st.sampled_from("st"), texts,
    )  # fmt: skip
    simple = st.one_of(*map(of, FIELDS), of_texts)
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            inner.map(lambda c: ~c),
            st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
            st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        ),
        max_leaves=4,
    )


ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()}), max_size=25
)
ORDERS = st.lists(
    st.tuples(st.sampled_from(FIELDS), st.booleans()), max_size=3, unique_by=lambda o: o[0]
)


def stored(value: Any) -> Any:
    """A value as sqlite has it."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value * 10)
    return int(value) if isinstance(value, bool) else value


def sql(cond: BaseCond) -> tuple[str, list[Any]]:
    """The condition in SQL, true or false and never NULL."""
    if isinstance(cond, (And, Or)):
        parts = [sql(part) for part in cond.parts]
        sign = " AND " if isinstance(cond, And) else " OR "
        return f"({sign.join(text for text, _ in parts)})", [v for _, vs in parts for v in vs]
    if isinstance(cond, Not):
        text, values = sql(cond.part)
        return f"(NOT {text})", values
    ((name, value),) = cond.params.items()
    values = [stored(v) for v in value] if isinstance(value, (tuple, list)) else [stored(value)]
    if isinstance(cond, IN):
        return f"({' OR '.join([f'{name} IS ?'] * len(values)) or '0'})", values
    text = {
        EQ: f"{name} IS ?", NE: f"{name} IS NOT ?", ISNULL: f"{name} IS ?",
        LT: f"IFNULL({name} < ?, 0)", LE: f"IFNULL({name} <= ?, 0)",
        GT: f"IFNULL({name} > ?, 0)", GE: f"IFNULL({name} >= ?, 0)",
        BETWEEN: f"IFNULL({name} BETWEEN ? AND ?, 0)",
        PREFIX: f"IFNULL(startswith({name}, ?), 0)", SUBSTR: f"IFNULL(contains({name}, ?), 0)",
        ISUBSTR: f"IFNULL(contains(lower_({name}), lower_(?)), 0)",
    }[type(cond)]  # fmt: skip
    return text, values


@dataclass
class Both:
    """The same rows in both."""

    db: DB
    lite: sqlite3.Connection

    def asked(self, text: str, values: list[Any]) -> list[dict[str, Any]]:
        """What sqlite answers."""
        cursor = self.lite.execute(text, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def as_stored(rows: list[Row]) -> list[dict[str, Any]]:
    """Ours as sqlite has them."""
    return [{name: stored(value) for name, value in row.items()} for row in rows]


@pytest.fixture(scope="module", params=range(len(KEYS)), ids=lambda number: f"keys{number}")
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    lite = sqlite3.connect(":memory:")
    lite.execute(f"CREATE TABLE things (id INTEGER PRIMARY KEY, {', '.join(VALUES)})")
    lite.create_function("startswith", 2, lambda a, b: a is not None and a.startswith(b))
    lite.create_function("contains", 2, lambda a, b: a is not None and b in a)
    lite.create_function("lower_", 1, lambda a: a and a.lower())
    with DB(
        [table_class(KEYS[request.param]), Parents],
        tmp_path_factory.mktemp("data"),
        durability="off",
    ) as db:
        db.insert_many("parents", [{"up": None}, {"up": 1}, {"up": 2}])
        yield Both(db, lite)


def fill(both: Both, rows: list[Values], holes: set[int]) -> None:
    """These rows and no others; those of the holes were deleted."""
    both.db.truncate("things")
    both.db.insert_many("things", rows)
    both.lite.execute("DELETE FROM things")
    for number, row in enumerate(rows, 1):
        values = [number, *(stored(row[name]) for name in VALUES)]
        both.lite.execute(f"INSERT INTO things VALUES ({', '.join('?' * len(values))})", values)
    for number in holes & set(range(1, len(rows) + 1)):
        both.db.delete_by_id("things", number)
        both.lite.execute("DELETE FROM things WHERE id = ?", [number])


HOLES = st.sets(st.integers(1, 25), max_size=4)
FEW = st.sampled_from([64, 1])


@given(
    rows=ROWS, holes=HOLES, where=st.none() | conditions(), orders=ORDERS,
    limit=st.none() | st.integers(0, 6), offset=st.integers(0, 3), few=FEW,
    fields=st.none() | st.lists(st.sampled_from(FIELDS), unique=True, min_size=1),
    run=st.sampled_from([2, 20_000]),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_find_and_iterate(
    both: Both, rows: list[Values], holes: set[int], where: BaseCond | None,
    orders: list[tuple[str, bool]], limit: int | None, offset: int, few: int,
    fields: list[str] | None, run: int,
) -> None:  # fmt: skip
    fill(both, rows, holes)
    total_order = orders if any(name == "id" for name, _ in orders) else [*orders, ("id", False)]
    by = [f"-{name}" if descending else name for name, descending in total_order]
    text, values = ("1", []) if where is None else sql(where)
    listed = ", ".join(f"{n} {'DESC' if descending else 'ASC'}" for n, descending in total_order)
    expected = both.asked(
        f"SELECT {', '.join(fields or FIELDS)} FROM things WHERE {text} ORDER BY {listed}"
        f" LIMIT {-1 if limit is None else limit} OFFSET {offset}",
        values,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "_FEW", few)
        patch.setattr(fetch, "_SHARE", 16 if few == 64 else 1000)
        patch.setattr(order, "_RUN_ROWS", run)
        patch.setattr(plan, "_NARROW", 3 * few)
        patch.setattr(top, "MANY_ROWS", few)
        asked: dict[str, Any] = {"fields": fields, "limit": limit, "offset": offset}
        assert as_stored(both.db.find("things", where, order_by=by, **asked)) == expected
        found = both.db.iterate("things", where, order_by=by, **asked)
        assert as_stored(list(found)) == expected
        if limit is None and offset == 0:
            unordered = both.db.find("things", where, fields=fields)
            key = repr
            assert sorted(as_stored(unordered), key=key) == sorted(expected, key=key)
        # what is equal comes by slot, whichever way it was found
        less = [name for name in by if name not in ("id", "-id")]
        if less:
            first = both.db.find("things", where, order_by=less, **asked)
            assert first == list(both.db.iterate("things", where, order_by=less, **asked))
            every = both.db.find("things", where, order_by=less, fields=fields)
            assert first == every[offset:][:limit]
    assert (
        both.db.count("things", where)
        == both.asked(f"SELECT count(*) AS n FROM things WHERE {text}", values)[0]["n"]
    )
    assert both.db.explain("things", where, order_by=by, **asked).startswith("things: ")
    if where is not None:
        every = [row for row in both.db.find_all("things") if where.eval(row)]
        assert both.db.find_by_cond("things", where) == every


@given(
    rows=ROWS, holes=HOLES, where=st.none() | conditions(),
    by=st.lists(st.sampled_from(FIELDS), unique=True, min_size=1, max_size=2),
    of=st.sampled_from(FIELDS), few=FEW,
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_groups(
    both: Both, rows: list[Values], holes: set[int], where: BaseCond | None, by: list[str],
    of: str, few: int,
) -> None:  # fmt: skip
    fill(both, rows, holes)
    text, values = ("1", []) if where is None else sql(where)
    names = ", ".join(by)
    expected = both.asked(
        f"SELECT {names}, count(*) AS rows_, count({of}) AS some, min({of}) AS least,"
        f" max({of}) AS most, IFNULL(sum(n), 0) AS total FROM things WHERE {text}"
        f" GROUP BY {names} ORDER BY {names}",
        values,
    )
    aggregates = {
        "rows_": COUNT(), "some": COUNT(of), "least": MIN(of), "most": MAX(of), "total": SUM("n"),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "_FEW", few)
        assert as_stored(both.db.group_by("things", by, aggregates, where)) == expected
        (whole,) = both.asked(
            f"SELECT min({of}) AS least, max({of}) AS most, IFNULL(sum(m), 0) AS total"
            f" FROM things WHERE {text}",
            values,
        )
        found = {
            "least": both.db.min("things", of, where), "most": both.db.max("things", of, where),
            "total": Decimal(both.db.sum("things", "m", where)),
        }  # fmt: skip
        assert {name: stored(value) for name, value in found.items()} == whole


@given(rows=ROWS, holes=HOLES, where=st.none() | conditions(), number=st.integers(-2, 4))
@settings(max_examples=60, deadline=None)
def test_changing_what_is_found(
    both: Both, rows: list[Values], holes: set[int], where: BaseCond | None, number: int
) -> None:
    fill(both, rows, holes)
    text, values = ("1", []) if where is None else sql(where)
    wanted = [row["id"] for row in both.asked(f"SELECT id FROM things WHERE {text}", values)]
    ids = both.db.update_where("things", where, {"n": number, "s": "new"})
    assert sorted(ids) == sorted(wanted)
    both.lite.execute(f"UPDATE things SET n = ?, s = 'new' WHERE {text}", [number, *values])
    every = both.asked("SELECT * FROM things ORDER BY id", [])
    assert as_stored(both.db.find("things", order_by="id")) == every
    wanted = [row["id"] for row in both.asked(f"SELECT id FROM things WHERE {text}", values)]
    assert sorted(both.db.delete_where("things", where)) == sorted(wanted)
    both.lite.execute(f"DELETE FROM things WHERE {text}", values)
    every = both.asked("SELECT * FROM things ORDER BY id", [])
    assert as_stored(both.db.find("things", order_by="id")) == every
    assert both.db.check().ok


@given(rows=ROWS, where=st.none() | conditions())
@settings(max_examples=30, deadline=None)
def test_joins_through_levels(both: Both, rows: list[Values], where: BaseCond | None) -> None:
    fill(both, rows, set())
    text, values = ("1", []) if where is None else sql(where)
    both.lite.execute("CREATE TABLE IF NOT EXISTS parents (id INTEGER PRIMARY KEY, up)")
    both.lite.execute("INSERT OR IGNORE INTO parents VALUES (1, NULL), (2, 1), (3, 2)")
    expected = both.asked(
        "SELECT t.id AS id, a.id AS one, b.id AS two FROM things t LEFT JOIN parents a ON"
        f" a.id = t.p LEFT JOIN parents b ON b.id = a.up WHERE {text.replace('id ', 't.id ')}"
        " ORDER BY t.id"
        if where is None
        else "SELECT t.id AS id, a.id AS one, b.id AS two FROM"
        f" (SELECT * FROM things WHERE {text}) t LEFT JOIN parents a ON"
        " a.id = t.p LEFT JOIN parents b ON b.id = a.up ORDER BY t.id",
        values,
    )
    up = Join("p", "parent", "parents", joins=[Join("up", "parent", "parents")])
    for rows_found in (
        both.db.find("things", where, order_by="id", joins=[up], fields=["id"]),
        list(both.db.iterate("things", where, order_by="id", joins=[up], fields=["id"])),
    ):
        found = []
        for row in rows_found:
            assert list(row) == ["id", "parent"]
            parent = row["parent"]
            above = None if parent is None else parent["parent"]
            one = None if parent is None else parent["id"]
            found.append(
                {"id": row["id"], "one": one, "two": None if above is None else above["id"]}
            )
        assert found == expected
    down = InverseJoin("up", "children", "parents", joins=[InverseJoin("p", "things", "things")])
    (top,) = both.db.find("parents", EQ(id=1), joins=[down])
    assert [child["id"] for child in top["children"]] == [2]
    things = [row["id"] for row in both.db.find_by_cond("things", EQ(p=2))]
    assert [thing["id"] for thing in top["children"][0]["things"]] == things
