"""Bazanite itself, through its public interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import bazanite
from bazanite import BETWEEN, COUNT, DB, EQ, GE, GT, SUM, InverseJoin
from bazanite_stress.torture.adapters import table_classes
from bazanite_stress.torture.schema import Table

from .engine import Counters, Session
from .tables import Values

LOG_SIZE_BYTES = 4 << 20
CHECKPOINT_BYTES = LOG_SIZE_BYTES // 2


class BazaniteEngine:
    """Bazanite with its default sizes, at this durability."""

    def __init__(self, durability: str = "full") -> None:
        self._durability = durability

    def open(self, directory: Path, tables: Sequence[Table]) -> Session:
        """As ``Engine`` says."""
        return open_bazanite(directory, tables, self._durability)


def open_bazanite(
    directory: Path, tables: Sequence[Table], durability: str = "full"
) -> BazaniteSession:
    """An open directory, with what it lacks made."""
    classes = table_classes(bazanite, tables, text=False)
    db = DB(
        classes,
        directory,
        durability=durability,
        log_size_bytes=LOG_SIZE_BYTES,
        checkpoint_bytes=CHECKPOINT_BYTES,
    )
    return BazaniteSession(db)


class BazaniteSession:
    """A handle."""

    def __init__(self, db: DB) -> None:
        self.db = db
        self.update = db.update_by_id
        self.get: Callable[[str, int], Values | None] = db.find_by_id
        self.close = db.close

    def insert(self, table: str, values: Values) -> int:
        return int(self.db.insert(table, values)["id"])

    def insert_many(self, table: str, rows: Iterable[Values]) -> None:
        self.db.insert_many(table, rows)

    def transaction(self) -> AbstractContextManager[object]:
        return self.db.transaction()

    def equal(self, table: str, column: str, value: int) -> list[Values]:
        return list[Values](self.db.find_by_cond(table, EQ(**{column: value})))

    def greater(self, table: str, column: str, value: int) -> list[Values]:
        return list[Values](self.db.find_by_cond(table, GT(**{column: value})))

    def scan(self, table: str) -> list[Values]:
        return cast("list[Values]", self.db.find_all(table))

    def page(self, table: str, first: int, count: int) -> list[Values]:
        return list[Values](self.db.find(table, GE(id=first), order_by="id", limit=count))

    def between(self, table: str, column: str, low: int, high: int, count: int) -> list[Values]:
        where = BETWEEN(**{column: (low, high)})
        return list[Values](self.db.find(table, where, order_by=column, limit=count))

    def first(self, table: str, column: str, count: int) -> list[Values]:
        return list[Values](self.db.find(table, order_by=column, limit=count))

    def totals(self, table: str, by: str, column: str) -> list[Values]:
        aggregates = {"rows": COUNT(), "sum": SUM(column)}
        return list[Values](self.db.group_by(table, by, aggregates))

    def join(self, table: str, other: str, column: str, key: str) -> list[Values]:
        return list[Values](self.db.find_all(table, joins=[InverseJoin(column, key, other)]))

    def count(self, table: str) -> int:
        return self.db.count(table)

    def counters(self) -> Counters:
        stats = self.db.stats()
        syncs = stats["log_syncs"] + stats["data_syncs"]
        return Counters(stats["commits"], syncs, stats["log_bytes"])

    def log_share(self) -> float:
        return int(self.db.stats()["log_used_bytes"]) / CHECKPOINT_BYTES
