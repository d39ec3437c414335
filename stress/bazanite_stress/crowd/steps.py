"""Which calls the processes of a crowd make: few shared rows, and every call that there is.

Rows are few, so that calls meet; every value is different, so that a wrong one can be told.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from bazanite_stress.explore.workload import Step

from .tables import PLAIN, Design

_MOST_IDS = 24
_FEW_IDS = 8
"""Where rows have to do with others: so few that most are there, and are referred to."""
_LONG = 700
"""Bytes of the longest text: a frame of several sectors."""
_UNIQUE_VALUES = 12
"""So few that one is often taken."""


class Planner:
    """The calls of one process on these tables.  ``reads_only``: it changes nothing."""

    def __init__(self, seed: str, design: Design = PLAIN, *, reads_only: bool = False) -> None:
        self._random = Random(seed)
        self._name = seed.rpartition("/")[2]
        self._made = 0
        self._ruled = design.ruled
        self._tables = list(design.tables)
        self._changes = _CHANGES + _RULED_CHANGES * design.ruled
        kinds = _READS if reads_only else _READS | _WRITES
        if design.ruled and not reads_only:
            kinds = kinds | _RULED_WRITES
        if design.migrates and not reads_only:
            kinds = kinds | _MIGRATING_WRITES
        self._kinds, self._weights = list(kinds), list(kinds.values())

    def next(self) -> Step:
        """The next call."""
        kind = self._random.choices(self._kinds, self._weights)[0]
        return kind(self)

    def value(self) -> str:
        """A text that nobody else writes."""
        self._made += 1
        return f"{self._name}.{self._made}"[:12]

    def number(self) -> int:
        """The id of a row that may be there."""
        return self._random.randint(1, _FEW_IDS if self._ruled else _MOST_IDS)

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self._random.random() < probability

    def some(self, least: int, most: int) -> list[Step]:
        """Changes for a transaction."""
        return [self._change() for _ in range(self._random.randint(least, most))]

    def _change(self) -> Step:
        return self._random.choice(self._changes)(self)

    def _table(self) -> str:
        return self._random.choice(self._tables)

    def _placed(self, values: dict[str, Any]) -> dict[str, Any]:
        """A new row's values; where rows have to do with others, mostly with one of the few ids."""
        if self._ruled and self.chance(0.6):
            return {"id": self.number(), **values}
        return values

    def _unique(self) -> int | None:
        """A value for a column in which it may be taken, if that has rules."""
        if not self._ruled:
            return self._made
        return None if self.chance(0.15) else self._random.randint(1, _UNIQUE_VALUES)

    # ---- calls

    def insert(self) -> Step:
        """A row with the next id."""
        return ["insert", "a", self._placed({"v": self.value(), "n": self._unique()})]

    def insert_text(self) -> Step:
        """A row with a text, of any length, and a reference that may be wrong."""
        text = self.value().ljust(self._random.choice((0, 30, _LONG)), "x")
        return ["insert", "t", self._placed({"a": self.number(), "v": text})]

    def update(self) -> Step:
        """Another value in a row that may be there."""
        return ["update", "a", self.number(), {"v": self.value()}]

    def update_text(self) -> Step:
        """A text that is longer or shorter, or none."""
        text = None if self.chance(0.1) else self.value() * self._random.choice((1, 3, 40))
        return ["update", "t", self.number(), {"v": text}]

    def delete(self) -> Step:
        """A row that may be there."""
        return ["delete", self._table(), self.number()]

    def insert_many(self) -> Step:
        """All of them, or none: an id may be taken."""
        rows: list[dict[str, Any]] = [
            {"v": self.value()} for _ in range(self._random.randint(2, 5))
        ]
        if self._ruled and self.chance(0.5):
            rows[-1]["n"] = self._unique()
        if self.chance(0.3):
            rows[-1]["id"] = self.number()
        return ["insert_many", "a", rows]

    def truncate(self) -> Step:
        """Empty a table; without cascade it may be refused."""
        return ["truncate", self._table(), self.chance(0.7)]

    def insert_side(self) -> Step:
        """A row that refers to two others, of which it holds one fast."""
        values = {"a": self._held(), "t": self.number(), "u": self._short()}
        return ["insert", "s", self._placed(values)]

    def update_side(self) -> Step:
        """Another value in one of its columns."""
        column = self._random.choice("atu")
        values = {"a": self._held(), "t": self.number(), "u": self._short()}
        return ["update", "s", self.number(), {column: values[column]}]

    def update_unique(self) -> Step:
        """A value that another row may have."""
        return ["update", "a", self.number(), {"n": self._unique()}]

    def delete_referred(self) -> Step:
        """A row with which others go, if none holds it fast."""
        return ["delete", "a", self.number()]

    def refer_to_another(self) -> Step:
        """The row goes with another one from now on, or with none."""
        return ["update", "t", self.number(), {"a": None if self.chance(0.2) else self.number()}]

    def family(self) -> Step:
        """A row, some that go with it, and some that refer to these."""
        steps = [self.insert()]
        parent = steps[0][2].setdefault("id", self.number())
        for _ in range(self._random.randint(1, 3)):
            child = self.number()
            text = self.value().ljust(self._random.choice((0, _LONG)), "x")
            steps.append(["insert", "t", {"id": child, "a": parent, "v": text}])
            if self.chance(0.5):
                values = {"a": self._held(), "t": child, "u": self._short()}
                steps.append(["insert", "s", self._placed(values)])
        return ["transaction", steps]

    def _held(self) -> int | None:
        """Seldom any: a row that is referred to there cannot be deleted."""
        return self.number() if self.chance(0.2) else None

    def _short(self) -> str | None:
        taken = self._unique()
        return None if taken is None else f"u{taken}"

    def migrate(self) -> Step:
        """What is next: a handle that knows the tables says which one."""
        return ["migrate"]

    def insert_new_columns(self) -> Step:
        """Values for columns that come and go."""
        return ["insert", "a", self._placed({"v": self.value(), "w": "w", "x": self.value()})]

    def update_new_columns(self) -> Step:
        """The same for a row that may be there; one of them is there mostly."""
        values: dict[str, Any] = {"v": self.value(), "w": self.value(), "x": "x"}
        if self.chance(0.6):
            return ["update", self._random.choice("at"), self.number(), values]
        values = {"t": self.number(), "b": self.number(), "u": self._short(), "y": self._short()}
        return ["update", "s", self.number(), values]

    def transaction(self) -> Step:
        """Several changes; one of them may be a savepoint that is left or rolled back."""
        steps = self.some(2, 4)
        if self.chance(0.4):
            inner = self._random.choice(("transaction", "rollback"))
            steps.insert(self._random.randint(0, len(steps)), [inner, self.some(1, 2)])
        return ["transaction", steps]

    def rollback(self) -> Step:
        """Several changes, none of which stays."""
        return ["rollback", self.some(1, 3)]

    def checkpoint(self) -> Step:
        """Changes nothing."""
        return ["checkpoint"]

    def reopen(self) -> Step:
        """Close and open, while others write."""
        return ["reopen"]

    def find(self) -> Step:
        """One row, which may be there."""
        return ["find", self._table(), self.number()]

    def rows(self) -> Step:
        """All rows of one table."""
        return ["rows", self._table()]

    def read(self) -> Step:
        """All rows of all tables, as of one moment."""
        return ["read"]

    def backup(self) -> Step:
        """The same, of a backup that is made now."""
        return ["backup"]


