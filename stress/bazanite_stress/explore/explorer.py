"""Exploring one workload: every crash point, the legal disks there, the verdict on each.

Where the legal disks of a point are few enough when equal ones are merged, all are visited; where
not, those of ``sampling``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bazanite.errors import ValidationError
from bazanite_stress.simulation.disk import Disk, Profile
from bazanite_stress.simulation.legal import (
    NO_TEARING,
    NOTHING,
    Choice,
    Legal,
    Space,
    Tearing,
    Unit,
    spaces,
)
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.errors import UnsafeShutdownError

from .judge import Judge, Outcome
from .model import Model, describe
from .runner import CLOSED, Point, Run, WrongAnswer, setup_machine, setup_model
from .sampling import addresses
from .workload import Workload

WRONG_ANSWER = "a call's answer is not the model's"
"""The rule that a call breaks without any crash."""

REFUSED = "the engine refuses its own work"
"""The rule that an opening or a close breaks if it fails and nothing was wrong."""

NO_CRASH = (WRONG_ANSWER, REFUSED)
"""What needs no power cut to be seen."""


_MOST_UNDONE = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to go: different disks of one space to visit all, addresses of a sampled one."""

    exhaustive: int = 20_000
    sample: int = 300
    violations: int = 5
    seed: str = "0"


@dataclass(frozen=True, slots=True)
class Violation:
    """A legal disk that came back wrong, and its address.

    ``prefix`` and ``choice`` name the disk within ``point``; ``expected`` are descriptions of the
    states that would have been right.  ``how`` says, as plain data, what else happened before the
    disk was looked at: a kill, an error, a recovery that was cut off (empty: only the workload).
    """

    workload: Workload
    profile: Profile
    sector: int
    point: Point
    prefix: int
    choice: Choice
    lost: tuple[str, ...]
    expected: tuple[str, ...]
    found: str
    rule: str
    states: int
    how: dict[str, Any] = field(default_factory=dict)
    tearing: Tearing = NO_TEARING


@dataclass(slots=True)
class Tally:
    """What an exploration saw.

    ``legal`` is the closed-form count of all addresses of its points, ``covered`` how many of them
    lead to a disk that was visited.  ``visited`` counts the different disks of each point, and
    ``unique`` the different disks of all of them, each of which the real engine recovered.
    """

    points: int = 0
    exhaustive_points: int = 0
    legal: int = 0
    covered: int = 0
    visited: int = 0
    unique: int = 0
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take over what another one counted."""
        self.points += other.points
        self.exhaustive_points += other.exhaustive_points
        self.legal += other.legal
        self.covered += other.covered
        self.visited += other.visited
        self.unique += other.unique
        self.violations += other.violations


class Enough(Exception):
    """The limit of violations is reached, or the one that was looked for is found."""


Until = Callable[[Violation], bool]
"""Whether this violation is the one that was looked for."""


def no_end(_violation: Violation) -> bool:
    """Nothing in particular is looked for."""
    return False


def meet(tally: Tally, violation: Violation, limits: Any, until: Until = no_end) -> None:
    """Record a violation, with the limits and the seed that lead to it again; maybe Enough."""
    numbers = asdict(limits)
    most: int = numbers.pop("violations")
    found = replace(violation, how=violation.how | {"limits": numbers})
    tally.violations.append(found)
    if len(tally.violations) >= most or until(found):
        raise Enough


class Explorer:
    """Explores workloads that share tables and options, under one profile and sector size."""

    def __init__(
        self,
        workload: Workload,
        profile: Profile,
        sector: int = 512,
        *,
        limits: Limits | None = None,
        tearing: Tearing = NO_TEARING,
        judge: Judge | None = None,
        on_states: Callable[[int], None] | None = None,
    ) -> None:
        self.workload = workload
        self.profile: Profile = profile
        self.sector = sector
        self.limits = limits or Limits()
        self.tearing = tearing
        self.judge = judge or Judge(workload, profile, sector)
        self.tally = Tally()
        self._on_states = on_states
        self._run: Run | None = None

    def explore(self) -> Tally:
        """Visit every point; what was seen, violations included."""
        before = self.judge.unique
        try:
            machine = prepared(self.workload, self.profile, self.sector)
            self._run = Run(self.workload, machine, self._visit)
            self._run.start()
            self._run.finish()
        except ValidationError:
            raise  # options or names that nobody may ask for
        except Enough:
            pass
        except Exception as error:  # noqa: BLE001  an engine that fails by itself has lost already
            self.tally.violations.append(
                without_crash(self.workload, self.profile, self.sector, self._run, error)
            )
        self.tally.unique += self.judge.unique - before
        return self.tally

    def _visit(self, point: Point) -> None:
        run = self._run
        assert run is not None
        folder = run.machine.folder
        if folder is None:
            return
        self.tally.points += 1
        right = right_states(run, point)
        exhaustive = True
        for space in spaces(run.machine.disk, folder, self.tearing):
            self.tally.legal += space.count
            listed = space.merged(self.limits.exhaustive)
            exhaustive = exhaustive and listed is not None
            for legal in listed if listed is not None else self._sampled(space, point):
                self.tally.visited += 1
                self.tally.covered += legal.multiplicity
                outcome = self.judge.outcome(legal.image)
                rule = rule_broken_at(run, point, outcome)
                if rule:
                    self._report(point, space, legal.choice, outcome, right, rule)
        self.tally.exhaustive_points += exhaustive
        if self._on_states is not None:
            self._on_states(self.tally.visited)

    def _sampled(self, space: Space, point: Point) -> Iterator[Legal]:
        seed = f"{self.limits.seed}/{point.number}/{space.prefix}"
        for choice in addresses(space, self.limits.sample, seed):
            yield Legal(space.image(choice), 1, choice)

    def _report(
        self,
        point: Point,
        space: Space,
        choice: Choice,
        outcome: Outcome,
        right: list[Model],
        rule: str,
    ) -> None:
        self.tally.violations.append(
            Violation(
                self.workload,
                self.profile,
                self.sector,
                point,
                space.prefix,
                choice,
                lost_units(space, choice),
                tuple(describe(model.content()) for model in right),
                outcome.describe(),
                rule,
                self.tally.visited,
                tearing=self.tearing,
            )
        )
        if len(self.tally.violations) >= self.limits.violations:
            raise Enough


def without_crash(
    workload: Workload, profile: Profile, sector: int, run: Run | None, error: Exception
) -> Violation:
    """A call that was answered wrongly in this run, or an opening or a close that was refused.

    Without a run: in the setup.
    """
    rule, what = WRONG_ANSWER, "a call returned"
    if not isinstance(error, WrongAnswer):
        rule, what = REFUSED, "close" if run is not None and run.db is not None else "opening"
    if run is None:
        point, right = Point(0, 0, "setup", 0, 0), setup_model(workload)
    else:
        point, right = Point(run.points, run.step, what, 0, 0), run.states[-1]
    expected = (describe(right.content()),)
    found = str(error) if rule == WRONG_ANSWER else f"{type(error).__name__}: {error}"
    return Violation(workload, profile, sector, point, 0, (), (), expected, found, rule, 0)


def prepared(workload: Workload, profile: Profile, sector: int) -> Machine:
    """A machine on which the workload's setup was carried out, and which was then restarted."""
    machine = Machine(Disk(profile, sector))
    setup_machine(workload, machine)
    if machine.folder is None:
        return machine
    image = machine.image()
    if workload.before.get("bazoola"):
        image = {name: data for name, data in image.items() if _is_bazoolas(name)}
    return Machine.from_image(image, profile, sector, boot=2)


