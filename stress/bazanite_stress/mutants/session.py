"""Processes on one simulated machine, one call at a time, and the states that are right.

A *timeline* is a history that may be the true one: the states after each transaction since the last
that is certainly durable.  A call that ends in an error, or whose process dies, splits it: the
transaction happened, or not.  A later answer decides.  After a power cut under ``"full"`` the last
state of some timeline must come back, under ``"normal"`` any state of one.

Whatever is judged is a *moment*: an opening, an answer, a power cut, a kill of everyone.  Moments
are counted, so that one can be gone to again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bazanite import DBError
from bazanite_stress.explore.explorer import (
    REFUSED,
    Violation,
    broken_rule,
    lost_units,
    prepared,
)
from bazanite_stress.explore.model import Model, describe
from bazanite_stress.explore.runner import Point, Run, WrongAnswer, setup_model
from bazanite_stress.explore.session import Session as EngineSession
from bazanite_stress.explore.workload import Step
from bazanite_stress.simulation.legal import Choice, Space, Tearing
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import Killed, SimulatedSystem, Stuck, Watch

from .looking import Abandoned, Caught, Looking
from .scene import Scene

KIND = "detector"
Timeline = tuple[Model, ...]
QUIET = frozenset({"load", "acquire", "sleep", "directory", "size", "exists", "list", "open"})
"""Calls at which nothing worth a fault happens."""


class Process(Run):
    """One simulated process with the database open.  ``point`` hooks of Run are not used."""

    def start(self, watch: Watch | None = None) -> None:
        """Open the database."""
        self.system = SimulatedSystem(self.machine, self.seed)
        self.system.watch = watch
        self.session = EngineSession(self._open)

    def perform(self, step: Step) -> Any:
        """The call itself."""
        assert self.session is not None
        return self.session.perform(step)

    def watch(self, watch: Watch | None) -> None:
        """Let each call to the machine be seen, and perhaps fail."""
        assert self.system is not None
        self.system.watch = watch

    def kill(self) -> None:
        """SIGKILL."""
        assert self.system is not None
        self.system.kill()


class Session:
    """One case of a scene: ``case`` is what tells it from the others, as plain data.

    ``machine`` and ``states``: where it begins, if not after the setup.
    """

    def __init__(
        self,
        scene: Scene,
        looking: Looking,
        case: dict[str, Any] | None = None,
        *,
        machine: Machine | None = None,
        states: Sequence[Model] = (),
        sample: int = 4,
    ) -> None:
        self.scene = scene
        self.workload = scene.workload
        self.looking = looking
        self.case = case or {}
        self.judge = looking.judge(scene)
        self.sample = sample
        self.at = 0
        self.finds = 0
        self.read: list[Any] = []
        self._count = 0
        self.timelines: list[Timeline] = [
            (model,) for model in states or [setup_model(scene.workload)]
        ]
        self.machine = machine or self._set_up()

    def _set_up(self) -> Machine:
        seen = self.moment("setup")
        try:
            machine = prepared(self.workload, self.scene.profile, 512)
        except (WrongAnswer, DBError) as error:
            raise self._refused("setup", error, seen=seen) from error
        self._right(seen=seen)
        return machine

    def process(self, name: str, watch: Watch | None = None) -> Process:
        """A process that has the database open."""
        process = Process(self.workload, self.machine, lambda _point: None, seed=name)
        what = f"opening by {name}"
        seen = self.moment(what)
        try:
            process.start(watch)
        except Exception as error:  # whatever it raises
            raise self._refused(what, error, seen=seen) from error
        self._right(seen=seen)
        return process

    # ---- calls

    def step(self, process: Process, number: int, *, faulty: bool = False) -> Exception | None:
        """The step of this number.  ``faulty``: its error may say what became of it."""
        self.at = number
        step = self.workload.steps[number]
        if step[0] != "lock":
            return self._call(process, step, faulty=faulty)
        assert process.db is not None
        try:
            with process.db.storage.lock():
                for inner in step[1]:
                    self._call(process, inner, faulty=faulty)
        except DBError as error:
            raise self.refused(f"lock by {process.seed}", error) from error
        return None

    def _call(self, process: Process, step: Step, *, faulty: bool) -> Exception | None:
        what = f"{step[0]} by {process.seed}"
        seen = self.moment(what)
        forks = [_fork(timeline, step) for timeline in self.timelines]
        try:
            found = process.perform(step)
        except (Killed, KeyboardInterrupt):
            self.timelines = [t for before, after, _, _ in forks for t in (before, after)]
            self._right(seen=seen)
            return None
        except (Stuck, AssertionError) as error:
            self._wrong(f"{type(error).__name__}: {error}", "stuck", what, seen=seen)
            raise Abandoned from error
        except Exception as error:
            if not self._survives(forks, error, faulty=faulty):
                rule = "a call failed although nothing was wrong"
                self._wrong(f"{step}: {error!r}", rule, what, seen=seen, after=forks)
                raise Abandoned from error
            self._right(seen=seen)
            return error
        right = [
            after for _, after, expected, refusal in forks if not refusal and expected == found
        ]
        if not right:
            rule = "a call's answer is right in no possible history"
            shown = describe(found) if step[0] == "read" else repr(found)
            self._wrong(shown, rule, what, seen=seen, after=forks)
            raise Abandoned
        self._right(seen=seen)
        collapse = self.workload.durability == "full" or step[0] in (
            "checkpoint",
            "archive",
            "reopen",
        )
        self.timelines = [timeline[-1:] if collapse else timeline for timeline in right]
        return None

    def _survives(self, forks: list[Fork], error: Exception, *, faulty: bool) -> bool:
        """Whether a call may end in this error; the histories in which it may go on."""
        name = type(error).__name__
        right = [before for before, _, _, refusal in forks if refusal == name]
        if right:
            full = self.workload.durability == "full"
            self.timelines = [timeline[-1:] if full else timeline for timeline in right]
            return True
        if not faulty or not isinstance(error, DBError | ValueError | OSError):
            return False
        kept: list[Timeline] = []
        for before, after, _, _ in forks:
            if name != "CommittedNotApplied":
                kept.append(before)
            if name != "DirectoryError":
                kept.append(after)
        self.timelines = kept
        return True

    # ---- crashes

    def cut(
        self, when: str, right: list[Model] | None = None, tearing: Tearing | None = None
    ) -> None:
        """Cut the power now, in some of all ways: one of these states must come back.

        Caught if another one does.
        """
        what = f"power cut {when}"
        if not self.moment(what):
            return
        right = self.right() if right is None else right
        tearing = tearing or self.scene.tearing
        for space, choice in self.looking.disks(self.machine, tearing, self.sample, when):
            self.looking.spend()
            outcome = self.judge.outcome(space.image(choice))
            rule = broken_rule(outcome, right, self.workload.durability)
            if rule:
                disk = (space, choice, tearing)
                self._wrong(outcome.describe(), rule, what, right=right, disk=disk)
        self.looking.fine()

    def stop(self, when: str, right: list[Model] | None = None) -> None:
        """Kill everyone now, and open again on the same machine."""
        what = f"all killed {when}"
        if not self.moment(what) or self.looking.lost:
            return
        self.looking.spend()
        right = self.newest() if right is None else right
        outcome = self.judge.judge_machine(self.machine.after_kill())
        rule = broken_rule(outcome, right, self.workload.durability)
        if rule:
            self._wrong(outcome.describe(), rule, what, right=right)
        self.looking.fine()

    def right(self) -> list[Model]:
        """The states of which one must come back after a power cut."""
        if self.workload.durability == "full":
            return self.newest()
        return [model for timeline in self.timelines for model in timeline]

    def newest(self) -> list[Model]:
        """The states of which one must be there while the machine runs."""
        return [timeline[-1] for timeline in self.timelines]

    # ---- verdicts

    def moment(self, what: str) -> bool:
        """The next moment is there: whether it is looked at."""
        self._count += 1
        return self.looking.moment(self.case, self._count, what)

    def verdict(self, what: str, found: str, rule: str, right: list[Model] | None = None) -> None:
        """What came out at this moment; ``rule`` is the one that is broken, "" if none is."""
        if rule:
            self._wrong(found, rule, what, right=right)
        self.looking.fine()

    def refused(self, what: str, error: Exception) -> Abandoned:
        """The engine ended in an error where nothing was wrong: Caught, or what to raise."""
        return self._refused(what, error, seen=self.moment(what))

    def _refused(self, what: str, error: Exception, *, seen: bool) -> Abandoned:
        self._wrong(f"{type(error).__name__}: {error}", REFUSED, what, seen=seen)
        return Abandoned()

    def _reads(self) -> dict[str, Any]:
        """How many rows other processes read within calls until now, and which is read now."""
        counted = {"finds": self.finds} if self.finds else {}
        return counted | ({"read": self.read} if self.read else {})

    def _right(self, *, seen: bool) -> None:
        if seen:
            self.looking.fine()

    def _wrong(
        self,
        found: str,
        rule: str,
        what: str,
        *,
        seen: bool = True,
        right: list[Model] | None = None,
        after: Sequence[Fork] = (),
        disk: tuple[Space, Choice, Tearing] | None = None,
    ) -> None:
        """Caught, if this moment is looked at and the rule is one that is looked for.

        ``after``: the histories with the call whose answer is wrong.
        """
        if not seen or self.looking.rule not in ("", rule.partition(":")[0]):
            return
        if right is None:
            right = [fork[1][-1] for fork in after] or self.newest()
        expected = tuple(dict.fromkeys(describe(model.content()) for model in right))
        scene = self.scene
        violation = Violation(
            scene.workload,
            scene.profile,
            512,
            Point(self._count, self.at, what, 0, 0),
            disk[0].prefix if disk else 0,
            disk[1] if disk else (),
            lost_units(disk[0], disk[1]) if disk else (),
            expected,
            found,
            rule,
            self.looking.states,
            how_of(scene) | self.case | self._reads(),
            disk[2] if disk else scene.tearing,
        )
        raise Caught(violation)


_NO_CASE = ("kind", "letter", "part", "by", "reads", "finds", "read")


def how_of(scene: Scene) -> dict[str, Any]:
    """What a violation's ``how`` says of its scene."""
    how: dict[str, Any] = {"kind": KIND, "letter": scene.letter}
    if scene.part:
        how["part"] = scene.part
    if scene.by:
        how["by"] = [*scene.by]
    if scene.reads is not None:
        how["reads"] = [*scene.reads]
    return how


def scene_of(violation: Violation) -> Scene:
    """The scene that ``how_of`` and the violation tell of."""
    how = violation.how
    reads = how.get("reads")
    return Scene(
        how["letter"],
        violation.workload,
        violation.profile,
        tuple(how.get("by", ())),
        how.get("part", ""),
        reads=None if reads is None else tuple(reads),
    )


def case_of(violation: Violation) -> dict[str, Any]:
    """What tells the violation's case from others of its scene."""
    return {name: value for name, value in violation.how.items() if name not in _NO_CASE}


Fork = tuple[Timeline, Timeline, Any, str]
"""The history without a call and with it, its answer, and the error it must end in."""


def _fork(timeline: Timeline, step: Step) -> Fork:
    expected, error = (model := timeline[-1].clone()).answer(step)
    if error or step[0] in ("read", "find"):
        return timeline, timeline, expected, error
    return timeline, (*timeline, model), expected, ""
