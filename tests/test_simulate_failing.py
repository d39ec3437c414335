"""Calls that fail under schedules: who hears of it, what repeats, and that nothing lost is told."""

from __future__ import annotations

import errno
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from unittest import mock

import pytest

from bazanite_stress.concurrency.actors import Actors
from bazanite_stress.concurrency.again import violation_of
from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.concurrency.failing import (
    ONCE,
    dirty_files,
    fail_by_itself,
    strike,
    ways_to_fail,
)
from bazanite_stress.concurrency.faults import Failing, drawn
from bazanite_stress.concurrency.plans import Decision, Directed, Odds, Random, Script
from bazanite_stress.concurrency.programs import Program
from bazanite_stress.concurrency.scheduler import Scheduler, Task
from bazanite_stress.concurrency.tasks import ODDS, plan
from bazanite_stress.concurrency.trial import Court, Trial
from bazanite_stress.explore.keep import keep
from bazanite_stress.explore.minimise import Bounds
from bazanite_stress.explore.replay import replay
from bazanite_stress.simulation.disk import Disk
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedFile, SimulatedSystem
from bazanite_wal.core import Core
from bazanite_wal.errors import PoisonedError
from bazanite_wal.group import GroupCommit
from bazanite_wal.log import Log

ODDS_OF_ONE = Odds(0.2, faults=1, within=150)


def two_systems() -> tuple[Machine, SimulatedSystem, SimulatedSystem]:
    machine = Machine.from_image({"a.dat": b"old"}, "journal")
    return machine, SimulatedSystem(machine, "one"), SimulatedSystem(machine, "two")


def hears(file: SimulatedFile) -> bool:
    """Whether its next sync tells of an error."""
    try:
        file.sync_data()
    except OSError as error:
        return error.errno == errno.EIO
    return False


def failed_write_back(machine: Machine, *, once: bool = False) -> None:
    assert machine.folder is not None
    inode = machine.disk.files[machine.folder.names["a.dat"]]
    inode.fail_write_back("lost", once=once)


def test_each_open_file_hears_of_a_failed_write_back_once() -> None:
    machine, one, two = two_systems()
    first = one.directory(PATH, create=False).open("a.dat")
    second = two.directory(PATH, create=False).open("a.dat")
    first.write_at(b"new", 0)
    failed_write_back(machine)
    late = two.directory(PATH, create=False).open("a.dat")
    assert [hears(first), hears(first), hears(second), hears(second)] == [True, False, True, False]
    assert not hears(late)
    assert late.read_at(3, 0) == b"old"
    failed_write_back(machine)
    assert hears(late)


def test_one_sync_alone_hears_of_a_failure_that_is_told_once() -> None:
    machine, one, two = two_systems()
    first = one.directory(PATH, create=False).open("a.dat")
    failed_write_back(machine, once=True)
    late = two.directory(PATH, create=False).open("a.dat")
    assert [hears(late), hears(first), hears(late)] == [True, False, False]


def test_the_kernel_writes_only_what_is_dirty_and_fails() -> None:
    machine, one, _ = two_systems()
    file = one.directory(PATH, create=False).open("a.dat")
    assert not fail_by_itself(machine, "a.dat", "kept")
    file.write_at(b"new", 0)
    assert dirty_files(machine) == ["a.dat"]
    assert not fail_by_itself(machine, "a.dat", "EIO")
    assert fail_by_itself(machine, "a.dat", f"evicted later{ONCE}")
    assert dirty_files(machine) == []
    assert [hears(file), hears(file)] == [True, False]


def test_a_syncer_that_dies_before_it_tells_is_seen_where_nobody_writes_again() -> None:
    """Bug 60: without ``syncing`` the next leader believes a sync that wrote nothing."""
    odds = Odds(0.2, faults=1, kills=1, within=150)
    name = "transaction beside insert"
    with mock.patch.object(GroupCommit, "_write_again", return_value=None):
        assert any(trial.broken for trial in failing_runs(name, 200, odds))
    assert not any(trial.broken for trial in failing_runs(name, 60, odds))


def test_who_shares_an_open_file_shares_what_it_has_heard() -> None:
    machine, one, _ = two_systems()
    parent = one.directory(PATH, create=False).open("a.dat")
    child = deepcopy(parent, {id(one): one, id(machine.disk): machine.disk,
                              id(parent.inode): parent.inode})  # fmt: skip
    failed_write_back(machine)
    assert hears(child)
    assert not hears(parent)


def standing_before(operation: str, name: str, data: bytes) -> tuple[Scheduler, Task]:
    machine, one, _ = two_systems()
    scheduler = Scheduler(machine, Directed(Script(())))
    task = Task(0, "writer", scheduler.current.process, lambda: None)
    file = one.directory(PATH, create=False).open("a.dat")
    task.about_to, task.writing = (operation, name), (file.inode.number, data, 0)
    return scheduler, task


def test_a_write_fails_with_some_of_its_bytes_there() -> None:
    scheduler, task = standing_before("write_at", "a.dat", b"new")
    assert ways_to_fail(task, syncs=False) == ("EIO", "ENOSPC")
    assert ways_to_fail(task, syncs=True) == ()
    assert strike(scheduler, task, "ENOSPC", 2)
    assert task.raises == errno.ENOSPC
    assert scheduler.machine.image()["a.dat"] == b"ned"
    assert (scheduler.writes_failed, scheduler.syncs_failed) == (1, 0)


