"""Processes started together, each by a server of its own kind: none inherits anything of ours.

All are told to begin at one moment, once every one is ready.  Every wait has a deadline; whatever
happens, Ctrl-C included, none is left behind.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Self

from bazanite_stress.pool import interrupts_wait

from . import worker
from .loop import SECOND
from .orders import Failure, Order, Part

WARM_UP_NS = SECOND // 50
"""Between all being ready and the beginning: all have been told by then."""
_BACKLOG = 3
_START_SECONDS = 10.0
"""What starting a process may take besides, on a busy machine."""


class TooSlow(Exception):
    """It was not done within the limit."""


class CrewFailed(Exception):
    """A process could not do it, or ended by itself."""


class Wrong(CrewFailed):
    """What it read was not what was stored."""


def measure(orders: Sequence[Order], limit: float) -> list[Part]:
    """What each process measured; ``limit``: seconds that anything besides measuring may take."""
    with _Crew(orders) as crew:
        for _ in crew.hear_all(limit + _START_SECONDS):
            pass
        begin = time.perf_counter_ns() + WARM_UP_NS
        crew.tell_all(begin)
        seconds = max(order.seconds for order in orders)
        parts: list[Part] = crew.hear_all(_BACKLOG * seconds + limit)
        crew.tell_all(None)
        crew.hear_all(limit)
    return parts


def carry_out(order: Order, limit: float) -> Any:
    """What a single process answers, which prepares or audits."""
    with _Crew([order]) as crew:
        return crew.hear_all(limit + _START_SECONDS)[0]


class _Crew:
    """The processes; leaving it ends those that have not ended."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders
        self._processes: list[Any] = []
        self._connections: list[Connection] = []

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([worker.__name__])
        try:
            with interrupts_wait():
                for order in self._orders:
                    ours, theirs = context.Pipe()
                    process = context.Process(target=worker.main, args=(theirs, order), daemon=True)
                    process.start()
                    theirs.close()
                    self._processes.append(process)
                    self._connections.append(ours)
        except BaseException:
            self._end(kill=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end(kill=kind is not None)

    def tell_all(self, value: object) -> None:
        """Send it to each."""
        for connection in self._connections:
            try:
                connection.send(value)
            except BrokenPipeError as error:
                raise CrewFailed("a process ended by itself") from error

    def hear_all(self, seconds: float) -> list[Any]:
        """What each says next; TooSlow if one says nothing for so long, CrewFailed if it cannot."""
        deadline = time.monotonic() + seconds
        return [self._hear(number, deadline) for number in range(len(self._orders))]

    def _hear(self, number: int, deadline: float) -> Any:
        connection = self._connections[number]
        if not connection.poll(max(0.0, deadline - time.monotonic())):
            raise TooSlow
        try:
            value = connection.recv()
        except (EOFError, ConnectionResetError) as error:
            self._processes[number].join()
            code = self._processes[number].exitcode
            raise CrewFailed(f"a process ended by itself ({code})") from error
        if isinstance(value, Failure):
            raise Wrong(value.text) if value.wrong else CrewFailed(value.text)
        return value

    def _end(self, *, kill: bool) -> None:
        for process in self._processes:
            if kill:
                process.kill()
        for process in self._processes:
            process.join(_START_SECONDS)
            if process.exitcode is None:
                process.kill()
                process.join()
            process.close()
        for connection in self._connections:
            connection.close()
