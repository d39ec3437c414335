"""Kills stored as replay files, in the process in which the bug is planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bazanite_stress.explore.again import OtherSteps
from bazanite_stress.explore.keep import keep
from bazanite_stress.explore.minimise import Bounds, calls_of, sectors_of

from .detectors import PLAYED, Finding
from .schedules import WAY

_BOUNDS = Bounds(states=60_000, seconds=120.0)
_SCHEDULES = Bounds(states=300, seconds=120.0)
"""A schedule costs very much more than a disk."""


def store(finding: Finding, bugs: tuple[int, ...], directory: Path) -> dict[str, Any]:
    """Keep this finding, made small; its file and how small it became, or the problem."""
    name = f"bug_{bugs[0]:02d}"
    if finding.letter != "P":
        name = f"{name}_{finding.letter.lower()}"
    if finding.way != PLAYED:
        name = f"{name}_{finding.way}"
    bounds = _SCHEDULES if finding.way == WAY else _BOUNDS
    try:
        kept = keep(finding.violation, directory, name, bugs=bugs, bounds=bounds)
    except (OtherSteps, ValueError, OSError) as error:
        return {"problem": str(error) or type(error).__name__}
    small = kept.replay.violation
    return {"file": str(kept.file), "calls": calls_of(small), "sectors": sectors_of(small)}