_CHANGES: tuple[Callable[[Planner], Step], ...] = (
    Planner.insert, Planner.insert_text, Planner.update, Planner.update_text, Planner.delete,
)  # fmt: skip
_RULED_CHANGES: tuple[Callable[[Planner], Step], ...] = (
    Planner.insert_side, Planner.update_side, Planner.update_unique, Planner.refer_to_another,
)  # fmt: skip
_WRITES: dict[Callable[[Planner], Step], float] = {
    Planner.insert: 14, Planner.insert_text: 8, Planner.update: 14, Planner.update_text: 7,
    Planner.delete: 14, Planner.insert_many: 3, Planner.truncate: 1.5, Planner.transaction: 16,
    Planner.rollback: 3, Planner.checkpoint: 2, Planner.reopen: 1,
}  # fmt: skip
_RULED_WRITES: dict[Callable[[Planner], Step], float] = {
    Planner.insert_side: 9, Planner.update_side: 5, Planner.update_unique: 9,
    Planner.refer_to_another: 4, Planner.family: 16, Planner.delete_referred: 16,
    Planner.truncate: 1,
}  # fmt: skip
"""Besides the others, or instead of their weights."""
_MIGRATING_WRITES: dict[Callable[[Planner], Step], float] = {
    Planner.migrate: 10, Planner.insert_new_columns: 8, Planner.update_new_columns: 10,
}  # fmt: skip
_READS: dict[Callable[[Planner], Step], float] = {
    Planner.find: 6, Planner.rows: 3, Planner.read: 2, Planner.backup: 0.7,
}  # fmt: skip
