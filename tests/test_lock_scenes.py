"""The lock's scenes, with real processes; and faults that show that each of them can fail."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.locks import actors, stage
from bazanite_stress.locks.__main__ import main
from bazanite_stress.locks.actors import Actor, SilentError
from bazanite_stress.locks.scenes import SCENES
from bazanite_stress.locks.stage import (
    DEADLINE,
    LEFT_OPEN,
    LOST_LOCK,
    NAMED,
    STUCK,
    TWO_OWNERS,
    Stage,
    play,
)
from bazanite_stress.torture.killer import lock_holder
from bazanite_wal import attach, posix, section
from bazanite_wal.errors import PoisonedError
from bazanite_wal.posix import PosixDirectory, PosixLockFile, PosixSystem
from store_support import FORK, in_child

pytestmark = pytest.mark.filterwarnings(FORK)
_try_lock = PosixLockFile.try_lock
_unlock = PosixLockFile.unlock
_abandon = PosixLockFile.abandon


@pytest.mark.parametrize("name", SCENES)
def test_nobody_shares_the_lock_and_nobody_loses_it(tmp_path: Path, name: str) -> None:
    verdict = play(name, SCENES[name], tmp_path)
    assert verdict.findings == ()
    assert list(tmp_path.iterdir()) == []
    allowed = 1 if name == "two_paths" else 0  # a bind mount takes root
    assert len(verdict.not_done) <= allowed


def put_in(owner: object, name: str, value: object) -> None:
    """Break the engine, for the rest of this process's life."""
    assert hasattr(owner, name) or name == "identity"
    setattr(owner, name, value)


class OneForEachThread(threading.local):
    """A lock that keeps no other thread out."""

    def __init__(self) -> None:
        lock = threading.RLock()
        self.acquire, self.release = lock.acquire, lock.release
        self._is_owned = lock._is_owned  # type: ignore[attr-defined]


def no_thread_lock() -> None:
    put_in(posix._OwnedLock, "__init__", lambda lock: setattr(lock, "_lock", OneForEachThread()))


def no_process_lock() -> None:
    put_in(PosixLockFile, "try_lock", lambda *_args, **_options: True)


def no_waiting_lock() -> None:
    put_in(PosixLockFile, "lock", lambda _: None)


def a_child_frees_it() -> None:
    def abandon(file: PosixLockFile) -> None:
        fcntl.flock(file._fd, fcntl.LOCK_UN)
        _abandon(file)

    put_in(PosixLockFile, "abandon", abandon)


def a_child_keeps_it() -> None:
    put_in(PosixLockFile, "abandon", lambda _: None)


def freed_with_the_descriptor() -> None:
    def unlock(file: PosixLockFile) -> None:
        os.close(file._fd)
        file._fd = os.open(file.path, os.O_RDWR)

    put_in(PosixLockFile, "unlock", unlock)


