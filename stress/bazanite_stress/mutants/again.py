"""A detector's finding looked at again: the same detector, over about as many states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bazanite_stress.explore.again import Again, OtherSteps
from bazanite_stress.explore.explorer import Violation

from .detectors import Finding, detect

KIND = "detector"
_LEAST_STATES = 600


def how_of(finding: Finding, workloads: tuple[str, ...]) -> dict[str, Any]:
    """What it takes to find this again; an engine without the bug is looked at for as long."""
    limit = max(finding.states, _LEAST_STATES)
    return {"kind": KIND, "letter": finding.letter, "workloads": [*workloads], "limit": limit}


def again(violation: Violation) -> Again:
    """Run the detector again; OtherSteps if it ends in something that is no violation."""
    how = violation.how
    finding, _ = detect(how["letter"], tuple(how["workloads"]), limit=how.get("limit"))
    if finding is None:
        return Again(None)
    if finding.violation is None:
        raise OtherSteps(finding.rule)
    found = replace(finding.violation, how=how)
    return Again(found, found.choice)
