"""The newest commits, read from the log beside those who write it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from bazanite import DB, Changes, DBError
from bazanite.changes import Commit

KEPT = 40
SHOWN_CHANGES = 4
"""At the most, of one commit."""
_READ_AGAIN_SECONDS = 0.2
_SHORT_LOG_BYTES = 256 << 10
"""So much of it is read when somebody looks for the first time; behind more only what comes."""


class Feed:
    """For all threads of a process; the log is opened when somebody looks, by each process."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._turn = threading.Lock()
        self._changes: Changes | None = None
        self._read_at = 0.0
        self._commits: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def newest(self, db: DB, after: int, count: int) -> list[dict[str, Any]]:
        """Up to so many of the newest commits behind this log position, the oldest first."""
        with self._turn:
            now = time.monotonic()
            if now >= self._read_at + _READ_AGAIN_SECONDS:
                self._read_at = now
                self._read(db)
            return [commit for commit in self._commits if commit["lsn"] > after][-count:]

    def close(self) -> None:
        """Let go of the log, for this process."""
        with self._turn:
            self._let_go()

    def _read(self, db: DB) -> None:
        try:
            if self._changes is None:
                figures = db.stats()
                short = figures["log_used_bytes"] < _SHORT_LOG_BYTES
                start = None if short else figures["durable_lsn"]
                self._changes = Changes(self._directory, start)
            last = self._commits[-1]["lsn"] if self._commits else -1
            commits = self._changes.read()
            self._commits.extend(_shown(commit) for commit in commits if commit.lsn > last)
        except DBError:  # ForgottenError, if checkpoints were faster: go on with what comes now
            self._let_go()

    def _let_go(self) -> None:
        if self._changes is not None:
            self._changes.close()
            self._changes = None


def _shown(commit: Commit) -> dict[str, Any]:
    changes = [
        f"{change.op} {change.table}" + ("" if change.id is None else f" {change.id}")
        for change in commit.changes[:SHOWN_CHANGES]
    ]
    return {"lsn": commit.lsn, "changes": changes, "more": len(commit.changes) - len(changes)}
