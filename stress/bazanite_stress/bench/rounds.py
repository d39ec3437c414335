"""All cells, each in rounds, in each round one engine after the other; and what came out.

A directory of each kind is filled once an engine and size, and copied for what changes it.  After
each change the rows are counted: an engine whose rows are wrong gets no figure in that cell.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bazanite_stress.pool import interrupts_wait

from . import crew
from .campaign import Campaign
from .engines import ENGINES, missing
from .environment import describe, mount_of
from .figures import Round, round_of
from .lifecycle import copied
from .orders import Order, Part
from .plan import Cell, Settings, plan, reason_against, rotated
from .tables import rows_of
from .workloads import BESIDE_WRITERS, Shape

OUT_OF_TIME = "no time was left"


def benchmark(settings: Settings, on_change: Callable[[Campaign], None]) -> Campaign:
    """Measure all that was asked for; Ctrl-C and SIGTERM end it early, and leave nothing behind.

    OSError if the directory for it cannot be used.
    """
    started = time.monotonic()
    with _scratch(settings.parent) as base:
        campaign = Campaign(settings, plan(settings), describe(base, settings.seed))
        try:
            _Bench(campaign, base, started, on_change).run()
        except KeyboardInterrupt:
            campaign.interrupted = True
    campaign.seconds = time.monotonic() - started
    return campaign


@contextmanager
def _scratch(parent: Path | None) -> Iterator[Path]:
    """A directory that is gone afterwards; meanwhile SIGTERM is heard as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    base = Path(tempfile.mkdtemp(prefix="bazanite-bench-", dir=parent))
    try:
        yield base
    finally:
        with interrupts_wait():
            shutil.rmtree(base, ignore_errors=True)
        signal.signal(signal.SIGTERM, before)


