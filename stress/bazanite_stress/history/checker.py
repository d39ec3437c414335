"""Strict serialisability, by the log positions that the calls themselves report.

Calls with an answer stand in one order, that of their log positions; what read a position stands
behind what committed there.  The history is right if

- of two calls of which one had ended before the other began, the order has them so;
- at each position one call committed at most, and whoever saw it did not end before that began;
- replayed in that order on the model, each call returns what it returned;
- calls without an answer happened whole, once, at some place of the order behind all that had ended
  before they began and before the first call that began to write after they had died; or never.

Where the calls without an answer stand is searched for, latest place first, and only where the
replay would otherwise not fit; the search gives up (Undecided) beyond ``most_steps``.  Of several
calls that may have committed at one position, only one can have changed anything: each is tried.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import Any, Protocol

from bazanite_stress.explore.model import TableModel
from bazanite_stress.explore.workload import Step

from .events import NEUTRAL, Event
from .footprint import Footprint, footprint, joined, meet
from .rules import Rules


class State(Protocol):
    """What a history is replayed on.  ``hidden``: what of it its content does not show."""

    @property
    def tables(self) -> Mapping[str, TableModel]: ...
    def answer(self, step: Step) -> tuple[Any, str]: ...
    def clone(self) -> State: ...
    def content(self) -> Any: ...
    def hidden(self) -> object: ...


_AGAIN_STEPS = 20_000


class Undecided(Exception):
    """The search for the places of calls without an answer took too long."""


@dataclass(slots=True)
class Verdict:
    """``rule`` is "" if the history is right; else ``events`` are those that break it.

    ``state`` is what all of it leads to, ``happened`` are the calls without an answer that took
    effect in this explanation, and ``order`` is all of it: those among the calls with an answer.
    """

    rule: str = ""
    expected: str = ""
    found: str = ""
    events: list[Event] = field(default_factory=list)
    state: State | None = None
    happened: list[Event] = field(default_factory=list)
    order: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class _Floating:
    """A call without an answer, and before which of the log positions it may have committed."""

    event: Event
    lowest: int
    highest: int


@dataclass(slots=True)
class _Branch:
    """A place at which calls without an answer may stand: how it was before, and those untried."""

    place: int
    state: State
    happened: tuple[tuple[int, int], ...]
    untried: list[int]
    tried: int = -1
    """The one that was taken last; undoing that may mend what it spoiled."""


def check(events: Sequence[Event], start: State, *, most_steps: int = 1_000_000) -> Verdict:
    """Whether this history, which began in the state ``start``, was as if one call at a time."""
    for event in events:
        if event.known and event.lsn is None and not event.error and event.step[0] not in NEUTRAL:
            return Verdict("a call with an answer tells no log position", events=[event])
    groups = _groups(in_order(events))
    wrong = _right_order(groups)
    if wrong is not None:
        return wrong
    floating = _floating(events, groups)
    rules = Rules.of(start.tables, (event.step for event in events))
    found = _Replay(groups, floating, rules, most_steps).run(start)
    if found.rule:  # what seemed to have nothing to do with it may have, by way of a third one
        with suppress(Undecided):
            return _Replay(groups, floating, rules, _AGAIN_STEPS, wary=True).run(start)
    return found


def in_order(events: Sequence[Event]) -> list[Event]:
    """The calls with an answer, by log position; who may have committed there comes first."""
    told = [event for event in events if event.known and event.lsn is not None]
    return sorted(told, key=lambda e: (e.lsn or 0, not _may_commit(e), e.start))


def _may_commit(event: Event) -> bool:
    return event.commits and event.step[0] != "rollback"


def _groups(order: list[Event]) -> list[list[Event]]:
    """The calls by log position."""
    return [list(group) for _, group in groupby(order, key=lambda event: event.lsn)]


def _right_order(groups: list[list[Event]]) -> Verdict | None:
    """What is wrong with the order itself: time runs back between two log positions."""
    soonest: Event | None = None
    for group in reversed(groups):
        for event in group:
            if soonest is not None and soonest.end < event.start:
                return Verdict("a later call saw or made an earlier state", events=[soonest, event])
        first = min(group, key=lambda event: event.end)
        if soonest is None or first.end < soonest.end:
            soonest = first
    return None


def _floating(events: Sequence[Event], groups: list[list[Event]]) -> list[_Floating]:
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
    result: list[_Floating] = []
    for event in events:
        if event.known or not event.writes:
            continue
        lowest = behind[bisect_left(ends, event.start)]
        highest = before[len(starts) - bisect_right(starts, event.end)]
        if lowest <= highest:
            result.append(_Floating(event, lowest, highest))
    return result


class _Replay:
    """Walks through the log positions; a branch at each before which something may be inserted."""

    def __init__(
        self,
        groups: list[list[Event]],
        floating: list[_Floating],
        rules: Rules,
        most_steps: int,
        *,
        wary: bool = False,
    ) -> None:
        self._wary = wary
        self._groups = groups
        self._floating = floating
        self._rules = rules
        self._left = most_steps
        self._footprints = [footprint(one.event.step, rules) for one in floating]
        self._tried: set[object] = set()
        self._at: dict[int, list[int]] = {}
        for number, one in enumerate(floating):
            for place in range(one.lowest, one.highest + 1):
                self._at.setdefault(place, []).append(number)

    def run(self, state: State) -> Verdict:
        state, place = state.clone(), 0
        happened: tuple[tuple[int, int], ...] = ()
        branches: list[_Branch] = []
        carried_out = list(self._groups)
        furthest, wrong = -1, Verdict()
        while place < len(self._groups):
            taken = {number for _, number in happened}
            here = [n for n in self._at.get(place, ()) if n not in taken]
            if here:
                branches.append(_Branch(place, state.clone(), happened, here))
            state, group, mismatch = _at_one_position(state, self._groups[place])
            if mismatch is None:
                carried_out[place] = group
                place += 1
                continue
            if place > furthest:
                furthest, wrong = place, mismatch
            concerned = joined((event.step for event in mismatch.events), self._rules)
            branch = self._next(branches, concerned)
            if branch is None:
                return wrong
            state, place, happened = branch.state, branch.place, branch.happened
        order: list[Event] = []
        for place, group in enumerate(carried_out):
            order += [self._floating[number].event for at, number in happened if at == place]
            order += group
        events = [self._floating[number].event for _, number in happened]
        return Verdict(state=state, happened=events, order=order)

    def _next(self, branches: list[_Branch], concerned: Footprint) -> _Branch | None:
        """The latest place at which one more call may have committed, and the state behind that.

        Only calls that have to do with the rows that are not as they should be, unless ``wary``.
        """
        while (found := self._latest(branches, concerned)) is not None:
            place, number = found
            del branches[place + 1 :]  # what was untried there will be there again
            branch = branches[place]
            branch.untried.remove(number)
            branch.tried = number
            self._left -= 1
            if self._left < 0:
                raise Undecided(f"no order found for {len(self._floating)} calls without an answer")
            state = branch.state.clone()
            happened = (*branch.happened, (branch.place, number))
            _, error = state.answer(self._floating[number].event.step)
            # what changes nothing is as if it had not happened, and in which order others came
            # matters only if that leads to another state
            numbers = frozenset(number for _, number in happened)
            key = (branch.place, numbers, *_whole(state))
            if not error and key not in self._tried and key[2:] != _whole(branch.state):
                self._tried.add(key)
                return _Branch(branch.place, state, happened, [])
        return None

    def _latest(self, branches: list[_Branch], concerned: Footprint) -> tuple[int, int] | None:
        for place in range(len(branches) - 1, -1, -1):
            branch = branches[place]
            any_will_do = self._wary or (branch.tried >= 0 and self._meets(branch.tried, concerned))
            for number in reversed(branch.untried):
                if any_will_do or self._meets(number, concerned):
                    return place, number
        return None

    def _meets(self, number: int, concerned: Footprint) -> bool:
        return meet(self._footprints[number], concerned)


def _whole(state: State) -> tuple[object, object]:
    """All of a state that any later call can tell of."""
    return state.content(), state.hidden()


def _at_one_position(state: State, group: list[Event]) -> tuple[State, list[Event], Verdict | None]:
    """Carry out the calls that tell one position; the state behind them, in which order they came,
    and what is wrong.
    """
    candidates = [event for event in group if _may_commit(event)]
    if len(candidates) < 2:
        return state, group, _carry_out(state, group, candidates)
    before, wrong = state, None
    for first in candidates:
        state = before.clone()
        order = [first, *(e for e in group if e is not first)]
        mismatch = _carry_out(state, order, candidates)
        if mismatch is None:
            return state, order, None
        wrong = wrong or mismatch
    return state, group, wrong


def _carry_out(state: State, group: list[Event], candidates: list[Event]) -> Verdict | None:
    """What is wrong if the calls came in this order, the first one committing if any did."""
    first = group[0]
    early = [other for other in group if other.end < first.start]
    begin = _whole(state) if early and first in candidates else None
    for event in group:
        again = event in candidates and event is not first
        before = _whole(state) if again else None
        answer, error = state.answer(event.step)
        if (answer, error) != (event.answer, event.error):
            rule = "a call's answer is not that of its place in the order"
            return Verdict(rule, error or repr(answer), event.error or repr(event.answer), [event])
        if again and _whole(state) != before:
            return Verdict("two calls committed at one log position", events=group)
        if event is first and begin is not None and _whole(state) != begin:
            return Verdict("a call saw what was committed only later", events=[*early, event])
    return None
