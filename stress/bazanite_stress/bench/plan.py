"""What is measured, in which order, and what is left out for which reason.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from .engines import ENGINES
from .workloads import BESIDE_WRITERS, WORKLOADS, Shape, Spec

DEFAULT_ROWS = (10_000,)
LIMIT_SECONDS = 60.0
"""An engine that needs longer, for preparing or for one operation, is left out at that size."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for.  ``processes``, ``threads``: None stands for each workload's own.

    ``only``: of these own shapes, those.  ``rate``: operations a second of an open loop, of all
    processes together; None: a closed loop.
    ``budget_seconds``: no cell is begun later.  ``parent``: where the directories are made.
    ``scale``: more cells, (workload, rows), in one process.
    """

    workloads: Sequence[str]
    engines: Sequence[str]
    seed: int
    processes: Sequence[int] | None = None
    threads: Sequence[int] | None = None
    only: Collection[Shape] | None = None
    rows: Sequence[int] = DEFAULT_ROWS
    seconds: float = 0.5
    rounds: int = 3
    rate: float | None = None
    durability: str = "full"
    limit_seconds: float = LIMIT_SECONDS
    budget_seconds: float | None = None
    parent: Path | None = None
    scale: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One workload in one shape at one size; each engine is measured in it, round by round."""

    workload: str
    shape: Shape
    rows: int

    @property
    def spec(self) -> Spec:
        """The workload."""
        return WORKLOADS[self.workload]

    def __str__(self) -> str:
        shape = f"{self.shape.processes} x {self.shape.threads}"
        return f"{self.workload}, {self.rows:,} rows, {shape}"


def plan(settings: Settings) -> list[Cell]:
    """All cells; those of one size one after the other, so that few directories are kept."""
    cells = [
        Cell(workload, shape, rows)
        for rows in settings.rows
        for workload in settings.workloads
        for shape in shapes(WORKLOADS[workload], settings)
    ]
    cells += [Cell(workload, Shape(1), rows) for workload, rows in settings.scale]
    if settings.budget_seconds is not None:  # what is told of all workloads comes first
        cells.sort(key=lambda cell: cell.shape.processes * cell.shape.threads)
    return sorted(dict.fromkeys(cells), key=lambda cell: cell.rows)


def shapes(spec: Spec, settings: Settings) -> Iterable[Shape]:
    """The shapes in which a workload is measured: its own, or those asked for."""
    if not spec.many:
        return spec.shapes
    if settings.processes is None and settings.threads is None:
        own = spec.shapes
        return [shape for shape in own if settings.only is None or shape in settings.only]
    return [Shape(*pair) for pair in product(settings.processes or [1], settings.threads or [1])]


def reason_against(engine: str, cell: Cell) -> str | None:
    """Why this engine cannot be measured in this cell; None: it can."""
    entry, spec, shape = ENGINES[engine], cell.spec, cell.shape
    if not entry.keeps_rows and spec.readable:
        return "keeps no rows: only writing is measured"
    if not entry.has_log and spec.needs_log:
        return "has no log that is to be recovered"
    if not entry.has_indexes and spec.needs_index:
        return "has no indexes"
    if not entry.processes and (shape.processes > 1 or spec.beside):
        return "is for one process"
    if not entry.threads and shape.threads > 1:
        return "is for one thread"
    if entry.most_rows is not None and cell.rows > entry.most_rows:
        return f"takes at most {entry.most_rows:,} rows a table"
    if cell.rows < shape.processes * shape.threads or (spec.beside and cell.rows < BESIDE_WRITERS):
        return "each writer needs a row of its own"
    return None


def rotated(engines: Sequence[str], turn: int) -> list[str]:
    """The engines beginning with another one in each round: being first is nobody's advantage."""
    start = turn % len(engines) if engines else 0
    return [*engines[start:], *engines[:start]]
