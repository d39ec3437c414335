"""Power cuts looked at again, searched for in a smaller workload, and made as small as they go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from bazanite.errors import ValidationError
from bazanite_stress.simulation.disk import Image, Profile
from bazanite_stress.simulation.legal import Choice, Space, Tearing, spaces
from bazanite_stress.simulation.machine import Machine

from .again import Again, OtherSteps, rule_of, same_rule
from .explorer import (
    NO_CRASH,
    Explorer,
    Limits,
    Violation,
    lost_units,
    newest_option,
    older_units,
    prepared,
    right_states,
    rule_broken_at,
    without_crash,
)
from .judge import Judge, Outcome
from .model import Model, describe
from .runner import Point, Run
from .schema_model import migrations_of
from .workload import Workload

_MOST_LOST = 3


class _There(BaseException):
    """The moment is reached: the run need not go on."""


def again(violation: Violation) -> Again:
    """Run to the recorded point, build the recorded disk, judge it."""
    judge = Judge(violation.workload, violation.profile, violation.sector)
    found: list[Again] = []

    def at_point(run: Run, point: Point) -> bool:
        if point.number != violation.point.number or violation.rule in NO_CRASH:
            return False
        if point != violation.point:
            raise OtherSteps(f"crash point {point.number} is another one: {point.what}")
        space = _space(run, violation)
        found.append(_seen(violation, run, judge, point, space, violation.choice))
        return True

    points, wrong = _run(violation, at_point)
    if found:
        return found[0]
    if wrong is not None:
        return Again(wrong)
    if violation.rule in NO_CRASH:
        return Again(None)
    raise OtherSteps(f"there are {points} crash points, not {violation.point.number}")


def search(
    violation: Violation, workload: Workload, limits: Limits, memory: dict[Any, Any]
) -> tuple[Violation | None, int]:
    """A violation of the same rule anywhere in this workload, and how many disks were visited.

    Of any rule, if ``violation`` names none.
    """
    like = replace(violation, workload=workload)
    if violation.rule in NO_CRASH:
        found = _run(like, lambda _run, _point: False)[1]
        return (found if found is not None and same_rule(found, violation) else None), 1
    looking = _Looking(
        workload,
        violation.profile,
        violation.sector,
        limits=replace(limits, violations=1),
        tearing=violation.tearing,
        judge=judge_for(workload, violation.profile, violation.sector, memory),
    )
    looking.rule = rule_of(violation)
    tally = looking.explore()
    return next(iter(tally.violations), None), tally.visited


def judge_for(workload: Workload, profile: Profile, sector: int, memory: dict[Any, Any]) -> Judge:
    """A judge that knows the disks of earlier searches, where tables and options are the same."""
    opened = (workload.tables, workload.durability, workload.options,
              migrations_of(workload.steps))  # fmt: skip
    key = (repr(opened), profile, sector)
    if key not in memory:
        memory[key] = Judge(workload, profile, sector)
    judge: Judge = memory[key]
    return judge


class _Looking(Explorer):
    """Explores until one rule breaks ("": any); a faulty engine breaks others all the time."""

    rule = ""

    def _report(
        self,
        point: Point,
        space: Space,
        choice: Choice,
        outcome: Outcome,
        right: list[Model],
        rule: str,
    ) -> None:
        if self.rule in {"", rule.partition(":")[0]}:
            super()._report(point, space, choice, outcome, right, rule)


def tighten(violation: Violation, states: int, memory: dict[Any, Any]) -> Violation:
    """The fewest units lost, then the earliest point; at most about so many disks are judged."""
    if violation.rule in NO_CRASH:
        return violation
    judge = judge_for(violation.workload, violation.profile, violation.sector, memory)
    best = _least_lost(violation, states, judge)
    for length in (best.point.step, best.point.step + 1):  # nothing after the moment matters
        shorter = best.workload.with_steps(best.workload.steps[:length])
        try:
            found = again(replace(best, workload=shorter)).violation
        except OtherSteps:
            continue
        if found is not None and same_rule(found, best):
            return found
    return best


def _least_lost(violation: Violation, states: int, judge: Judge) -> Violation:
    for lost in range(_MOST_LOST + 1):
        found: list[Violation] = []

        def at_point(
            run: Run, point: Point, lost: int = lost, found: list[Violation] = found
        ) -> bool:
            nonlocal states
            for space, choice in with_lost(run.machine, violation.tearing, lost):
                states -= 1
                seen = _seen(violation, run, judge, point, space, choice).violation
                if seen is not None and same_rule(seen, violation):
                    found.append(seen)
                if found or states <= 0:
                    return True
            return False

        _run(violation, at_point)
        if found:
            return found[0]
        if states <= 0:
            break
    return _greedily(violation, judge)


def with_lost(machine: Machine, tearing: Tearing, lost: int) -> Iterator[tuple[Space, Choice]]:
    """The disks of this moment that lost so many units; older metadata counts as one more."""
    if machine.folder is None:
        return
    for number, space in enumerate(reversed(spaces(machine.disk, machine.folder, tearing))):
        count = lost - (number > 0)
        newest = [newest_option(unit) for unit in space.units]
        for chosen in combinations(range(len(newest)), count) if count >= 0 else ():
            ranges = (range(len(space.units[i].options)) for i in chosen)
            for options in product(*ranges):
                if any(newest[i] == option for i, option in zip(chosen, options, strict=True)):
                    continue
                choice = list(newest)
                for i, option in zip(chosen, options, strict=True):
                    choice[i] = option
                yield space, tuple(choice)


def _greedily(violation: Violation, judge: Judge) -> Violation:
    """Set one unit after another to its newest, as long as the violation stays."""
    best = violation

    def at_point(run: Run, point: Point) -> bool:
        nonlocal best
        if point.number != violation.point.number:
            return False
        space = _space(run, violation)
        for i, unit in enumerate(space.units):
            tried = (*best.choice[:i], newest_option(unit), *best.choice[i + 1 :])
            seen = _seen(violation, run, judge, point, space, tried).violation
            if seen is not None and same_rule(seen, violation):
                best = seen
        return True

    _run(violation, at_point)
    return best


def _run(
    violation: Violation, at_point: Callable[[Run, Point], bool]
) -> tuple[int, Violation | None]:
    """Carry the workload out until ``at_point`` has seen enough.

    Returns how many crash points there were, and the violation if a call's answer was wrong.
    """
    workload = violation.workload
    stopped: list[OtherSteps | None] = []

    def visit(point: Point) -> None:
        assert run is not None
        try:
            if stopped or at_point(run, point):
                stopped.append(None)
        except OtherSteps as error:
            stopped.append(error)
        if stopped:
            raise _There

    run: Run | None = None
    wrong: Violation | None = None
    try:
        run = Run(workload, prepared(workload, violation.profile, violation.sector), visit)
        run.start()
        run.finish()
    except ValidationError:
        raise
    except _There:
        pass
    except Exception as error:  # noqa: BLE001  an engine that fails by itself has lost already
        if not stopped:  # else: what an engine says through which the stop was thrown
            wrong = without_crash(workload, violation.profile, violation.sector, run, error)
    finally:
        if run is not None and run.system is not None:
            run.system.kill()
    if stopped and stopped[0] is not None:
        raise stopped[0]
    return run.points if run is not None else 0, wrong


def _space(run: Run, violation: Violation) -> Space:
    """The recorded address's space at this moment; OtherSteps if it has none."""
    return space_of(run.machine, violation.tearing, violation.prefix, violation.choice)


