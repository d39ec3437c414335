"""What happened in one round, for a report; all moments are of ``time.monotonic_ns``."""

from __future__ import annotations

from dataclasses import dataclass, field

from bazanite_stress.history.events import Event


@dataclass(slots=True)
class Record:
    """What happened in a room, or in a round in which every row has an owner: that one has no
    ``events``, and says in ``commits`` how many calls of each slot were acknowledged as committed.
    """

    began: int = 0
    ended: int = 0
    events: list[Event] = field(default_factory=list)
    deaths: list[tuple[int, int, int, str]] = field(default_factory=list)
    """Slot, birth, death, how."""
    commits: dict[int, int] = field(default_factory=dict)
