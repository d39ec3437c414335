"""Processes on one simulated machine, one call at a time, and the states that are right.

A *timeline* is a history that may be the true one: the states after each transaction since the last
that is certainly durable.  A call that ends in an error, or whose process dies, splits it: the
transaction happened, or not.  A later answer decides.  After a power cut under ``"full"`` the last
state of some timeline must come back, under ``"normal"`` any state of one.
"""

from __future__ import annotations

from typing import Any

from bazanite import DBError
from bazanite_stress.explore.explorer import (
    Violation,
    broken_rule,
    lost_units,
    prepared,
)
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.model import Model, ModelError, describe
from bazanite_stress.explore.runner import Point, Run, setup_model
from bazanite_stress.explore.sampling import addresses
from bazanite_stress.explore.session import Session as EngineSession
from bazanite_stress.explore.session import read_content
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.legal import NO_TEARING, Tearing, spaces
from bazanite_stress.simulation.system import Killed, SimulatedSystem, Stuck, Watch

Timeline = tuple[Model, ...]
QUIET = frozenset({"load", "acquire", "sleep", "directory", "size", "exists", "list", "open"})
"""Calls at which nothing worth a fault happens."""


class Caught(BaseException):
    """A rule is broken; the violation says which, where, and after how many states.

    It passes through the engine, whose calls the detectors watch, so no handler may take it for an
    error of the engine's.
    """

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.rule)
        self.violation = violation


class Enough(BaseException):
    """The limit of states is reached; passes through the engine like Caught."""


class Count:
    """How many states were looked at, over many sessions; Enough once ``limit`` is passed."""

    def __init__(self, limit: int | None = None) -> None:
        self.states = 0
        self._limit = limit

    def spend(self, states: int = 1) -> None:
        """So many more were looked at."""
        self.states += states
        if self._limit is not None and self.states > self._limit:
            raise Enough


class Process(Run):
    """One simulated process with the database open.  ``point`` hooks of Run are not used."""

    def start(self, watch: Watch | None = None) -> None:
        """Open the database."""
        self.system = SimulatedSystem(self.machine, self.seed)
        self.system.watch = watch
        self.session = EngineSession(self._open)

    def perform(self, step: Step) -> Any:
        """The call itself."""
        if step[0] == "read":
            assert self.db is not None
            return read_content(self.db, self.workload)
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
    """See the module's text."""

    def __init__(
        self,
        workload: Workload,
        profile: Profile,
        judge: Judge,
        count: Count,
        *,
        tearing: Tearing = NO_TEARING,
        sample: int = 4,
    ) -> None:
        self.workload = workload
        self.profile: Profile = profile
        self.judge = judge
        self.count = count
        self.tearing = tearing
        self.sample = sample
        self.machine = prepared(workload, profile, 512)
        self.timelines: list[Timeline] = [(setup_model(workload),)]
        self.done: list[str] = []

    def process(self, name: str) -> Process:
        """A process that has the database open."""
        process = Process(self.workload, self.machine, lambda _point: None, seed=name)
        process.start()
        return process

    def step(self, process: Process, step: Step, *, faulty: bool = False) -> Exception | None:
        """One call.  ``faulty``: it may end in an error that says what became of it."""
        self.done.append(str(step))
        forks = [_fork(timeline, step) for timeline in self.timelines]
        try:
            found = process.perform(step)
        except (Killed, KeyboardInterrupt):
            self.timelines = [t for before, after, _, _ in forks for t in (before, after)]
            return None
        except (Stuck, AssertionError) as error:
            raise self.caught(f"{type(error).__name__}: {error}", "stuck") from error
        except (DBError, ValueError, OSError) as error:
            self._refused(step, forks, error, faulty=faulty)
            return error
        right = [
            after
            for _, after, expected, refusal in forks
            if not refusal and (expected is None or expected == found)
        ]
        if not right:
            raise self.caught(repr(found), "a call's answer is right in no possible history")
        collapse = self.workload.durability == "full" or step[0] in ("checkpoint", "reopen")
        self.timelines = [timeline[-1:] if collapse else timeline for timeline in right]
        return None

    def _refused(
        self,
        step: Step,
        forks: list[tuple[Timeline, Timeline, Any, str]],
        error: Exception,
        *,
        faulty: bool,
    ) -> None:
        name = type(error).__name__
        right = [before for before, _, _, refusal in forks if refusal == name]
        if right:
            full = self.workload.durability == "full"
            self.timelines = [timeline[-1:] if full else timeline for timeline in right]
            return
        if not faulty:
            raise self.caught(f"{step}: {error!r}", "a call failed although nothing was wrong")
        kept: list[Timeline] = []
        for before, after, _, _ in forks:
            if name != "CommittedNotApplied":
                kept.append(before)
            if name != "DirectoryError":
                kept.append(after)
        self.timelines = kept

    def cut(self, what: str) -> None:
        """Cut the power now, in some of all ways; Caught if a wrong state comes back."""
        folder = self.machine.folder
        assert folder is not None
        right = self.right()
        for space in spaces(self.machine.disk, folder, self.tearing):
            for choice in addresses(space, self.sample, what):
                self.count.spend()
                outcome = self.judge.outcome(space.image(choice))
                rule = broken_rule(outcome, right, self.workload.durability)
                if rule:
                    lost = lost_units(space, choice)
                    raise self.caught(outcome.describe(), rule, what, space.prefix, choice, lost)

    def stop(self, what: str) -> None:
        """Kill everyone now, and open again on the same machine."""
        self.count.spend()
        outcome = self.judge.judge_machine(self.machine.after_kill())
        rule = broken_rule(outcome, self.newest(), self.workload.durability)
        if rule:
            raise self.caught(outcome.describe(), rule, f"all killed {what}")

    def right(self) -> list[Model]:
        """The states of which one must come back after a power cut."""
        if self.workload.durability == "full":
            return self.newest()
        return [model for timeline in self.timelines for model in timeline]

    def newest(self) -> list[Model]:
        """The states of which one must be there while the machine runs."""
        return [timeline[-1] for timeline in self.timelines]

    def caught(
        self,
        found: str,
        rule: str,
        what: str = "",
        prefix: int = 0,
        choice: tuple[int, ...] = (),
        lost: tuple[str, ...] = (),
    ) -> Caught:
        """What to raise for a broken rule."""
        where = "; ".join([*self.done, what] if what else self.done)
        expected = tuple(describe(model.content()) for model in self.right())
        return Caught(
            Violation(
                self.workload,
                self.profile,
                512,
                Point(len(self.done), len(self.done), where, 0, 0),
                prefix,
                choice,
                lost,
                expected,
                found,
                rule,
                self.count.states,
                tearing=self.tearing,
            )
        )


def _fork(timeline: Timeline, step: Step) -> tuple[Timeline, Timeline, Any, str]:
    """The history without this call and with it, its answer, and the error it must end in."""
    model = timeline[-1].clone()
    if step[0] == "read":
        return timeline, timeline, model.content(), ""
    try:
        expected = model.apply(step)
    except ModelError as error:
        return timeline, timeline, None, str(error)
    return timeline, (*timeline, model), expected, ""
