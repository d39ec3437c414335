"""Which calls the processes of a crowd make: few shared rows, and every call that there is.

Rows are few, so that calls meet; every value is different, so that a wrong one can be told.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from bazanite_stress.explore.workload import Columns, Step

TABLES: dict[str, Columns] = {
    "a": {"v": ["char", 12], "n": ["int"]},
    "t": {"a": ["fk", "a"], "v": ["text"]},
}
INDEXED: dict[str, Columns] = {
    name: {column: [*kind, {"index": True}] for column, kind in columns.items()}
    for name, columns in TABLES.items()
}
"""The same with an index of each column: it changes no answer, and the check at the end sees it."""
_MOST_IDS = 24
_LONG = 700
"""Bytes of the longest text: a frame of several sectors."""


class Planner:
    """The calls of one process.  ``reads_only``: it changes nothing."""

    def __init__(self, seed: str, *, reads_only: bool = False) -> None:
        self._random = Random(seed)
        self._name = seed.rpartition("/")[2]
        self._made = 0
        kinds = _READS if reads_only else _READS | _WRITES
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
        return self._random.randint(1, _MOST_IDS)

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self._random.random() < probability

    def some(self, least: int, most: int) -> list[Step]:
        """Changes for a transaction."""
        return [self._change() for _ in range(self._random.randint(least, most))]

    def _change(self) -> Step:
        return self._random.choice(_CHANGES)(self)

    # ---- calls

    def insert(self) -> Step:
        """A row with the next id."""
        return ["insert", "a", {"v": self.value(), "n": self._made}]

    def insert_text(self) -> Step:
        """A row with a text, of any length, and a reference that may be wrong."""
        text = self.value().ljust(self._random.choice((0, 30, _LONG)), "x")
        return ["insert", "t", {"a": self.number(), "v": text}]

    def update(self) -> Step:
        """Another value in a row that may be there."""
        return ["update", "a", self.number(), {"v": self.value()}]

    def update_text(self) -> Step:
        """A text that is longer or shorter, or none."""
        text = None if self.chance(0.1) else self.value() * self._random.choice((1, 3, 40))
        return ["update", "t", self.number(), {"v": text}]

    def delete(self) -> Step:
        """A row that may be there."""
        return ["delete", self._random.choice("at"), self.number()]

    def insert_many(self) -> Step:
        """All of them, or none: an id may be taken."""
        rows: list[dict[str, Any]] = [
            {"v": self.value()} for _ in range(self._random.randint(2, 5))
        ]
        if self.chance(0.3):
            rows[-1]["id"] = self.number()
        return ["insert_many", "a", rows]

    def truncate(self) -> Step:
        """Empty a table; without cascade it may be refused."""
        return ["truncate", self._random.choice("at"), self.chance(0.7)]

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
        return ["find", self._random.choice("at"), self.number()]

    def rows(self) -> Step:
        """All rows of one table."""
        return ["rows", self._random.choice("at")]

    def read(self) -> Step:
        """All rows of all tables, as of one moment."""
        return ["read"]


_CHANGES: tuple[Callable[[Planner], Step], ...] = (
    Planner.insert, Planner.insert_text, Planner.update, Planner.update_text, Planner.delete,
)  # fmt: skip
_WRITES: dict[Callable[[Planner], Step], float] = {
    Planner.insert: 14, Planner.insert_text: 8, Planner.update: 14, Planner.update_text: 7,
    Planner.delete: 14, Planner.insert_many: 3, Planner.truncate: 1.5, Planner.transaction: 16,
    Planner.rollback: 3, Planner.checkpoint: 2, Planner.reopen: 1,
}  # fmt: skip
_READS: dict[Callable[[Planner], Step], float] = {
    Planner.find: 6, Planner.rows: 3, Planner.read: 2,
}  # fmt: skip
