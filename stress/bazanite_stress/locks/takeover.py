"""How long it takes from the death of the lock's holder to the next transaction.

The victim holds the lock inside a transaction that has changed a row, and says so; once all others
are at the lock's door, or wait for their own commits, it is killed.  The time runs from just before
the signal until the body of the next transaction begins, in whatever process: the death itself, the
hand-over and the repair are in it.
"""

from __future__ import annotations

import mmap
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from bazanite import DB

from .actors import SILENT_SECONDS, Actor, SilentError, Wire
from .counters import Counters, prepared

_VICTIM, _ENTERED_AT, _STATES = 0, 1, 2
_OUTSIDE, _WAITING, _COMMITTING = 0, 1, 2
_TICK_SECONDS = 0.0002
_EVERY = 50


def takeovers(
    path: Path,
    processes: int,
    kills: int,
    rng: Random,
    progress: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
) -> list[float]:
    """Kill so many holders; the seconds each time until the next transaction was inside.

    SilentError if somebody is inside beside a living holder, too.  ``check`` may raise to end it.
    """
    directory = prepared(path / "taken over", processes)
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    words = memoryview(memory).cast("Q")
    troupe: list[Actor] = []
    times: list[float] = []

    def start(number: int) -> Actor:
        words[_STATES + number] = _OUTSIDE
        return Actor(lambda wire: _take_turns(wire, directory, words, number), troupe)

    try:
        actors = [start(number) for number in range(processes)]
        for actor in actors:
            actor.hear()
        for _ in range(kills):
            check()
            number = rng.randrange(processes)
            times.append(_kill(actors, number, words))
            troupe.remove(actors[number])
            actors[number].wire.close()
            actors[number] = start(number)
            actors[number].hear()
            if len(times) % _EVERY == 0:
                progress(f"{len(times)} holders killed")
    finally:
        for actor in troupe:
            actor.kill()
            actor.wire.close()
    return times


def _kill(actors: list[Actor], number: int, words: memoryview) -> float:
    """Kill this one while it holds the lock; how long until the next one is inside."""
    victim = actors[number]
    words[_VICTIM] = number + 1
    victim.hear()
    words[_ENTERED_AT] = 0
    others = [_STATES + other for other in range(len(actors)) if other != number]
    _until(lambda: all(words[other] for other in others), "others never came to the lock")
    if words[_ENTERED_AT]:
        raise SilentError("somebody got the lock of a holder that lives")
    words[_VICTIM] = 0
    killed = time.monotonic_ns()
    if victim.kill() != -signal.SIGKILL:
        raise SilentError(f"the holder ended by itself ({victim.status})")
    _until(lambda: bool(words[_ENTERED_AT]), "nobody got a killed holder's lock")
    return (words[_ENTERED_AT] - killed) / 1e9


def _until(condition: Callable[[], bool], else_what: str) -> None:
    deadline = time.monotonic() + SILENT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SilentError(f"{else_what} within {SILENT_SECONDS:g} seconds")
        time.sleep(_TICK_SECONDS)


def _take_turns(wire: Wire, directory: Path, words: memoryview, number: int) -> None:
    """Commit until killed; hold the lock for ever when it is this one's turn to die."""
    db = DB([Counters], directory)
    state = _STATES + number
    count = 0
    wire.tell("open")
    while not wire.waits():
        words[state] = _WAITING
        with db.transaction():
            entered = time.monotonic_ns()
            words[state] = _OUTSIDE
            if not words[_ENTERED_AT]:
                words[_ENTERED_AT] = entered  # one at a time: only who holds the lock is here
            count += 1
            db.update_by_id("counters", number + 1, {"n": count})
            if words[_VICTIM] == number + 1:
                wire.tell("holding")
                wire.hear(None)
            words[state] = _COMMITTING
        words[state] = _OUTSIDE
