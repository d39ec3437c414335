"""How fair the lock is, how long anyone waits for it, and how fast it passes from a killed holder.

Two experiments with real processes on one directory each.  Hammering: every process commits single
rows (``durability="full"``) as fast as it can, for so many seconds.  Take-over: the same, and again
and again a process that holds the lock, and says so, is killed while all others are at its door.

A turn's wait *beyond the work ahead of it* is its time from request to grant, without the time in
it in which others held the lock that had asked for it before.  What is left is unfairness (the lock
was held by somebody who asked later) and idleness (nobody held it).  A hold counts from when
its holder knew of it to when it began to let go, so what the lock itself takes counts as idleness.
"""

from __future__ import annotations

import os
import tempfile
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from bazanite import DB
from bazanite_stress.shares import fairness, quantile
from bazanite_wal.lock import GlobalLock

from .actors import Actor, SilentError, Wire
from .counters import Counters, prepared
from .takeover import takeovers

WARM_UP_SECONDS = 0.05
"""Between all being ready and the first commit that counts."""
_OPENING_SECONDS = 60.0
_CHECK_SECONDS = 0.1

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LockSettings:
    """``seconds`` of hammering by ``processes``, then ``kills`` of a holder; ``parent``: where the
    directories are made (None: the system's place for temporary files).
    """

    seed: int
    seconds: float = 10.0
    processes: int = 8
    kills: int = 200
    parent: Path | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One time that a process had the lock: seconds of the clock that all processes share."""

    process: int
    requested: float
    granted: float
    released: float


@dataclass(frozen=True, slots=True)
class LockFigures:
    """``commits`` of each process, ``wait_*`` beyond the work ahead, ``whole_wait_max_ms`` with it.

    ``load`` is the machine's load average (1 minute) before and after: others use it, too.
    """

    processes: int
    seconds: float
    commits: tuple[int, ...]
    fairness_min_max: float
    commits_per_second: float
    turns: int
    wait_p99_ms: float
    wait_max_ms: float
    whole_wait_max_ms: float
    takeovers: int
    takeover_median_ms: float
    takeover_p99_ms: float
    takeover_max_ms: float
    load: tuple[float, float]


def measure(
    settings: LockSettings,
    progress: Progress = lambda _line: None,
    check: Callable[[], None] = lambda: None,
) -> LockFigures:
    """Both experiments, in directories of their own that are removed.

    ``check`` is called on the way and may raise to end them.  SilentError if a process is stuck or
    ended by itself, or two had the lock at once.  None is left behind, whatever is raised.
    """
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="locks-", dir=settings.parent) as path:
        count = settings.processes
        progress(f"{count} processes commit for {settings.seconds:g} seconds")
        commits, turns = hammer(Path(path), count, settings.seconds, check)
        progress(f"{settings.kills} times the lock's holder is killed")
        rng = Random(settings.seed)
        times = takeovers(Path(path), count, settings.kills, rng, progress, check)
    waits = waits_beyond(turns)
    return LockFigures(
        processes=count,
        seconds=settings.seconds,
        commits=tuple(commits),
        fairness_min_max=fairness(commits),
        commits_per_second=sum(commits) / settings.seconds,
        turns=len(turns),
        wait_p99_ms=1000 * quantile(waits, 0.99),
        wait_max_ms=1000 * quantile(waits, 1),
        whole_wait_max_ms=1000 * max((t.granted - t.requested for t in turns), default=0.0),
        takeovers=len(times),
        takeover_median_ms=1000 * quantile(times, 0.5),
        takeover_p99_ms=1000 * quantile(times, 0.99),
        takeover_max_ms=1000 * quantile(times, 1),
        load=(load, os.getloadavg()[0]),
    )


def waits_beyond(turns: Sequence[Turn]) -> list[float]:
    """For each turn, in order of grants: seconds that it waited beyond the work ahead of it."""
    turns = sorted(turns, key=lambda turn: turn.granted)
    releases = [turn.released for turn in turns]  # in order, too: only one holds it at a time
    waits = []
    for number, turn in enumerate(turns):
        ahead = 0.0
        for other in turns[bisect_left(releases, turn.requested) : number]:
            if other.requested < turn.requested:
                ahead += min(other.released, turn.granted) - max(other.granted, turn.requested)
        waits.append(turn.granted - turn.requested - ahead)
    return waits


def overlaps(turns: Sequence[Turn]) -> int:
    """How many turns began before the one before had ended: two owners."""
    turns = sorted(turns, key=lambda turn: turn.granted)
    return sum(a.released > b.granted for a, b in pairwise(turns))


def hammer(
    path: Path, processes: int, seconds: float, check: Callable[[], None] = lambda: None
) -> tuple[list[int], list[Turn]]:
    """Let so many processes commit; the commits of each within the time, and all turns."""
    directory = prepared(path / "hammered", processes)
    troupe: list[Actor] = []
    try:
        for number in range(processes):
            Actor(lambda wire, number=number: _commit(wire, directory, path, number), troupe)  # type: ignore[misc]
        for actor in troupe:
            actor.hear(_OPENING_SECONDS)
        begin = time.monotonic() + WARM_UP_SECONDS
        for actor in troupe:
            actor.wire.tell([begin, begin + seconds])
        while time.monotonic() < begin + seconds and not troupe[0].wire.waits(_CHECK_SECONDS):
            check()
        commits: list[int] = [actor.hear(_OPENING_SECONDS) for actor in troupe]
    finally:
        for actor in troupe:
            actor.kill()
            actor.wire.close()
    turns = [turn for number in range(processes) for turn in _read_turns(path, number)]
    if overlaps(turns):
        raise SilentError(f"two processes had the lock at once, {overlaps(turns)} times")
    return commits, turns


class Recorder:
    """Writes down each turn that this process gets of the lock."""

    def __init__(self, lock: GlobalLock) -> None:
        self._lock = lock
        self._since: tuple[float, float] | None = None
        self.times = array("d")
        self._acquire, self._try, self._release = lock.acquire, lock.try_acquire, lock.release
        for method in ("acquire", "try_acquire", "release"):
            setattr(lock, method, getattr(self, method))

    def acquire(self, timeout: float | None) -> None:
        """As the lock's."""
        requested = time.monotonic()
        self._acquire(timeout)
        self._since = (requested, time.monotonic())

    def try_acquire(self) -> bool:
        """As the lock's; a turn if it succeeds."""
        requested = time.monotonic()
        if not self._try():
            return False
        self._since = (requested, time.monotonic())
        return True

    def release(self) -> None:
        """As the lock's."""
        if self._since is not None and self._lock.owned():
            self.times.extend((*self._since, time.monotonic()))
            self._since = None
        self._release()


def _commit(wire: Wire, directory: Path, path: Path, number: int) -> None:
    """One process of those that hammer."""
    db = DB([Counters], directory)
    recorder = Recorder(db.storage.store._use().core.lock)
    wire.tell("ready")
    begin, end = wire.hear(None)
    commits = count = 0
    while (now := time.monotonic()) < end:
        commits += now >= begin
        count += 1
        db.update_by_id("counters", number + 1, {"n": count})
    commits -= time.monotonic() > end and commits > 0  # the last one came too late
    times = recorder.times[:]
    db.close()
    (path / f"turns.{number}").write_bytes(times.tobytes())
    wire.tell(commits)


def _read_turns(path: Path, number: int) -> list[Turn]:
    times = array("d", (path / f"turns.{number}").read_bytes())
    return [Turn(number, *times[at : at + 3]) for at in range(0, len(times), 3)]
