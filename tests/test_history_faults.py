"""What a wrong engine would leave in a history, fault by fault: the checker must see each.

A history is made by a seed, right but for one fault; the answers behind it are those of the state
that the fault has left, as an engine would give them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from bazanite_stress.explore.model import Model
from bazanite_stress.explore.workload import Columns, Step
from bazanite_stress.history.checker import check
from bazanite_stress.history.events import Event

TABLES: dict[str, Columns] = {
    "a": {"v": ["char", 12], "n": ["int"]},
    "t": {"a": ["fk", "a"], "v": ["text"]},
}
CALLS, PROCESSES, SPACING = 120, 4, 10
SEEDS = range(6)


@dataclass
class Call:
    """One call as a right engine carries it out; a fault changes what comes of it.

    ``lsn``: the position of the frame before; ``told``: the one that the call tells.
    """

    step: Step
    before: Model
    state: Model
    answer: Any
    error: str
    lsn: int
    told: int

    @property
    def changed(self) -> bool:
        return self.state.content() != self.before.content()

    def instead(self, step: Step) -> bool:
        """What another step leaves, under the answer of this one; whether that differs."""
        other = self.before.clone()
        other.answer(step)
        differs = other.content() != self.state.content()
        self.state = other
        return differs


Fault = Callable[[Call], bool]
"""Spoils a call, if it is one that it can spoil; whether it did."""


def lost(call: Call) -> bool:
    changed = call.changed
    call.state = call.before
    return changed


def torn(call: Call) -> bool:
    whole = call.step[0] == "transaction" and call.changed
    return whole and call.instead(["transaction", call.step[1][:1]])


def savepoint_kept(call: Call) -> bool:
    if call.step[0] != "transaction":
        return False
    kept = [["transaction", s[1]] if s[0] == "rollback" else s for s in call.step[1]]
    return call.instead(["transaction", kept])


def rollback_kept(call: Call) -> bool:
    return call.step[0] == "rollback" and call.instead(["transaction", call.step[1]])


def needless_refusal(call: Call) -> bool:
    done = call.step[0] in ("update", "delete") and not call.error
    if done:
        call.state, call.answer, call.error, call.told = (
            call.before,
            None,
            "NotFoundError",
            call.lsn,
        )
    return done


def refusal_kept_quiet(call: Call) -> bool:
    refused = call.step[0] == "delete" and bool(call.error)
    call.error = "" if refused else call.error
    return refused


def half_of_many(call: Call) -> bool:
    many = call.step[0] == "insert_many" and not call.error
    return many and call.instead(["insert_many", "a", call.step[2][:1]])


def id_given_out_again(call: Call) -> bool:
    if call.step[0] != "insert" or call.error or call.answer["id"] < 2:
        return False
    call.answer = {**call.answer, "id": call.answer["id"] - 1}
    return True


FAULTS: tuple[Fault, ...] = (
    lost, torn, savepoint_kept, rollback_kept, needless_refusal, refusal_kept_quiet, half_of_many,
    id_given_out_again,
)  # fmt: skip


def history(seed: int, fault: Fault = lambda _call: False) -> tuple[list[Event], bool]:
    """The calls, the last of which reads everything, and whether the fault came to spoil one."""
    generator = Random(seed)
    state, lsn, spoilt, events = Model(TABLES), 10, False, []
    free, look = [0] * PROCESSES, False  # at what a fault has left, before something hides it
    first = generator.randint(CALLS // 3, CALLS // 2)
    for number in range(CALLS):
        moment = (number + 1) * SPACING
        who = min(range(PROCESSES), key=lambda i: free[i] + generator.random() * PROCESSES)
        step = ["read"] if look else _step(generator, number)
        start = min(max(free[who] + 1, moment - generator.randint(0, 40)), moment)
        free[who] = end = moment + generator.randint(1, 40)
        dies = generator.random() < 0.04 and not look
        nothing, look = Event(str(who), step, start, end, known=False), False
        if dies and generator.random() < 0.5:
            events.append(nothing)
            continue
        before, call = state.clone(), Call(step, state, state, None, "", lsn, lsn)
        call.before, (call.answer, call.error) = before, state.answer(step)
        call.told = lsn + 10 * (call.changed or state.next_ids() != before.next_ids())
        lsn = call.told
        if number >= first and not spoilt and not dies:
            look = spoilt = fault(candidate := replace(call))
            call = candidate if spoilt else call
            state = call.state
        known = Event(str(who), step, start, end, call.answer, call.error, call.told)
        events.append(nothing if dies else known)
    end = (CALLS + 100) * SPACING
    events.append(Event("last", ["read"], end, end + 1, state.content(), "", lsn))
    return events, spoilt


def _step(generator: Random, number: int) -> Step:
    row, values = generator.randint(1, 8), {"v": f"v{number}"}

    def change(place: int) -> Step:
        value = {"v": f"c{number}.{place}"}
        changes: list[Step] = [
            ["insert", "a", value], ["update", "a", row + place, value],
            ["delete", "a", row + place], ["insert", "t", {"a": row}],
        ]  # fmt: skip
        return generator.choice(changes)

    steps: list[Step] = [
        ["insert", "a", values], ["update", "a", row, values], ["delete", "a", row],
        ["find", "a", row], ["rows", "a"], ["read"], ["truncate", "t", False],
        ["insert_many", "a", [values, {"v": f"m{number}"}]], ["rollback", [change(0), change(1)]],
        ["transaction", [change(0), ["rollback", [change(1), change(2)]], change(3)]],
        ["transaction", [change(0), change(1), change(2)]],
    ]  # fmt: skip
    return generator.choices(steps, (4, 5, 3, 5, 1, 2, 0.3, 1, 1, 3, 3))[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_right_history_is_right(seed: int) -> None:
    events, _ = history(seed)
    assert sum(not event.known for event in events) > 0
    assert check(events, Model(TABLES)).rule == ""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_is_seen(fault: Fault) -> None:
    spoilt = 0
    for seed in SEEDS:
        events, came = history(seed, fault)
        if came:
            spoilt += 1
            assert check(events, Model(TABLES)).rule, f"seed {seed}"
    assert spoilt > 2


def _committed(events: list[Event]) -> list[Event]:
    """Calls that have a frame of their own, by position."""
    own = {e.lsn: e for e in reversed(events) if e.commits and e.step[0] != "rollback"}
    return sorted(own.values(), key=lambda event: event.lsn or 0)


def _changing(events: list[Event], one: Event, **changes: Any) -> list[Event]:
    return [replace(event, **changes) if event is one else event for event in events]


@pytest.mark.parametrize("seed", SEEDS)
def test_two_positions_that_are_swapped_are_seen(seed: int) -> None:
    """Of calls that did not overlap, so anybody might have noticed."""
    events, _ = history(seed)
    own = _committed(events)
    one, two = Random(seed).choice([(a, b) for a in own for b in own if a.end < b.start])
    swapped = _changing(_changing(events, one, lsn=two.lsn), two, lsn=one.lsn)
    assert check(swapped, Model(TABLES)).rule


@pytest.mark.parametrize("same_position", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_read_of_what_was_before_an_acknowledged_commit_is_seen(
    seed: int, same_position: bool
) -> None:
    """Acknowledged before it was applied: whoever reads then is told what was true before.

    And the position of that, or else the one that it would have to be.
    """
    events, _ = history(seed)
    for read in (e for e in events if e.step[0] in ("find", "rows", "read") and e.who != "last"):
        ended = [event for event in _committed(events) if event.end < read.start]
        if not ended or not read.known:
            continue
        newest = max(ended, key=lambda event: event.lsn or 0)
        older = [e for e in events if not e.known or (e.lsn or 0) < (newest.lsn or 0)]
        past = check(older, Model(TABLES))
        assert past.state is not None
        answer, _ = past.state.answer(read.step)
        if answer != read.answer:
            lsn = read.lsn if same_position else (newest.lsn or 0) - 10
            stale = _changing(events, read, answer=answer, lsn=lsn)
            assert check(stale, Model(TABLES)).rule
            return
    pytest.fail("no read that could be stale")


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_read_of_a_dead_call_and_is_gone_later_is_seen(seed: int) -> None:
    events, _ = history(seed)
    last = events[-1]
    start, end = last.start - 3, last.start - 1
    dead = Event("dead", ["insert", "a", {"v": "never"}], start, end, known=False)
    state = check(events, Model(TABLES)).state
    assert state is not None
    after = state.clone()
    after.answer(dead.step)
    seen = Event("r", ["read"], start, start + 1, after.content(), "", (last.lsn or 0) + 10)
    kept = replace(last, answer=after.content(), lsn=seen.lsn)
    assert check([*events[:-1], dead, seen, kept], Model(TABLES)).rule == ""
    gone = replace(last, lsn=seen.lsn)
    assert check([*events[:-1], dead, seen, gone], Model(TABLES)).rule
    twice = after.clone()
    twice.answer(dead.step)
    again = replace(last, answer=twice.content(), lsn=seen.lsn)
    assert check([*events[:-1], dead, seen, again], Model(TABLES)).rule
