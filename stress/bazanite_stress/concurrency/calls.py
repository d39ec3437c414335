"""Calls made so that their history can be checked: answers in the model's form, and positions.

What the simulated processes and the real ones of ``bazanite_stress.crowd`` have in common.
"""

from __future__ import annotations

from typing import Any

from bazanite_stress.explore.copied import content_of_backup
from bazanite_stress.explore.session import Session, read_content
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.history.events import NEUTRAL
from bazanite_wal.errors import (
    CommittedNotApplied,
    CommitUncertain,
    DirectoryError,
    LockTimeout,
    PoisonedError,
    UnsafeShutdownError,
)

NOBODY_KNOWS = (CommitUncertain, CommittedNotApplied, PoisonedError)
"""What a call may raise that leaves open, to its history, whether it happened."""
NOTHING_DONE = (LockTimeout, DirectoryError, UnsafeShutdownError)
"""What it may raise that says truly that it did nothing, and saw nothing."""
UNFORESEEN = NOBODY_KNOWS + NOTHING_DONE
"""What no model raises."""


def perform(session: Session, step: Step, workload: Workload) -> Any:
    """Carry the step out; raises what it raised.  A reading call reads as of one moment."""
    db = session.db
    match step:
        case ["read"]:
            store = db.storage.store
            with store.lock() if store.read_only else db.transaction():
                return read_content(db, workload)
        case ["backup"]:
            return content_of_backup(db, None if workload.migrates else workload.tables)
        case ["rows", table]:
            return sorted((dict(row) for row in db.find_all(table)), key=lambda row: row["id"])
        case ["find", table, number]:
            row = db.find_by_id(table, number)
            return None if row is None else dict(row)
    return session.perform(step)


def tells_position(step: Step, failure: Exception | None) -> bool:
    """Whether the call's answer, or this refusal, stands at a log position."""
    return step[0] not in NEUTRAL and not isinstance(failure, UNFORESEEN)
