"""The threads of a measuring process, and what the process has used."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from random import Random

from .engine import Counters, Engine, Session
from .loop import RealClock, Rhythm, Timing, closed_loop, open_loop
from .operations import Context, Work
from .orders import Order
from .tables import DATASETS
from .workloads import WORKLOADS


class Threads:
    """The threads of this process; a single one is the main thread."""

    def __init__(self, order: Order, made: Engine, session: Session | None) -> None:
        self._order, self._made, self._session = order, made, session
        self.works: list[Work] = []
        self._begin = 0
        self._told = threading.Event()
        self._ready = threading.Semaphore(0)
        self._failures: list[BaseException] = []
        self._timings: dict[int, Timing] = {}
        self._threads = [
            threading.Thread(target=self._live, args=(number,), daemon=True)
            for number in range(order.threads if order.threads > 1 else 0)
        ]

    def start(self) -> None:
        """Make everything that is needed; returns when all threads are ready."""
        if not self._threads:
            self._make(0)
        for thread in self._threads:
            thread.start()
            self._ready.acquire()  # one after the other: what they make is made once
            self._raise()

    def run(self, begin: int) -> list[Timing]:
        """Let all begin at that moment; what each timed."""
        if not self._threads:
            return [self._loop(0, begin)]
        self._begin = begin
        self._told.set()
        for thread in self._threads:
            thread.join()
        self._raise()
        return [self._timings[number] for number in range(len(self._threads))]

    def _raise(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _live(self, number: int) -> None:
        try:
            self._make(number)
            self._ready.release()
            self._told.wait()
            self._timings[number] = self._loop(number, self._begin)
        except BaseException as error:  # noqa: BLE001  raised in the main thread
            self._failures.append(error)
            self._ready.release()

    def _make(self, number: int) -> None:
        order, session = self._order, self._session
        worker = order.process * order.threads + number
        if session is not None:
            # Whatever an engine makes at a thread's first call is made now.
            session.get(DATASETS[order.dataset][0].name, 1)
        self.works.append(
            WORKLOADS[order.workload].make(
                Context(
                    self._made,
                    order.directory,
                    order.rows,
                    Random(f"{order.seed} {order.workload} {worker}"),
                    worker,
                    order.processes * order.threads,
                    session,
                    order.last_change,
                )
            )
        )

    def _loop(self, number: int, begin: int) -> Timing:
        order, work = self._order, self.works[number]
        if order.rate is None:
            return closed_loop(work, begin, order.seconds, RealClock())
        parts = order.processes * order.threads
        rhythm = Rhythm(order.rate, order.process * order.threads + number, parts)
        return open_loop(work, begin, order.seconds, rhythm, RealClock())


class Used:
    """What this process and its session have used by now."""

    def __init__(self, session: Session | None) -> None:
        self._session = session
        self._counters = None if session is None else session.counters()
        self._cpu_ns = time.process_time_ns()

    def since(self) -> tuple[Counters | None, int]:
        """What they have used since: the session's counters, and CPU time in ns."""
        cpu_ns = time.process_time_ns() - self._cpu_ns
        counters, earlier = None, self._counters
        if self._session is not None and earlier is not None:
            now = self._session.counters()
            assert now is not None
            counters = Counters(
                now.commits - earlier.commits,
                now.syncs - earlier.syncs,
                now.log_bytes - earlier.log_bytes,
            )
        return counters, cpu_ns


def peak_kb() -> int:
    """The most memory that this process has had, the interpreter and the figures included."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
