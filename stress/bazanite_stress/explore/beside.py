"""Two processes: one steps in at any call of the other, and goes on, or dies; then a kill, a cut.

A *scene* is one step of a workload by the first process, and one moment in it at which the second
one does something while the first stands still:

- "insert": a whole transaction, if the locks that the first one holds allow it;
- "dies behind its frame": the frame is in the log, its end has moved, nobody has synced it;
- "unheard": a checkpoint under the lock, whose sync of a table file fails (R13) as it dies, so that
  nobody hears of what is not on the disk;
- "unheard ahead": the same before it takes the lock; "write-back": the kernel itself could not
  write a table file's pages.  Whoever had the file open would be told of it at his next sync, so
  both processes die first, and one goes on that opened the directory behind it.

Then both go on, a checkpoint included.  At each moment the states that are right are those of both
orders of what is known to have happened, with and without what may have happened.  Whatever one
process reads, a power cut must leave (``"full"``), and a kill under each level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bazanite_stress.simulation.disk import Profile

from .again import Again, OtherSteps, kind_of, same_rule
from .explorer import Enough, Limits, Tally, Violation, meet
from .judge import Judge
from .runner import Point
from .scene import TOLD, Action, Scene, WrongScene
from .story import step_text
from .workload import Workload

KIND = "beside"
ACTIONS: dict[Action, str] = {
    "insert": "carried out a transaction of its own",
    "dies behind its frame": "died behind the frame that it had written and not synced",
    "unheard": "held the lock and died in a sync that failed",
    "unheard ahead": "died in a sync that failed",
    "write-back": "wrote nothing, and the kernel could not write a file's pages",
}
"""What the second process does, and how a story tells it."""
_NOTHING = frozenset({"acquire", "sleep", "directory", "size", "exists", "list", "open"})
"""Calls before which nothing has changed since the call before."""


@dataclass(frozen=True, slots=True)
class BesideLimits:
    """``every``: of how many moments one is tried (seeded); ``cuts``: power cuts at one moment."""

    every: int = 1
    cuts: int = 8
    violations: int = 5
    seed: str = "0"


QUICK = BesideLimits(every=7, cuts=3)


@dataclass(frozen=True, slots=True)
class Moment:
    """What the second process does before call ``call`` of step ``step`` of the first one."""

    step: int
    call: int
    action: Action


class Beside:
    """All scenes of one workload, under one profile and sector size; its points are the scenes."""

    def __init__(
        self,
        workload: Workload,
        profile: Profile = "journal",
        sector: int = 512,
        *,
        limits: BesideLimits | None = None,
    ) -> None:
        self.workload = workload
        self.profile: Profile = profile
        self.sector = sector
        self.limits = limits or BesideLimits()
        self.judge = Judge(workload, profile, sector)
        self.tally = Tally()

    def explore(self) -> Tally:
        """Play them; what was seen."""
        moments = list(self.moments())
        shift = sum(self.limits.seed.encode()) % self.limits.every
        try:
            for moment in moments[shift :: self.limits.every]:
                found = self.play(moment)
                if found is not None:
                    meet(self.tally, found, self.limits)
        except Enough:
            pass
        self.tally.unique = self.judge.unique
        return self.tally

    def play(self, moment: Moment) -> Violation | None:
        """One scene; the violation that it shows."""
        self.tally.points += 1
        scene = Scene(self, moment.step, moment.call, moment.action)
        try:
            scene.play()
        except WrongScene as error:
            how = {"kind": KIND, "call": moment.call, "action": moment.action, "when": error.when}
            point = Point(self.tally.points, moment.step, error.when, 0, 0)
            return Violation(
                self.workload, self.profile, self.sector, point, 0, (), error.lost, error.expected,
                error.found or error.rule, error.rule, self.tally.visited, how,
            )  # fmt: skip
        return None

    def moments(self) -> Iterator[Moment]:
        """All moments at which somebody may step in."""
        for number, step in enumerate(self.workload.steps):
            if step[0] == "lock":
                continue  # several transactions
            calls = self.calls(number)
            # in a checkpoint of its own the first process would be told, as the text above says
            actions = [a for a in ACTIONS if a not in TOLD or "sync" not in calls]
            for call, operation in enumerate(calls):
                if operation not in _NOTHING:
                    yield from (Moment(number, call, action) for action in actions)

    def calls(self, step: int) -> list[str]:
        """The calls of one step, when nobody steps in."""
        calls: list[str] = []
        Scene(self, step, -1, "insert").rehearse(calls)
        return calls


def again(violation: Violation) -> Again:
    """Play this scene again."""
    stage = _stage(violation, violation.workload)
    moment = _moment(violation)
    if moment.step >= len(violation.workload.steps) or moment.call >= len(stage.calls(moment.step)):
        raise OtherSteps(f"step {moment.step} has no call {moment.call}")
    found = stage.play(moment)
    if found is None:
        return Again(None)
    point = replace(found.point, number=violation.point.number)
    how = found.how | {"limits": violation.how["limits"]}
    return Again(replace(found, point=point, how=how))


def search(
    violation: Violation, workload: Workload, _limits: Limits, _memory: dict[Any, Any]
) -> tuple[Violation | None, int]:
    """The same thing done by the second process at any moment of this workload."""
    stage = _stage(violation, workload)
    action = violation.how["action"]
    for moment in stage.moments():
        if moment.action != action:
            continue
        found = stage.play(moment)
        if found is not None and (not violation.rule or same_rule(found, violation)):
            how = found.how | {"limits": violation.how["limits"]}
            return replace(found, how=how), stage.tally.visited + stage.tally.points
    return None, stage.tally.visited + stage.tally.points


def told(violation: Violation) -> str:
    """What happened, for a person."""
    moment = _moment(violation)
    steps = violation.workload.steps
    during = step_text(steps[moment.step]) if moment.step < len(steps) else "the close"
    return (
        f"Before call {moment.call} of {during} another process {ACTIONS[moment.action]};"
        f" {violation.how['when']}"
    )


def _stage(violation: Violation, workload: Workload) -> Beside:
    assert kind_of(violation) == KIND
    limits = BesideLimits(**violation.how["limits"])
    return Beside(workload, violation.profile, violation.sector, limits=limits)


def _moment(violation: Violation) -> Moment:
    return Moment(violation.point.step, violation.how["call"], violation.how["action"])
