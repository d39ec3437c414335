"""SIGKILL at every call of a workload, then whoever comes next (R0).

Each different machine that a kill leaves is met by

- a process that opens the directory on the same boot: stale shared words, unsynced pages;
- a power cut: what the kill left half done is what the disk may hold;
- both: the power goes while that process recovers, on pages that nobody has synced yet;
- a process that was attached all the time: its next call repairs and goes on, a power cut may come
  at any sync of it and after it, and it may be killed too.

The verdict is the model's: what was acknowledged is there, the step in flight is there whole or not
at all.  A kill takes nothing, so with "normal" and "off" too everything acknowledged survives it;
what a power cut after it may take is what the level says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from bazanite import DB
from bazanite.errors import DBError, PoisonedError, SchemaMismatch
from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import Killed, SimulatedSystem

from .cutting import Cut, cuts
from .deaths import Death, Deaths
from .explorer import (
    Enough,
    Tally,
    Until,
    Violation,
    broken_rule,
    meet,
    no_end,
    prepared,
)
from .judge import Judge
from .model import Content, Model, describe
from .poisoning import unheard_sync
from .runner import SYNCS, Point, Run, WrongAnswer
from .session import opened, read_content
from .workload import Workload

T = TypeVar("T")

ACTIONS = ("read", "insert", "checkpoint", "close")
"""What the survivor does first."""


@dataclass(frozen=True, slots=True)
class KillLimits:
    """``cuts``: power cuts to try at one moment; ``torn``: more that tear sectors (R16).

    ``every``: of how many ends a survivor meets one; ``actions``: how many of ACTIONS it begins
    with at each of them, in turn.
    """

    cuts: int = 15
    torn: int = 4
    every: int = 1
    actions: int = len(ACTIONS)
    violations: int = 5
    seed: str = "0"


QUICK = KillLimits(cuts=4, torn=1, every=7, actions=1)


class Kills:
    """Kills in one workload, under one profile and sector size."""

    def __init__(
        self,
        workload: Workload,
        profile: Profile = "journal",
        sector: int = 512,
        *,
        limits: KillLimits | None = None,
        judge: Judge | None = None,
        until: Until = no_end,
    ) -> None:
        self.workload = workload
        self.profile: Profile = profile
        self.sector = sector
        self.limits = limits or KillLimits()
        self.judge = judge or Judge(workload, profile, sector)
        self.tally = Tally()
        self.until = until
        self._table = workload.steady_table
        self._acknowledged = 0
        self._durable = 0
        self._deaths: Deaths | None = None

    def explore(self) -> Tally:
        """All of the above; what was seen, violations included."""
        before = self.judge.unique
        try:
            self._alone()
            self._beside_survivors()
        except Enough:
            pass
        self.tally.unique += self.judge.unique - before
        return self.tally

    # ---- nobody else is there

    def _alone(self) -> None:
        machine = prepared(self.workload, self.profile, self.sector)
        self._watched(machine, self._opened_anew)

    def _opened_anew(self, run: Run, death: Death) -> None:
        self.tally.points += 1
        self.tally.unique += 1
        verdict = _Verdict(self, run, death, {"then": "opened"})
        outcome = self.judge.judge_machine(death.left())
        verdict.see(broken_rule(outcome, verdict.right, "full"), verdict.right, outcome.describe())
        left = death.left()
        verdict.how["then"] = "power cut"
        verdict.cut(left, verdict.right_after_cut)
        verdict.how["then"] = "power cut in the recovery"
        next_one = SimulatedSystem(left, "next")
        next_one.watch = lambda operation, _name, _size: (
            verdict.cut(left, verdict.right_after_cut) if operation in SYNCS else None
        )
        with suppress(DBError):  # the verdict above has seen it
            SurvivingProcess(self.workload, left, next_one)
        next_one.kill()

    # ---- somebody is there all the time

    def _beside_survivors(self) -> None:
        found: list[Death] = []
        machine = prepared(self.workload, self.profile, self.sector)
        SurvivingProcess(self.workload, machine)
        self._watched(machine, lambda _run, death: found.append(death))
        shift = sum(self.limits.seed.encode()) % self.limits.every
        for turn, death in enumerate(found[shift :: self.limits.every]):
            for i in range(self.limits.actions):
                self.replay(death.call, death.written, ACTIONS[(turn + i) % len(ACTIONS)])

    def replay(self, call: int, written: int, action: str) -> None:
        """Kill there, then let the survivor begin with this action."""
        machine = prepared(self.workload, self.profile, self.sector)
        survivor = SurvivingProcess(self.workload, machine)
        calls = 0
        death: Death | None = None

        def watch(operation: str, name: str, _size: int) -> None:
            nonlocal calls, death
            if calls == call:
                number, data, offset = machine.writing
                done = (number, data[:written], offset) if written else None
                death = Death(call, f"{operation} {name}".rstrip(), written, machine, done)
                death.finish_write(machine)
                assert run.system is not None
                run.system.kill()
                raise Killed
            calls += 1

        run = Run(self.workload, machine, self._returned, on_call=watch)
        self._acknowledged = self._durable = 0
        self._deaths = None
        try:
            run.start()
            run.finish()
        except Killed:
            pass
        if run.system is not None:
            run.system.kill()
        death = death or Death(call, "after the last call", 0, machine)
        self.tally.points += 1
        how = {"then": "survivor", "action": action}
        self._survive(survivor, _Verdict(self, run, death, how), action)
        survivor.system.kill()

    def _survive(self, survivor: SurvivingProcess, verdict: _Verdict, action: str) -> None:
        """The survivor's first call repairs; then what it says must stay true."""
        machine, right = survivor.system.machine, verdict.right
        added = [self._inserted(model) for model in right]
        possible = [*verdict.right_after_cut, *right, *added]
        if self.workload.durability == "full":
            possible = [*right, *added]
        survivor.system.watch = lambda operation, _name, _size: (
            verdict.cut(machine, possible) if operation in SYNCS else None
        )
        try:
            if action == "checkpoint":
                survivor.db.checkpoint()
            elif action == "close":
                survivor.db.close()
                survivor.open(self.workload)
            if action != "insert":
                # the step in flight may be in the log, not durable yet: then it comes later
                right = right[right.index(self._read(survivor, right, verdict)[0]) :]
            row = survivor.asked(self.workload, lambda db: dict(db.insert(self._table, {})))
            expected = [self._inserted(model) for model in right]
            given = {self._new_id(model) for model in right}
            verdict.see("" if row["id"] in given else "a wrong id was given", expected, str(row))
            right = self._read(survivor, expected, verdict)
            problems = survivor.db.check().problems
            verdict.see(f"check() finds: {problems[0]}" if problems else "", right, "")
        except WrongAnswer:
            return
        except Exception as error:  # noqa: BLE001  a kill of another process excuses no other error
            if not (isinstance(error, PoisonedError) and unheard_sync(machine, self.workload)):
                verdict.see("the survivor's call failed", right, repr(error))
                return
            right = [*right, *added]  # what it added may be in the log
        survivor.system.watch = None
        verdict.cut(machine, right if self.workload.durability == "full" else [*possible, *right])
        outcome = self.judge.judge_machine(machine.after_kill())
        verdict.see(broken_rule(outcome, right, "full"), right, outcome.describe())

    def _read(
        self, survivor: SurvivingProcess, right: list[Model], verdict: _Verdict
    ) -> list[Model]:
        """The states that fit what the survivor reads."""
        content: Content = survivor.asked(self.workload, lambda db: read_content(db, self.workload))
        fitting = [model for model in right if model.content() == content]
        if not fitting:
            verdict.see("the survivor reads rows of no state that is right", right,
                        describe(content))  # fmt: skip
            raise WrongAnswer
        return fitting

    def _inserted(self, model: Model) -> Model:
        twin = model.clone()
        twin.apply(["insert", self._table, {}])
        return twin

    def _new_id(self, model: Model) -> int:
        return model.next_ids()[self._table]

    # ---- the workload

    def _watched(self, machine: Machine, on_death: Callable[[Run, Death], None]) -> None:
        """Run all of the workload on this machine, hearing of each different end."""
        deaths = self._deaths = Deaths(machine, lambda death: on_death(run, death))
        run = Run(self.workload, machine, self._returned, on_call=deaths.watch)
        self._acknowledged = self._durable = 0
        run.start()
        run.finish()
        deaths.end()
        assert run.system is not None
        run.system.kill()

    def _returned(self, point: Point) -> None:
        if point.what.startswith("before "):
            return
        self._acknowledged, self._durable = point.highest, point.lowest
        if self._deaths is not None:
            self._deaths.enter(self._acknowledged)


