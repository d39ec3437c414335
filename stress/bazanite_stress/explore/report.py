"""What a campaign says to people: a table, and each violation in words."""

from __future__ import annotations

import math

from bazanite_stress.pool import CANARY
from bazanite_stress.simulation.legal import NO_TEARING

from .again import POWER_CUT, kind_of
from .campaign import Campaign
from .explorer import Violation
from .story import NO_MOMENT, besides
from .tasks import Part

_NO_DISKS = ("damage", "fuzz")
"""Ways that count no crash points and no legal disks."""
_COLUMNS = ("points", "legal", "visited", "different")


def as_table(campaign: Campaign) -> str:
    """A line for each workload, by the way of crashing it; the figures and the verdict last."""
    cuts = "of the power cuts' points exhaustively, others sampled"
    jobs = f"{campaign.jobs} job{'s' * (campaign.jobs != 1)}"
    speed = f"{campaign.states_per_second:,.0f} states/s with {jobs}"
    rows = [
        ("verdict", campaign.verdict + (" (interrupted)" if campaign.interrupted else "")),
        ("profile", f"{campaign.scope}, seed {campaign.seed}, shard {campaign.shard}"),
        ("canary", CANARY[campaign.canary]),
        ("workloads", f"{campaign.total('workloads'):,}"),
        ("crash points", f"{campaign.total('points'):,}"),
        (
            "states",
            f"{campaign.total('visited'):,} visited, {campaign.total('unique'):,} different",
        ),
        ("coverage", f"{campaign.exhaustive_percent:.1f} % {cuts}"),
        ("speed", f"{speed}, {campaign.judged_per_second_and_job:,.0f} disks/s recovered in each"),
        ("seconds", f"{campaign.seconds:.1f}"),
        ("violations", f"{len(campaign.violations):,}"),
    ]
    lines = [f"{name:<14}{text}" for name, text in rows]
    return "\n".join([*_parts_table(campaign.parts), *lines])


def _parts_table(parts: list[Part]) -> list[str]:
    """Eighty columns wide at most, unless a workload of one's own has a long name."""
    sections: dict[str, list[Part]] = {}
    for part in sorted(parts, key=lambda p: (p.way, p.sector, p.profile, p.name)):
        sections.setdefault(_heading(part), []).append(part)
    lines: list[str] = []
    for heading, found in sorted(sections.items()):
        lines += [heading, *_section(found), ""]
    return lines


def _heading(part: Part) -> str:
    """What the parts of one section have in common."""
    if part.way in _NO_DISKS:
        return part.way
    note = part.name.partition(" (")[2].rstrip(")")
    disk = f"{part.way}, {part.profile} disk, sectors of {part.sector} bytes"
    return f"{disk}, {note}" if note else disk


def _section(parts: list[Part]) -> list[str]:
    way = parts[0].way
    columns = ["visited", "different"] if way in _NO_DISKS else [*_COLUMNS]
    if way == "power cut":
        columns.append("seen")
    rows = [["workload", *columns], *([_name(part), *_cells(part, columns)] for part in parts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in rows
    ]


def _name(part: Part) -> str:
    return part.name if part.way in _NO_DISKS else part.name.partition(" (")[0]


def _cells(part: Part, columns: list[str]) -> list[str]:
    texts = {
        "points": f"{part.points:,}",
        "legal": count_text(part.legal),
        "visited": f"{part.visited:,}",
        "different": f"{part.unique:,}",
        "seen": percent_text(part.percent),
    }
    return [texts[column] for column in columns]


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
    where = f"at crash point {point.number} ({point.what})" if cut else point.what
    disk = f"{violation.profile}, sector {violation.sector}"
    if violation.tearing != NO_TEARING:
        disk += ", torn" + (" with neighbours" if violation.tearing.neighbours else "")
    lines = [f"violation: {violation.rule}", f"  workload     {violation.workload.name}, {disk}"]
    if kind_of(violation) not in NO_MOMENT:
        lines.append(f"  {'power cut' if cut else 'moment':<12} {where}, in step {point.step}")
        if cut or violation.lost:
            lines.append(f"  not on disk  {lost}" + (f" and {more} more" if more > 0 else ""))
    if violation.how and kind_of(violation) not in NO_MOMENT:
        details = ", ".join(f"{name}: {value}" for name, value in besides(violation).items())
        lines.append(f"  besides      {details}")
    if not rows:
        return "\n".join(lines)
    for number, text in enumerate(violation.expected):
        label = "expected" if number == 0 else "or"
        lines += [f"  {label:<12} {line}" for line in text.splitlines()]
    lines += [f"  {'found':<12} {line}" for line in violation.found.splitlines()]
    return "\n".join(lines)
