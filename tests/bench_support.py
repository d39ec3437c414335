"""What the tests of the benchmark share: operations in this process, on directories they filled."""

from __future__ import annotations

import time
from array import array
from pathlib import Path
from typing import Any

from bazanite_stress.bench import worker
from bazanite_stress.bench.engines import ENGINES, engine, missing
from bazanite_stress.bench.figures import Round
from bazanite_stress.bench.operations import Work
from bazanite_stress.bench.orders import Order, Part
from bazanite_stress.bench.plan import Cell
from bazanite_stress.bench.tables import DATASETS
from bazanite_stress.bench.workloads import WORKLOADS, Shape

ROWS = 200
INSTALLED = [name for name in ENGINES if missing(name) is None]


class Wire:
    """The parent's end, in the same process: whoever asks is told to begin now."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def send(self, value: Any) -> None:
        self.said.append(value)

    def recv(self) -> int:
        return time.perf_counter_ns()


def order(role: str, name: str, directory: Path, workload: str, **more: Any) -> Order:
    dataset = WORKLOADS[workload].dataset
    given = {"rows": ROWS, "seconds": 0.002, "seed": 1, **more}
    return Order(role, name, "full", directory, dataset, workload=workload, **given)


def filled(name: str, directory: Path, workload: str, rows: int = ROWS) -> Path:
    wire = Wire()
    worker.prepare(wire, order("prepare", name, directory, workload, rows=rows))  # type: ignore[arg-type]
    assert wire.said == [0]
    return directory


def measured(name: str, directory: Path, workload: str, **more: Any) -> tuple[list[Work], Part]:
    """What a process would measure; its session is closed, and the rows are counted."""
    told = order("measure", name, directory, workload, **more)
    made = engine(name)
    opens = WORKLOADS[workload].opens
    session = None if opens else made.open(directory, DATASETS[told.dataset])
    try:
        works, part = worker.measured(Wire(), told, made, session)  # type: ignore[arg-type]
        for work in works:
            work.end()
    finally:
        if session is not None:
            session.close()
    return works, part


def cell(workload: str = "insert", processes: int = 1, threads: int = 1, rows: int = 100) -> Cell:
    return Cell(workload, Shape(processes, threads), rows)


def one_round(rate: float, latencies: list[int] | None = None, **more: Any) -> Round:
    given: dict[str, Any] = {
        "latencies": array("q", latencies or [1000]),
        "done": [1],
        "missed": 0,
        "ops_per_second": rate,
        "commits": 1,
        "own_commits": None,
        "syncs": None,
        "log_bytes": None,
        "disk_bytes": None,
        "cpu_ns": None,
        "peak_kb": 1024,
    }
    return Round(**{**given, **more})
