"""Kills stored as replay files, in the process in which the bug is planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bazanite_stress.explore.again import OtherSteps
from bazanite_stress.explore.keep import keep
from bazanite_stress.explore.shrink import api_calls

from .again import how_of
from .detectors import Finding


def store(
    finding: Finding, workloads: tuple[str, ...], bugs: tuple[int, ...], directory: Path
) -> dict[str, Any]:
    """Keep this finding; its file and how small it became, or the problem.

    A power cut is made small.  What another detector saw is repeated by that detector, as it is.
    """
    violation, name = finding.violation, f"bug_{bugs[0]:02d}"
    if violation is None:
        return {"problem": "the engine refused its own work: no moment and no disk to store"}
    if finding.letter != "P":
        violation = replace(violation, how=how_of(finding, workloads))
        name = f"{name}_{finding.letter.lower()}"
    try:
        kept = keep(violation, directory, name, bugs=bugs)
    except (OtherSteps, ValueError, OSError) as error:
        return {"problem": str(error) or type(error).__name__}
    small = kept.replay.violation
    return {"file": str(kept.file), "calls": api_calls(small.workload), "sectors": len(small.lost)}
