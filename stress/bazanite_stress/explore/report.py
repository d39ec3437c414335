"""What a campaign says to people: a table, and each violation in words."""

from __future__ import annotations

import math

from bazanite_stress.simulation.legal import NO_TEARING

from .again import POWER_CUT, kind_of
from .campaign import Campaign
from .explorer import Violation
from .story import NO_MOMENT, besides
from .tasks import Part


def as_table(campaign: Campaign) -> str:
    """The figures, and a line for each workload."""
    share = f"{campaign.exhaustive_percent:.1f} % of the crash points exhaustively, others sampled"
    rows = [
        ("verdict", campaign.verdict + (" (interrupted)" if campaign.interrupted else "")),
        ("profile", f"{campaign.scope}, seed {campaign.seed}, shard {campaign.shard}"),
        ("canary", "found" if campaign.canary else "NOT FOUND: this harness sees nothing"),
        ("workloads", f"{campaign.total('workloads'):,}"),
        ("crash points", f"{campaign.total('points'):,}"),
        (
            "states",
            f"{campaign.total('visited'):,} visited, {campaign.total('unique'):,} different",
        ),
        ("coverage", share),
        ("speed", f"{campaign.states_per_second:,.0f} states/s with {campaign.jobs} jobs"),
        ("", f"{campaign.judged_per_second_and_job:,.0f} disks/s recovered in each"),
        ("seconds", f"{campaign.seconds:.1f}"),
        ("violations", f"{len(campaign.violations):,}"),
    ]
    lines = [f"{name:<14}{text}" for name, text in rows]
    return "\n".join([*lines, "", *_parts_table(campaign.parts)])


def _parts_table(parts: list[Part]) -> list[str]:
    heading = (
        "workload",
        "crash",
        "disk",
        "sector",
        "points",
        "legal",
        "visited",
        "different",
        "seen",
    )
    rows = [
        heading,
        *map(_part_row, sorted(parts, key=lambda p: (p.way, p.sector, p.name, p.profile))),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heading))]
    return [
        "  ".join(
            cell.ljust(width) if i < 3 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _part_row(part: Part) -> tuple[str, ...]:
    seen = percent_text(part.percent) if part.way == "power cut" else ""
    return (
        part.name,
        part.way,
        part.profile,
        str(part.sector),
        str(part.points),
        count_text(part.legal),
        f"{part.visited:,}",
        f"{part.unique:,}",
        seen,
    )


def count_text(count: int) -> str:
    """A count, in powers of ten where it is beyond counting."""
    if count < 10**9:
        return f"{count:,}"
    if count < 10**300:
        return f"{count:.1e}"
    exponent = int(math.log10(count))  # which takes numbers that no float can hold
    exponent -= count < 10**exponent  # and rounds
    tenths = count // 10 ** (exponent - 1)
    return f"{tenths // 10}.{tenths % 10}e+{exponent}"


def percent_text(percent: float) -> str:
    """A share: 100 % only if it is all of it."""
    if percent >= 100:
        return "100 %"
    return f"{percent:.2f} %" if percent >= 0.01 else "< 0.01 %"


def describe_violation(violation: Violation, *, rows: bool = True) -> str:
    """What was lost, where, and what should have come back (``rows``)."""
    lost = ", ".join(violation.lost[:6]) or "nothing"
    more = len(violation.lost) - 6
    point = violation.point
    cut = kind_of(violation) == POWER_CUT
    at = "power cut  at crash point" if cut else "moment     number"
    disk = f"{violation.profile}, sector {violation.sector}"
    if violation.tearing != NO_TEARING:
        disk += ", torn" + (" with neighbours" if violation.tearing.neighbours else "")
    lines = [f"violation: {violation.rule}", f"  workload   {violation.workload.name}, {disk}"]
    if kind_of(violation) not in NO_MOMENT:
        lines += [
            f"  {at} {point.number} ({point.what}), in step {point.step}",
            f"  not on disk  {lost}" + (f" and {more} more" if more > 0 else ""),
        ]
    if violation.how and kind_of(violation) not in NO_MOMENT:
        details = ", ".join(f"{name}: {value}" for name, value in besides(violation).items())
        lines.append(f"  besides    {details}")
    if not rows:
        return "\n".join(lines)
    for number, text in enumerate(violation.expected):
        label = "expected" if number == 0 else "or"
        lines += [f"  {label:<10} {line}" for line in text.splitlines()]
    lines += [f"  {'found':<10} {line}" for line in violation.found.splitlines()]
    return "\n".join(lines)