def space_of(machine: Machine, tearing: Tearing, prefix: int, choice: Choice) -> Space:
    """The space at this moment in which the address is; OtherSteps if there is none."""
    for space in spaces(machine.disk, machine.folder, tearing) if machine.folder else ():
        if space.prefix == prefix:
            counts = [len(unit.options) for unit in space.units]
            fits = len(counts) == len(choice)
            if not fits or not all(0 <= o < n for o, n in zip(choice, counts, strict=True)):
                raise OtherSteps(f"the disk has {len(counts)} units with {counts} options there")
            return space
    raise OtherSteps("the names and sizes of the disk change in other steps")


def _seen(
    like: Violation, run: Run, judge: Judge, point: Point, space: Space, choice: Choice
) -> Again:
    """What judging this disk gives."""
    image = space.image(choice)
    outcome = judge.outcome(image)
    right = right_states(run, point)
    rule = rule_broken_at(run, point, outcome)
    older = older_units(space, choice)
    if not rule:
        return Again(None, choice, older, digest_of(image))
    violation = replace(
        like,
        point=point,
        prefix=space.prefix,
        choice=choice,
        lost=lost_units(space, choice),
        expected=tuple(describe(model.content()) for model in right),
        found=outcome.describe(),
        rule=rule,
    )
    return Again(violation, choice, older, digest_of(image))


def digest_of(image: Image | None) -> str:
    """A digest of all files and their names."""
    hashed = hashlib.blake2b(digest_size=16)
    for name, data in sorted((image or {}).items()):
        hashed.update(f"{name}\0{len(data)}\0".encode())
        hashed.update(data)
    return hashed.hexdigest() if image is not None else "no directory"
