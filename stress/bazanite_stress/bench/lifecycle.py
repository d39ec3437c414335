"""Workloads that open directories themselves: bulk load, open, recovery of a full log."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bazanite_stress.torture.schema import Table

from .engine import Session
from .operations import Work
from .tables import DATASETS, check_count, check_item, rows_for

FULL_LOG_SHARE = 0.95
"""A log is full when so much of it is used: at 1 the engine empties it."""
CHANGES = 20
"""How many rows each transaction changes that fills a log."""


class Opens(Work):
    """What they have in common: a directory of their own, prepared before each step."""

    def begin(self) -> None:
        self.prepares = True
        self.tables: Sequence[Table] = DATASETS["items"]
        self.own: Session | None = None

    def end(self) -> None:
        own, self.own = self.own, None
        if own is not None:
            own.close()


class Open(Opens):
    """Open a directory that was closed, and read one row."""

    def prepare(self) -> None:
        self.end()

    def step(self) -> None:
        self.own = self.context.engine.open(self.context.directory, self.tables)
        self.row = self.own.get("item", 1)

    def check(self) -> None:
        assert self.own is not None
        check_item(1, self.row)
        check_count("item", self.own.count("item"), self.context.rows)


class Recover(Opens):
    """Open a directory as a killed process left it, its log full, and read the last row changed."""

    def begin(self) -> None:
        super().begin()
        self.copy = self.context.directory.with_name("recovered")
        self.changed = (self.context.last_change - 1) % self.context.rows + 1

    def prepare(self) -> None:
        self.end()
        copied(self.context.directory, self.copy)

    def step(self) -> None:
        self.own = self.context.engine.open(self.copy, self.tables)
        self.row = self.own.get("item", self.changed)

    def check(self) -> None:
        assert self.own is not None
        check_item(self.changed, self.row, score=self.context.last_change)
        check_count("item", self.own.count("item"), self.context.rows)


class BulkLoad(Opens):
    """All rows into an empty directory's ``item``, in one transaction."""

    def begin(self) -> None:
        super().begin()
        self.values = list(rows_for("item", self.context.rows))
        self.place = self.context.directory / "loaded"

    def prepare(self) -> None:
        self.end()
        shutil.rmtree(self.place, ignore_errors=True)
        self.context.directory.mkdir(exist_ok=True)
        self.own = self.context.engine.open(self.place, self.tables)
        self.own.get("item", 1)  # whatever is made at the first use
        sync_tree(self.place)

    def step(self) -> None:
        assert self.own is not None
        self.own.insert_many("item", self.values)
        self.commits += 1

    def check(self) -> None:
        assert self.own is not None
        check_count("item", self.own.count("item"), self.context.rows)
        for row_id in (1, self.context.rows):
            check_item(row_id, self.own.get("item", row_id))


def fill_log(session: Session, rows: int) -> int:
    """Change rows, a few a transaction, until the log is full; how often a row was changed."""
    change = 0
    while (session.log_share() or 0.0) < FULL_LOG_SHARE:
        with session.transaction():
            for _ in range(CHANGES):
                change += 1
                session.update("item", (change - 1) % rows + 1, {"score": change})
    return change


def copied(source: Path, target: Path) -> None:
    """A copy in the place of what was there, and synced: no measurement pays for writing it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    sync_tree(target)


def sync_tree(directory: Path) -> None:
    """Sync every file in it."""
    for path in directory.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
