"""Strict serialisability, by the log positions that the calls themselves report.

Calls with an answer stand in one order, that of their log positions; what read a position stands
behind what committed there.  The history is right if

- of two calls of which one had ended before the other began, the order has them so;
- at each position one call committed at most, and whoever saw it did not end before that began;
- replayed in that order on the model, each call returns what it returned;
- calls without an answer happened whole, once, at some place of the order behind all that had ended
  before they began and before the first call that began to write after they had died; or never.

Where the calls without an answer stand is searched for, latest place first, and only where the
replay would otherwise not fit; the search gives up (Undecided) beyond ``most_steps``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

from bazanite_stress.explore.workload import Step

from .events import NEUTRAL, Event


class State(Protocol):
    """What a history is replayed on."""

    def answer(self, step: Step) -> tuple[Any, str]: ...
    def clone(self) -> State: ...
    def content(self) -> Any: ...


class Undecided(Exception):
    """The search for the places of calls without an answer took too long."""


@dataclass(slots=True)
class Verdict:
    """``rule`` is "" if the history is right; else ``events`` are those that break it.

    ``state`` is what all of it leads to, ``happened`` are the calls without an answer that took
    effect in this explanation.
    """

    rule: str = ""
    expected: str = ""
    found: str = ""
    events: list[Event] = field(default_factory=list)
    state: State | None = None
    happened: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class _Floating:
    """A call without an answer, and the places in the order at which it may stand."""

    event: Event
    lowest: int
    highest: int


@dataclass(slots=True)
class _Branch:
    """A place at which calls without an answer may stand: how it was before, and those untried."""

    place: int
    state: State
    happened: tuple[int, ...]
    untried: list[int]


def check(events: Sequence[Event], start: State, *, most_steps: int = 1_000_000) -> Verdict:
    """Whether this history, which began in the state ``start``, was as if one call at a time."""
    for event in events:
        if event.known and event.lsn is None and not event.error and event.step[0] not in NEUTRAL:
            return Verdict("a call with an answer tells no log position", events=[event])
    order = in_order(events)
    return _right_order(order) or _Replay(order, _floating(events, order), most_steps).run(start)


def in_order(events: Sequence[Event]) -> list[Event]:
    """The calls with an answer, by log position; who committed there comes first."""
    told = [event for event in events if event.known and event.lsn is not None]
    return sorted(told, key=lambda e: (e.lsn or 0, not e.writes or bool(e.error), e.start))


def _right_order(order: list[Event]) -> Verdict | None:
    """What is wrong with the order itself: time runs back between two log positions."""
    soonest: Event | None = None
    for _, group in groupby(reversed(order), key=lambda event: event.lsn):
        at_one_position = list(group)
        for event in at_one_position:
            if soonest is not None and soonest.end < event.start:
                return Verdict("a later call saw or made an earlier state", events=[soonest, event])
        first = min(at_one_position, key=lambda event: event.end)
        if soonest is None or first.end < soonest.end:
            soonest = first
    return None


def _floating(events: Sequence[Event], order: list[Event]) -> list[_Floating]:
    result: list[_Floating] = []
    for event in events:
        if event.known or not event.writes:
            continue
        lowest = highest = 0
        for place, other in enumerate(order):
            if other.end < event.start:
                lowest = place + 1
        later = (i for i, other in enumerate(order) if other.writes and other.start > event.end)
        highest = next(later, len(order))
        if lowest <= highest:
            result.append(_Floating(event, lowest, highest))
    return result


class _Replay:
    """Walks through the order; a branch at each place where something may be inserted."""

    def __init__(self, order: list[Event], floating: list[_Floating], most_steps: int) -> None:
        self._order = order
        self._floating = floating
        self._left = most_steps
        self._groups: dict[int | None, list[Event]] = {}
        for event in order:
            self._groups.setdefault(event.lsn, []).append(event)
        self._committed: dict[int | None, int] = {}
        self._at: dict[int, list[int]] = {}
        for number, one in enumerate(floating):
            for place in range(one.lowest, one.highest + 1):
                self._at.setdefault(place, []).append(number)

    def run(self, state: State) -> Verdict:
        state, place = state.clone(), 0
        happened: tuple[int, ...] = ()
        branches: list[_Branch] = []
        furthest, wrong = -1, Verdict()
        while True:
            here = [n for n in self._at.get(place, ()) if n not in happened]
            if here and place < len(self._order):
                branches.append(_Branch(place, state.clone(), happened, here))
            mismatch = self._step(state, place)
            if mismatch is None:
                place += 1
                if place >= len(self._order):
                    return Verdict(state=state, happened=self._events(happened))
                continue
            if place > furthest:
                furthest, wrong = place, mismatch
            while branches and not branches[-1].untried:
                branches.pop()
            if not branches:
                return wrong
            branch = branches[-1]
            number = branch.untried.pop()
            state, place = branch.state.clone(), branch.place
            happened = (*branch.happened, number)
            state.answer(self._floating[number].event.step)
            self._left -= 1
            if self._left < 0:
                raise Undecided(f"no order found for {len(self._floating)} calls without an answer")

    def _step(self, state: State, place: int) -> Verdict | None:
        """Carry out the call at this place; what is wrong with its answer."""
        if place >= len(self._order):
            return None
        event = self._order[place]
        group = self._groups[event.lsn]
        before = state.content() if event.writes and len(group) > 1 else None
        answer, error = state.answer(event.step)
        if (answer, error) == (event.answer, event.error):
            changed = before is not None and state.content() != before
            return self._commits(event, place, group, changed=changed)
        rule = "a call's answer is not that of its place in the order"
        return Verdict(rule, error or repr(answer), event.error or repr(event.answer), [event])

    def _commits(
        self, event: Event, place: int, group: list[Event], *, changed: bool
    ) -> Verdict | None:
        """What is wrong if this call changed something at a position that others tell too."""
        if not changed:
            if self._committed.get(event.lsn) == place:
                del self._committed[event.lsn]  # of a branch that was given up
            return None
        if self._committed.setdefault(event.lsn, place) < place:
            return Verdict("two calls committed at one log position", events=group)
        early = [other for other in group if other.end < event.start]
        if early:
            return Verdict("a call saw what was committed only later", events=[*early, event])
        return None

    def _events(self, numbers: tuple[int, ...]) -> list[Event]:
        return [self._floating[number].event for number in numbers]
