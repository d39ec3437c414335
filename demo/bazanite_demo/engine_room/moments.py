"""At which moments of its transaction a worker can be killed, and what must be left of it."""

from __future__ import annotations

from dataclasses import dataclass

from .tables import PARTS

OPEN, HALF_LOGGED, LOGGED, HALF_APPLIED = "open", "half-logged", "logged", "half-applied"


@dataclass(frozen=True, slots=True)
class Moment:
    """A choice on the page; ``rows`` must be left of the transaction after a kill at it."""

    label: str
    standing: str
    outcome: str
    rows: int


MOMENTS = {
    OPEN: Moment(
        "Before the log has it",
        "Three of its five rows are inserted: in its memory only, nothing is in a file.",
        "There is nothing to undo: files change only when a transaction is complete.",
        0,
    ),
    HALF_LOGGED: Moment(
        "In the middle of its write to the log",
        "Half of the transaction is in the log.",
        "Half a frame is no frame: it is ignored, and the next transaction is written over it.",
        0,
    ),
    LOGGED: Moment(
        "After the log has it, before the tables have it",
        "All of the transaction is in the log, and on disk; the tables know nothing of it.",
        "Redone: who took the lock next wrote it from the log into the tables.",
        PARTS,
    ),
    HALF_APPLIED: Moment(
        "In the middle of its write to the tables",
        "All of it is in the log, and two and a half rows of it are in the table's file.",
        "Redone: who took the lock next wrote it from the log into the tables, over the half row.",
        PARTS,
    ),
}
