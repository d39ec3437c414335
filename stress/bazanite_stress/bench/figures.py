"""From what the processes measured to what is told of it.  Pure.

Rates, shares and costs are the median over the rounds; latencies are those of all rounds together.
A ratio is taken round by round, of two engines measured one soon after the other, and the median
of these is told: what slows the machine for a while slows both.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bazanite_stress.shares import at, fairness

from .loop import SECOND
from .orders import Part

SHARES = (0.01, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.99, 0.995, 0.999, 0.9999, 1.0)
"""The quantiles that are told beside the named ones, for a plot."""


@dataclass(frozen=True, slots=True)
class Round:
    """One engine in one cell, once.  ``disk_bytes``: what the whole disk was written meanwhile."""

    latencies: array[int]
    done: list[int]
    missed: int
    ops_per_second: float
    commits: int
    own_commits: int | None
    syncs: int | None
    log_bytes: int | None
    disk_bytes: int | None
    cpu_ns: int | None
    peak_kb: int


def round_of(parts: Sequence[Part], disk_bytes: int | None) -> Round:
    """What all processes of a round did together."""
    latencies = array("q")
    rate = 0.0
    for part in parts:
        for data in part.latencies:
            latencies.frombytes(data)
        for done, elapsed in zip(part.done, part.elapsed_ns, strict=True):
            rate += done * SECOND / max(elapsed, 1)
    counters = [part.counters for part in parts if part.counters is not None]
    whole = len(counters) == len(parts)
    several = len(parts) > 1
    return Round(
        latencies=latencies,
        done=[sum(part.done) for part in parts] if several else parts[0].done,
        missed=sum(sum(part.missed) for part in parts),
        ops_per_second=rate,
        commits=sum(part.commits for part in parts),
        own_commits=sum(one.commits for one in counters) if whole else None,
        syncs=sum(one.syncs for one in counters) if whole else None,
        log_bytes=sum(one.log_bytes for one in counters) if whole else None,
        disk_bytes=None if any(part.cpu_ns is None for part in parts) else disk_bytes,
        cpu_ns=_sum(part.cpu_ns for part in parts),
        peak_kb=max(part.peak_kb for part in parts),
    )


def told(rounds: Sequence[Round]) -> dict[str, Any]:
    """The figures of these rounds of one engine in one cell; None for what it has none of."""
    merged = sorted(value for one in rounds for value in one.latencies)
    quantiles = {share: at(merged, share) / 1000 for share in SHARES}
    return {
        "ops_per_second": _rounded(median(one.ops_per_second for one in rounds)),
        "p50_us": _rounded(quantiles[0.5]),
        "p90_us": _rounded(quantiles[0.9]),
        "p99_us": _rounded(quantiles[0.99]),
        "p999_us": _rounded(quantiles[0.999]),
        "max_us": _rounded(quantiles[1.0]),
        "fairness_min_max": _rounded(median(fairness(one.done) for one in rounds)),
        "syncs_per_commit": _each(rounds, lambda one: _per(one.syncs, one.own_commits)),
        "bytes_per_commit": _each(rounds, lambda one: _per(one.log_bytes, one.own_commits)),
        "disk_bytes_per_commit": _each(rounds, lambda one: _per(one.disk_bytes, one.commits)),
        "cpu_us_per_commit": _each(rounds, lambda one: _micro(_per(one.cpu_ns, one.commits))),
        "cpu_us_per_operation": _each(rounds, lambda one: _micro(_per(one.cpu_ns, sum(one.done)))),
        "peak_mb": round(max(one.peak_kb for one in rounds) / 1024, 1),
        "rounds": len(rounds),
        "operations": sum(sum(one.done) for one in rounds),
        "missed": sum(one.missed for one in rounds),
        "shares": [sum(each) for each in zip(*(one.done for one in rounds), strict=True)],
        "quantiles_us": [[share, _rounded(value)] for share, value in quantiles.items()],
    }


def ratio(mine: Sequence[Round | None], theirs: Sequence[Round | None]) -> float | None:
    """The median, over the rounds that both have, of my rate through theirs."""
    ratios = [
        one.ops_per_second / other.ops_per_second
        for one, other in zip(mine, theirs, strict=True)
        if one is not None and other is not None and other.ops_per_second
    ]
    return _rounded(median(ratios)) if ratios else None


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    found = [value for value in known if value is not None]
    return sum(found) if len(found) == len(known) else None


def _per(value: int | None, count: int | None) -> float | None:
    return None if value is None or not count else value / count


def _micro(value: float | None) -> float | None:
    return None if value is None else value / 1000


def _each(rounds: Sequence[Round], figure: Callable[[Round], float | None]) -> float | None:
    values = [value for value in map(figure, rounds) if value is not None]
    return _rounded(median(values)) if values else None


def _rounded(value: float) -> float:
    """Four significant digits of what is small: more would claim what was not measured."""
    return round(value, 1) if abs(value) >= 1000 else float(f"{value:.4g}")