def test_what_cannot_fail_here_is_left_alone() -> None:
    scheduler, task = standing_before("sync_data", "wal.log", b"")
    assert ways_to_fail(task, syncs=True) == ("lost", "kept", "evicted later")
    assert not strike(scheduler, task, "ENOSPC", 0)
    task.about_to = ("load", "")
    assert ways_to_fail(task, syncs=True) == ()
    assert not strike(scheduler, task, "lost", 0)
    task.about_to, task.writing = ("sync", "a.dat"), None  # it is no longer there
    assert not strike(scheduler, task, "lost", 0)
    assert (scheduler.writes_failed, scheduler.syncs_failed, task.raises) == (0, 0, 0)


def failing_runs(name: str, count: int, odds: Odds = ODDS_OF_ONE) -> list[Trial]:
    court = Court(PROGRAMS[name])
    return [court.run(drawn(f"{number}", odds)) for number in range(count)]


def test_the_decisions_of_a_run_in_which_calls_fail_repeat_it() -> None:
    odds = Odds(0.2, faults=2, kills=1, within=300)
    struck = 0
    for number in range(12):
        court = Court(PROGRAMS["fork beside threads"])
        first = court.run(Failing(f"{number}", odds))
        second = court.run(Script(first.decisions))
        assert (second.decisions, second.points) == (first.decisions, first.points)
        assert second.events == first.events
        struck += any(decision.kind == "fail" for decision in first.decisions)
    assert struck >= 10


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_survives_failing_calls(name: str) -> None:
    trials = failing_runs(name, 12, Odds(0.2, faults=1, within=50))
    assert [(trial.broken, trial.told) for trial in trials if trial.broken] == []
    kinds = Counter(decision.kind for trial in trials for decision in trial.decisions)
    assert kinds["fail"] >= 1


def test_syncs_of_all_kinds_and_writes_fail_and_calls_are_refused() -> None:
    trials = failing_runs("late opener", 60, Odds(0.2, faults=2, within=300))
    ways = {d.how for trial in trials for d in trial.decisions if d.kind == "fail"}
    told_once = {"lost, told once", "kept, told once", "evicted later, told once"}
    assert ways == {"lost", "kept", "evicted later", "EIO", "ENOSPC"} | told_once
    told = " ".join(line for trial in trials for line in trial.told)
    assert "before sync_data wal.log: process 1 meets a failure" in told
    assert "before sync a.dat: process 3 meets a failure" in told
    assert "wal.log cannot be written back" in told
    events = [event for trial in trials for event in trial.events]
    assert any(not event.known for event in events)
    assert any(event.commits for event in events)


def test_a_poison_without_a_failed_sync_is_a_violation() -> None:
    def poisoned(_core: Core) -> None:
        raise PoisonedError("planted")

    court = Court(PROGRAMS["openers"])
    with mock.patch.object(Core, "check_poisoned", poisoned):
        trial = court.run(Random("1", Odds(0.2)))
    assert trial.broken is not None
    assert trial.broken.rule == "a call raised what it must not"


def believed(log: Log) -> None:
    with suppress(OSError):
        log._file.sync_data()


def test_a_failed_sync_that_is_believed_is_found_made_small_and_repeated(tmp_path: Path) -> None:
    program = PROGRAMS["transaction beside insert"]
    with mock.patch.object(Log, "sync", believed):
        found = [trial for trial in failing_runs(program.name, 40) if trial.broken]
        assert found
        violation = violation_of(program, "journal", found[0], stops=False)
        kept = keep(violation, tmp_path, "it", bounds=Bounds(states=400, seconds=1_000))
        small = [Decision(**one) for one in kept.replay.violation.how["decisions"]]
        assert [decision.kind for decision in small].count("fail") == 1
        assert len(small) <= 3
        assert replay(kept.replay, 5).identical == 5
    assert replay(kept.replay, 1).verdict == "survived"


def test_pages_that_a_failed_sync_left_go_when_the_directory_is_poisoned() -> None:
    evictions: list[bool] = []
    evict = Disk.evict

    def noted(disk: Disk) -> bool:
        evictions.append(evict(disk))
        return evictions[-1]

    judged = mock.patch.object(Court, "_judge")  # which drops what is left at the end
    with judged, mock.patch.object(Disk, "evict", noted):
        failing_runs("checkpoint beside insert", 20)
    assert any(evictions)


def test_a_campaign_lets_calls_fail_in_every_program() -> None:
    tasks = [task for task in plan("ci", 0) if task.mode == "faults"]
    assert {task.program.name for task in tasks} == set(PROGRAMS)
    assert all(odds.faults for odds in ODDS["faults"])
    assert isinstance(drawn("1", Odds()), Random)


def test_nothing_is_excused_before_a_call_failed() -> None:
    machine = Machine.from_image(None, "journal")
    scheduler = Scheduler(machine, Directed(Script(())))
    actors = Actors(PROGRAMS["two inserts"], machine, scheduler)
    assert actors.excused() == ()
    scheduler.writes_failed = 1
    assert PoisonedError not in actors.excused()
    scheduler.syncs_failed = 1
    assert PoisonedError in actors.excused()


def test_a_process_whose_tables_changed_and_that_cannot_open_them_anew_has_no_handle() -> None:
    """It went on with the handle that it had closed, and was blamed for what that answered."""
    known = PROGRAMS["columns change beside finds"]
    finding = [[["update", "t", 1, {"v": "new"}], ["find", "a", 1]]]
    program = Program(known.workload, [known.processes[0], finding])
    turns = [Decision(120, "run", 1), Decision(132, "run", 0)]
    failed = 0
    for point in range(380, 440):  # within its opening anew, wherever exactly that writes
        failure = Decision(point, "fail", 1, written=111, how="EIO")
        trial = Court(program, "hostile").run(Script([*turns, failure]), stops=False)
        assert trial.broken is None, (point, trial.broken)
        failed += any("meets a failure" in text for text in trial.told)
    assert failed
