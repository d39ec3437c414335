"""Plans: who goes on at each point, who dies, who stops, whose call fails, when the power goes.

By itself a run goes on with whoever has the turn, and when that one waits or is done, with the next
in a circle.  A *decision* is what a plan did otherwise; a list of them repeats a run.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

from .failing import fail_by_itself, strike
from .scheduler import PowerCut, Scheduler, Task

Kind = Literal["run", "kill", "stop", "fail", "cut"]
NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Decision:
    """At this point: run this task, kill or stop its process, let its call fail, or cut the power.

    Of a write that failed, or was under way when its process was killed, ``written`` bytes were
    done.  ``how`` a call fails: see ``failing.strike``; with ``file`` it is one of the kernel's
    own write-backs of that file.
    """

    point: int
    kind: Kind
    task: int = 0
    written: int = 0
    how: str = ""
    file: str = ""

    def as_json(self) -> dict[str, Any]:
        """For a replay file."""
        return asdict(self)


class Policy(Protocol):
    """Where decisions come from.  ``next_point``: see Plan."""

    next_point: int

    def decide(
        self, scheduler: Scheduler, current: Task | None, ready: list[Task]
    ) -> Decision | None:
        """What to do here, None for nothing in particular; asked again after all but a "run"."""
        ...


_VERBS = {
    "run": "goes on",
    "kill": "is killed",
    "stop": "is stopped",
    "fail": "meets a failure ({})",
}


class Directed:
    """A plan that follows a policy and writes its decisions down; ``told``: for a person."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.decisions: list[Decision] = []
        self.told: list[str] = []
        self.next_point = policy.next_point
        self._last = -1

    def choose(self, scheduler: Scheduler, current: Task | None, ready: list[Task]) -> Task | None:
        usual = self._usual(current, ready)
        decision = self._policy.decide(scheduler, current, ready)
        self.next_point = self._policy.next_point
        chosen: Task | None = usual
        if decision is not None:
            chosen = self._carry_out(scheduler, decision, usual, ready, current)
            if chosen is not usual:
                self._note(decision, current, scheduler)
        if chosen is not None:
            self._last = chosen.number
        return chosen

    def _note(self, decision: Decision, current: Task | None, scheduler: Scheduler) -> None:
        self.decisions.append(decision)
        if decision.kind == "cut":
            what = "the power goes"
        elif decision.file:
            what = f"{decision.file} cannot be written back ({decision.how})"
        else:
            verb = _VERBS[decision.kind].format(decision.how)
            what = f"{scheduler.tasks[decision.task].name} {verb}"
        where = "" if current is None else f", {current.name} before {' '.join(current.about_to)}"
        self.told.append(f"point {decision.point}{where.rstrip()}: {what}")

    def _usual(self, current: Task | None, ready: list[Task]) -> Task:
        if current is not None:
            return current
        return next((task for task in ready if task.number > self._last), ready[0])

    def _carry_out(
        self,
        scheduler: Scheduler,
        decision: Decision,
        usual: Task,
        ready: list[Task],
        current: Task | None,
    ) -> Task | None:
        """Who goes on; None after all but a "run".  What cannot be done here is left out."""
        if decision.kind == "cut":
            self._note(decision, usual, scheduler)
            raise PowerCut
        if decision.file:
            failed = fail_by_itself(scheduler.machine, decision.file, decision.how)
            scheduler.syncs_failed += failed
            return None if failed else usual
        if decision.task >= len(scheduler.tasks):
            return usual
        task = scheduler.tasks[decision.task]
        if decision.kind == "run":
            return task if task in ready else usual
        if decision.kind == "fail":
            here = task is current and strike(scheduler, task, decision.how, decision.written)
            return None if here else usual
        if task.finished or task.doomed or not task.process.mortal:
            return usual
        if decision.kind == "stop":
            scheduler.stop(task.process)
        else:
            if task.writing is not None and decision.written:
                number, data, offset = task.writing
                disk = scheduler.machine.disk
                disk.write(disk.files[number], data[: decision.written], offset)
            scheduler.kill(task.process)
        return None


