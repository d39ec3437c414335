"""What an actor can do with the engine: open, hold, commit, fork, as its director says.

A command is a list of words; the answer says what came of it: ["held"], ["LockTimeout", pid].
"""

from __future__ import annotations

import ctypes
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NoReturn

from bazanite_wal.errors import LockTimeout
from bazanite_wal.options import StoreOptions
from bazanite_wal.store import Store, open_store

from .actors import Wire

FILE = "a.dat"
_NEW_MOUNTS, _PRIVATE, _BIND = 0x00020000, 1 << 18 | 1 << 14, 1 << 12


def puppet(wire: Wire) -> None:
    """Obey until the director is gone."""
    life = _Puppet(wire)
    while True:
        verb, *rest = wire.hear(None)
        wire.tell(attempt(lambda: getattr(life, verb)(*rest)))  # noqa: B023  called at once


def attempt(work: Callable[[], list[Any]]) -> list[Any]:
    """What the work answers, or its error: the kind, and of a LockTimeout whom it names."""
    try:
        return work()
    except LockTimeout as error:
        return ["LockTimeout", error.holder and error.holder.pid]
    except Exception as error:  # noqa: BLE001  the director judges it
        return [type(error).__name__, str(error)]


class _Puppet:
    """One process's stores, by name, and the locks that it holds."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._stores: dict[str, Store] = {}
        self._held: dict[str, ExitStack] = {}

    def open(self, name: str, path: str, timeout: float | None) -> list[Any]:
        """Open a store; ``timeout``: how long it waits for the lock."""
        options = StoreOptions(lock_timeout=timeout, commit_timeout=20)
        self._stores[name] = open_store(path, options)
        return ["open"]

    def close(self, name: str) -> list[Any]:
        """Close it."""
        self._stores.pop(name).close()
        return ["closed"]

    def hold(self, name: str) -> list[Any]:
        """Take its lock, and keep it."""
        stack = ExitStack()
        stack.enter_context(self._stores[name].lock())
        self._held[name] = stack
        return ["held"]

    def release(self, name: str) -> list[Any]:
        """Let the lock go."""
        self._held.pop(name).close()
        return ["free"]

    def put(self, name: str, text: str) -> list[Any]:
        """Commit this text as the file's content."""
        store = self._stores[name]
        with store.transaction() as tx:
            store.create_files([FILE])
            tx.write(FILE, 0, text.encode())
        return ["done"]

    def get(self, name: str) -> list[Any]:
        """The file's content."""
        with self._stores[name].reading() as view:
            return [view.read(FILE, 0, 4096).decode()]

    def beside(self, name: str) -> list[Any]:
        """Another thread takes the lock, if it can, and lets it go."""
        answers: list[list[Any]] = []

        def take() -> list[Any]:
            with self._stores[name].lock():
                return ["held"]

        thread = threading.Thread(target=lambda: answers.append(attempt(take)))
        thread.start()
        thread.join()
        return answers[0]

    def contend(self, name: str, threads: int, rounds: int, place: str) -> list[Any]:
        """So many threads take the lock so often; what went wrong: somebody else had it, too."""
        clashes: list[str] = []

        def take_turns() -> list[Any]:
            for _ in range(rounds):
                with self._stores[name].lock():
                    try:
                        os.mkdir(place)  # one system call, so only one can
                    except FileExistsError:
                        clashes.append("clash")
                        continue
                    time.sleep(0)
                    os.rmdir(place)
            return []

        def work() -> None:
            clashes.extend(map(str, attempt(take_turns)))

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return clashes

    def touch(self, path: str) -> list[Any]:
        """Open this file and close it, as any part of a program may."""
        with open(path, "rb") as file:
            file.read()
        return ["touched"]

    def fork(self, name: str) -> list[Any]:
        """A child that is there and does nothing, until somebody kills it; its pid."""
        del name
        return [self._idle_child(os.fork)]

    def fork_quietly(self, name: str) -> list[Any]:
        """The same by a program in C: Python's hooks do not run, the child keeps descriptors."""
        del name
        fork: Any = ctypes.PyDLL(None).fork
        return [self._idle_child(lambda: int(fork()))]

    def _idle_child(self, fork: Callable[[], int]) -> int:
        reading, writing = os.pipe()
        pid = fork()
        if not pid:
            os.close(writing)  # from here on it does nothing any more
            _idle(self._wire)
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        return pid

    def child(self, name: str) -> list[Any]:
        """A child that takes the lock if it can, closes its handle and ends; what it got."""
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                answer = attempt(lambda: self._in_child(name))
                Wire(reading, writing).tell(answer)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        wire = Wire(reading, writing)
        try:
            answer = wire.hear(0)
        finally:
            wire.close()
        return list(answer)

    def _in_child(self, name: str) -> list[Any]:
        store = self._stores[name]
        self._held.pop(name).close()  # not ours: must free nothing
        try:
            with store.lock():
                return ["held"]
        finally:
            store.close()

    def cycle(self, path: str, count: int) -> list[Any]:
        """Open and close so often; how many descriptors and threads more there are."""
        self._once(path)
        before = len(os.listdir("/proc/self/fd")), threading.active_count()
        for _ in range(count):
            self._once(path)
        after = len(os.listdir("/proc/self/fd")), threading.active_count()
        return [after[0] - before[0], after[1] - before[1]]

    def _once(self, path: str) -> None:
        options = StoreOptions(lock_timeout=0, log_size_bytes=8192)
        open_store(path, options).close()

    def go_to(self, path: str) -> list[Any]:
        """Make this the current directory."""
        os.chdir(path)
        return ["there"]

    def bind(self, path: str, place: str) -> list[Any]:
        """Mount the directory at another place, for this process only."""
        libc: Any = ctypes.CDLL(None, use_errno=True)
        calls: tuple[Callable[[], Any], ...] = (
            lambda: libc.unshare(_NEW_MOUNTS),
            lambda: libc.mount(b"none", b"/", None, _PRIVATE, None),
            lambda: libc.mount(path.encode(), place.encode(), None, _BIND, None),
        )
        for call in calls:
            if call() != 0:
                return ["not mounted", os.strerror(ctypes.get_errno())]
        return ["mounted"]

    def hold_while_the_clock_turns(self, name: str, seconds: float) -> list[Any]:
        """Take the lock; at the first nap on the way the wall clock is turned.

        That is told at the second nap, if it comes to that.
        """
        clock, sleep = time.time, time.sleep

        def second_nap(length: Any) -> None:
            time.sleep = sleep
            self._wire.tell(["turned"])
            sleep(length)

        def first_nap(length: Any) -> None:
            time.time, time.sleep = (lambda: clock() + seconds), second_nap
            sleep(length)

        time.sleep = first_nap
        return self.hold(name)

    def open_until(self, name: str, path: str, number: int) -> list[Any]:
        """Open a store, but say so and stand still at the sync of this number."""
        left = number

        def stopping(sync: Callable[[int], None]) -> Callable[[int], None]:
            def call(descriptor: int) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    self._wire.tell(["in the middle"])
                    self._wire.hear(None)
                sync(descriptor)

            return call

        os.fsync, os.fdatasync = stopping(os.fsync), stopping(os.fdatasync)  # type: ignore[assignment]
        return self.open(name, path, 0)


def _idle(wire: Wire) -> NoReturn:
    """Wait to be killed, or for the director's end, reading nothing of what it tells."""
    end = select.poll()
    end.register(wire.descriptors[0], 0)
    os.dup2(os.open("/dev/null", os.O_WRONLY), wire.descriptors[1])
    end.poll()
    os._exit(0)
