"""What a campaign of schedules says to people."""

from __future__ import annotations

from itertools import groupby

from bazanite_stress.pool import CANARY

from .campaign import Campaign
from .tasks import Part


def as_table(campaign: Campaign) -> str:
    """The figures, and a line for each program and mode."""
    rows = [
        ("verdict", campaign.verdict + (" (interrupted)" if campaign.interrupted else "")),
        ("profile", f"{campaign.scope}, seed {campaign.seed}"),
        ("canary", CANARY[campaign.canary]),
        ("schedules", f"{campaign.total('schedules'):,}"),
        ("points", f"{campaign.total('points'):,} at which somebody else could go on"),
        ("disks", f"{campaign.total('disks'):,} opened after a power cut"),
        ("speed", f"{campaign.schedules_per_second:,.0f} schedules/s with {campaign.jobs} jobs"),
        ("seconds", f"{campaign.seconds:.1f}"),
        ("violations", f"{len(campaign.violations):,}"),
    ]
    lines = [f"{name:<14}{text}" for name, text in rows]
    return "\n".join([*lines, "", *_parts_table(campaign.parts)])


def _parts_table(parts: list[Part]) -> list[str]:
    rows = [("program", "mode", "schedules", "points each", "")]
    ordered = sorted(parts, key=lambda part: (part.name, part.mode))
    for (name, mode), group in groupby(ordered, key=lambda part: (part.name, part.mode)):
        same = list(group)
        schedules = sum(part.schedules for part in same)
        points = sum(part.points for part in same)
        rows.append(
            (
                name,
                mode,
                f"{schedules:,}",
                f"{points // max(schedules, 1):,}",
                "all" if all(part.exhaustive for part in same) else "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        "  ".join(
            cell.ljust(width) if i in (0, 1, 4) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
