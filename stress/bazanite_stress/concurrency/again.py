"""A schedule that broke a rule: recorded as a violation, run again, and made small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from bazanite_stress.explore.again import Again, identical, rule_of
from bazanite_stress.explore.explorer import Limits, Violation
from bazanite_stress.explore.runner import Point
from bazanite_stress.explore.workload import Workload
from bazanite_stress.simulation.disk import Profile

from .catalogue import smaller
from .faults import drawn
from .plans import Decision, Odds, Policy, Script, preempted
from .programs import Program
from .trial import Court, Trial

KIND = "schedule"
TIGHTEN_FIRST = True
"""A setup is cheap, processes are not: these become fewer before it becomes smaller."""
_RANDOM = 24
_CHANGES = 60
"""Schedules that are tried of a smaller program, by how they are drawn."""
_REPEATED = 5


def violation_of(program: Program, profile: Profile, trial: Trial, *, stops: bool) -> Violation:
    """What to record of a run that broke a rule."""
    broken = trial.broken
    assert broken is not None
    point = Point(trial.points, 0, "", 0, 0)
    turns = "; ".join(trial.told) or "nobody interrupted"
    how = {
        "kind": KIND,
        "processes": program.processes,
        "decisions": [decision.as_json() for decision in trial.decisions],
        "what": f"{len(program.processes)} processes take turns ({turns})",
        "stops": stops,
    }
    expected = (broken.expected,) if broken.expected else ()
    return Violation(
        program.workload, profile, 512, point, 0, (), (), expected, broken.found, broken.rule,
        trial.points, how,
    )  # fmt: skip


def again(violation: Violation) -> Again:
    """The same program under the same decisions."""
    program = Program(violation.workload, violation.how["processes"])
    return Again(_run(violation, program, Script(_decisions(violation))))


def search(
    violation: Violation, workload: Workload, _limits: Limits, _memory: dict[Any, Any]
) -> tuple[Violation | None, int]:
    """One of its rule in the same processes on this workload, and how many schedules were run.

    ValueError if they cannot be carried out on it: it lacks a table or a column of theirs.
    """
    program = Program(workload, violation.how["processes"])
    program.check()
    return _find(violation, program)


def tighten(violation: Violation, states: int, _memory: dict[Any, Any]) -> Violation:
    """Fewer processes, threads and steps, then fewer decisions."""
    best, left = violation, states
    simpler = True
    while simpler and left > 0:
        simpler = False
        for program in smaller(Program(best.workload, best.how["processes"])):
            found, runs = _find(best, program)
            left -= runs
            if found is not None:
                best, simpler = found, True
                break
            if left <= 0:
                break
    return _settled(_fewer_decisions(best))


def _settled(violation: Violation) -> Violation:
    """As its own decisions repeat it: one that had no effect may have cost a turn."""
    for _ in range(_REPEATED):
        found = again(violation).violation
        if found is None or not _same(found, violation) or identical(found, violation):
            break
        violation = found
    return violation


def _fewer_decisions(violation: Violation) -> Violation:
    best = violation
    size = len(_decisions(best))
    while size:
        start = 0
        while start < len(decisions := _decisions(best)):
            fewer = [*decisions[:start], *decisions[start + size :]]
            program = Program(best.workload, best.how["processes"])
            found = _run(best, program, Script(fewer))
            if found is not None and _same(found, best) and len(_decisions(found)) < len(decisions):
                best = found
            else:
                start += size
        size //= 2
    return best


def _find(violation: Violation, program: Program) -> tuple[Violation | None, int]:
    runs = 0
    for policy in _policies(violation):
        runs += 1
        found = _run(violation, program, policy)
        if found is not None and _same(found, violation):
            return found, runs
    return None, runs


def _policies(violation: Violation) -> Iterator[Policy]:
    """The same decisions; random ones with the same events; one change of turn."""
    decisions = _decisions(violation)
    kinds = [decision.kind for decision in decisions]
    yield Script(decisions)
    last = max((decision.point for decision in decisions), default=100)
    odds = Odds(0.1, kinds.count("kill"), kinds.count("stop"), "cut" in kinds, within=last + 1,
                faults=kinds.count("fail"))  # fmt: skip
    yield from (drawn(f"{i}", replace(odds, change=0.02 + 0.3 * (i % 2))) for i in range(_RANDOM))
    if set(kinds) <= {"run"}:
        yield from islice(preempted(1), _CHANGES)


def _run(violation: Violation, program: Program, policy: Policy) -> Violation | None:
    stops = violation.how["stops"]
    trial = Court(program, violation.profile).run(policy, stops=stops)
    if trial.broken is None:
        return None
    return violation_of(program, violation.profile, trial, stops=stops)


def _same(one: Violation, other: Violation) -> bool:
    return other.rule == "" or rule_of(one) == rule_of(other)


def _decisions(violation: Violation) -> list[Decision]:
    return [Decision(**decision) for decision in violation.how["decisions"]]


def calls_beside(violation: Violation) -> int:
    """How many calls its processes make; the workload's are those of the setup."""
    return steps_of(Program(violation.workload, violation.how["processes"]))


def steps_of(program: Program) -> int:
    """How many calls all processes make."""
    threads = chain.from_iterable(program.processes)
    return sum(_size(step) for steps in threads for step in steps)


def _size(step: list[Any]) -> int:
    inner = step[1] if len(step) > 1 and isinstance(step[1], list) else []
    return 1 + sum(_size(one) for one in inner if isinstance(one, list))
