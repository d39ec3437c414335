"""Where a scene is played: its directory, its actors, and what was found against the rules."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bazanite_wal import shared

from . import actors
from .actors import Actor, SilentError
from .puppet import puppet

TWO_OWNERS = "two owners"
LOST_LOCK = "a free lock cannot be had"
NAMED = "LockTimeout names who holds the lock, and nobody dead"
LOST_CHANGE = "what was acknowledged is there"
LEFT_OPEN = "nothing is left open"
DEADLINE = "a timeout is a stretch of time, whatever the clock says"
STUCK = "everybody answers"
_TICK_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was broken: what should have been, and what was."""

    rule: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a scene.  ``not_done``: what this machine or user did not allow, and why."""

    scene: str
    findings: tuple[Finding, ...]
    not_done: tuple[str, ...]
    seconds: float


class Stage:
    """``path``: an empty directory.  ``bugs``: planted in this process, for those it starts anew.

    A scene tells its puppets what to do and states what must be; the first answer that is wrong
    may make later ones wrong, too.
    """

    def __init__(self, path: Path, bugs: tuple[int, ...] = ()) -> None:
        self.path = path
        self.data = str(path / "data")
        self.bugs = bugs
        self.findings: list[Finding] = []
        self.not_done: list[str] = []
        self._troupe: list[Actor] = []
        self._others: list[int] = []

    def puppet(self, timeout: float | None = 0.0, path: str | None = None) -> Actor:
        """A process that has the directory open and waits so long for its lock."""
        actor = self.actor()
        self.expect(LOST_LOCK, ["open"], actor.ask("open", "a", path or self.data, timeout))
        return actor

    def actor(self) -> Actor:
        """A process that has nothing open yet."""
        return Actor(puppet, self._troupe)

    def other(self, pid: int) -> int:
        """Remember a process that an actor has started; it is killed in the end."""
        self._others.append(pid)
        return pid

    def expect(self, rule: str, expected: object, found: object) -> bool:
        """Note a finding unless both are equal; whether they are."""
        if expected != found:
            self.findings.append(Finding(rule, self._told(expected), self._told(found)))
        return expected == found

    def _told(self, value: object) -> str:
        """A value as text that is the same each time: actors by their number, not their pid."""
        pids = {str(actor.pid): f"actor {number}" for number, actor in enumerate(self._troupe, 1)}
        text = str(value).replace(str(self.path), "PATH")
        return re.sub(r"\d+", lambda match: pids.get(match[0], match[0]), text)

    def takes(self, actor: Actor, name: str = "a") -> None:
        """The lock is free: the actor gets it, and keeps it."""
        self.expect(LOST_LOCK, ["held"], actor.ask("hold", name))

    def takes_and_leaves(self, actor: Actor, name: str = "a") -> None:
        """The lock is free: the actor gets it, and lets it go."""
        self.takes(actor, name)
        self.leaves(actor, name)

    def leaves(self, actor: Actor, name: str = "a") -> None:
        """The actor lets the lock go."""
        self.expect(LOST_LOCK, ["free"], actor.ask("release", name))

    def shut_out(self, actor: Actor, holder: int | None, name: str = "a") -> None:
        """The lock is held by this process: the actor does not get it, and is told by whom."""
        self.refused(actor.ask("hold", name), holder)

    def refused(self, answer: list[Any], holder: int | None) -> None:
        """This answer is a LockTimeout that names the process (None: nobody)."""
        if self.expect(TWO_OWNERS, "LockTimeout", answer[0]):
            self.expect(NAMED, holder, answer[1])

    def waits(self, actor: Actor, name: str = "a") -> None:
        """The actor begins to wait for the lock; on return it is marked as waiting."""
        actor.wire.tell(["hold", name])
        deadline = time.monotonic() + actors.SILENT_SECONDS
        while not self._marked(actor.pid):
            if actor.wire.waits():
                self.expect(TWO_OWNERS, "waiting", actor.hear())
                return
            if time.monotonic() > deadline:
                raise SilentError(f"process {actor.pid} never waited for the lock")
            time.sleep(_TICK_SECONDS)

    def _marked(self, pid: int) -> bool:
        data = Path(self.data, ".shared").read_bytes()
        words = memoryview(data).cast("Q")
        return any(words[at + 1] for at, found in shared.attached_pids(words) if found == pid)

    def close(self) -> None:
        """Kill everybody."""
        for actor in self._troupe:
            with suppress(SilentError):
                actor.kill()
            actor.wire.close()
        self._troupe.clear()
        for pid in self._others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


Scene = Callable[[Stage], None]


def play(
    name: str, scene: Scene, parent: Path | None = None, bugs: tuple[int, ...] = ()
) -> Verdict:
    """Play one scene in a new directory below ``parent``, which is removed."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=parent) as path:
        stage = Stage(Path(path), bugs)
        try:
            scene(stage)
        except SilentError as error:
            stage.findings.append(Finding(STUCK, "an answer", str(error)))
        finally:
            stage.close()
    seconds = time.monotonic() - started
    return Verdict(name, tuple(stage.findings), tuple(stage.not_done), seconds)
