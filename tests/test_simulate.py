"""Processes under a scheduler: runs repeat, what is planted is found, and the engine survives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from bazanite import DB
from bazanite_stress.concurrency import campaign as campaign_module
from bazanite_stress.concurrency.again import search, steps_of, violation_of
from bazanite_stress.concurrency.catalogue import PROGRAMS, SMALLEST
from bazanite_stress.concurrency.plans import (
    Directed,
    Odds,
    Policy,
    Random,
    RoundRobin,
    Script,
    preempted,
)
from bazanite_stress.concurrency.programs import Program, load_program
from bazanite_stress.concurrency.scheduler import Deadlock, Scheduler
from bazanite_stress.concurrency.tasks import plan
from bazanite_stress.concurrency.trial import Broken, Court, Trial
from bazanite_stress.explore.explorer import Limits
from bazanite_stress.explore.keep import keep
from bazanite_stress.explore.minimise import Bounds
from bazanite_stress.explore.replay import replay
from bazanite_stress.simulation.disk import Disk
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import SimulatedLockFile
from bazanite_tools.cli import main
from bazanite_wal.group import GroupCommit

MIXED = Odds(0.1, kills=1, within=400)


def run(name: str, policy: Policy, *, stops: bool = False) -> Trial:
    return Court(PROGRAMS[name]).run(policy, stops=stops)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_survives_some_schedules(name: str) -> None:
    court = Court(PROGRAMS[name])
    for policy, stops in (
        (Script(()), False),
        (RoundRobin(3), False),
        (Random("1", Odds(0.2)), False),
        (Random("2", MIXED), False),
        (Random("3", Odds(0.1, stops=1, within=400)), True),
        (Random("4", Odds(0.1, cut=True, within=400)), False),
    ):
        trial = court.run(policy, stops=stops)
        assert trial.broken is None, (trial.broken, trial.told)
        assert trial.points > 20


@pytest.mark.parametrize("odds", [Odds(0.3), MIXED, Odds(0.2, stops=1, within=300)])
def test_the_decisions_of_a_run_repeat_it(odds: Odds) -> None:
    first = run("fork beside threads", Random("7", odds), stops=True)
    second = run("fork beside threads", Script(first.decisions), stops=True)
    assert (second.decisions, second.points) == (first.decisions, first.points)
    assert second.events == first.events
    assert len(first.decisions) > 3


@pytest.mark.parametrize("name", SMALLEST)
def test_all_schedules_with_one_change_of_turn_are_right(name: str) -> None:
    court = Court(PROGRAMS[name])
    runs = [court.run(policy) for policy in preempted(1)]
    assert [trial.broken for trial in runs if trial.broken] == []
    assert len(runs) > 30
    assert len({str(trial.decisions) for trial in runs}) == len(runs)


def test_slices_of_the_exhaustive_schedules_are_all_of_them() -> None:
    program = PROGRAMS["find beside update"]

    def decisions(part: tuple[int, int]) -> set[str]:
        court = Court(program)
        return {str(court.run(policy).decisions) for policy in preempted(1, part)}

    assert decisions((0, 1)) == decisions((0, 3)) | decisions((1, 3)) | decisions((2, 3))


def test_nobody_who_waits_for_a_lock_that_is_never_freed_is_left_waiting() -> None:
    machine = Machine(Disk("journal"))
    scheduler = Scheduler(machine, Directed(Script(())))

    class Somebody:
        mortal = True

        def kill(self) -> None:
            pass

    def wait() -> None:
        scheduler.wait("a lock", lambda: False)

    scheduler.spawn("waiter", Somebody(), wait)
    with pytest.raises(Deadlock, match="waiter waits for a lock"):
        scheduler.run()


def broken_in(program: Program, tries: int = 60) -> Trial:
    """The first run that breaks a rule."""
    court = Court(program)
    trials = (court.run(Random(str(number), Odds(0.2))) for number in range(tries))
    return next(trial for trial in trials if trial.broken is not None)


def test_a_violation_is_stored_made_small_and_repeated(tmp_path: Path) -> None:
    program = PROGRAMS["writers and a reader"]
    with mock.patch.object(GroupCommit, "wait_applied", return_value=None):  # acknowledged too soon
        trial = broken_in(program)
        violation = violation_of(program, "journal", trial, stops=False)
        kept = keep(violation, tmp_path, "it", bounds=Bounds(states=400, seconds=1_000))
        small = kept.replay.violation
        assert steps_of(Program(small.workload, small.how["processes"])) < steps_of(program)
        assert len(small.how["decisions"]) <= len(trial.decisions)
        assert replay(kept.replay, 5).identical == 5
        assert main(["replay", str(kept.file)]) == 1
    assert main(["replay", str(kept.file)]) == 0


def test_no_schedule_is_tried_on_tables_that_its_processes_do_not_fit() -> None:
    program = PROGRAMS["two inserts"]
    violation = violation_of(
        program, "journal", Trial([], [], [], 9, broken=Broken("any")), stops=False
    )
    fewer = replace(program.workload, tables={"a": {"n": ["int"]}}, setup=[])
    with pytest.raises(ValueError, match="v"):
        search(violation, fewer, Limits(), {})
    found, runs = search(violation, program.workload, Limits(), {})
    assert found is None
    assert runs > 50


@pytest.mark.parametrize("name", ["two inserts", "under the lock"])
def test_whatever_an_opening_or_a_lock_raises_is_a_verdict(name: str) -> None:
    broken = ZeroDivisionError("planted")
    court = Court(PROGRAMS[name])
    place = "find_by_id" if name == "under the lock" else "__init__"
    with mock.patch.object(DB, place, side_effect=broken):
        trial = court.run(Script(()))
    assert trial.broken is not None
    assert trial.broken.rule == "a call raised what it must not"
    assert "planted" in trial.broken.found


def test_a_run_in_which_the_lock_keeps_nobody_out_is_a_broken_harness(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with mock.patch.object(campaign_module, "canary_is_found", return_value=False):
        assert main(["simulate", "--schedules", "10", "--jobs", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "harness broken"


def test_the_command_counts_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--schedules", "60", "--jobs", "1", "--seed", "5"]) == 0
    out = capsys.readouterr().out
    assert "survived" in out
    assert "fork beside threads" in out


def test_the_command_tells_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_simulated.py").write_text(
        "from bazanite_stress.explore.workload import Workload\n"
        "WORKLOAD = Workload('mine', {'a': {'v': ['char', 8]}}, [['insert', 'a', {'v': 'x'}]])\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    arguments = ["simulate", "--workload", "mine_simulated:WORKLOAD", "--schedules", "40"]
    assert main([*arguments, "--jobs", "1"]) == 0
    capsys.readouterr()
    with mock.patch.object(SimulatedLockFile, "try_lock", return_value=True):
        assert main([*arguments, "--jobs", "1", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "lost"
    assert document["violations"] > 0
    assert main(["simulate", "--workload", "mine_simulated:NOTHING"]) == 2


def test_a_program_of_ones_own_does_not_wait_a_minute_for_a_stopped_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More points than a run may have: the example of docs/concurrency.md "waited for ever"."""
    (tmp_path / "mine_patient.py").write_text(
        "from bazanite_stress.concurrency.programs import Program\n"
        "from bazanite_stress.explore.workload import Workload\n"
        "def of(**options):\n"
        "    setup = [['insert', 'a', {'v': 'x'}]]\n"
        "    workload = Workload('mine', {'a': {'v': ['char', 8]}}, [], setup, options=options)\n"
        "    return Program(workload, [[[['update', 'a', 1, {'v': 'y'}]]]] * 2)\n"
        "PROGRAM, PATIENT = of(), of(commit_timeout=7)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    program = load_program("mine_patient:PROGRAM")
    assert load_program("mine_patient:PATIENT").workload.options["commit_timeout"] == 7
    court = Court(program)
    stopped = 0
    for number in range(40):
        trial = court.run(Random(str(number), Odds(0.1, stops=1, within=400)), stops=True)
        stopped += any(decision.kind == "stop" for decision in trial.decisions)
        assert trial.broken is None, (number, trial.broken, trial.told)
    assert stopped >= 10


def test_a_campaign_has_tasks_for_every_program_and_mode() -> None:
    tasks = plan("ci", 0)
    assert {task.program.name for task in tasks} == set(PROGRAMS)
    assert {task.mode for task in tasks} >= {"random", "kills", "stops", "cuts", "two changes"}
    assert sum(task.count for task in plan("ci", 0, None, 3_000)) >= 3_000
