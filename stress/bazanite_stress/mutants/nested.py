"""N: crashes within the recovery from a crash, by a power cut or a kill, at each of its steps.

The steps by "writer" come before the crash, those by "next" after the recovery.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bazanite import DBError
from bazanite_stress.explore.explorer import lost_units, right_states
from bazanite_stress.explore.judge import image_key
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.power import with_lost
from bazanite_stress.explore.runner import SYNCS, Point, Run, WrongAnswer
from bazanite_stress.explore.sampling import addresses
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.simulation.disk import PROFILES
from bazanite_stress.simulation.legal import (
    NO_TEARING,
    Choice,
    Space,
    Tearing,
    least_image,
    spaces,
)
from bazanite_stress.simulation.machine import Machine

from .looking import Abandoned, Looking
from .scene import Scene
from .session import Session
from .workloads import ALL

_WORKLOADS = ("short", "short unaligned", "long frames", "short normal", "equal normal", "creation")
_KILLED_AT = SYNCS | {"write_at", "truncate", "rename", "create", "remove"}
_SAMPLE = 3
_NEXT: list[Step] = [["read"], ["update", "a", 1, {"v": "next"}]]


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """Each workload, on each kind of disk."""
    for name in dict.fromkeys([*workloads, *_WORKLOADS]):
        for profile in PROFILES:
            workload, by = with_next(ALL[name])
            yield Scene("N", workload, profile, by)


def with_next(workload: Workload) -> tuple[Workload, tuple[str, ...]]:
    """The workload with what comes after its crash, and who carries out what."""
    steps = workload.steps
    by = ("writer",) * len(steps) + ("next",) * len(_NEXT)
    return replace(workload, steps=[*steps, *_NEXT]), by


def look(scene: Scene, looking: Looking) -> None:
    """Caught if a recovery that is cut off leaves a wrong state; equal ones are looked at once."""
    seen: set[object] = set()
    workload = scene.workload.with_steps(scene.steps(scene.steps_by("writer")))
    calm = Session(scene, looking)

    def visit(point: Point) -> None:
        if run.machine.folder is None or not looking.takes(point=point.number, during=point.what):
            return
        right = right_states(run, point)
        moment = {"point": point.number, "during": point.what}
        for then, machine in _crashed(scene, looking, run.machine):
            case = moment | then
            session = Session(scene, looking, case, machine=machine, states=right, sample=_SAMPLE)
            session.at = point.step
            with suppress(Abandoned):
                recover(session, right, right, seen)

    run = Run(workload, calm.machine, visit, "nested")
    try:
        run.start()
        run.finish()
    except (WrongAnswer, DBError) as error:
        calm.at = run.step
        raise calm.refused("the workload", error) from error


def _crashed(
    scene: Scene, looking: Looking, machine: Machine
) -> Iterator[tuple[dict[str, Any], Machine]]:
    """The machine with its processes killed, and some of the disks of a power cut."""
    if looking.takes(then="killed"):
        yield {"then": "killed"}, machine.after_kill()
    if not looking.takes(then="power cut"):
        return
    # Under "normal" several frames may be half there: more ways to be so
    sample = _SAMPLE if scene.workload.durability == "full" else 4 * _SAMPLE
    for space, choice in _first_disks(looking, machine, sample):
        case = {
            "then": "power cut",
            "first prefix": space.prefix,
            "first choice": [*choice],
            "first lost": [*lost_units(space, choice)],
        }
        yield case, Machine.from_image(space.image(choice), scene.profile, 512)


def _first_disks(looking: Looking, machine: Machine, sample: int) -> Iterator[tuple[Space, Choice]]:
    if "first choice" in looking.only:
        prefix, choice = looking.only["first prefix"], tuple(looking.only["first choice"])
        yield from looking.first_disk(machine, prefix, choice)
    elif looking.lost is not None:  # of both disks together
        most = looking.lost
        for first in range(most + 1):
            looking.lost = most - first
            yield from with_lost(machine, NO_TEARING, first)
        looking.lost = most
    elif machine.folder is not None:
        for space in spaces(machine.disk, machine.folder):
            for choice in addresses(space, looking.sample or sample, "nested"):
                yield space, choice


def recover(
    session: Session,
    newest: list[Model],
    right: list[Model],
    seen: set[object],
    tearing: Tearing = NO_TEARING,
) -> None:
    """Open the database on this machine; at each step of that cut the power, or kill again.

    Then go on with the steps by "next".  ``newest`` are the states that a kill may leave, ``right``
    those that a power cut may.
    """
    machine = session.machine
    if machine.folder is not None:
        key = (
            image_key(machine.image()),
            image_key(least_image(machine.disk, machine.folder)),
            tuple(model.content() for model in right),
        )
        if key in seen:
            return
        seen.add(key)

    def watch(operation: str, name: str, _size: int) -> None:
        if operation in _KILLED_AT and machine.folder is not None:
            moment = f"before {operation} {name}".rstrip()
            session.stop(moment, newest)
            if operation in SYNCS:
                session.cut(moment, right, tearing)

    process = session.process("next", watch)
    process.watch(None)
    session.stop("after the recovery", newest)
    session.cut("after the recovery", right, tearing)
    numbers = session.scene.steps_by("next")
    for number in numbers:
        session.step(process, number)
    if numbers:
        session.cut("after the next call")
        session.stop("after the next call")
    process.kill()
