"""Kills, recoveries that were cut off, and faults looked at again, and searched for.

Each is found by exploring with the limits and the seed that its ``how`` records, up to that one; a
fault is gone to directly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .again import Again, chosen, identical, kind_of, plain, same_rule
from .errors import ErrorLimits, Errors
from .explorer import Limits, Tally, Until, Violation
from .faults import Fault, faults_of
from .kills import KillLimits, Kills
from .nested import Nested, NestedLimits
from .openings import OPENING, Openings
from .workload import Workload

_ALL = 1_000_000_000


def again(violation: Violation) -> Again:
    """This one, among all that the same exploration meets."""

    def it(found: Violation) -> bool:
        return identical(plain(found), like)

    like = plain(violation)
    if OPENING in violation.how:
        openings = _openings(violation, violation.workload, it)
        found = openings.replay(violation.how, Fault(**violation.how["fault"])).violations
    else:
        faults = [Fault(**violation.how["fault"])] if kind_of(violation) == "fault" else None
        found = _explored(violation, violation.workload, it, faults).violations
    same = next((one for one in found if it(one)), None)
    return Again(same, same.choice) if same is not None else chosen(found, violation)


def search(
    violation: Violation, workload: Workload, _limits: Limits, _memory: dict[Any, Any]
) -> tuple[Violation | None, int]:
    """One of this kind and rule in this workload, and how many disks were visited."""

    def of_its_rule(found: Violation) -> bool:
        of_its_kind = kind_of(found) == kind_of(violation)
        return of_its_kind and (not violation.rule or same_rule(found, violation))

    if OPENING in violation.how:
        like = _anywhere(violation)
        tally = _openings(violation, workload, of_its_rule).explore(
            lambda fault: _same_kind(fault, like)
        )
    else:
        faults = _alike(violation, workload) if kind_of(violation) == "fault" else None
        tally = _explored(violation, workload, of_its_rule, faults)
    return next(filter(of_its_rule, tally.violations), None), tally.visited + tally.points


def _explored(
    violation: Violation, workload: Workload, until: Until, faults: list[Fault] | None
) -> Tally:
    """What the exploration meets, up to the first that is looked for; of faults, only these."""
    numbers = violation.how["limits"] | {"violations": _ALL}
    profile, sector = violation.profile, violation.sector
    if faults is None and kind_of(violation) == "kill":
        limits = KillLimits(**numbers)
        return Kills(workload, profile, sector, limits=limits, until=until).explore()
    if faults is None:
        nested = NestedLimits(**numbers)
        return Nested(workload, profile, sector, limits=nested, until=until).explore()
    errors = Errors(workload, profile, sector, limits=ErrorLimits(**numbers), until=until)
    for fault in faults:
        errors.replay(fault)
        if any(map(until, errors.tally.violations)):
            break
    return errors.tally


def _openings(violation: Violation, workload: Workload, until: Until) -> Openings:
    numbers = violation.how["limits"] | {"violations": _ALL}
    return Openings(
        workload, violation.profile, violation.sector, limits=ErrorLimits(**numbers), until=until
    )


def _anywhere(violation: Violation) -> Fault:
    """The same thing going wrong, whichever call it is; of sectors, all of them."""
    return replace(Fault(**violation.how["fault"]), call=0, sector=None, other="")


def _same_kind(fault: Fault, like: Fault) -> bool:
    return replace(fault, call=0) == like


def _alike(violation: Violation, workload: Workload) -> list[Fault]:
    """The same thing going wrong at any call of this workload."""
    fault = _anywhere(violation)
    errors = Errors(workload, violation.profile, violation.sector)
    alike: Iterator[Fault] = (
        possible
        for call in errors.calls()
        for possible in faults_of(call, one_sector=False)
        if _same_kind(possible, fault)
    )
    return list(alike)
