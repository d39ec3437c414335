"""What the tests of a vacuum in many steps have in common: tiny steps, a table with all kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from bazanite import (
    BLOB,
    CHAR,
    DB,
    INT,
    JSON,
    PK,
    TEXT,
    DBError,
    Field,
    Schema,
    Table,
    vacuum,
    vacuum_rows,
    vacuum_texts,
)
from bazanite.vacuum import Vacuum

MARKS = 60
Rows = dict[int, dict[str, Any]]


class Notes(Table):
    """Long values of every type, indexes of every sort."""

    name = "notes"
    schema = Schema(
        [
            Field("id", PK()),
            Field("title", TEXT(null=True, index=True)),
            Field("kind", INT(null=True, index=True)),
            Field("mark", CHAR(3, null=True, unique=True)),
            Field("body", JSON(null=True)),
            Field("raw", BLOB(null=True)),
        ]
    )


def tiny_steps(patch: pytest.MonkeyPatch, rows: int = 3, values: int = 3, span: int = 90) -> None:
    """Let a vacuum of a few rows take many transactions."""
    patch.setattr(vacuum, "SMALL_BYTES", 0)
    patch.setattr(vacuum, "SLOTS_AT_ONCE", 7)
    patch.setattr(vacuum, "MOST_VALUES", 11)
    patch.setattr(vacuum, "rows_at_once", lambda _rules, _free: rows)
    patch.setattr(vacuum_rows, "_LOOK_FACTOR", 2)
    patch.setattr(vacuum_texts, "STEP_VALUES", values)
    patch.setattr(vacuum_texts, "STEP_SPAN", span)
    patch.setattr(vacuum_texts, "_REMEMBERED", 5)


def between_steps(patch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    """Call this between any two transactions of a vacuum, and behind the last."""
    step = Vacuum._step

    @contextmanager
    def stepped(self: Vacuum) -> Iterator[Any]:
        with step(self) as given:
            yield given
        do()

    patch.setattr(Vacuum, "_step", stepped)


def values_of(random: Random) -> dict[str, Any]:
    """Values for some of the columns."""
    choices: dict[str, Callable[[], Any]] = {
        "title": lambda: random.choice([None, "", "a title", "#" * 12, "long " * 9]),
        "kind": lambda: random.choice([None, 1, 2]),
        "mark": lambda: random.choice([None, str(random.randrange(MARKS))]),
        "body": lambda: random.choice([None, [1, "#"], {"k": "v" * random.randrange(30)}]),
        "raw": lambda: random.choice([None, b"", random.randbytes(random.randrange(20))]),
    }
    return {name: make() for name, make in choices.items() if random.random() < 0.6}


def change(random: Random, db: DB, model: Rows) -> None:
    """One insert, update or delete, or a few in a transaction; the model follows what is done."""
    if random.random() < 0.1:
        with db.transaction():
            for _ in range(3):
                change_once(random, db, model)
    else:
        change_once(random, db, model)


def change_once(random: Random, db: DB, model: Rows) -> None:
    """One of them; a value that is not unique is refused."""
    kind = random.choice(["insert", "insert", "update", "update", "delete", "move"])
    pk = random.choice(sorted(model)) if model else 0
    try:
        if kind == "insert" or not model:
            gone = sorted(set(range(1, max(model, default=1))) - model.keys())
            more = {"id": random.choice(gone)} if gone and random.random() < 0.3 else {}
            row = db.insert("notes", {**values_of(random), **more})
            model[row["id"]] = dict(row)
        elif kind == "update":
            model[pk] = dict(db.update_by_id("notes", pk, values_of(random)))
        elif kind == "delete":
            db.delete_by_id("notes", pk)
            del model[pk]
        else:
            row = db.update_by_id("notes", pk, {"id": pk + 1})
            del model[pk]
            model[pk + 1] = dict(row)
    except DBError:
        assert kind != "delete"


def filled(random: Random, db: DB, count: int, deleted: float) -> Rows:
    """So many rows, of which this share is deleted again, and some are changed."""
    rows = [{**values_of(random), "mark": None} for _ in range(count)]
    model: Rows = {row["id"]: dict(row) for row in db.insert_many("notes", rows)}
    for pk in random.sample(sorted(model), int(count * deleted)):
        db.delete_by_id("notes", pk)
        del model[pk]
    for _ in range(count // 5):
        change_once(random, db, model)
    return model


def rows_of(db: DB) -> Rows:
    """All rows by their ids."""
    return {row["id"]: dict(row) for row in db.find_all("notes")}
