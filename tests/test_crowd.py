"""The crowd of the torture run: moments, notes, rooms; it finds what is wrong, and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bazanite_stress.crowd import moments as at
from bazanite_stress.crowd import plans, verdict
from bazanite_stress.crowd.life import Life, Part
from bazanite_stress.crowd.moments import BLACK_BOX, WHITE_BOX, Doom
from bazanite_stress.crowd.notes import SIZE_BYTES, Notes
from bazanite_stress.crowd.people import Orphan, Paper, stands
from bazanite_stress.crowd.plans import ENOUGH_HITS, Plans, Setting, missing, options
from bazanite_stress.crowd.room import Room
from bazanite_stress.crowd.small_disk import NoSmallDisk, SmallDisk
from bazanite_stress.crowd.tables import MIGRATING, PLAIN, RULED, Design
from bazanite_stress.torture.lives import Crew
from bazanite_stress.torture.processes import Launcher
from bazanite_stress.torture.report import Progress, Tally, as_table
from bazanite_stress.torture.settings import Settings
from bazanite_stress.torture.stopping import Stopping
from bazanite_wal.lock import GlobalLock
from bazanite_wal.posix import PosixLockFile
from crowd_fault_child import in_a_child
from replay_faults import FAULTS

OPTIONS: dict[str, Any] = {"log_size_bytes": 16 << 10, "checkpoint_bytes": 2 << 10}
CALLS = 60


def test_notes_outlive_a_kill_and_take_no_more_than_fits() -> None:
    notes = Notes()

    def work() -> None:
        notes.add("begin", ["insert", "a", {"v": None, "n": 1}])
        notes.add("end", ({"id": 1}, "", 7, True))
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_child(work) == -signal.SIGKILL
    assert [(kind, content) for kind, _, content in notes] == [
        ("begin", ["insert", "a", {"v": None, "n": 1}]),
        ("end", ({"id": 1}, "", 7, True)),
    ]
    assert notes.answers == 1
    with pytest.raises(ValueError, match="no room"):
        notes.add("failed", "x" * SIZE_BYTES)
    assert len(list(notes)) == 2
    notes.clear()
    assert list(notes) == []
    notes.close()


@pytest.mark.parametrize("moment", [m for m in WHITE_BOX if m not in (at.RECOVERY, at.WAITING)])
def test_a_process_dies_at_its_moment_and_the_next_one_finds_all_of_it(
    moment: str, tmp_path: Path
) -> None:
    setting = Setting(str(tmp_path / "data"), OPTIONS)
    part = Plans(setting, Random(f"{moment} 1"), {}).doomed(moment)
    notes, last = Notes(), Notes()
    assert in_a_child(Life(part, notes).run) == -signal.SIGKILL
    assert [content for kind, _, content in notes if kind == "moment"] == [moment]
    assert in_a_child(Life(Part(setting.directory, "7/last", last=True), last).run) == 0
    events = verdict.events_of("dead", notes, 1 << 62)
    died = max(event.start for event in events) if events else 0
    events = verdict.events_of("dead", notes, died + 1) + verdict.events_of("last", last, 0)
    assert verdict.judge(events, PLAIN.tables)[0].rule == ""
    assert [content for kind, _, content in last if kind == "checked"] == [[]]


@pytest.mark.parametrize("count", [1, 5, 9])
def test_a_first_opener_dies_in_its_recovery(count: int, tmp_path: Path) -> None:
    directory = str(tmp_path / "data")
    append = Part(directory, "1/1", calls=CALLS, doom=Doom(at.APPLY, 3, 0.5))
    assert in_a_child(Life(append, Notes()).run) == -signal.SIGKILL
    notes = Notes()
    recovery = Part(directory, "1/2", doom=Doom(at.RECOVERY, count, 0.5))
    assert in_a_child(Life(recovery, notes).run) == -signal.SIGKILL
    assert [kind for kind, _, _ in notes] == ["open", "moment"]


def test_who_waits_for_the_lock_dies_waiting(tmp_path: Path) -> None:
    directory = str(tmp_path / "data")
    assert in_a_child(Life(Part(directory, "1/1", calls=3), Notes()).run) == 0
    holder = os.open(tmp_path / "data" / ".lock", os.O_RDWR)
    lock = PosixLockFile.__new__(PosixLockFile)
    lock._fd = holder
    assert lock.try_lock()
    notes = Notes()
    waiting = Part(directory, "1/2", doom=Doom(at.WAITING, 1, 0.1))
    assert in_a_child(Life(waiting, notes).run) == -signal.SIGKILL
    assert [content for kind, _, content in notes if kind == "moment"] == [at.WAITING]
    lock._fd = -1
    os.close(holder)


def test_a_forked_child_is_seen_and_killed() -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(reading, 1)
        os._exit(0)
    orphan = Orphan(pid)
    assert orphan.alive()
    assert orphan.kill()
    assert not orphan.alive()
    assert orphan.kill()  # that is what it died of, however often it is asked
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not Orphan(pid).kill()
    os.waitpid(pid, 0)


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    settings = Settings(seed=1, writers=5, readers=2, parent=tmp_path, stuck_seconds=60.0)
    tally = Tally(seed=1, engine="bazanite", durability="full", start_method="fork", writers=5)
    launcher = Launcher("fork")
    with Stopping() as stopping:
        yield Crew(settings, launcher, tally, Progress(), stopping)
    launcher.close()


def stay(crew: Crew, setting: Setting, scratch: Path, seed: str, kills: int = 120) -> Room:
    """A room until so many are dead."""
    paper = Paper()
    room = Room(crew, setting, Random(seed), scratch, paper)
    room.run(60.0, kills)
    paper.close()
    return room


@pytest.mark.parametrize(
    "durability, design",
    [("full", PLAIN), ("normal", PLAIN), ("off", PLAIN), ("full", RULED), ("normal", MIGRATING)],
    ids=lambda value: getattr(value, "name", value),
)
def test_no_kill_breaks_the_history(
    durability: str, design: Design, crew: Crew, tmp_path: Path
) -> None:
    opened = options(Random(durability), Settings(seed=1, durability=durability), 1)
    setting = Setting(str(tmp_path / "data"), opened, design=design)
    room = stay(crew, setting, tmp_path, durability)
    assert room.findings == []
    assert crew.tally.kills >= 120
    assert crew.tally.commits > 20
    assert crew.tally.windows > 0
    assert sum(crew.tally.moments.values()) > 20
    assert len({event.who for event in room.record.events}) > 20


def test_a_room_is_opened_as_the_settings_say() -> None:
    def opened(**settings: Any) -> list[dict[str, Any]]:
        return [options(Random(0), Settings(seed=1, **settings), n) for n in range(1, 11)]

    assert {o["checksums"] for o in opened(checksums=0.0)} == {False}
    assert {o["checksums"] for o in opened(checksums=1.0)} == {True}
    assert {o["powersafe_overwrite"] for o in opened(whole_pages=1.0)} == {False}
    assert {o["durability"] for o in opened(durability="off")} == {"off"}
    assert len({o["durability"] for o in opened()}) > 1


def test_a_recovery_that_forgets_is_found(
    crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FAULTS["first frame only"](monkeypatch.setattr)
    setting = Setting(str(tmp_path / "data"), {**OPTIONS, "checkpoint_bytes": 16 << 10})
    assert stay(crew, setting, tmp_path, "forgets", kills=400).findings


def test_a_lock_that_keeps_nobody_out_is_found(
    crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(self: GlobalLock, timeout: float | None) -> None:
        self._thread.acquire(timeout)

    monkeypatch.setattr(GlobalLock, "acquire", take)
    setting = Setting(str(tmp_path / "data"), OPTIONS)
    assert stay(crew, setting, tmp_path, "open", kills=400).findings


def test_nobody_is_left_when_a_run_is_interrupted(crew: Crew, tmp_path: Path) -> None:
    """Of a process that one of ours forked the launcher knows nothing."""
    met: list[Orphan] = []
    paper = Paper()

    class Interrupted(Stopping):
        def check(self) -> None:
            orphans = [p.process for p in room._people if isinstance(p.process, Orphan)]
            for orphan in orphans:
                orphan.signal(signal.SIGSTOP)  # it cannot end by itself any more
                if stands(orphan.pid):
                    met.append(orphan)
                    raise KeyboardInterrupt

    crew = replace(crew, stopping=Interrupted())
    room = Room(crew, Setting(str(tmp_path / "data"), OPTIONS), Random("9"), tmp_path, paper)
    with pytest.raises(KeyboardInterrupt):
        room.run(60.0, 10_000)
    assert met
    assert not any(orphan.alive() for orphan in met)
    assert not any(person.process.alive() for person in room._people)
    paper.close()


@pytest.mark.parametrize("how", ["killed", "ends"])
def test_a_last_reader_that_does_not_read_is_found(
    how: str, crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Life._run

    def silent(self: Life) -> None:
        if not self._part.last:
            run(self)
        elif how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Life, "_run", silent)
    room = stay(crew, Setting(str(tmp_path / "data"), OPTIONS), tmp_path, "silent", kills=5)
    assert "recovery died" in {finding.what for finding in room.findings}
    assert ("a process died" in {finding.what for finding in room.findings}) == (how == "killed")


def test_processes_that_are_stuck_are_found_though_others_are_killed_and_come_anew(
    crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Life._run

    def stuck(self: Life) -> None:
        self._notes.add("open", os.getpid())
        if self._part.last:
            run(self)
        else:
            signal.pause()

    monkeypatch.setattr(Life, "_run", stuck)
    crew = replace(crew, settings=replace(crew.settings, stuck_seconds=0.6))
    room = stay(crew, Setting(str(tmp_path / "data"), OPTIONS), tmp_path, "stuck")
    assert [finding.what for finding in room.findings] == ["no progress"]


def test_a_first_opener_that_hangs_is_found(
    crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Life, "_run", lambda _self: signal.pause())
    crew = replace(crew, settings=replace(crew.settings, recovery_seconds=0.2))
    paper = Paper()
    room = Room(crew, Setting(str(tmp_path / "data"), OPTIONS), Random("1"), tmp_path, paper)
    crew.tally.moments[at.FIRST_OPENER] = 1  # so it is a recovery's turn
    room._strike_the_first()
    assert room.findings[0].what == "recovery hangs"
    paper.close()


def test_only_who_was_met_there_counts_for_a_moment(
    crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process that had ended already, an opener that had not begun to open."""
    monkeypatch.setattr(Life, "_run", lambda _self: None)
    paper = Paper()
    room = Room(crew, Setting(str(tmp_path / "data"), OPTIONS), Random("1"), tmp_path, paper)
    person = room._start(0, room._plans.writer())
    assert person.process.wait(60.0)  # type: ignore[union-attr]
    room._stop(person)
    room._bury_the_dead()
    monkeypatch.setattr(Life, "_run", lambda _self: signal.pause())
    monkeypatch.setattr(Room, "_until", lambda *_: None)
    crew.tally.moments[at.RECOVERY] = 1
    room._strike_the_first()
    assert crew.tally.moments.get(at.STOPPED, 0) == 0
    assert crew.tally.moments.get(at.FIRST_OPENER, 0) == 0
    assert crew.tally.kills_by_mode == {at.ANY_TIME: 1}
    assert room.findings == []
    paper.close()


