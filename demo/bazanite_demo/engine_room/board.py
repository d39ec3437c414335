"""Figures of all workers, in memory that the master made before it forked them.

Words of 64 bits, each read and written whole, each written by one process at a time: those of a
slot by its worker, ``KILLED`` by who makes an experiment, of which there is one at a time.
"""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass

SLOTS = 64
"""More workers than anybody starts here; those beyond have no slot and are not shown."""

_WORDS = 16
(
    PID, STARTED, COMMITS, RATE, CALLS, ACTIVE, STEP, SYNCS, CHECKPOINTS, REPAIRS, LOG_BYTES,
) = range(11)  # fmt: skip
"""Of a slot: STARTED in milliseconds since 1970, RATE in thousandths of a commit a second, CALLS
that were answered, ACTIVE ones that are being; STEP of its transaction in an experiment."""

NOTHING, WAITS, STANDS, WENT_ON, FAILED = range(5)
"""Steps of a transaction that is to be killed."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A living worker; ``name`` is its slot's, which its successor takes over."""

    slot: int
    pid: int
    since: float
    commits: int
    rate: float
    calls: int
    active: int
    syncs: int
    checkpoints: int
    repairs: int
    log_bytes: int

    @property
    def name(self) -> str:
        """As people count."""
        return f"worker {self.slot + 1}"


class Board:
    """The words."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, (SLOTS + 1) * _WORDS * 8)  # shared with all forks
        self._words = memoryview(self._memory).cast("Q")

    @property
    def killed(self) -> int:
        """How many workers were killed here."""
        return self._words[SLOTS * _WORDS]

    @killed.setter
    def killed(self, count: int) -> None:
        self._words[SLOTS * _WORDS] = count

    def begin(self, slot: int, pid: int) -> None:
        """This process has the slot now."""
        self.clear(slot)
        self.put(slot, STARTED, int(time.time() * 1000))
        self.put(slot, PID, pid)

    def clear(self, slot: int) -> None:
        """Nobody has the slot."""
        for word in range(_WORDS):
            self.put(slot, word, 0)

    def get(self, slot: int, word: int) -> int:
        """One figure of a slot."""
        return self._words[slot * _WORDS + word]

    def put(self, slot: int, word: int, value: int) -> None:
        """Set it."""
        self._words[slot * _WORDS + word] = value

    def workers(self) -> list[Worker]:
        """Those that live, by slot."""
        return [self._worker(slot) for slot in range(SLOTS) if self.get(slot, PID)]

    def of_pid(self, pid: int) -> Worker | None:
        """The living worker that is this process."""
        return next((worker for worker in self.workers() if worker.pid == pid), None)

    def _worker(self, slot: int) -> Worker:
        def get(word: int) -> int:
            return self.get(slot, word)

        return Worker(
            slot=slot,
            pid=get(PID),
            since=get(STARTED) / 1000,
            commits=get(COMMITS),
            rate=get(RATE) / 1000,
            calls=get(CALLS),
            active=get(ACTIVE),
            syncs=get(SYNCS),
            checkpoints=get(CHECKPOINTS),
            repairs=get(REPAIRS),
            log_bytes=get(LOG_BYTES),
        )
