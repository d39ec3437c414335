"""A violation looked at again: the same workload, the same moment, the same disk, judged anew.

Everything is deterministic, so an engine that takes the same steps gives the same violation, each
time.  What happened besides the workload (``Violation.how``) decides which module looks: it offers

    again(violation) -> Again                                      this one, nothing else
    search(violation, workload, limits, memory) -> (Violation or None, states)
                                      one of its rule in this workload; absent: cannot be shrunk
    tighten(violation, states, memory) -> Violation
                                      the same workload, an earlier moment, less lost; may be absent
    TIGHTEN_FIRST                     true: so, before the workload is made smaller; may be absent
    told(violation) -> str            what happened, for a person: up to the rule; may be absent
    calls_beside(violation) -> int    how many calls are not in its workload; may be absent

``memory`` is a dictionary that lasts for one minimisation.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.legal import NO_TEARING, Tearing

from .explorer import Limits, Violation
from .runner import Point
from .workload import Workload

POWER_CUT = "power cut"

KINDS: dict[str, str] = {
    POWER_CUT: "bazanite_stress.explore.power",
    "kill": "bazanite_stress.explore.cases",
    "nested": "bazanite_stress.explore.cases",
    "recovery killed": "bazanite_stress.explore.cases",
    "fault": "bazanite_stress.explore.cases",
    "beside": "bazanite_stress.explore.beside",
    "damage": "bazanite_stress.explore.damage_cases",
    "odd input": "bazanite_stress.explore.damage_cases",
    "schedule": "bazanite_stress.concurrency.again",
    "detector": "bazanite_stress.mutants.again",
}
"""The module that looks again, by ``how["kind"]``."""

_THOROUGH = Limits(exhaustive=400, sample=60, violations=1)


class OtherSteps(Exception):
    """The moment or the disk that was recorded does not exist: this engine takes other steps."""


@dataclass(frozen=True, slots=True)
class Again:
    """What came out: the violation, or None if the engine survives now.

    ``older`` are the units of the disk that are not at their newest, by name; ``choice`` is the
    whole address.  ``digest`` is that of the disk.
    """

    violation: Violation | None
    choice: tuple[int, ...] = ()
    older: Mapping[str, int] | None = None
    digest: str = ""


def kind_of(violation: Violation) -> str:
    """What happened besides the workload."""
    return str(violation.how.get("kind", POWER_CUT))


def module_for(kind: str) -> ModuleType:
    """Who looks at violations of this kind again; ValueError if nobody does."""
    if kind not in KINDS:
        raise ValueError(f"nothing here repeats a violation of the kind {kind!r}")
    return importlib.import_module(KINDS[kind])


def again(violation: Violation, older: Mapping[str, int] | None = None) -> Again:
    """Look at exactly this again.

    ``older``, if given, must be what it says of the disk.  OtherSteps if this engine never comes to
    that moment or disk.
    """
    found: Again = module_for(kind_of(violation)).again(violation)
    if found.violation is not None:
        found = replace(found, violation=plain(found.violation))
    if older is not None and dict(older) != dict(found.older or {}):
        raise OtherSteps(f"other units are not at their newest: {found.older or 'none'}")
    return found


def same_rule(one: Violation, other: Violation) -> bool:
    """Whether both break the same rule, whatever details its text gives."""
    return rule_of(one) == rule_of(other)


def rule_of(violation: Violation) -> str:
    """The rule without the details of this case."""
    return violation.rule.partition(":")[0]


def identical(one: Violation | None, other: Violation | None) -> bool:
    """Whether both say the same in every word, however long it took to find them."""
    if one is None or other is None:
        return one is other
    return replace(one, states=0) == replace(other, states=0)


def plain(violation: Violation) -> Violation:
    """As it comes out of a file, so that both compare: tuples in its plain data are lists."""
    data = {"workload": violation.workload.as_json(), "how": violation.how}
    data = json.loads(json.dumps(data))
    workload = Workload.from_json(data["workload"])
    return replace(violation, workload=workload, how=data["how"], states=0)


def chosen(violations: Iterable[Violation], like: Violation) -> Again:
    """For a module that explores instead of going straight to one case: that case among all.

    OtherSteps if there are violations, but not this one.
    """
    like, found = plain(like), [plain(violation) for violation in violations]
    for one in found:
        if (one.how, one.point, one.prefix, one.choice) == (
            like.how, like.point, like.prefix, like.choice,
        ):  # fmt: skip
            return Again(one, one.choice)
    if found:
        raise OtherSteps(f"there are {len(found)} other violations, the first at {found[0].point}")
    return Again(None)


def elsewhere(violation: Violation) -> Violation | None:
    """Its rule (any, if it names none) broken anywhere in its workload, explored anew."""
    search = getattr(module_for(kind_of(violation)), "search", None)
    found: Violation | None = None
    if search is not None:
        found = search(violation, violation.workload, _THOROUGH, {})[0]
    return found


def broken_again(
    workload: Workload,
    *,
    profile: Profile,
    sector: int,
    point: Point,
    prefix: int,
    choice: Sequence[int],
    older: Mapping[str, int],
    how: dict[str, Any] | None = None,
    tearing: Tearing = NO_TEARING,
    rule: str,
) -> str:
    """For a test: the description of what breaks, "" if the engine survives.

    Looks at the recorded disk.  If this engine takes other steps, all of the workload is explored:
    a fault that only moved is found too.
    """
    from .report import describe_violation  # noqa: PLC0415  report imports the campaign

    recorded = Violation(
        workload, profile, sector, point, prefix, tuple(choice), tuple(older), (), "", rule, 0,
        dict(how or {}), tearing,
    )  # fmt: skip
    try:
        found = again(recorded, older).violation
    except OtherSteps:
        found = elsewhere(replace(recorded, rule=""))
    return describe_violation(found) if found else ""