def of_the_process_not_the_file() -> None:
    def try_lock(file: PosixLockFile, *, shared: bool = False) -> bool:
        with suppress(OSError):
            fcntl.lockf(file._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        return False

    put_in(PosixLockFile, "try_lock", try_lock)
    put_in(PosixLockFile, "unlock", lambda file: fcntl.lockf(file._fd, fcntl.LOCK_UN))


def no_look_at_the_file() -> None:
    put_in(attach, "_refuse_other_lock_files", lambda *_: None)


def unlinked_on_release() -> None:
    def unlock(file: PosixLockFile) -> None:
        with suppress(OSError):
            os.unlink(file.path)
        _unlock(file)

    put_in(PosixLockFile, "unlock", unlock)


def taken_from_the_stopped() -> None:
    def try_lock(file: PosixLockFile, *, shared: bool = False) -> bool:
        if _try_lock(file, shared=shared):
            return True
        holder = lock_holder(Path(file.path))
        return holder is not None and ") T " in Path(f"/proc/{holder}/stat").read_text()

    put_in(PosixLockFile, "try_lock", try_lock)


def all_directories_are_one() -> None:
    put_in(PosixDirectory, "identity", property(lambda _: (0, 0), lambda *_: None))


def each_path_is_a_directory() -> None:
    put_in(PosixDirectory, "identity", property(lambda self: (0, id(self)), lambda *_: None))


def a_descriptor_leaks() -> None:
    close = PosixLockFile.close

    def leaking(file: PosixLockFile) -> None:
        if file._fd >= 0:
            os.dup(file._fd)
        close(file)

    put_in(PosixLockFile, "close", leaking)


def no_repair() -> None:
    def refuse(*_: object) -> None:
        raise PoisonedError("left by somebody dead")

    put_in(section, "repair", refuse)


def everybody_lives() -> None:
    put_in(PosixSystem, "process_command", lambda *_: "python")


def wall_clock() -> None:
    put_in(PosixSystem, "monotonic", lambda _: time.time())


FAULTS: list[tuple[str, Callable[[], None], str]] = [
    ("threads", no_thread_lock, TWO_OWNERS),
    ("processes", no_process_lock, TWO_OWNERS),
    ("processes", no_waiting_lock, TWO_OWNERS),
    ("forked_child", a_child_frees_it, TWO_OWNERS),
    ("forked_child", a_child_keeps_it, LOST_LOCK),
    ("quiet_child", freed_with_the_descriptor, LOST_LOCK),
    ("other_descriptor", of_the_process_not_the_file, TWO_OWNERS),
    ("removed_file", no_look_at_the_file, TWO_OWNERS),
    ("passed_on", unlinked_on_release, LOST_LOCK),
    ("stopped", taken_from_the_stopped, TWO_OWNERS),
    ("killed", no_waiting_lock, TWO_OWNERS),
    ("two_directories", all_directories_are_one, LOST_LOCK),
    ("two_paths", each_path_is_a_directory, LOST_LOCK),
    ("cycles", a_descriptor_leaks, LEFT_OPEN),
    ("interpreter_exit", no_repair, LOST_LOCK),
    ("named", everybody_lives, NAMED),
    ("first_opener_killed", no_process_lock, TWO_OWNERS),
    ("turned_clock", wall_clock, DEADLINE),
]


@pytest.mark.parametrize("name, fault, rule", FAULTS)
def test_a_fault_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: Any, rule: str
) -> None:
    answer = tmp_path / "rules"

    def with_fault() -> None:
        fault()
        verdict = play(name, SCENES[name], tmp_path)
        answer.write_text(json.dumps([finding.rule for finding in verdict.findings]))

    monkeypatch.setattr(actors, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr("bazanite_stress.locks.scenes.CYCLES", 10)
    assert in_child(with_fault) == 0
    assert rule in json.loads(answer.read_text())


def test_each_scene_has_a_fault() -> None:
    assert {name for name, _, _ in FAULTS} == set(SCENES)


def test_the_module_plays_the_scenes_that_it_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(stage: Stage) -> None:
        stage.expect(LOST_LOCK, ["held"], ["LockTimeout", 7])
        stage.not_done.append("a dance: no music")

    monkeypatch.setitem(SCENES, "passed_on", broken)
    assert main("processes") == 0
    assert "BROKEN" not in capsys.readouterr().out
    assert main("passed_on", "processes") == 1
    out = capsys.readouterr().out
    assert "BROKEN" in out
    assert "a free lock cannot be had: expected ['held'], found ['LockTimeout', 7]" in out
    assert "not done: a dance: no music" in out


def test_a_silent_actor_and_one_that_ended_are_findings_and_are_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []

    def silent(stage: Stage) -> None:
        actor = stage.actor()
        pids.append(actor.pid)
        actor.hear(0.01)

    def ended(stage: Stage) -> None:
        actor = stage.actor()
        pids.append(actor.pid)
        os.kill(actor.pid, 9)
        actor.hear()

    found = [play("a scene", scene, tmp_path).findings for scene in (silent, ended)]
    assert [[finding.rule for finding in findings] for findings in found] == [[STUCK], [STUCK]]
    assert "nothing was said for 0.01 seconds" in found[0][0].found
    assert "the process ended (-9)" in found[1][0].found
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    troupe: list[Actor] = []
    lasting = Actor(lambda wire: wire.hear(None), troupe)
    with monkeypatch.context() as patient:
        patient.setattr(actors, "SILENT_SECONDS", 0.01)
        with pytest.raises(SilentError, match="did not end"):
            lasting.end()
    lasting.kill()  # which may take a busy machine longer than that
    lasting.wire.close()
    assert lasting.status == -9
    assert stage.LOST_LOCK == LOST_LOCK