def _is_bazoolas(name: str) -> bool:
    return name.endswith(".dat") and not name.endswith(".sums.dat")


def right_states(run: Run, point: Point) -> list[Model]:
    """The states of which one must come back; within a call also what the call leads to."""
    states = run.states[point.lowest : point.highest + 1]
    if run.workload.durability == "off":  # a close makes all of it durable, or nothing
        return states if len(states) < 2 else [states[0], states[-1]]
    return states


def rule_broken_at(run: Run, point: Point, outcome: Outcome) -> str:
    """The rule that this outcome of a power cut breaks there, "" if it is right."""
    # when it is closed, the level is all the same
    level = "full" if point.what == CLOSED else run.workload.durability
    rule = broken_rule(outcome, right_states(run, point), level)
    if not rule and outcome.content is not None and outcome.lsn < run.told:
        return "a log position is given out a second time"
    return rule


def broken_rule(outcome: Outcome, right: list[Model], durability: str) -> str:
    """The rule of the verdict that this outcome breaks, "" if it is right."""
    if outcome.wrong:
        return outcome.wrong
    if outcome.refused:
        if durability == "off" and outcome.refused.startswith(UnsafeShutdownError.__name__):
            return ""
        return "a legal disk was refused"
    fitting = [model for model in right if model.content() == outcome.content]
    if not fitting:
        return "the rows are those of no state that is right here"
    if outcome.next_ids and not any(
        dict(outcome.next_ids) == model.next_ids() for model in fitting
    ):
        return "the rows are right, the next automatic ids are not"
    if outcome.migrated and not any(_migrates_to(model, outcome) for model in fitting):
        return "a migration made again does not lead to what it must"
    return ""


def _migrates_to(model: Model, outcome: Outcome) -> bool:
    """Whether the migrations, behind an insert into each table, lead from here to what they did."""
    model = model.clone()
    for name in model.tables:
        model.apply(["insert", name, {}])
    return all(
        (model.answer(step)[1], model.content()) == (error, content)
        for step, error, content in outcome.migrated
    )


def newest_option(unit: Unit) -> int:
    """The option that this unit has if everything written reached the disk."""
    return max(range(len(unit.events)), key=unit.events.__getitem__)


def unit_names(space: Space) -> list[str]:
    """A name for each unit, for a person; two files of one name are told apart."""
    names: list[str] = []
    for unit in space.units:
        twins = sum(1 for other in space.units[: len(names)] if other.where == unit.where)
        names.append(f"{unit.where} ({twins + 1})" if twins else unit.where)
    return names


def older_units(space: Space, choice: Choice) -> dict[str, int]:
    """The units that are not at their newest, by name, and their options.

    With a journal, names and sizes that changed after the prefix are one more.
    """
    if space.prefix == NOTHING:
        return {"the directory's own name": NOTHING}
    older: dict[str, int] = {}
    if space.undone:
        more = len(space.undone) - _MOST_UNDONE
        names = ", ".join(space.undone[:_MOST_UNDONE]) + (f" and {more} more" if more > 0 else "")
        older[f"the journal with {names}"] = space.prefix
    named = zip(unit_names(space), space.units, choice, strict=True)
    return older | {name: option for name, unit, option in named if option != newest_option(unit)}


def lost_units(space: Space, choice: Choice) -> tuple[str, ...]:
    """Which units are not at their newest, for a person."""
    return tuple(older_units(space, choice))
