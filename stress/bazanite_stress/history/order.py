"""The order of calls that their log positions tell, and where those without an answer may stand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from .events import Event


@dataclass(slots=True)
class Floating:
    """A call without an answer, and before which of the log positions it may have committed."""

    event: Event
    lowest: int
    highest: int


def in_order(events: Sequence[Event]) -> list[Event]:
    """The calls with an answer, by log position; who may have committed there comes first."""
    told = [event for event in events if event.known and event.lsn is not None]
    return sorted(told, key=lambda e: (e.lsn or 0, not may_commit(e), e.start))


def may_commit(event: Event) -> bool:
    """Whether it is known to have committed, if it changed anything."""
    return event.commits and event.step[0] != "rollback"


def groups_of(order: list[Event]) -> list[list[Event]]:
    """The calls by log position."""
    return [list(group) for _, group in groupby(order, key=lambda event: event.lsn)]


def runs_back(groups: list[list[Event]]) -> list[Event]:
    """Two calls between whose log positions time runs back, if there are any."""
    soonest: Event | None = None
    for group in reversed(groups):
        for event in group:
            if soonest is not None and soonest.end < event.start:
                return [soonest, event]
        first = min(group, key=lambda event: event.end)
        if soonest is None or first.end < soonest.end:
            soonest = first
    return []


def floating_of(events: Sequence[Event], groups: list[list[Event]]) -> list[Floating]:
    """Each call without an answer: behind all that had ended before it began, and before the first
    call that began to write after it had died.
    """
    ended = sorted((event.end, place) for place, group in enumerate(groups) for event in group)
    ends = [end for end, _ in ended]
    behind = list(accumulate((place + 1 for _, place in ended), max, initial=0))
    began = sorted(
        (event.start, place)
        for place, group in enumerate(groups)
        for event in group
        if event.writes
    )
    starts = [start for start, _ in began]
    before = list(accumulate((place for _, place in reversed(began)), min, initial=len(groups)))
    result: list[Floating] = []
    for event in events:
        if event.known or not event.writes:
            continue
        lowest = behind[bisect_left(ends, event.start)]
        highest = before[len(starts) - bisect_right(starts, event.end)]
        if lowest <= highest:
            result.append(Floating(event, lowest, highest))
    return result
