"""Row changes told from the log: replayed, they give the tables at every log position.

The tables are what the engine itself says; the changes come from frames alone, through an archive
of a log so small that it starts anew every few calls.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import (
    BLOB,
    CHAR,
    DB,
    FK,
    INT,
    PK,
    TEXT,
    DBError,
    Field,
    Schema,
    Table,
)
from bazanite.changes import Change, Changes, Commit
from seam import Seam

Tables = dict[str, dict[int | None, dict[str, Any]]]


class People(Table):
    name = "people"
    schema = Schema(
        [
            Field("id", PK()),
            Field("name", CHAR(6, null=True, index=True)),
            Field("note", TEXT(null=True)),
            Field("photo", BLOB(null=True)),
        ]
    )


class Pets(Table):
    name = "pets"
    schema = Schema(
        [
            Field("n", INT(null=True)),
            Field("id", PK()),
            Field("owner", FK("people", null=True, on_delete="cascade")),
            Field("vet", FK("people", null=True, on_delete="set_null")),
            Field("story", TEXT()),
        ]
    )


Call = tuple[Any, ...]
TEXTS = ["", "a", "five5", "twelve chars", "x" * 300, "#########", "ü" * 9]
FILL: list[Call] = [
    ("insert_many", "people", [{"name": "ann", "note": f"n {i}", "photo": b"p"} for i in range(6)]),
    ("insert_many", "pets", [{"story": "s" * i, "owner": i, "vet": 7 - i} for i in range(1, 7)]),
]
"""So that most calls find rows to change."""
WEIGHTS = {
    "insert": 6, "insert_many": 3, "update_by_id": 12, "delete_by_id": 4, "truncate": 1,
    "vacuum": 2, "savepoint": 3, "undone": 2,
}  # fmt: skip


def values_of(random: Random, table: str, *, all_of_them: bool) -> dict[str, Any]:
    """Values for some columns of a row, or for all that must have one."""
    if table == "people":
        choices: dict[str, list[Any]] = {
            "name": [None, "ann", "bob", "zoe"],
            "note": [None, *TEXTS],
            "photo": [None, b"", random.randbytes(9), random.randbytes(30)],
        }
    else:
        some = [None, random.randint(1, 9)]
        choices = {"n": [None, -5, 7], "owner": some, "vet": some, "story": TEXTS}
    values = {
        name: random.choice(choices[name])
        for name in choices
        if random.random() < 0.4 or (all_of_them and name == "story")
    }
    return values | ({"id": random.randint(1, 9)} if random.random() < 0.25 else {})


def call_of(random: Random, depth: int = 0) -> Call:
    """One call, or some within a savepoint that is kept or undone."""
    kinds = [*WEIGHTS][: -2 if depth == 2 else None]
    kind = random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
    table = random.choice(["people", "pets"])
    if kind in ("savepoint", "undone"):
        return kind, [call_of(random, depth + 1) for _ in range(random.randint(1, 4))]
    if kind == "insert_many":
        rows = [values_of(random, table, all_of_them=True) for _ in range(random.randint(1, 20))]
        if random.random() < 0.8:
            rows = [{name: v for name, v in row.items() if name != "id"} for row in rows]
        return kind, table, rows
    if kind == "insert":
        return kind, table, values_of(random, table, all_of_them=True)
    if kind == "update_by_id":
        return kind, table, random.randint(1, 9), values_of(random, table, all_of_them=False)
    if kind == "delete_by_id":
        return kind, table, random.randint(1, 9)
    return (kind, table, random.random() < 0.7) if kind == "truncate" else (kind, table)


class Undone(Exception):
    pass


def make(db: DB, call: Call) -> None:
    """Make one call; what is refused changes nothing."""
    with contextlib.suppress(DBError, ValueError, Undone):
        if call[0] in ("savepoint", "undone"):
            with db.transaction():
                for one in call[1]:
                    make(db, one)
                if call[0] == "undone":
                    raise Undone
        else:
            getattr(db, call[0])(*call[1:])


def tables_of(db: DB) -> Tables:
    return {
        name: {row["id"]: dict(row) for row in table.find_all()}
        for name, table in db.tables.items()
    }


def replay(tables: Tables, change: Change) -> None:
    """What whoever follows does with a change; it must fit what is there."""
    rows = tables.setdefault(change.table, {})
    if change.op in ("schema", "truncate"):
        rows.clear()
    elif change.op == "delete":
        del rows[change.id]
    elif change.op in ("insert", "update"):
        assert change.row is not None
        assert change.id == change.row["id"]
        assert (change.op == "update") == (change.id in rows)
        kept = {name: rows[change.id][name] for name in change.unchanged}
        assert not kept.keys() & change.row.keys()
        rows[change.id] = {**kept, **change.row}
    else:
        assert change.op == "vacuum"


def opened(path: Path | str, **options: Any) -> DB:
    # over a seam that syncs nothing, as nobody cuts the power here
    return DB([People, Pets], path, log_size_bytes=8192, system=Seam(), **options)


def commits(path: Path | str, start: int | None = None) -> list[Commit]:
    with Changes(path, start) as changes:
        return list(changes.read())


@pytest.mark.parametrize("more", [{}, {"checksums": True}, {"powersafe_overwrite": False}])
def test_the_changes_replayed_give_the_tables_at_every_position(more: dict[str, Any]) -> None:
    @settings(max_examples=10)
    @given(st.integers(0, 1 << 32))
    def check(seed: int) -> None:
        random = Random(seed)
        transactions = [
            [call_of(random) for _ in range(random.choice([1, 1, 2, 5, 9]))] for _ in range(40)
        ]
        with TemporaryDirectory() as path:
            states: dict[int, Tables] = {}
            with opened(path, durability="normal", **more) as db:
                db.archive(1 << 20)
                start = db.stats()["end_lsn"]
                for calls in [FILL, *transactions]:
                    with db.transaction() as tx:
                        for call in calls:
                            make(db, call)
                    states[tx.lsn] = tables_of(db)
                found = commits(path, start)
            tables: Tables = {"people": {}, "pets": {}}
            told = {commit.lsn: commit for commit in found}
            assert list(told) == sorted(told)
            assert told.keys() <= states.keys()
            for lsn, state in states.items():
                if lsn in told:
                    before = {name: dict(rows) for name, rows in tables.items()}
                    for change in told[lsn].changes:
                        replay(tables, change)
                    ids = [(c.table, c.id) for c in told[lsn].changes if c.id is not None]
                    assert len(set(ids)) == len(ids)
                    gone = [c for c in told[lsn].changes if c.op == "delete"]
                    assert all(c.id in before[c.table] for c in gone)
                assert tables == state, f"at LSN {lsn}"
            assert commits(path, start) == found  # closed, it is told from the archive alone

    check()
