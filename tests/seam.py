"""A seam that counts, fails, interrupts and dies on command, around the real operating system.

Each ``Seam`` is one process of its own: its own attachment, its own descriptors, its own process
id, so that several of them contend on one directory within one test.  Syncs are counted and not
done, because no test that uses it cuts the power.  ``kill_at(n)`` dies before
the n-th call: from then on every call raises ``Killed``, nothing that clean-up code does reaches a
file, a lock or a shared word any more, and the descriptors are closed, as the kernel would.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Any
from weakref import ReferenceType, ref

from bazanite_wal.posix import POSIX

_living: list[Seam] = []
_pids = count(4_000_000)  # no real process has one of these


def kill_all() -> None:
    """Kill every simulated process that a test left alive."""
    while _living:
        _living.pop().kill()


class Killed(BaseException):
    """The simulated process is dead."""


class Seam:
    """A System.  ``calls`` lists (operation, file name) of every call so far.

    With ``steady`` its clock moves by sleeping only, so that the same work makes the same calls
    however busy the machine is.
    """

    def __init__(
        self, *, boot: str | None = None, file_system: str | None = None, steady: bool = False
    ) -> None:
        self.steady = steady
        self._slept = 0.0
        self.boot = boot
        self.file_system = file_system
        self.calls: list[tuple[str, str]] = []
        self.dead = False
        self.places: dict[object, object] = {}
        self.pid = next(_pids)
        self._alive: set[int] = set()
        self.rules: list[Callable[[str, str, int], None]] = []
        self.after_rules: list[Callable[[str, str, int], None]] = []
        self._handles: list[ReferenceType[Any]] = []  # weakly: a dropped handle is closed
        _living.append(self)

    def kill(self) -> None:
        """Die now: all descriptors are closed, nothing is unlocked or written any more."""
        self.dead = True
        for reference in self._handles:
            handle = reference()
            if handle is not None:
                handle.close()
        self._handles.clear()

    def kill_at(self, number: int) -> None:
        """Die just before the call of that number from now (0: the next one)."""
        target = len(self.calls) + number

        def rule(_operation: str, _name: str, index: int) -> None:
            if index >= target:
                self.kill()
                raise Killed

        self.rules.append(rule)

    def fail(self, operation: str, name: str, error: BaseException, *, times: int = 1) -> None:
        """Make the next ``times`` such calls raise instead of working."""
        left = times

        def rule(found: str, file: str, _index: int) -> None:
            nonlocal left
            if left and found == operation and file == name:
                left -= 1
                raise error

        self.rules.append(rule)

    def when(
        self, operation: str, name: str, action: Callable[[], object], *, after: bool = False
    ) -> None:
        """Run ``action`` once, just before (or after) the next such call; it may raise."""
        waiting = True

        def rule(found: str, file: str, _index: int) -> None:
            nonlocal waiting
            if waiting and found == operation and file == name:
                waiting = False
                action()

        (self.after_rules if after else self.rules).append(rule)

    def kill_before(self, operation: str, name: str, *, after: bool = False) -> None:
        """Die just before (or after) the next such call."""

        def die() -> None:
            self.kill()
            raise Killed

        self.when(operation, name, die, after=after)

    def fail_first(self, number: int, operations: tuple[str, ...], errno: int) -> list[str]:
        """Fail the first of these operations at or after the call of that number from now.

        Returns a list that names it once it happened.
        """
        target = len(self.calls) + number
        failed: list[str] = []

        def rule(operation: str, name: str, index: int) -> None:
            if index >= target and operation in operations and not failed:
                failed.append(f"{operation} {name}")
                raise OSError(errno, os.strerror(errno))

        self.rules.append(rule)
        return failed

    def interrupt_at(self, number: int, error: BaseException, *, after: bool = False) -> None:
        """Raise once, before (or after) the call of that number from now."""
        target = len(self.calls) + number

        def rule(_operation: str, _name: str, index: int) -> None:
            nonlocal target
            if index == target:
                target = -1
                raise error

        (self.after_rules if after else self.rules).append(rule)

    def count(self, operation: str, name: str | None = None) -> int:
        """How many calls of this operation there were (on this file)."""
        return sum(found == operation and name in (None, file) for found, file in self.calls)

    def order(self, *operations: str) -> list[tuple[str, str]]:
        """The calls of these operations, in order."""
        return [call for call in self.calls if call[0] in operations]

    def call(self, operation: str, name: str, work: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        index = len(self.calls)
        for rule in list(self.rules):
            rule(operation, name, index)
        self.calls.append((operation, name))
        result = work()
        for rule in list(self.after_rules):
            rule(operation, name, index)
        return result

    def directory(self, path: str, *, create: bool) -> Any:
        inner = self.call("directory", "", lambda: POSIX.directory(path, create=create))
        return _Directory(self, inner)

    def thread_lock(self) -> Any:
        return POSIX.thread_lock()

    def process_id(self) -> int:
        return self.pid

    def incarnation(self) -> int:
        return self.pid

    def process_command(self, pid: int) -> str:
        return f"process {pid}" if pid >= 4_000_000 else POSIX.process_command(pid)

    def boot_id(self) -> str:
        return self.boot or POSIX.boot_id()

    def ordered_memory(self) -> bool:
        return POSIX.ordered_memory()

    def monotonic(self) -> float:
        return 1000.0 + self._slept if self.steady else POSIX.monotonic()

    def wall_time(self) -> float:
        return POSIX.wall_time()

    def sleep(self, seconds: float) -> None:
        self.call("sleep", "", lambda: POSIX.sleep(seconds))
        self._slept += seconds

    def random_bytes(self, count: int) -> bytes:
        return POSIX.random_bytes(count)


class _Wrapper:
    """Passes every method of ``inner`` through the seam, under the name of its file."""

    def __init__(self, seam: Seam, inner: Any, name: str) -> None:
        self.seam = seam
        self.inner = inner
        self.name = name
        seam._handles.append(ref(inner))

    def close(self) -> None:
        if not self.seam.dead:
            self.inner.close()

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self.inner, operation)
        if not callable(method):
            return method
        if operation in ("sync", "sync_data"):
            method = _nothing
        return lambda *args, **kwargs: self.seam.call(
            operation, self.name, lambda: method(*args, **kwargs)
        )


def _nothing() -> None:
    pass


class _Directory(_Wrapper):
    def __init__(self, seam: Seam, inner: Any) -> None:
        super().__init__(seam, inner, ".")

    def file_system(self) -> str:
        return self.seam.file_system or str(self.inner.file_system())

    def _opened(self, operation: str, name: str, *args: Any, **kwargs: Any) -> Any:
        work = getattr(self.inner, operation)
        return _Wrapper(
            self.seam, self.seam.call(operation, name, lambda: work(name, *args, **kwargs)), name
        )

    def open(self, name: str, *, write: bool = True) -> Any:
        return self._opened("open", name, write=write)

    def create(self, name: str, *, new: bool = False) -> Any:
        return self._opened("create", name, new=new)

    def create_successor(self, name: str, of: str) -> Any:
        return self._opened("create_successor", name, of)

    def open_lock(self, name: str, *, create: bool = True) -> Any:
        return self._opened("open_lock", name, create=create)

    def open_words(self, name: str, count: int, *, create: bool, write: bool = True) -> Any:
        opened = self._opened("open_words", name, count, create=create, write=write)
        opened.words = _Words(self.seam, opened.inner.words)
        return opened


class _Words:
    def __init__(self, seam: Seam, inner: Any) -> None:
        self._seam = seam
        self._inner = inner

    def __getitem__(self, index: int) -> int:
        value: int = self._seam.call("load", str(index), lambda: self._inner[index])
        return value

    def __setitem__(self, index: int, value: int) -> None:
        def store() -> None:
            self._inner[index] = value

        self._seam.call("store", str(index), store)
