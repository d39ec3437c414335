"""Any order that explains a history, whatever log positions its calls tell.

The search of Wing and Gong ("Testing and verifying concurrent objects", JPDC 17, 1993) with Lowe's
memory of what was tried: take any call that no other one precedes in time, see whether the model
answers as it was answered, and go on from there.  Exponential in how many calls overlap, so for
short histories only.  A call without an answer may be taken at any time behind its start, or never.
"""

from __future__ import annotations

from collections.abc import Sequence

from .checker import State, Undecided
from .events import NEUTRAL, Event


def explained(
    events: Sequence[Event], start: State, *, most_steps: int = 1_000_000
) -> list[Event] | None:
    """The calls in an order in which each gives its answer; None if there is no such order.

    Calls without an answer that never happened are left out.  Undecided after so many steps.
    """
    calls = [event for event in events if event.step[0] not in NEUTRAL]
    calls = [event for event in calls if event.known or event.writes]
    return _Search(calls, most_steps).from_here(frozenset(), start, [])


class _Search:
    def __init__(self, calls: list[Event], most_steps: int) -> None:
        self._calls = calls
        self._left = most_steps
        self._known = frozenset(i for i, call in enumerate(calls) if call.known)
        self._seen: set[object] = set()

    def from_here(
        self, done: frozenset[int], state: State, order: list[Event]
    ) -> list[Event] | None:
        if self._known <= done:
            return order
        key = (done, state.content(), state.hidden())
        if key in self._seen:
            return None
        self._seen.add(key)
        waiting = [i for i in range(len(self._calls)) if i not in done]
        soonest = min(self._calls[i].end for i in waiting if i in self._known)
        for i in waiting:
            call = self._calls[i]
            if call.start > soonest:
                continue  # one that has not been taken had ended before this one began
            self._left -= 1
            if self._left < 0:
                raise Undecided(f"no order found for {len(self._calls)} calls")
            after = state.clone()
            answer, error = after.answer(call.step)
            if call.known and (answer, error) != (call.answer, call.error):
                continue
            found = self.from_here(done | {i}, after, [*order, call])
            if found is not None:
                return found
        return None
