"""The processes of a crowd, as whoever started them sees them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns

from bazanite_stress.torture.processes import Child

from .life import Part
from .notes import Kind, Notes

_REAP_SECONDS = 30.0
_ALIVE = "RSDTtI"


@dataclass(slots=True)
class Orphan:
    """A process that one of ours started: nobody tells us how it ended, only that it did."""

    pid: int
    status: int | None = None
    struck: bool = False

    def alive(self) -> bool:
        """Whether it still runs."""
        if self.status is None and _state(self.pid) not in _ALIVE:
            self.status = 0
        return self.status is None

    def kill(self) -> bool:
        """SIGKILL, and wait until it is dead; True if one of ours found it alive."""
        self.signal(signal.SIGKILL)
        deadline = time.monotonic() + _REAP_SECONDS
        while self.alive():
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} is there long after SIGKILL")
            time.sleep(0.0001)
        return self.struck

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
                self.struck = self.struck or number == signal.SIGKILL


def stands(pid: int) -> bool:
    """Whether the process was stopped by a signal, and has not gone on."""
    return _state(pid) in "Tt"


def _state(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    return text.rpartition(")")[2].split()[0]


@dataclass(slots=True)
class Person:
    """A process with its notes.

    ``child``: notes of one that it may fork and that nobody knows of yet; ``family``: a pipe that
    ends when both are dead.  ``mode``: how we struck it.
    """

    name: str
    slot: int
    part: Part
    process: Child | Orphan
    notes: Notes
    child: Notes | None = None
    family: int = -1
    mode: str = ""
    born: int = field(default_factory=monotonic_ns)
    died: int = 0

    def noted(self, kind: Kind) -> bool:
        """Whether there is a note of this kind: "opened", it has the database open."""
        return any(found == kind for found, _, _ in self.notes)

    def kill(self, mode: str) -> None:
        """SIGKILL, and wait for its death."""
        if self.process.kill():
            self.mode = self.mode or mode
        self.died = monotonic_ns()

    def forked(self) -> int | None:
        """The process that it forked, once that has begun."""
        if self.child is None:
            return None
        return next((content for kind, _, content in self.child if kind == "open"), None)

    def end_family(self) -> None:
        """Kill a child that nobody knew of, if there is one, and wait for its death."""
        assert not self.process.alive()
        if self.family >= 0:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            os.read(self.family, 1)
            os.close(self.family)
            self.family = -1


class Paper:
    """Notes to be written in, used again when their process is buried."""

    def __init__(self) -> None:
        self._free: list[Notes] = []
        self._all: list[Notes] = []

    def take(self) -> Notes:
        """Empty notes."""
        if not self._free:
            self._free.append(Notes())
            self._all.append(self._free[-1])
        notes = self._free.pop()
        notes.clear()
        return notes

    def give_back(self, notes: Notes) -> None:
        """Nobody writes in them any more."""
        self._free.append(notes)

    def close(self) -> None:
        """Give all memory back."""
        for notes in self._all:
            notes.close()
