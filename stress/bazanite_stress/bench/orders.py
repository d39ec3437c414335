"""What a started process is told to do, and what it answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .engine import Counters


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to do.  ``role``: "measure", "prepare" or "audit".

    ``expected``: how many rows each table has to have, for an audit.
    """

    role: str
    engine: str
    durability: str
    directory: Path
    dataset: str
    rows: int
    workload: str = ""
    seed: int = 0
    process: int = 0
    processes: int = 1
    threads: int = 1
    seconds: float = 1.0
    rate: float | None = None
    last_change: int = 0
    expected: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Part:
    """What one process measured; lists have an element a thread.

    ``cpu_ns`` is None where something untimed was prepared between the operations.
    """

    latencies: list[bytes]
    elapsed_ns: list[int]
    done: list[int]
    missed: list[int]
    commits: int
    inserted: Counter[str]
    peak_kb: int
    cpu_ns: int | None
    counters: Counters | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The process could not do it; ``wrong``: because what it read was not what was stored."""

    text: str
    wrong: bool
