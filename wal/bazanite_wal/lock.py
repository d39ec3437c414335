"""The global lock: one thread of one process at a time, over a whole data directory.

A thread lock and an flock on ``.lock``, kept open.  The kernel alone decides who holds it, and
frees a dead holder's lock at once.  Not reentrant: its users ask ``owned`` first.

Invariant: only who owns the thread lock may hold this process's flock, so ``release`` is right at
any time, also after an exception at any point of ``acquire``.

A plain flock starves waiters: the releaser is back before the woken waiter runs, and of many that
wake the same ones may win.  So a process that comes back at once naps a little while others are
marked as waiting, and one that comes back soon while others are marked as waiting for long.  The
marks are advice with a short limit; a dead process's mark stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from . import shared
from .errors import Holder, LockTimeout
from .system import LATEST_TIME, LockFile, System, ThreadLock, Words
from .telling import SLOW_SECONDS, WARNING, tell

_FIRST_NAP_SECONDS = 0.00005
_LONGEST_NAP_SECONDS = 0.002
_COURTESY_SECONDS = 0.002
_BUSY_SECONDS = 0.1
_LONG_WAIT_SECONDS = 0.01
_LOST_WAIT_SECONDS = 0.5
_NOT_HELD = float("inf")


class GlobalLock:
    """Thread-safe and process-safe; see the module's text."""

    def __init__(self, system: System, file: LockFile, path: str = "") -> None:
        self._system = system
        self._path = path
        self._file = file
        self._thread = system.thread_lock()
        self.owned = self._thread.owned
        """Whether the calling thread holds the lock; asked so often that it is no method."""
        self._held_since = _NOT_HELD
        self.longest_wait = 0.0
        """In seconds, of those that were not in vain."""
        self._released_at = 0.0
        self._wanted_at = -_BUSY_SECONDS
        self._impatient_with: dict[int, int] = {}
        self.words: Words | None = None
        self.slot: int | None = None

    def acquire(self, timeout: float | None) -> None:
        """Take the lock; LockTimeout after ``timeout`` seconds (None: wait).

        After any exception, and after success, the caller calls ``release``.
        """
        started = now = self._system.monotonic()
        if not self._thread.acquire(0):
            self._wanted_at = started
            if not self._thread.acquire(timeout):
                raise self._timeout(timeout, "another thread of this process")
            now = self._system.monotonic()
            self.longest_wait = max(self.longest_wait, now - started)
            if now - started >= SLOW_SECONDS:
                self._tell_waited(now - started, "another thread of this process")
        self._let_others_go_first()
        if self._file.try_lock():
            self._held_since = now
            return
        self._mark_waiting(int(started * 1000) or 1)
        try:
            if timeout is None:
                pid = 0 if self.words is None else self.words[shared.BUSY]
                self._file.lock()
                self._held_since = self._system.monotonic()
                if self._held_since - now >= SLOW_SECONDS:
                    self._tell_waited(self._held_since - now, self._named(pid))
            else:
                self._poll(started + timeout, timeout)
                self._held_since = self._system.monotonic()
            self.longest_wait = max(self.longest_wait, self._held_since - started)
        finally:
            self._mark_waiting(0)

    def wanted_lately(self) -> bool:
        """Whether another thread of this process had to wait for the lock within a short time."""
        return self._system.monotonic() < self._wanted_at + _BUSY_SECONDS

    def try_acquire(self) -> bool:
        """Take the lock if it is free now."""
        if self._thread.acquire(0) and self._file.try_lock():
            return True
        self.release()
        return False

    def release(self) -> None:
        """Let go of whatever the calling thread holds; harmless if that is nothing."""
        if self._thread.owned():
            self._file.unlock()
            self._released_at = self._system.monotonic()
            held, self._held_since = self._released_at - self._held_since, _NOT_HELD
            self._thread.release()
            if held >= SLOW_SECONDS:
                tell(WARNING, "lock held", "%s: this process held it %.1f s", self._path, held)

    def close(self) -> None:
        """Close the lock's file; a forked child's copy needs no closing."""
        self._file.close()

    def identity(self) -> int:
        """Which file the lock is on."""
        return self._file.identity()

    def holder(self) -> Holder | None:
        """Who holds the lock, as far as can be told: never a dead process."""
        return lock_holder(self._system, self.words)

    def _poll(self, deadline: float, timeout: float) -> None:
        nap = _FIRST_NAP_SECONDS
        told_below = timeout - SLOW_SECONDS
        while not self._file.try_lock():
            left = deadline - self._system.monotonic()
            if left <= 0:
                raise self._timeout(timeout, "another process")
            if left <= told_below:
                told_below = -1.0  # once
                self._tell_waited(timeout - left, str(self.holder() or "another process"))
            self._system.sleep(min(nap, left))
            nap = min(2 * nap, _LONGEST_NAP_SECONDS)

    def _named(self, pid: int) -> str:
        """Who had the lock when a wait began that is over now."""
        if not pid:
            return "another process"
        return f"pid {pid} ({self._system.process_command(pid) or 'which is gone'}) at first"

    def _tell_waited(self, seconds: float, by: str) -> None:
        """Once for each long wait."""
        waited = (self._path, seconds, by)
        tell(WARNING, "lock wait", "%s: waited %.1f s for the lock, held by %s", *waited)

    def _timeout(self, timeout: float | None, by: str) -> LockTimeout:
        holder = self.holder()
        return LockTimeout(
            f"the global lock was not free within {timeout} seconds: held by {holder or by}", holder
        )

    def _mark_waiting(self, value: int) -> None:
        if self.words is not None and self.slot is not None:
            self.words[self.slot + 1] = value

    def _let_others_go_first(self) -> None:
        if self.words is None:
            return
        now = self._system.monotonic
        started = now()
        if started >= self._released_at + _BUSY_SECONDS:
            return
        waiting = self._waiting(
            self.words, self.slot, started, at_once=started < self._released_at + _COURTESY_SECONDS
        )
        while waiting and now() < started + _COURTESY_SECONDS:
            self._system.sleep(_FIRST_NAP_SECONDS * len(waiting))
            # who comes meanwhile does not go first: then we might never come at all
            waiting = {i: mark for i, mark in waiting.items() if self.words[i + 1] == mark}
        for index, mark in waiting.items():
            # Who outlasts that is not let go first any more, unless it waits long, and lives.
            if not (self._long(mark, now()) and self._system.process_command(self.words[index])):
                self._impatient_with[index] = mark

    def _waiting(
        self, words: Words, own: int | None, now: float, *, at_once: bool
    ) -> dict[int, int]:
        """The marks of others that go first now, by slot: all of them, if we come back at once,
        else of those that wait long.
        """
        return {
            index: mark
            for index, mark in shared.waiting_marks(words)
            if index != own and (at_once or self._long(mark, now))
            if self._impatient_with.get(index) != mark
        }

    @staticmethod
    def _long(mark: int, now: float) -> bool:
        """Whether who set this mark has waited long, but not so long that it must be stopped."""
        return _LONG_WAIT_SECONDS <= now - mark / 1000 < _LOST_WAIT_SECONDS


def let_go(lock: ThreadLock) -> None:
    """Release a thread lock if the calling thread has it; once more after an interrupt."""
    if lock.owned():
        lock.release()


def lock_holder(system: System, words: Words | None) -> Holder | None:
    """The live process that the shared words name as the global lock's holder, if any."""
    if words is None or not (pid := words[shared.BUSY]):
        return None
    command = system.process_command(pid)
    if not command:
        return None
    return Holder(pid, command, local_time(words[shared.BUSY_SINCE]))


def local_time(seconds: float) -> str:
    """A moment as the clock on the reader's wall shows it; the nearest one that can be shown."""
    seconds = min(max(0.0, seconds), LATEST_TIME)
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")  # noqa: DTZ006  local is meant


def nap_lengths() -> Callable[[], float]:
    """How long to nap, each time a little longer, while another process is at work."""
    nap = _FIRST_NAP_SECONDS / 2

    def next_nap() -> float:
        nonlocal nap
        nap = min(nap * 2, 0.0002 if nap < 0.0002 else nap * 1.05, _LONGEST_NAP_SECONDS)
        return nap

    return next_nap