class SurvivingProcess:
    """A process with the database open, beside the one that is killed."""

    def __init__(
        self, workload: Workload, machine: Machine, system: SimulatedSystem | None = None
    ) -> None:
        self.system = system or SimulatedSystem(machine, "survivor")
        self.open(workload)

    def open(self, workload: Workload) -> None:
        """Open the database, again after a close."""
        self.db = opened(workload, self.system)

    def asked(self, workload: Workload, ask: Callable[[DB], T]) -> T:
        """What ``ask`` gives; of a handle that is not stale, if the workload migrates."""
        try:
            return ask(self.db)
        except SchemaMismatch:
            if not workload.migrates:
                raise
        self.db.close()
        self.open(workload)
        return ask(self.db)


class _Verdict:
    """What is right after one death, and the record of what is not."""

    def __init__(self, kills: Kills, run: Run, death: Death, how: dict[str, Any]) -> None:
        self._kills = kills
        states, workload = run.states, kills.workload
        self.right = states[kills._acknowledged :]
        self.right_after_cut = states[kills._durable :]
        self.how = {"kind": "kill", "call": death.call, "what": death.what,
                    "written": death.written} | how  # fmt: skip
        self._point = Point(death.call, run.step, death.what, kills._acknowledged, len(states) - 1)
        self._durability = workload.durability
        self._moment = 0

    def see(self, rule: str, right: list[Model], found: str) -> None:
        """Record a broken rule, if one is."""
        if rule:
            self._report(rule, right, found)

    def cut(self, machine: Machine, right: list[Model]) -> None:
        """Cut the power now: some of the legal disks."""
        kills, limits = self._kills, self._kills.limits
        if machine.folder is None:
            return
        self._moment += 1
        self.how["moment"] = self._moment
        seed = f"{limits.seed}/{self._point.number}/{self._moment}"
        for cut in cuts(
            machine, kills.workload, kills.judge, limits.cuts, limits.torn, seed, kills.tally
        ):
            rule = broken_rule(cut.outcome, right, self._durability)
            if rule:
                self._report(rule, right, cut.outcome.describe(), cut)

    def _report(self, rule: str, right: list[Model], found: str, cut: Cut | None = None) -> None:
        kills = self._kills
        violation = Violation(
            kills.workload, kills.profile, kills.sector, self._point, 0, (), (),
            tuple(describe(model.content()) for model in right), found, rule,
            kills.tally.visited, dict(self.how),
        )  # fmt: skip
        if cut is not None:
            violation = cut.told(violation)
        meet(kills.tally, violation, kills.limits, kills.until)
