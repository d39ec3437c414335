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
calls that may have committed at one position, only one can have changed anything: each is tried,
and where more than one fits there, so is the next if what follows does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from bazanite_stress.explore.model import TableModel
from bazanite_stress.explore.workload import Step

from .events import NEUTRAL, Event
from .footprint import Footprint, footprint, joined, meet
from .order import Floating, floating_of, groups_of, in_order, may_commit, runs_back
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


Carried = tuple["State", list[Event], "Verdict | None"]
"""The state behind the calls of one position, in which order they came, and what is wrong."""


@dataclass(slots=True)
class _Branch:
    """A place at which calls without an answer may stand: how it was before, and those untried."""

    place: int
    state: State
    happened: tuple[tuple[int, int], ...]
    untried: list[int]
    tried: int = -1
    """The one that was taken last; undoing that may mend what it spoiled."""
    orders: Iterator[Carried] = field(default_factory=lambda: iter(()))
    """Or several calls there may have been the one that committed: the other ones."""


@dataclass(slots=True)
class _Way:
    """From where to go on; ``order``: how the calls just before that place came, if otherwise."""

    place: int
    state: State
    happened: tuple[tuple[int, int], ...]
    order: list[Event] = field(default_factory=list)


def check(events: Sequence[Event], start: State, *, most_steps: int = 1_000_000) -> Verdict:
    """Whether this history, which began in the state ``start``, was as if one call at a time."""
    for event in events:
        if event.known and event.lsn is None and not event.error and event.step[0] not in NEUTRAL:
            return Verdict("a call with an answer tells no log position", events=[event])
    groups = groups_of(in_order(events))
    backwards = runs_back(groups)
    if backwards:
        return Verdict("a later call saw or made an earlier state", events=backwards)
    floating = floating_of(events, groups)
    rules = Rules.of(start.tables, (event.step for event in events))
    found = _Replay(groups, floating, rules, most_steps).run(start)
    if found.rule:  # what seemed to have nothing to do with it may have, by way of a third one
        with suppress(Undecided):
            return _Replay(groups, floating, rules, _AGAIN_STEPS, wary=True).run(start)
    return found


class _Replay:
    """Walks through the log positions; a branch at each before which something may be inserted."""

    def __init__(
        self,
        groups: list[list[Event]],
        floating: list[Floating],
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
            group = self._groups[place]
            orders = _orders(state, group)
            before, (state, carried_out[place], mismatch) = state, _first_fitting(orders)
            if mismatch is None:
                if sum(map(may_commit, group)) > 1:
                    self._is_new(place, happened, state, behind=True)
                    branches.append(_Branch(place, before, happened, [], orders=orders))
                place += 1
                continue
            if place > furthest:
                furthest, wrong = place, mismatch
            concerned = joined((event.step for event in mismatch.events), self._rules)
            way = self._next(branches, concerned)
            if way is None:
                return wrong
            state, place, happened = way.state, way.place, way.happened
            if way.order:
                carried_out[place - 1] = way.order
        order: list[Event] = []
        for place, group in enumerate(carried_out):
            order += [self._floating[number].event for at, number in happened if at == place]
            order += group
        events = [self._floating[number].event for _, number in happened]
        return Verdict(state=state, happened=events, order=order)

    def _next(self, branches: list[_Branch], concerned: Footprint) -> _Way | None:
        """The latest place at which one more call may have committed, or another one, and the state
        behind that.

        Only calls that have to do with the rows that are not as they should be, unless ``wary``.
        """
        while (found := self._latest(branches, concerned)) is not None:
            at, number = found
            del branches[at + 1 :]  # what was untried there will be there again
            self._left -= 1
            if self._left < 0:
                raise Undecided(f"no order found for {len(self._floating)} calls without an answer")
            branch = branches[at]
            way = self._reordered(branch) if number is None else self._with(branch, number)
            if way is not None:
                return way
            if number is None:
                del branches[at]
        return None

    def _with(self, branch: _Branch, number: int) -> _Way | None:
        """The way on if this call happened there; None if that is as if it had not."""
        branch.untried.remove(number)
        branch.tried = number
        state = branch.state.clone()
        happened = (*branch.happened, (branch.place, number))
        _, error = state.answer(self._floating[number].event.step)
        if error or _whole(state) == _whole(branch.state):
            return None
        new = self._is_new(branch.place, happened, state, behind=False)
        return _Way(branch.place, state, happened) if new else None

    def _reordered(self, branch: _Branch) -> _Way | None:
        """The way on if another one of the calls there committed; None if none is left."""
        for state, order, mismatch in branch.orders:
            place = branch.place
            if mismatch is None and self._is_new(place, branch.happened, state, behind=True):
                return _Way(place + 1, state, branch.happened, order)
        return None

    def _is_new(
        self, place: int, happened: tuple[tuple[int, int], ...], state: State, *, behind: bool
    ) -> bool:
        """Whether nothing was tried from here: in which order calls without an answer came matters
        only if that leads to another state.
        """
        key = (place, behind, frozenset(number for _, number in happened), *_whole(state))
        known = key in self._tried
        self._tried.add(key)
        return not known

    def _latest(
        self, branches: list[_Branch], concerned: Footprint
    ) -> tuple[int, int | None] | None:
        """At which branch to go on, with which call; None: with another order there."""
        for at in range(len(branches) - 1, -1, -1):
            branch = branches[at]
            if not branch.untried and branch.tried < 0:
                steps = (e.step for e in self._groups[branch.place] if may_commit(e))
                if self._wary or meet(joined(steps, self._rules), concerned):
                    return at, None
                continue
            any_will_do = self._wary or (branch.tried >= 0 and self._meets(branch.tried, concerned))
            for number in reversed(branch.untried):
                if any_will_do or self._meets(number, concerned):
                    return at, number
        return None

    def _meets(self, number: int, concerned: Footprint) -> bool:
        return meet(self._footprints[number], concerned)


def _whole(state: State) -> tuple[object, object]:
    """All of a state that any later call can tell of."""
    return state.content(), state.hidden()


def _orders(before: State, group: list[Event]) -> Iterator[Carried]:
    """Carry out the calls that tell one position, each in turn being the one that committed."""
    candidates = [event for event in group if may_commit(event)]
    if len(candidates) < 2:
        yield before, group, _carry_out(before, group, candidates)
        return
    for first in candidates:
        state = before.clone()
        order = [first, *(e for e in group if e is not first)]
        yield state, order, _carry_out(state, order, candidates)


def _first_fitting(orders: Iterator[Carried]) -> Carried:
    """The first one in which nothing is wrong, else the first one."""
    first: Carried | None = None
    for carried in orders:
        if carried[2] is None:
            return carried
        first = first or carried
    assert first is not None
    return first


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
