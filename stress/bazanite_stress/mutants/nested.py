"""N: crashes within the recovery from a crash, by a power cut or a kill, at each of its steps."""

from __future__ import annotations

from collections.abc import Iterator

from bazanite_stress.explore.explorer import broken_rule, prepared, right_states
from bazanite_stress.explore.judge import Judge, Outcome, image_key
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.runner import SYNCS, Point, Run
from bazanite_stress.explore.sampling import addresses
from bazanite_stress.explore.workload import Step
from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_stress.simulation.legal import NO_TEARING, Tearing, least_image, spaces
from bazanite_stress.simulation.machine import Machine

from .session import Count, Process, Session
from .workloads import ALL

_WORKLOADS = ("short", "short unaligned", "long frames", "short normal", "equal normal", "creation")
_KILLED_AT = SYNCS | {"write_at", "truncate", "rename", "create", "remove"}
_SAMPLE = 3
_NEXT: Step = ["update", "a", 1, {"v": "next"}]


def look(count: Count, workloads: tuple[str, ...]) -> None:
    """Caught if a recovery that is cut off leaves a wrong state."""
    for name in dict.fromkeys([*workloads, *_WORKLOADS]):
        for profile in PROFILES:
            _Nested(name, profile, count).explore()


class _Nested:
    """Every recovery of one workload's crashes under one profile; equal ones once."""

    def __init__(self, name: str, profile: Profile, count: Count) -> None:
        self._workload = ALL[name]
        self._profile: Profile = profile
        self._judge = Judge(self._workload, profile, 512)
        self._session = Session(self._workload, profile, self._judge, count, sample=_SAMPLE)
        self._run = Run(
            self._workload, prepared(self._workload, profile, 512), self._point, "nested"
        )
        self._seen: set[object] = set()

    def explore(self) -> None:
        """At each crash point: the machine with its processes killed, and some of its disks."""
        self._run.start()
        self._run.finish()

    def _point(self, point: Point) -> None:
        if self._run.machine.folder is None:
            return
        right = right_states(self._run, point)
        for machine in self._crashed():
            self._session.done = [f"crash {point.what}"]
            self._session.timelines = [(model,) for model in right]
            recover(self._session, machine, right, right, self._seen)

    def _crashed(self) -> Iterator[Machine]:
        machine = self._run.machine
        yield machine.after_kill()
        folder = machine.folder
        assert folder is not None
        for space in spaces(machine.disk, folder):
            # Under "normal" several frames may be half there: more ways to be so
            sample = _SAMPLE if self._workload.durability == "full" else 4 * _SAMPLE
            for choice in addresses(space, sample, "nested"):
                yield Machine.from_image(space.image(choice), self._profile, 512)


def recover(
    session: Session,
    machine: Machine,
    newest: list[Model],
    right: list[Model],
    seen: set[object],
    tearing: Tearing = NO_TEARING,
) -> None:
    """Open the database on this machine; at each step of that cut the power, or kill again.

    ``newest`` are the states that a kill may leave, ``right`` those that a power cut may.
    """
    if machine.folder is not None:
        key = (
            image_key(machine.image()),
            image_key(least_image(machine.disk, machine.folder)),
            tuple(model.content() for model in right),
        )
        if key in seen:
            return
        seen.add(key)
    workload, judge = session.workload, session.judge

    def look_at(what: str, cut: bool) -> None:
        folder = machine.folder
        if folder is None:
            return
        session.count.spend()
        outcome = judge.judge_machine(machine.after_kill())
        _verdict(session, newest, f"killed again {what}", outcome)
        if not cut:
            return
        for space in spaces(machine.disk, folder, tearing):
            for choice in addresses(space, session.sample, what):
                session.count.spend()
                outcome = judge.outcome(space.image(choice))
                _verdict(session, right, f"power cut again {what}", outcome)

    def watch(operation: str, name: str, _size: int) -> None:
        if operation in _KILLED_AT:
            look_at(f"before {operation} {name}", operation in SYNCS)

    session.machine = machine
    session.timelines = [(model,) for model in newest]
    process = Process(workload, machine, lambda _point: None, seed="recovery")
    try:
        process.start(watch)
    except Exception as error:
        raise session.caught(repr(error), "recovery failed") from error
    process.watch(None)
    look_at("after recovery", cut=True)
    session.step(process, ["read"])
    session.step(process, _NEXT)
    session.cut("after the next call")
    session.stop("after the next call")
    process.kill()


def _verdict(session: Session, right: list[Model], what: str, outcome: Outcome) -> None:
    rule = broken_rule(outcome, right, session.workload.durability)
    if rule:
        raise session.caught(outcome.describe(), rule, what)
