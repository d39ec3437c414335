"""Whom to kill, and when: seeded, and spread from microseconds after an intent to tens of ms."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

Mode = Literal["writer", "holder", "newborn", "stopped", "pair", "everyone"]

MODES: dict[Mode, float] = {
    # One writer, some time after it wrote down an intent.
    "writer": 30,
    # Whoever holds the global lock, that is: in the middle of something.
    "holder": 45,
    # One writer, and its successor while that still opens the database.
    "newborn": 15,
    # One writer is stopped first: the others meet a holder that does not move, then is gone.
    "stopped": 10,
    # Two writers at the same moment.
    "pair": 12,
    # All of them; their successors race to recover.
    "everyone": 13,
}

LOCK_TABLE = Path("/proc/locks")

SHORTEST_SECONDS, LONGEST_SECONDS = 1e-6, 0.03
# About as long as a transaction holds the lock: evenly spread, so that no part of it is spared.
HOLD_SECONDS = 0.002
MEAN_PAUSE_SECONDS = 0.08


@dataclass(frozen=True, slots=True)
class Strike:
    """One attack: the first victim's next intent is awaited, then the delay, then all victims are
    killed in this order.
    """

    mode: Mode
    victims: tuple[int, ...]
    delay_seconds: float


def plan_strike(
    rng: Random, slots: Sequence[int], modes: Collection[Mode] = tuple(MODES)
) -> Strike:
    """The next attack, of one of these modes, on the writers in these slots (at least one)."""
    mode = rng.choices(list(modes), [MODES[mode] for mode in modes])[0]
    count = {"pair": 2, "everyone": len(slots)}.get(mode, 1)
    victims = tuple(rng.sample(list(slots), min(count, len(slots))))
    delay = rng.random() * HOLD_SECONDS if mode == "holder" else short_time(rng)
    return Strike(mode, victims, delay)


def lock_holder(lock: Path) -> int | None:
    """The process that holds an flock on this file, as Linux tells it; None if nobody does, or
    where the system does not tell.
    """
    try:
        inode, table = str(lock.stat().st_ino), LOCK_TABLE.read_text(encoding="ascii")
    except OSError:
        return None
    for line in table.splitlines():
        words = line.split()
        # 1: FLOCK ADVISORY WRITE 12345 fe:00:393228 0 EOF; who waits has an arrow after the number.
        if words[1:2] == ["FLOCK"] and words[5].endswith(f":{inode}"):
            return int(words[4])
    return None


def short_time(rng: Random, longest_seconds: float = LONGEST_SECONDS) -> float:
    """A time of random magnitude, in seconds."""
    return float(SHORTEST_SECONDS * (longest_seconds / SHORTEST_SECONDS) ** rng.random())


def pause(rng: Random) -> float:
    """Seconds until the next attack."""
    return min(rng.expovariate(1 / MEAN_PAUSE_SECONDS), 5 * MEAN_PAUSE_SECONDS)
