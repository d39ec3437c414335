"""What a benchmark prints: tables that fit a hundred columns, on what it ran, what was left out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from .campaign import Campaign
from .engines import NO_SYNC
from .workloads import WORKLOADS

WIDTH = 100

Results = Sequence[dict[str, Any]]

_HEADINGS = (
    *("engine", "proc", "thr", "ops/s", "ratio", "p50", "p99", "p99.9", "max"),
    *("fair", "syncs", "cpu", "MB"),
)


def as_table(campaign: Campaign, results: Results) -> str:
    """All of it, for a person."""
    parts = []
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["workload"], result["rows"]), []).append(result)
    for (workload, rows), group in groups.items():
        title = f"{workload}: {WORKLOADS[workload].summary}; {rows:,} rows"
        parts.append("\n".join([title, *_lines(group)]))
    parts.append(about(campaign, results))
    return "\n\n".join(parts)


def about(campaign: Campaign, results: Results) -> str:
    """On what it ran, what the columns mean, and what was left out."""
    lines = _wrapped(_environment_line(campaign.environment))
    settings, unsafe = campaign.settings, _unsafe(results)
    lines += _wrapped(
        f"seed {settings.seed}, {settings.rounds} round{'s' * (settings.rounds > 1)} of"
        f" {settings.seconds:g} s in each cell, {_loop_text(settings.rate)},"
        f" Bazanite with durability {settings.durability!r}"
    )
    lines += _wrapped(
        "ratio: its operations a second through Bazanite's; fair: the fewest operations of a"
        " process or thread through the most; syncs: of the log and the tables, a commit; cpu:"
        " CPU time of an operation"
        + f"; *: no sync, so a power cut takes anything ({', '.join(unsafe)})"
        * bool(unsafe)
    )
    lines += skipped_lines(campaign)
    for engine, what in campaign.wrong:
        lines += _wrapped(f"WRONG {engine}: {what}")
    missed = sum(result["missed"] for result in results)
    if missed:
        lines += _wrapped(
            f"{missed:,} operations were not begun in time: the rate is more than some can do;"
            " they count with the time they had waited by then"
        )
    if campaign.interrupted:
        lines.append("interrupted: what is missing was not measured")
    return "\n".join(lines)


def skipped_lines(campaign: Campaign) -> list[str]:
    """What was left out, a paragraph an engine and reason."""
    lines = []
    for (engine, reason), what in sorted(campaign.skipped.items()):
        shown = what if len(what) <= _MOST_NAMED else [*what[:_MOST_NAMED], f"{len(what)} in all"]
        lines += _wrapped(f"skipped {engine}: {reason} ({'; '.join(shown)})")
    return lines


_MOST_NAMED = 12


def _unsafe(results: Results) -> list[str]:
    found = {result["engine"] for result in results if _starred(result)}
    return sorted(found)


def _starred(result: dict[str, Any]) -> bool:
    return bool(result["durability"] == NO_SYNC)


def _loop_text(rate: float | None) -> str:
    if rate is None:
        return "closed loop"
    return f"open loop of {rate:g} operations a second, latencies from the intended start"


def _environment_line(environment: dict[str, Any]) -> str:
    return (
        f"{environment['date']}, Linux {environment['kernel']}, {environment['cpu_count']} CPUs"
        f" ({environment['cpu'] or environment['machine']}), Python {environment['python']},"
        f" SQLite {environment['sqlite']}, on {environment['filesystem']},"
        f" {'with' if 'numpy' in environment['versions'] else 'without'} NumPy, load"
        f" {environment['load']:g} at the beginning"
    )


def _lines(results: Results) -> list[str]:
    rows = [_HEADINGS, *(tuple(_cells(result)) for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return lines


def _cells(result: dict[str, Any]) -> list[str]:
    cpu = result["cpu_us_per_operation"]
    times = [result[f"{name}_us"] for name in ("p50", "p99", "p999", "max")]
    return [
        result["engine"] + "*" * _starred(result),
        str(result["processes"]),
        str(result["threads"]),
        number(result["ops_per_second"]),
        number(result["ratio_to_bazanite"]),
        *map(duration, times),
        number(result["fairness_min_max"]),
        number(result["syncs_per_commit"]),
        "-" if cpu is None else duration(cpu),
        f"{result['peak_mb']:.0f}",
    ]


def duration(microseconds: float) -> str:
    """A time in three digits and its unit: 1.84us, 12.3ms, 4.20s."""
    for unit, size in (("us", 1.0), ("ms", 1e3)):
        if microseconds < 999.5 * size:
            return f"{_three_digits(microseconds / size)}{unit}"
    return f"{_three_digits(microseconds / 1e6)}s"


def number(value: float | None) -> str:
    """A figure in three digits or whole; "-": there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 999.5 else _three_digits(value)


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