class Script:
    """Follows given decisions."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._left = sorted(decisions, key=lambda decision: decision.point, reverse=True)
        self.next_point = self._left[-1].point if self._left else NEVER

    def decide(
        self, scheduler: Scheduler, current: Task | None, ready: list[Task]
    ) -> Decision | None:
        del current, ready
        found = None
        while self._left and self._left[-1].point <= scheduler.points:
            decision = self._left.pop()
            if decision.point == scheduler.points:
                found = decision
        self.next_point = self._left[-1].point if self._left else NEVER
        return found


@dataclass(frozen=True, slots=True)
class Odds:
    """Of a random run: how often, per point, the turn changes, and what else may happen in it.

    ``kills``, ``stops``, and ``faults`` of calls: how many of them at most; ``cut``: whether the
    power goes at some point.
    ``within``: the number of points within which these are spread.
    """

    change: float = 0.1
    kills: int = 0
    stops: int = 0
    cut: bool = False
    within: int = 2_000
    faults: int = 0

    def spread(self, length: int) -> Odds:
        """The same in a run of about so many points."""
        return replace(self, within=length)


class Random:
    """Decides by a seeded generator."""

    def __init__(self, seed: str, odds: Odds) -> None:
        self._generator = random.Random(seed)
        self._odds = odds
        counts: dict[Kind, int] = {"kill": odds.kills, "stop": odds.stops, "cut": int(odds.cut)}
        events: list[tuple[int, Kind]] = [
            (self._generator.randrange(1, odds.within), kind)
            for kind, count in counts.items()
            for _ in range(count)
        ]
        self._events = sorted(events, reverse=True)
        self.next_point = 1

    def decide(
        self, scheduler: Scheduler, current: Task | None, ready: list[Task]
    ) -> Decision | None:
        generator, point = self._generator, scheduler.points
        decision: Decision | None = None
        if self._events and self._events[-1][0] <= point:
            decision = self._event(scheduler, self._events.pop()[1])
        elif point >= self.next_point or current is None:
            decision = Decision(point, "run", generator.choice(ready).number)
        self._look_ahead(point)
        return decision

    def _event(self, scheduler: Scheduler, kind: Kind) -> Decision | None:
        point = scheduler.points
        if kind == "cut":
            return Decision(point, "cut")
        victims = [
            task
            for task in scheduler.tasks
            if task.process.mortal and not task.finished and not task.stopped
        ]
        if not victims:
            return None
        victim = self._generator.choice(victims)
        size = len(victim.writing[1]) if victim.writing else 0
        written = self._generator.choice((0, size // 2, size)) if size else 0
        return Decision(point, kind, victim.number, written)

    def _look_ahead(self, point: int) -> None:
        if self.next_point <= point:
            self.next_point = point + 1 + int(self._generator.expovariate(self._odds.change))
        if self._events:
            self.next_point = min(self.next_point, max(self._events[-1][0], point + 1))


class RoundRobin:
    """Everybody in turn, for so many points."""

    def __init__(self, quantum: int) -> None:
        self._quantum = quantum
        self.next_point = quantum

    def decide(
        self, scheduler: Scheduler, current: Task | None, ready: list[Task]
    ) -> Decision | None:
        if scheduler.points < self.next_point or current is None:
            return None
        self.next_point = scheduler.points + self._quantum
        others = [task for task in ready if task.number > current.number] or ready
        return Decision(scheduler.points, "run", others[0].number)


class Watched:
    """Follows given decisions, and notes at which points behind them another one is possible.

    ``choices``: point, and who else is ready there.  Only points before calls that others could
    see, or whose answer others could change: elsewhere a change of turn makes no difference.
    """

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._given = list(decisions)
        self._script = Script(self._given)
        self._from = max((decision.point for decision in self._given), default=0) + 1
        self.choices: list[tuple[int, int]] = []
        self.next_point = min(self._script.next_point, self._from)

    def decide(
        self, scheduler: Scheduler, current: Task | None, ready: list[Task]
    ) -> Decision | None:
        found = None
        if scheduler.points >= self._script.next_point:
            found = self._script.decide(scheduler, current, ready)
        point = scheduler.points
        if point >= self._from and current is not None and current.about_to[0] not in _UNSEEN:
            self.choices += [(point, task.number) for task in ready if task is not current]
        self.next_point = min(self._script.next_point, max(self._from, point + 1))
        return found


_UNSEEN = frozenset({"clock", "sleep", "acquire", "release", "directory", "start"})


def preempted(most: int, part: tuple[int, int] = (0, 1)) -> Iterator[Watched]:
    """Every plan with at most so many changes of turn where nobody waits; run each before the next.

    The choices that a run notes are those from which later plans are made.  ``part``: the i-th of n
    slices, by the first change of turn.
    """
    index, count = part
    waiting: list[list[Decision]] = [[]]
    while waiting:
        decisions = waiting.pop()
        watched = Watched(decisions)
        yield watched
        if len(decisions) < most:
            chosen = watched.choices if decisions else watched.choices[index::count]
            waiting += [[*decisions, Decision(point, "run", task)] for point, task in chosen]
