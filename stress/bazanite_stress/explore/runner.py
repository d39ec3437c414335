"""Running a workload on a simulated machine, with its model beside it, stopping at crash points.

A *crash point* is a moment at which the set of disks that a power cut may leave is largest: just
before a sync, and when a call has returned.  In between the set only grows, so these are enough.

At each point some states are right.  State ``i`` is what the first ``i`` transactions lead to.
Within the next one (``durability="full"``) both ``i`` and ``i + 1`` are right, and when it has
returned only ``i + 1`` is.  A migration is several transactions, any of which may be the last.
With "normal" every state since the last checkpoint is.  With "off" it is refused, or what the last
close left, or the one under way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bazanite import DB
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import SimulatedSystem, Watch

from .model import Model
from .session import REFUSALS, Session, opened
from .workload import Step, Workload, calls

SYNCS = frozenset({"sync", "sync_data", "sync_names", "sync_own_name"})
_SYNCED = ("checkpoint", "archive", "reopen", "lock")
"""Steps that make all before them durable at the level "normal"."""
CLOSED = "closed"
"""The last crash point: everything has returned."""
_QUIET = frozenset({"load", "store", "clear", "acquire", "sleep", "directory"})


class WrongAnswer(Exception):
    """The engine answered a call otherwise than the model: no crash is needed to see it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A crash point: its number, the step it lies in or behind, and the states that are right."""

    number: int
    step: int
    what: str
    lowest: int
    highest: int


@dataclass(slots=True)
class Run:
    """A workload under way.  ``on_point`` is called at each crash point, the machine stands still.

    ``on_call`` hears of every call before it happens, and may raise in its place or shorten it.
    ``states`` are the model after each number of steps; ``calls`` counts the calls that reached the
    disk; ``told`` is the highest log position that a call told of.
    """

    workload: Workload
    machine: Machine
    on_point: Callable[[Point], None]
    seed: str = "writer"
    on_call: Watch | None = None
    make_system: Callable[[Machine, str], SimulatedSystem] = SimulatedSystem
    states: list[Model] = field(default_factory=list)
    points: int = 0
    calls: int = 0
    told: int = 0
    make_session: Callable[[Callable[[], DB]], Session] = Session
    session: Session | None = None
    system: SimulatedSystem | None = None
    _step: int = 0
    _durable: int = 0

    def start(self) -> None:
        """Open the database: step 0 lies before the first one."""
        self.states = [setup_model(self.workload)]
        self.system = self.make_system(self.machine, self.seed)
        self.system.watch = self._watch
        self.session = self.make_session(self._open)
        self._point("opened")

    @property
    def db(self) -> DB | None:
        """The open database, None before it is."""
        return None if self.session is None else self.session.db

    @property
    def step(self) -> int:
        """The step under way, or the number of those that returned."""
        return self._step

    def finish(self) -> None:
        """All steps, then the close."""
        for number, step in enumerate(self.workload.steps):
            self.take(number, step)
        self._step = len(self.workload.steps)
        assert self.session is not None
        self.session.db.close()
        self._durable = len(self.states) - 1
        self._point(CLOSED)

    def take(self, number: int, step: Step) -> None:
        """One step, in the model and in the engine; WrongAnswer if they disagree."""
        self._step = number
        if step[0] == "lock":  # each call inside is a transaction of its own
            assert self.session is not None
            with self.session.db.storage.lock():  # what came before is durable
                self._promise(step)
                for inner in step[1]:
                    self.take(number, inner)
                    self._promise(step)
            return
        states, expected, error = self.states[-1].passed(step)
        self.states += states
        self._carry_out(step, expected, error)
        self._step = number + 1
        self._promise(step)
        self._point(f"{step[0]} returned")

    def _promise(self, step: Step) -> None:
        """What has happened so far is durable now, if this step makes it so at this level."""
        by_level = {"full": True, "normal": step[0] in _SYNCED,
                    "off": step[0] == "reopen"}  # fmt: skip
        if by_level[self.workload.durability]:
            self._durable = len(self.states) - 1

    def _carry_out(self, step: Step, expected: Any, error: str) -> None:
        assert self.session is not None
        try:
            found = self.session.perform(step)
        except REFUSALS as failure:
            if type(failure).__name__ != error:
                raise WrongAnswer(
                    f"{step}: {failure!r}, expected {error or expected!r}"
                ) from failure
            return
        if error:
            raise WrongAnswer(f"{step}: returned {found!r}, expected {error}")
        if found != expected:
            raise WrongAnswer(f"{step}: returned {found!r}, expected {expected!r}")

    def _open(self) -> DB:
        return opened(self.workload, self.system)

    def _watch(self, operation: str, name: str, size: int) -> int | None:
        if operation in SYNCS:
            self._point(f"before {operation} {name}".rstrip())
        if operation not in _QUIET:
            self.calls += 1
        return self.on_call(operation, name, size) if self.on_call else None

    def _point(self, what: str) -> None:
        self.points += 1
        if self.db is not None and self.db.tables:  # none once it is closed
            self.told = max(self.told, self.db.read_lsn)
        if self._step < self.workload.explore_from:
            return
        self.on_point(Point(self.points, self._step, what, self._durable, len(self.states) - 1))


def setup_model(workload: Workload) -> Model:
    """The model after the setup."""
    model = Model(workload.tables)
    for step in calls(workload.setup or []):
        model.answer(step)
    return model


def setup_machine(workload: Workload, machine: Machine) -> None:
    """Carry the setup out on this machine and close: everything is durable then."""
    if workload.setup is None:
        return
    run = Run(workload.as_before(), machine, lambda _point: None, seed="setup")
    run.start()
    run.finish()
