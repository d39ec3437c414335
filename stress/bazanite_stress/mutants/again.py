"""A detector's finding looked at again, searched for in a smaller scene, and made small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bazanite_stress.explore.again import Again, OtherSteps, rule_of, same_rule
from bazanite_stress.explore.explorer import Limits, Violation
from bazanite_stress.explore.story import step_text
from bazanite_stress.explore.workload import Workload

from .detectors import seen
from .looking import Looking
from .scene import Scene
from .session import case_of, scene_of

_MOST_LOST = 3
_MOST_STATES = 3_000
_SORT = ("fault", "then", "sync failed")
"""What a case must have in common with another one to be of its sort."""
_FAULTS = {
    "short": "A short write",
    "interrupted call": "EINTR",
    "no space": "ENOSPC",
    "no space for a while": "ENOSPC, until the step ends,",
    "interrupt": "A KeyboardInterrupt",
    "evicted later": "A failed sync, its pages readable for a while,",
    "lost": "A failed sync, its pages gone,",
}
_CRASHES = {"killed": "SIGKILL", "power cut": "power cut"}
_SCENES = {
    "T": "Each write and sync in its order",
    "I": "The log of a killed process",
    "Cturns": "Processes in turn",
    "Creads": "A process that reads within the calls of another one",
    "Csync": "A leader's sync while another process applies, a third one dead",
}


def again(violation: Violation) -> Again:
    """This very case, moment and disk."""
    looking = Looking(only=case_of(violation), recorded=violation)
    found = seen(scene_of(violation), looking)
    if found is None and not looking.reached:
        raise OtherSteps(looking.elsewhere or "this engine never comes to that moment")
    return Again(found, violation.choice, looking.older, looking.digest)


def search(
    violation: Violation, workload: Workload, limits: Limits, memory: dict[Any, Any]
) -> tuple[Violation | None, int]:
    """One of its sort and rule in this workload, and how many states were looked at.

    Any at all, if ``violation`` names no rule.
    """
    scene = scene_of(violation).with_workload(workload)
    only = _sort_of(violation) if violation.rule else {}
    looking = Looking(_MOST_STATES, rule_of(violation), only, sample=limits.sample, memory=memory)
    return seen(scene, looking), looking.states


def tighten(violation: Violation, states: int, memory: dict[Any, Any]) -> Violation:
    """The fewest units lost, of those the earliest moment; then the fewest reads and steps."""
    best = _least_lost(violation, states, memory)
    for scene in _fewer_reads(best):
        found = _in(scene, best, memory)
        if found is not None:
            best = found
            break
    for length in (best.point.step, best.point.step + 1):  # nothing after the moment matters
        shorter = best.workload.with_steps(best.workload.steps[:length])
        found = _in(scene_of(best).with_workload(shorter), best, memory)
        if found is not None:
            return found
    return best


def told(violation: Violation) -> str:
    """What happened: who did what, what went wrong there, and the moment of the verdict."""
    how, steps = violation.how, violation.workload.steps
    match how["letter"]:
        case "E" if "fault" in how:
            step = step_text(steps[how["step"]])
            happened = (
                f"{_FAULTS[how['fault']]} at {how['operation']}, call {how['call']} of {step}"
            )
        case "K" if "call" in how:
            dying = scene_of(violation).steps_by("dying")[-1]
            happened = f"A SIGKILL at {how['operation']}, call {how['call']} of "
            happened += step_text(steps[dying])
            if how["sync failed"] != "no":
                happened += f", whose sync failed ({how['sync failed']})"
        case "N" if "then" in how:
            first = ", ".join(how.get("first lost", ())) or "nothing"
            lost = f" ({first} not on disk)" if how["then"] == "power cut" else ""
            happened = f"A {_CRASHES[how['then']]} {_during(how['during'])}{lost}, then a recovery"
        case "L":
            happened = "Real processes"
        case letter:
            happened = _SCENES.get(letter + how.get("part", ""), "Nothing went wrong")
    return f"{happened}; {violation.point.what}"


def _during(moment: str) -> str:
    return moment if moment.startswith("before ") else f"when {moment}"


def _least_lost(violation: Violation, states: int, memory: dict[Any, Any]) -> Violation:
    scene, rule = scene_of(violation), rule_of(violation)
    for lost in range(_MOST_LOST + 1):
        looking = Looking(states, rule, _sort_of(violation), lost=lost, memory=memory)
        found = seen(scene, looking)
        if found is not None:
            return found
        states -= looking.states
        if states <= 0:
            break
    return _greedily(violation)


def _greedily(violation: Violation) -> Violation:
    """Set one unit after another to its newest, as long as the violation stays."""
    best = violation
    for first in (True, False):
        looking = Looking(only=case_of(best), recorded=best)
        seen(scene_of(best), looking)
        newest = looking.first_newest if first else looking.newest
        for unit, option in enumerate(newest):
            tried = replace(best, choice=_with(best.choice, unit, option))
            if first:
                choice = [*_with(tuple(best.how["first choice"]), unit, option)]
                tried = replace(best, how=best.how | {"first choice": choice})
            try:
                found = again(tried).violation
            except OtherSteps:
                continue
            if found is not None and same_rule(found, best):
                best = found
    return best


def _with(choice: tuple[int, ...], unit: int, option: int) -> tuple[int, ...]:
    return (*choice[:unit], option, *choice[unit + 1 :])


def _fewer_reads(violation: Violation) -> Iterator[Scene]:
    """Other processes read nothing within calls, or only what broke the rule."""
    if violation.how.get("finds"):
        scene, read = scene_of(violation), violation.how.get("read")
        yield replace(scene, reads=())
        yield replace(scene, reads=(read,) if read else ())


def _in(scene: Scene, violation: Violation, memory: dict[Any, Any]) -> Violation | None:
    """The same case, with a disk that lost as much, in a scene that is smaller."""
    lost = len(violation.lost)
    only, rule = case_of(violation), rule_of(violation)
    return seen(scene, Looking(_MOST_STATES, rule, only, lost=lost, memory=memory))


def _sort_of(violation: Violation) -> dict[str, Any]:
    return {name: value for name, value in violation.how.items() if name in _SORT}
