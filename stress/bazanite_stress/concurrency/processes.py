"""Processes of a simulated machine whose every call is a point at which others may go on.

What one process does to files, locks and shared words is what ``simulation.system`` says.  Here
several run at once: a lock that another one holds is waited for, a nap lets the others work, and a
process may have several threads.  A write that is under way when its process is killed has reached
the kernel up to any byte.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import (
    Killed,
    SimulatedLockFile,
    SimulatedSystem,
    SimulatedThreadLock,
)
from bazanite_wal import shared

from .failing import NAMES, SYNCS, WRITES
from .scheduler import MovedBack, Scheduler, Task

_TOLD = WRITES | SYNCS | NAMES


class ScheduledSystem(SimulatedSystem):
    """One process.  ``name`` tells it from others, for a person."""

    mortal = True

    def __init__(self, machine: Machine, scheduler: Scheduler, name: str) -> None:
        super().__init__(machine, name, name)
        self.name = name
        self.scheduler = scheduler

    def call(self, operation: str, name: str, size: int = 0) -> int:
        if not self.alive:
            raise Killed
        writing = self.machine.writing if operation in _TOLD else None
        self.scheduler.point(operation, name, writing)
        if not self.alive:
            raise Killed
        self.machine.now += 1e-6
        if (task := self.scheduler.current).raises:
            error, task.raises = task.raises, 0
            raise OSError(error, os.strerror(error), name)
        return size

    def kill(self) -> None:
        """SIGKILL: while others run, the kernel frees its locks one by one, not all at once."""
        if not self.alive:
            return
        if not self.scheduler.running:
            super().kill()
            return
        self.die()
        files = list(self.open_locks)

        def close_files() -> None:
            for file in files:
                self.scheduler.point("free", file.name)
                file.drop()

        self.scheduler.spawn(f"the end of {self.name}", _Kernel(), close_files)

    def about_to_store(self, words: Sequence[int], index: int, value: int) -> None:
        """End the run if it breaks what ``bazanite_wal.shared`` promises of ``DURABLE``.

        What hangs on it (which damage recovery can tell, which frames may be written again) shows
        only after rarer accidents.
        """
        scheduler, old = self.scheduler, words[index]
        attached = scheduler.running and words[shared.READY]  # else a first opener begins anew
        if index == shared.DURABLE and value < old and attached:
            found = f"{self.name} moved the durable mark from {old} back to {value}"
            scheduler.failure = scheduler.failure or MovedBack(found)
        if index == shared.POISONED and value and scheduler.running:
            self.machine.disk.evict()  # from now on nobody reads what a failed sync left

    def thread_lock(self) -> ScheduledThreadLock:
        return ScheduledThreadLock(self)

    def monotonic(self) -> float:
        self.call("clock", "")
        return super().monotonic()

    def wall_time(self) -> float:
        self.call("clock", "")
        return super().wall_time()

    def sleep(self, seconds: float) -> None:
        self.call("sleep", "")
        until = self.machine.now + seconds
        self.scheduler.wait("a nap", lambda: self.machine.now >= until, until)
        self._still_alive()

    def wait_for(self, file: SimulatedLockFile) -> None:
        flock = self.machine.flock(file.inode.number)
        self.scheduler.wait(file.name, lambda: flock.exclusive is None and not flock.shared)
        self._still_alive()

    def _still_alive(self) -> None:
        if not self.alive:
            raise Killed


class _Kernel:
    """Who closes a dead process's files."""

    mortal = False

    def kill(self) -> None:
        """Nothing of it is anybody's."""


class ScheduledThreadLock(SimulatedThreadLock):
    """A lock among the threads of one process."""

    def __init__(self, system: ScheduledSystem) -> None:
        self._process = system
        self._owner: Task | None = None

    def acquire(self, timeout: float | None) -> bool:
        process, scheduler = self._process, self._process.scheduler
        process.call("acquire", "")
        deadline = None if timeout is None else process.machine.now + timeout
        while self._owner is not None:
            if timeout == 0:
                return False
            came = scheduler.wait("a thread lock", lambda: self._owner is None, deadline)
            process._still_alive()
            if not came:
                return False
        self._owner = scheduler.current
        return True

    def release(self) -> None:
        self._process.call("release", "")
        self._owner = None

    def owned(self) -> bool:
        return self._owner is not None and self._owner is self._process.scheduler.current
