"""Short stretches of a long history, each explained without any log position.

``checker`` believes the log positions that calls tell.  A wrong one that fits by chance would hide;
so here are the moments at which nobody was at work, the state that the checker says was true then,
and the calls that followed: ``search`` must find an order for them, whatever positions they tell.
What was still under way at the end of a stretch counts as having no answer yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .checker import State, Undecided, Verdict, check
from .events import Event
from .search import explained

_MOST_STEPS = 20_000


@dataclass(slots=True)
class Windows:
    """``checked`` stretches were explained, of ``undecided`` ones the search took too long."""

    checked: int = 0
    undecided: int = 0
    verdict: Verdict | None = None


def cross_check(
    events: Sequence[Event], start: State, *, calls: int = 12, most: int = 4
) -> Windows:
    """Check the history, then explain ``calls`` calls behind at most ``most`` quiet moments of it.

    ``verdict`` is what is wrong with it, or with the first stretch that cannot be explained.
    Undecided if the check itself took too long.
    """
    found = Windows()
    whole = check(events, start)
    if whole.rule:
        return replace(found, verdict=whole)
    events = [e for e in events if not e.known or e.lsn is not None]  # others did nothing
    quiet = list(_quiet(events))
    for moment in quiet[:: max(1, -(-len(quiet) // most))] if quiet else ():
        state, done = _state_at(moment, whole.order, start)
        stretch = _stretch(events, moment, calls)
        late = _may_still_happen([e for e in events if e.start < moment], done)
        try:
            order = explained([*late, *stretch], state, most_steps=_MOST_STEPS)
        except Undecided:
            found.undecided += 1
            continue
        found.checked += 1
        if order is None:
            rule = "no order explains these calls, whatever log positions they tell"
            return replace(found, verdict=Verdict(rule, events=[*late, *stretch]))
    return found


def _quiet(events: Sequence[Event]) -> Iterator[int]:
    """The starts of calls before which all others had ended."""
    latest = -1
    for event in sorted(events, key=lambda one: one.start):
        if event.start > latest:
            yield event.start
        latest = max(latest, event.end)


def _state_at(moment: int, order: list[Event], start: State) -> tuple[State, list[Event]]:
    """The state at this moment, when nobody is at work, and the calls that led to it."""
    state = start.clone()
    first = next((i for i, event in enumerate(order) if event.start >= moment), len(order))
    for event in order[:first]:
        state.answer(event.step)
    return state, order[:first]


def _stretch(events: Sequence[Event], moment: int, calls: int) -> list[Event]:
    """The next calls; those that had not ended when the last of them began have no answer."""
    following = sorted((e for e in events if e.start >= moment), key=lambda event: event.start)
    chosen = following[:calls]
    if len(following) <= calls:
        return chosen
    end = following[calls].start
    return [e if e.end < end else replace(e, answer=None, error="", known=False) for e in chosen]


def _may_still_happen(past: Sequence[Event], done: list[Event]) -> list[Event]:
    """Calls without an answer that no later write has put an end to."""
    happened = {id(event) for event in done if not event.known}
    last = max((event.start for event in past if event.known and event.writes), default=-1)
    return [
        event
        for event in past
        if not event.known and event.writes and event.end >= last and id(event) not in happened
    ]
