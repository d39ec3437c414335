"""What one of the started processes does: measure, or prepare or audit a directory.

It is told what by an ``Order``, says "ready" when it has opened everything, is told the moment at
which all begin, sends what it measured, and closes when it is told that all are done: so neither
starting nor closing disturbs anybody's figures.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

from .engine import Engine, Session
from .engines import ENGINES, engine
from .lifecycle import fill_log, sync_tree
from .operations import Work
from .orders import Failure, Order, Part
from .tables import DATASETS, Values, WrongResult, check_count, rows_for, rows_of
from .threads import Threads, Used, peak_kb
from .workloads import WORKLOADS

READY = "ready"
CLOSED = "closed"
FULL_LOG = "full log"
_BATCH = 100_000


def main(connection: Connection, order: Order) -> None:
    """The life of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    try:
        _ROLES[order.role](connection, order)
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone
    except BaseException as error:  # noqa: BLE001  told to the parent
        wrong = isinstance(error, WrongResult)
        text = str(error) if wrong else traceback.format_exception_only(error)[-1].strip()
        connection.send(Failure(text, wrong))


def prepare(connection: Connection, order: Order) -> None:
    """Fill a directory, and sync it; then send how often rows were changed to fill the log.

    A full log stays because nobody closes the directory.
    """
    made = engine(order.engine, order.durability)
    full = order.dataset == FULL_LOG
    dataset = "items" if full else order.dataset
    session = made.open(order.directory, DATASETS[dataset])
    for table, count in rows_of(dataset, order.rows).items():
        for rows in _batches(rows_for(table, count)):
            session.insert_many(table, rows)
    if full:
        session.close()  # so that all of the log are changes
        session = made.open(order.directory, DATASETS[dataset])
        connection.send(fill_log(session, order.rows))
        os._exit(0)
    session.close()
    sync_tree(order.directory)
    connection.send(0)


def _batches(rows: Iterable[Values]) -> Iterator[list[Values]]:
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        yield batch


def audit(connection: Connection, order: Order) -> None:
    """Count the rows of each table: WrongResult unless they are what all inserted together."""
    session = engine(order.engine, order.durability).open(order.directory, DATASETS[order.dataset])
    for table, count in order.expected.items():
        check_count(table, session.count(table), count)
    session.close()
    connection.send(CLOSED)


def measure(connection: Connection, order: Order) -> None:
    """Repeat the workload's operation, in one thread or several."""
    made = engine(order.engine, order.durability)
    opens = WORKLOADS[order.workload].opens
    session = None if opens else made.open(order.directory, DATASETS[order.dataset])
    works, part = measured(connection, order, made, session)
    connection.send(part)
    connection.recv()
    for work in works:
        work.end()
    if session is not None:
        session.close()
    connection.send(CLOSED)


def measured(
    connection: Connection, order: Order, made: Engine, session: Session | None
) -> tuple[list[Work], Part]:
    """The operations of all threads, and what came out; WrongResult if they did something wrong."""
    crew = Threads(order, made, session)
    crew.start()
    connection.send(READY)
    begin: int = connection.recv()
    used = Used(session)
    timings = crew.run(begin)
    counters, cpu_ns = used.since()
    works = crew.works
    peak = peak_kb()  # before the checks, which read more
    if ENGINES[order.engine].keeps_rows:
        for work in works:
            work.check()
    inserted: Counter[str] = sum((work.inserted for work in works), Counter())
    prepared = any(work.prepares for work in works)
    return works, Part(
        latencies=[timing.latencies.tobytes() for timing in timings],
        elapsed_ns=[timing.elapsed_ns for timing in timings],
        done=[timing.done for timing in timings],
        missed=[timing.missed for timing in timings],
        commits=sum(work.commits for work in works),
        inserted=inserted,
        peak_kb=peak,
        cpu_ns=None if prepared else cpu_ns,
        counters=counters,
    )


_ROLES: dict[str, Callable[[Connection, Order], Any]] = {
    "prepare": prepare,
    "audit": audit,
    "measure": measure,
}
