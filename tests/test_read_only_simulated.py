"""On simulated machines whose processes were killed, or whose power went: reading shows what the
next opener recovers, refuses what it refuses, and changes nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from bazanite.errors import DBError
from bazanite_stress.concurrency.actors import Actors
from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.concurrency.plans import Directed, Odds, Random
from bazanite_stress.concurrency.programs import Program
from bazanite_stress.concurrency.scheduler import PowerCut, Scheduler
from bazanite_stress.concurrency.trial import Court
from bazanite_stress.explore.deaths import machine_key
from bazanite_stress.explore.sampling import few
from bazanite_stress.explore.session import opened, read_content
from bazanite_stress.simulation.legal import spaces
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import SimulatedSystem

SEEDS = 12
NAMES = ("writers and a reader", "openers", "recycled log", "no power-safe overwrite", "checksums",
         "normal", "off", "index built beside writers")  # fmt: skip


def left_by(court: Court, program: Program, seed: str, odds: Odds) -> Machine:
    """The machine when everybody is dead, or the power is gone."""
    machine = Machine.from_image(court._image or None, court.profile, 512, boot=2)
    scheduler = Scheduler(machine, Directed(Random(seed, odds)))
    actors = Actors(program, machine, scheduler)
    try:
        actors.begin()
        scheduler.run()
    except PowerCut:
        pass
    return machine


def told(program: Program, machine: Machine, **options: Any) -> object:
    """The rows that a process finds, or the error that it gets."""
    system = SimulatedSystem(machine, "looking")
    try:
        db = opened(program.workload, system, **options)
        return read_content(db, program.workload)
    except DBError as error:
        return type(error).__name__
    finally:
        system.kill()


def shown(program: Program, machine: Machine) -> object:
    """What a read-only process finds, twice; nothing of the machine is changed."""
    before = machine_key(machine)
    first, again = (told(program, machine, read_only=True) for _ in range(2))
    assert first == again
    assert machine_key(machine) == before
    return first


@pytest.mark.parametrize("name", NAMES)
def test_after_a_power_cut_the_reader_sees_what_recovery_gives(name: str) -> None:
    program = PROGRAMS[name]
    court, compared = Court(program), 0
    for seed in range(SEEDS):
        machine = left_by(court, program, f"{seed}", Odds(0.2, cut=True, within=600))
        if machine.folder is None:
            continue
        for space in spaces(machine.disk, machine.folder):
            for choice in few(space, 2, f"{seed}"):
                left = Machine.from_image(space.image(choice), court.profile, 512, 7)
                found = shown(program, left)
                assert found == told(program, left), f"seed {seed}, {choice}"
                compared += 1
    assert compared > SEEDS


@pytest.mark.parametrize("name", NAMES)
def test_after_kills_the_reader_sees_what_was_durable_of_it(name: str) -> None:
    program = PROGRAMS[name]
    court, same = Court(program), 0
    for seed in range(SEEDS):
        left = left_by(court, program, f"{seed}", Odds(0.2, kills=9, within=600)).after_kill()
        found = shown(program, left)
        recovered = told(program, left)
        same += found == recovered
        if program.workload.durability != "full":
            assert found == recovered, f"seed {seed}"
        assert not isinstance(found, str), f"seed {seed}: {found}"
        assert told(program, left, read_only=True) == recovered
    assert same > SEEDS // 4
