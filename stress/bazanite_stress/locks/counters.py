"""The database on which the lock is measured: a row for each process."""

from __future__ import annotations

from pathlib import Path

from bazanite import DB, INT, PK, Field, Schema, Table


class Counters(Table):
    """How often each process has committed."""

    name = "counters"
    schema = Schema([Field("id", PK()), Field("n", INT())])


def prepared(path: Path, processes: int) -> Path:
    """A new database with a row for each process, closed."""
    with DB([Counters], path) as db:
        db.insert_many("counters", [{"n": 0} for _ in range(processes)])
    return path