def test_a_full_disk_is_told_and_loses_nothing(crew: Crew, tmp_path: Path) -> None:
    try:
        disk = SmallDisk(tmp_path / "small")
    except NoSmallDisk as error:
        pytest.skip(f"no small file system can be mounted: {error}")
    try:
        opened = {"log_size_bytes": 8 << 10, "checkpoint_bytes": 2 << 10}
        setting = Setting(str(disk.path / "data"), opened, no_space=True)
        paper = Paper()
        room = Room(crew, setting, Random("full"), tmp_path, paper)
        room.run(60.0, 200, disk.make_room)
        paper.close()
    finally:
        crew.launcher.kill_all()
        disk.remove()
    assert room.findings == []
    assert crew.tally.moments[at.NO_SPACE] > 0


def test_a_moment_that_came_too_seldom_is_not_measured() -> None:
    hits = dict.fromkeys(WHITE_BOX + BLACK_BOX, ENOUGH_HITS)
    assert missing(hits, no_space=False) == {}
    assert missing(hits, no_space=True) == {at.NO_SPACE: 0}
    hits[at.APPLY] -= 1
    assert missing(hits, no_space=False) == {at.APPLY: ENOUGH_HITS - 1}
    tally = Tally(1, "bazanite", "full", "fork", 8, kills=1, operations=1, rounds=1)
    assert tally.verdict == "survived"
    tally.moments_missing = {at.APPLY: 29}
    assert tally.verdict == "not measured"
    assert "29 apply" in as_table(tally)
    tally.moments_missing = dict.fromkeys(WHITE_BOX + BLACK_BOX, 12)
    told = as_table(tally)
    assert all(f"12 {moment}" in told for moment in tally.moments_missing)  # none is torn apart
    assert "a longer run" in told
    tally.moments_missing, tally.kills_wanted = {}, 2
    assert tally.verdict == "not measured"


def test_the_rarest_moment_comes_next() -> None:
    hits = dict.fromkeys(WHITE_BOX, 3)
    hits[at.HEADER] = 2
    made = Plans(Setting("d", {}), Random(1), hits)
    assert made.rarest(WHITE_BOX) == at.HEADER
    parts = [made.writer() for _ in range(200)]
    dooms = [part.doom.moment for part in parts if part.doom]
    assert set(dooms) == {at.HEADER}
    assert len({part.seed for part in parts}) == len(parts)
    assert plans.ENOUGH_HITS == 30