class _Bench:
    """Carries out a campaign in ``base``."""

    def __init__(
        self,
        campaign: Campaign,
        base: Path,
        started: float,
        on_change: Callable[[Campaign], None],
    ) -> None:
        self._campaign = campaign
        self._settings = campaign.settings
        self._base = base
        self._mount = mount_of(base)
        self._on_change = on_change
        budget = campaign.settings.budget_seconds
        self._deadline = None if budget is None else started + budget
        # A filled directory, and how often rows were changed to fill its log.
        self._templates: dict[tuple[str, str, int], tuple[Path, int]] = {}
        # From how many rows on an engine is too slow for a workload in a shape, or for a dataset.
        self._too_many: dict[tuple[str, str | tuple[str, Shape]], int] = {}

    def run(self) -> None:
        """Every cell."""
        campaign = self._campaign
        engines = []
        for engine in self._settings.engines:
            needs = missing(engine)
            if needs is None:
                engines.append(engine)
            else:
                campaign.skip(engine, f"is not installed: pip install {needs}", "everything")
        rows = 0
        for cell in campaign.cells:
            if cell.rows != rows:
                rows = cell.rows
                self._forget_templates()
            self._measure_cell(cell, [e for e in engines if self._takes_part(e, cell)])
            campaign.done += 1

    def _takes_part(self, engine: str, cell: Cell) -> bool:
        reason = reason_against(engine, cell)
        if reason is not None:
            self._campaign.skip(engine, reason, cell.workload)
        return reason is None

    def _measure_cell(self, cell: Cell, engines: list[str]) -> None:
        campaign = self._campaign
        failed: set[str] = set()
        for turn in range(self._settings.rounds):
            for engine in rotated(engines, turn):
                if engine in failed or self._is_too_slow(engine, cell):
                    continue
                if self._deadline is not None and time.monotonic() > self._deadline:
                    campaign.skip("all", OUT_OF_TIME, str(cell))
                    return
                campaign.current = f"{cell}: {engine}"
                self._on_change(campaign)
                try:
                    measured = self._measure(cell, engine)
                except crew.Wrong as error:
                    failed.add(engine)
                    campaign.wrong.append((engine, f"{cell}: {error}"))
                    self._drop(cell, engine)
                except crew.CrewFailed as error:
                    failed.add(engine)
                    campaign.skip(engine, f"failed: {error}", str(cell))
                    self._drop(cell, engine)
                except crew.TooSlow:
                    self._note_slow(engine, cell)
                else:
                    self._keep(cell, engine, turn, measured)

    def _keep(self, cell: Cell, engine: str, turn: int, measured: dict[str, Round]) -> None:
        for workload, one in measured.items():
            engines = self._campaign.rounds.setdefault((workload, cell), {})
            engines.setdefault(engine, [None] * self._settings.rounds)[turn] = one

    def _drop(self, cell: Cell, engine: str) -> None:
        for workload in (cell.workload, cell.spec.beside):
            self._campaign.rounds.get((workload, cell), {}).pop(engine, None)

    def _is_too_slow(self, engine: str, cell: Cell) -> bool:
        return any(
            cell.rows >= self._too_many.get((engine, what), cell.rows + 1)
            for what in ((cell.workload, cell.shape), cell.spec.dataset)
        )

    def _note_slow(self, engine: str, cell: Cell) -> None:
        self._too_many.setdefault((engine, (cell.workload, cell.shape)), cell.rows)
        reason = f"needs over {self._settings.limit_seconds:g} s"
        self._campaign.skip(engine, reason, str(cell))

    def _measure(self, cell: Cell, engine: str) -> dict[str, Round]:
        """One engine in one cell, once: a round for the workload, and for who works beside it."""
        spec, settings = cell.spec, self._settings
        template, last_change = self._template(cell, engine)
        directory = template
        if spec.changes:
            directory = self._base / "cell"
            copied(template, directory)
        order = replace(
            self._order("measure", engine, directory, spec.dataset, cell.rows),
            workload=cell.workload,
            last_change=last_change,
            threads=cell.shape.threads,
            seconds=settings.seconds,
            rate=settings.rate,
        )
        groups = {cell.workload: _orders(order, cell.shape.processes)}
        if spec.beside:
            groups[spec.beside] = _orders(replace(order, workload=spec.beside), BESIDE_WRITERS)
        os.sync()  # else this engine's syncs would pay for what the last one left unwritten
        before = self._mount.written_bytes()
        parts = crew.measure(
            [order for orders in groups.values() for order in orders], settings.limit_seconds
        )
        after = self._mount.written_bytes()
        written = None if before is None or after is None else after - before
        if spec.changes and not spec.opens and ENGINES[engine].keeps_rows:
            self._audit(order, parts)
        measured = {}
        for workload, orders in groups.items():
            mine, parts = parts[: len(orders)], parts[len(orders) :]
            measured[workload] = round_of(mine, written)
        return measured

    def _audit(self, order: Order, parts: list[Part]) -> None:
        expected = rows_of(order.dataset, order.rows)
        for part in parts:
            for table, count in part.inserted.items():
                expected[table] += count
        audit = replace(order, role="audit", expected=expected)
        crew.carry_out(audit, self._settings.limit_seconds)

    def _template(self, cell: Cell, engine: str) -> tuple[Path, int]:
        """A directory with the rows at the beginning; made at its first use."""
        dataset = cell.spec.dataset
        key = engine, dataset, cell.rows
        if key not in self._templates:
            path = self._base / f"{engine} {dataset} {cell.rows}"
            order = self._order("prepare", engine, path, dataset, cell.rows)
            try:
                change = crew.carry_out(order, self._settings.limit_seconds)
            except crew.TooSlow:
                shutil.rmtree(path, ignore_errors=True)
                self._too_many[engine, dataset] = cell.rows
                raise
            self._templates[key] = path, change
        return self._templates[key]

    def _forget_templates(self) -> None:
        for path, _ in self._templates.values():
            shutil.rmtree(path, ignore_errors=True)
        self._templates.clear()

    def _order(self, role: str, engine: str, directory: Path, dataset: str, rows: int) -> Order:
        settings = self._settings
        return Order(
            role, engine, settings.durability, directory, dataset, rows, seed=settings.seed
        )


def _orders(order: Order, processes: int) -> list[Order]:
    """The same order for each of so many processes."""
    return [replace(order, process=number, processes=processes) for number in range(processes)]
