"""Whom to kill, who was killed when, and a look at the data after each kill."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from bazanite_stress.torture.killer import lock_holder
from bazanite_wal.attach import LOCK_NAME

from .figures import Figures

PROCESSES = Path("/proc")
LONGEST_DEATH_SECONDS = 10.0
HOLDERS = 0.6
"""In which part of the kills the victim is who holds the lock: in the middle of something."""
HOLDER_AWAITED_SECONDS = 0.2


class Deaths:
    """Which worker processes were killed, and when; for all threads."""

    def __init__(self) -> None:
        self._gone: list[tuple[int, float]] = []
        self._lock = threading.Lock()

    def begin(self, pid: int) -> int:
        """It is about to be killed, and takes connections until it is gone; its number."""
        with self._lock:
            self._gone.append((pid, math.inf))
            return len(self._gone) - 1

    def end(self, number: int, when: float) -> None:
        """It is gone since ``when`` at the latest; -inf: it was not killed after all."""
        with self._lock:
            self._gone[number] = (self._gone[number][0], when)

    def excuse(self, pid: int, opened: float) -> bool:
        """Whether a connection to this worker (0: to any), of this age, ended with its worker.

        A process number may come again: a kill before the connection was made excuses nothing.
        """
        with self._lock:
            return any(pid in (0, who) and when >= opened for who, when in self._gone)

    def of(self, pid: int) -> int:
        """The number of this worker's last death; -1 if there was none, or ``pid`` is 0."""
        with self._lock:
            numbers = [n for n, (who, _) in enumerate(self._gone) if who == pid]
        return numbers[-1] if numbers else -1


class ToldDeaths(Deaths):
    """The same where others kill, and tell before in a file: a line with pid and monotonic time."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._begin = path.stat().st_size if path.exists() else 0

    def excuse(self, pid: int, opened: float) -> bool:
        self._read()
        return super().excuse(pid, opened)

    def of(self, pid: int) -> int:
        self._read()
        return super().of(pid)

    def _read(self) -> None:
        with self._lock, suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._begin)
            for line in iter(file.readline, b""):
                if not line.endswith(b"\n"):
                    break
                self._begin += len(line)
                pid, when = line.split()
                self._gone.append((int(pid), float(when) + LONGEST_DEATH_SECONDS))


class Killer:
    """Kills the children of a process, which share the directory ``tables``."""

    def __init__(
        self, master: int, tables: Path, deaths: Deaths, figures: Figures, rng: Random
    ) -> None:
        self._master = master
        self._lock = tables / LOCK_NAME
        self._deaths = deaths
        self._figures = figures
        self._rng = rng

    def kill(self) -> bool:
        """SIGKILL one worker: who holds the lock, or else one that is busy with a form, if any is.

        It is gone on return.  False: there was none.
        """
        workers = children(self._master)
        pid = self._holder(workers) if self._rng.random() < HOLDERS else None
        if pid is None:
            victims = self._figures.busy_ones(workers) or workers
            if not victims:
                return False
            pid = self._rng.choice(sorted(victims))
        number = self._deaths.begin(pid)
        start = time.monotonic()
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            self._deaths.end(number, -math.inf)
            return False
        while pid in children(self._master):
            if time.monotonic() > start + LONGEST_DEATH_SECONDS:
                raise RuntimeError(f"worker {pid} does not die")
            time.sleep(0.001)
        self._deaths.end(number, time.monotonic())
        self._figures.killed(start)
        return True

    def _holder(self, workers: set[int]) -> int | None:
        """The worker that holds the lock, as soon as one does; None: none did for a while."""
        deadline = time.monotonic() + HOLDER_AWAITED_SECONDS
        while time.monotonic() < deadline:
            holder = lock_holder(self._lock)
            if holder in workers:
                return holder
            time.sleep(self._rng.random() / 1000)
        return None


def children(master: int) -> set[int]:
    """The processes that this one started and that are alive."""
    found = set()
    for path in PROCESSES.glob("[0-9]*/stat"):
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        # The name in parentheses may have any character in it; state and parent stand behind.
        state, parent, *_ = text.rpartition(")")[2].split()
        if int(parent) == master and state not in ("Z", "X"):
            found.add(int(path.parent.name))
    return found


def kill_regularly(
    kill: Callable[[], bool],
    every_seconds: float,
    count: int,
    stop: threading.Event,
    look: Callable[[], None],
) -> None:
    """Kill so many workers, so many seconds apart or more, and look at the data after each.

    ``kill`` says whether there was one to kill; if not it is asked again soon.
    """
    due = time.monotonic() + every_seconds
    done = 0
    while done < count and not stop.wait(max(0.0, due - time.monotonic())):
        if kill():
            done += 1
            due = max(due + every_seconds, time.monotonic())
            look()
        else:
            due = time.monotonic() + min(0.01, every_seconds)
