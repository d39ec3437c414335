"""One call of one thread, as whoever made it saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bazanite_stress.explore.workload import Step

READS = frozenset({"find", "rows", "read", "backup"})
NEUTRAL = frozenset({"checkpoint", "reopen", "open", "look", "close"})
"""Calls that change nothing which anyone can read."""


@dataclass(frozen=True, slots=True)
class Event:
    """One call.

    ``start`` and ``end`` count in one order for all processes: of two calls of which one ended
    before the other started, the ends and starts say so.  ``lsn`` is where the call committed, or
    the position that it read at.  ``known``: whether it came to an answer, ``answer``, or to an
    error that says truly that nothing was done, the class name ``error``.  Of a call that is not
    known (its process died, or the error says that nobody knows) the end is when that happened:
    later it took no step, though what it wrote may take effect.
    """

    who: str
    step: Step
    start: int
    end: int
    answer: Any = None
    error: str = ""
    lsn: int | None = None
    known: bool = True

    @property
    def writes(self) -> bool:
        """Whether it is a call that may change something."""
        return self.step[0] not in READS and self.step[0] not in NEUTRAL

    @property
    def commits(self) -> bool:
        """Whether it is known to have committed, if it changed anything."""
        return self.writes and self.known and not self.error

    def __str__(self) -> str:
        out = f"{self.error or self.answer!r}" if self.known else "no answer"
        where = "" if self.lsn is None else f" at {self.lsn}"
        return f"{self.who}: {self.step} -> {out}{where}"
