"""A benchmark under way, and what came out: one object an engine and cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .engines import durability_of
from .figures import Round, ratio, told
from .plan import Cell, Settings
from .workloads import BESIDE_WRITERS


@dataclass(slots=True)
class Campaign:
    """A benchmark under way.  ``skipped``: for each engine what was left out, and why; ``wrong``:
    what engines read that was not what was stored.
    """

    settings: Settings
    cells: list[Cell]
    environment: dict[str, Any]
    rounds: dict[tuple[str, Cell], dict[str, list[Round | None]]] = field(default_factory=dict)
    skipped: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    done: int = 0
    current: str = ""
    interrupted: bool = False
    seconds: float = 0.0

    def skip(self, engine: str, reason: str, what: str) -> None:
        """Note that something is left out."""
        noted = self.skipped.setdefault((engine, reason), [])
        if what not in noted:
            noted.append(what)

    def results(self) -> list[dict[str, Any]]:
        """One object an engine and cell, in the order of the cells."""
        found = []
        for (workload, cell), engines in self.rounds.items():
            for engine in self.settings.engines:
                rounds = engines.get(engine, [])
                measured = [one for one in rounds if one is not None]
                if not measured:
                    continue
                ours = engines.get("bazanite", [None] * len(rounds))
                processes = cell.shape.processes
                if workload == cell.spec.beside:
                    processes = BESIDE_WRITERS
                figures = told(measured)
                rate = figures["ops_per_second"]
                found.append(
                    {
                        "engine": engine,
                        "workload": workload,
                        "processes": processes,
                        "threads": cell.shape.threads,
                        "rows": cell.rows,
                        "rate": self.settings.rate,
                        **figures,
                        "rows_per_second": rate * cell.rows if cell.spec.whole else None,
                        "ratio_to_bazanite": ratio(rounds, ours),
                        "durability": durability_of(engine, self.settings.durability),
                        "environment": self.environment,
                    }
                )
        return found
