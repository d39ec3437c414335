"""One run of a program under one plan, and the verdict on it.

The processes run until they are done, killed, stopped for ever, or the power goes.  Then

- nobody waits for what nobody can give (Deadlock), and nobody waits for ever (Endless);
- the durable mark never moved back (MovedBack);
- no call raised what it must not: unless processes were stopped, or calls failed, only what the
  model raises too;
- everybody who is left is killed, another process opens the database and reads it: that is the last
  call of the history; and so is what comes back once pages that a failed sync left are dropped, and
  from legal disks of a power cut at that moment;
- the history is strictly serialisable (``history.checker``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bazanite_stress.explore.deaths import machine_key
from bazanite_stress.explore.explorer import prepared
from bazanite_stress.explore.judge import Judge, Outcome
from bazanite_stress.explore.runner import setup_model
from bazanite_stress.explore.sampling import few
from bazanite_stress.history.checker import Verdict, check
from bazanite_stress.history.events import Event
from bazanite_stress.history.order import in_order
from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.legal import spaces
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.errors import CommittedNotApplied, CommitUncertain, DirectoryError, LockTimeout

from .actors import Actors, Failed
from .failing import is_poisoned
from .plans import Decision, Directed, Policy
from .programs import Program
from .scheduler import Deadlock, Endless, MovedBack, PowerCut, Scheduler

_LOGGER, _QUIET = logging.getLogger("bazanite"), logging.NullHandler()
_END = 1 << 61
_CUT = "after a power cut"
_DROPPED = "all killed, clean pages dropped, then opened"
_MAKES_DURABLE = ("checkpoint",)
_EXCUSED_BY_A_STOP = (CommitUncertain, CommittedNotApplied, LockTimeout, DirectoryError)


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that this run broke."""

    rule: str
    expected: str = ""
    found: str = ""


@dataclass(slots=True)
class Trial:
    """What one run was: its decisions, its history, and the rule that it broke, if any."""

    decisions: list[Decision]
    told: list[str]
    events: list[Event]
    points: int
    disks: int = 0
    broken: Broken | None = None


class Court:
    """What runs of one program share: the start, and the disks that were judged before.

    ``cuts``: how many legal disks of a power cut are looked at after each run, of each space.
    """

    def __init__(self, program: Program, profile: Profile = "journal", cuts: int = 4) -> None:
        self.program = program
        self.profile: Profile = profile
        self.cuts = cuts
        self.judge = Judge(program.workload, profile, 512)
        self._image = prepared(program.workload, profile, 512).image()
        self._start = setup_model(program.workload)
        self._opened: dict[object, Outcome] = {}
        self._failed = False

    def run(self, policy: Policy, *, stops: bool = False) -> Trial:
        """One run.  ``stops``: the policy may stop processes for ever."""
        machine = Machine.from_image(self._image or None, self.profile, 512, boot=2)
        plan = Directed(policy)
        scheduler = Scheduler(machine, plan)
        actors = Actors(self.program, machine, scheduler)
        if stops:
            actors.allowed += _EXCUSED_BY_A_STOP
        trial = Trial(plan.decisions, plan.told, actors.events, 0)
        cut = False
        _LOGGER.addHandler(_QUIET)  # that a checkpoint was put off, and the like: nobody asked
        try:
            actors.begin()
            scheduler.run()
        except PowerCut:
            cut = True
        except (Deadlock, Endless, MovedBack, Failed) as error:
            trial.broken = Broken(_rule(error), found=str(error))
        finally:
            _LOGGER.removeHandler(_QUIET)
        trial.points = scheduler.points
        if trial.broken is None:
            self._judge(actors, trial, cut)
        return trial

    def _judge(self, actors: Actors, trial: Trial, cut: bool) -> None:
        verdict = check(actors.events, self._start)
        if verdict.rule:
            trial.broken = _broken(verdict)
            return
        machine = actors.machine
        self._failed = actors.scheduler.syncs_failed > 0
        if not cut:
            self._last(actors, trial, self._left(machine), "all killed, then opened")
            off = self.program.workload.durability == "off"  # nobody may have synced, and heard
            told = not off or is_poisoned(machine)
            if told and machine.disk.evict() and trial.broken is None:
                self._last(actors, trial, self._left(machine), _DROPPED)
        if machine.folder is None:
            return
        for space in spaces(machine.disk, machine.folder):
            for choice in few(space, self.cuts, str(trial.points)):
                if trial.broken is None:
                    trial.disks += 1
                    outcome = self.judge.outcome(space.image(choice))
                    self._last(actors, trial, outcome, _CUT)

    def _left(self, machine: Machine) -> Outcome:
        """What a process finds that opens the database when all others are dead."""
        key = machine_key(machine)
        if key not in self._opened:
            self._opened[key] = self.judge.judge_machine(machine.after_kill())
        return self._opened[key]

    def _last(self, actors: Actors, trial: Trial, outcome: Outcome, when: str) -> None:
        lossy = when == _CUT or self._failed
        lossy = lossy and self.program.workload.durability != "full"
        if lossy and outcome.refused.startswith("UnsafeShutdownError"):
            return
        if outcome.wrong or outcome.refused:
            trial.broken = Broken(f"{when}: {outcome.describe()}")
            return
        if lossy and self.program.workload.durability == "off":
            return  # it opened, and its check was clean
        assert outcome.content is not None
        moment = actors.now()
        last = Event("whoever opens it next", ["read"], moment, moment, outcome.content, "", _END)
        verdict = check([*actors.events, last], self._start)
        if verdict.rule and not (lossy and self._is_prefix(actors.events, last)):
            trial.broken = _broken(verdict, f"{when}: ")

    def _is_prefix(self, events: list[Event], last: Event) -> bool:
        """Whether the last one saw a prefix of the order, all before the last checkpoint included.

        What the power cut took nobody is bound by, so ``last`` counts as if it came soon.
        """
        order = in_order(events)
        unknown = [event for event in events if not event.known]
        begun = max((e.start for e in events if e.step[0] in _MAKES_DURABLE and e.known), default=0)
        least = max((i + 1 for i, event in enumerate(order) if event.end < begun), default=0)
        return any(
            not check([*order[:length], *unknown, last], self._start).rule
            for length in range(len(order) - 1, least - 1, -1)
        )


def _rule(error: Exception) -> str:
    rules: dict[type[Exception], str] = {
        Deadlock: "a deadlock",
        Endless: "somebody waits for ever",
        MovedBack: "what was durable is not said to be any more",
    }
    return rules.get(type(error), "a call raised what it must not")


def _broken(verdict: Verdict, when: str = "") -> Broken:
    found = "; ".join(map(str, verdict.events))
    return Broken(f"{when}{verdict.rule}", verdict.expected, found)
