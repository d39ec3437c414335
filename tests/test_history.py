"""The checker of histories, and the search that believes no log position: both say the same."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from bazanite_stress.explore.model import Model
from bazanite_stress.history.checker import Undecided, check
from bazanite_stress.history.events import Event
from bazanite_stress.history.search import explained
from bazanite_stress.history.windows import cross_check
from history_support import long_history, spoilt

TABLES: dict[str, dict[str, list[Any]]] = {"a": {"v": ["char", 8]}}


def model() -> Model:
    return Model(TABLES)


def done(who: str, step: list[Any], span: tuple[int, int], answer: Any, lsn: int) -> Event:
    return Event(who, step, *span, answer, "", lsn)


INSERT: list[Any] = ["insert", "a", {"v": "x"}]
ROW = {"id": 1, "v": "x"}
SECOND = {"id": 2, "v": "x"}


def test_calls_in_turn_are_right() -> None:
    events = [
        done("p", INSERT, (1, 2), ROW, 10),
        done("q", ["find", "a", 1], (3, 4), ROW, 10),
        done("q", INSERT, (5, 6), SECOND, 20),
    ]
    verdict = check(events, model())
    assert verdict.rule == ""
    assert verdict.state is not None
    assert verdict.state.answer(["rows", "a"]) == ([ROW, SECOND], "")


def test_a_stale_read_is_found_by_its_time_and_by_its_answer() -> None:
    write = done("p", INSERT, (1, 2), ROW, 10)
    stale = done("q", ["find", "a", 1], (3, 4), None, 0)
    assert "earlier state" in check([write, stale], model()).rule
    assert explained([write, stale], model()) is None
    hidden = replace(stale, lsn=10)  # the wrong position does not help
    assert "answer" in check([write, hidden], model()).rule
    beside = replace(stale, start=1)
    assert check([replace(write, start=0), beside], model()).rule == ""


def test_a_position_belongs_to_one_call_that_began_before_anyone_saw_it() -> None:
    write = done("p", INSERT, (3, 4), ROW, 10)
    nothing = done("q", ["rollback", [INSERT]], (5, 6), None, 10)
    assert check([write, nothing, done("r", ["find", "a", 1], (1, 9), ROW, 10)], model()).rule == ""
    early = done("r", ["find", "a", 1], (1, 2), ROW, 10)
    assert "only later" in check([write, early], model()).rule
    both = [write, done("q", INSERT, (5, 6), SECOND, 10)]
    assert "two calls committed" in check(both, model()).rule


def test_a_call_without_an_answer_happened_whole_or_never() -> None:
    lost = Event("p", INSERT, 1, 4, known=False)
    seen = done("q", INSERT, (2, 5), SECOND, 20)
    verdict = check([lost, seen], model())
    assert verdict.rule == ""
    assert verdict.happened == [lost]
    never = done("q", INSERT, (2, 5), ROW, 20)
    assert check([lost, never], model()).happened == []
    twice = [lost, seen, done("q", ["rows", "a"], (6, 7), [ROW, SECOND, SECOND], 20)]
    assert check(twice, model()).rule != ""


def test_a_dead_call_takes_no_effect_behind_later_writes() -> None:
    lost = Event("p", ["update", "a", 1, {"v": "dead"}], 3, 4, known=False)
    events = [
        done("q", INSERT, (1, 2), ROW, 10),
        lost,
        done("q", ["update", "a", 1, {"v": "new"}], (5, 6), {"id": 1, "v": "new"}, 20),
        done("q", ["find", "a", 1], (7, 8), {"id": 1, "v": "dead"}, 20),
    ]
    assert check(events, model()).rule != ""


def test_it_gives_up_instead_of_searching_for_ever() -> None:
    lost = [Event(f"p{i}", ["insert", "a", {"v": str(i)}], 0, 1 << 50, known=False)
            for i in range(12)]  # fmt: skip
    wrong = done("q", ["find", "a", 1], (1, 2), {"id": 1, "v": "nobody's"}, 10)
    with pytest.raises(Undecided):
        check([*lost, wrong], model(), most_steps=500)


def test_a_wrong_position_does_not_hide_from_the_search() -> None:
    """Two stale answers, each of which tells the position that would make it right."""
    events = [
        done("p", INSERT, (1, 2), ROW, 10),
        done("q", ["delete", "a", 1], (3, 4), None, 20),
        done("r", ["find", "a", 1], (3, 8), ROW, 10),
        done("q", ["find", "a", 1], (5, 6), None, 20),
    ]
    assert cross_check(events, model()).verdict is None
    assert cross_check(events, model()).checked > 0
    swapped = [events[0], *(replace(event, lsn=10) for event in events[1:3]), events[3]]
    assert check(swapped[:3], model()).rule != ""
    late = [*events[:2], done("r", ["find", "a", 1], (5, 8), ROW, 20), events[3]]
    verdict = cross_check(late, model()).verdict
    assert verdict is not None
    assert verdict.rule


def test_a_stretch_knows_what_may_still_come_of_the_dead() -> None:
    lost = Event("p", INSERT, 1, 4, known=False)
    events = [lost, done("q", ["read"], (5, 6), (("a", ((1, (("id", 1), ("v", "x"))),)),), 10)]
    assert cross_check(events, model()).verdict is None
    never = [lost, done("q", ["read"], (5, 6), (("a", ()),), 10)]
    assert cross_check(never, model()).verdict is None


def test_the_search_gives_up_too() -> None:
    lost = [Event(f"p{i}", ["insert", "a", {"v": str(i)}], 0, 9, known=False) for i in range(12)]
    wrong = done("q", ["find", "a", 1], (1, 2), {"id": 1, "v": "nobody's"}, 10)
    with pytest.raises(Undecided):
        explained([*lost, wrong], model(), most_steps=500)


def random_history(seed: int) -> list[Event]:
    """Calls of three processes, each taking effect somewhere within its span."""
    generator = random.Random(seed)
    state, lsn, events = model(), 10, []
    free = dict.fromkeys("pqr", 0)
    for number in range(9):
        moment = number * 10
        who = generator.choice([w for w, until in free.items() if until < moment] or ["p"])
        row = generator.randint(1, 3)
        step: list[Any] = generator.choice(
            [INSERT, ["find", "a", row], ["delete", "a", row], ["update", "a", row, {"v": who}]]
        )
        start = max(free[who] + 1, moment - generator.randint(0, 25))
        end = moment + generator.randint(1, 25)
        free[who] = end
        dead = generator.random() < 0.15
        if dead and generator.random() < 0.5:
            events.append(Event(who, step, start, end, known=False))
            continue
        answer, error = state.answer(step)
        lsn += 10 * (step[0] != "find" and not error)
        known = Event(who, step, start, end, answer, error, lsn)
        events.append(Event(who, step, start, end, known=False) if dead else known)
    return events


@pytest.mark.parametrize("seed", range(200))
def test_checker_and_search_agree_on_right_and_on_spoilt_histories(seed: int) -> None:
    events = random_history(seed)
    assert check(events, model()).rule == ""
    assert explained(events, model()) is not None
    generator = random.Random(seed)
    reads = [i for i, event in enumerate(events) if event.known and event.answer is not None]
    if not reads:
        return
    spoilt = list(events)
    i = generator.choice(reads)
    spoilt[i] = replace(spoilt[i], answer={"id": 7, "v": "spoilt"})
    assert check(spoilt, model()).rule != ""
    assert explained(spoilt, model()) is None


@pytest.mark.parametrize("seed", range(6))
def test_a_long_history_of_many_processes_is_right_and_one_wrong_answer_in_it_is_found(
    seed: int,
) -> None:
    events = long_history(seed, 3_000, 16, 30)
    assert sum(not event.known for event in events) > 10
    verdict = check(events, model())
    assert verdict.rule == ""
    windows = cross_check(events, model())
    assert windows.verdict is None
    assert check(spoilt(events, seed), model()).rule != ""


def test_a_dead_call_that_never_happened_does_not_hide_one_that_did() -> None:
    """The search tried the wrong one of two, saw it spoil other rows, and went back too far.

    So a right history of a torture run was told to be wrong.
    """
    tables = {**TABLES, "t": {"v": ["char", 8]}}
    row, second, added = ROW, SECOND, {"id": 1, "v": "t"}
    content = (
        ("a", ((1, tuple(sorted(row.items()))), (2, tuple(sorted(second.items()))))),
        ("t", ((1, tuple(sorted(added.items()))),)),
    )
    events = [
        Event("p", ["insert", "t", {"v": "t"}], 7, 31, known=False),
        Event("q", ["update", "a", 1, {"v": "never"}], 3, 30, known=False),
        done("r", INSERT, (1, 2), row, 10),
        done("r", INSERT, (4, 6), second, 20),
        done("r", ["rows", "a"], (8, 9), [row, second], 30),
        done("r", ["read"], (10, 11), content, 30),
    ]
    verdict = check(events, Model(tables))
    assert verdict.rule == ""
    assert verdict.happened == events[:1]


def test_the_order_at_one_position_is_the_one_that_was_carried_out() -> None:
    """A transaction whose insert was refused inside it committed nothing, at the position of the
    truncate that took the row away.  It had begun first, so it stood first in the order that the
    checker gave; played again in that order it inserted a row, and the next stretch was called
    wrong.
    """
    linked = Model({"a": {"v": ["char", 8]}, "t": {"a": ["fk", "a"]}})
    child = {"id": 1, "a": 1}
    refused = ["transaction", [["insert", "t", {"a": 1}]]]
    events = [
        done("p", INSERT, (1, 2), ROW, 10),
        done("q", refused, (3, 6), None, 20),
        done("p", ["truncate", "a", True], (4, 5), None, 20),
        done("p", INSERT, (7, 8), ROW, 30),
        done("p", ["insert", "t", {"a": 1}], (9, 10), child, 40),
    ]
    order = check(events, linked).order
    assert [event.who for event in order[1:3]] == ["p", "q"]
    windows = cross_check(events, linked)
    assert windows.verdict is None
    assert windows.checked > 2


def test_what_only_moves_the_next_id_on_is_a_commit_too() -> None:
    """Its rows are the same before and behind; two such calls could tell one position."""
    write = done("p", INSERT, (1, 2), ROW, 10)
    moving: list[Any] = ["transaction", [INSERT, ["delete", "a", 2]]]
    both = [write, done("q", moving, (3, 4), None, 10)]
    assert "two calls committed" in check(both, model()).rule
    early = [
        write,
        done("q", moving, (5, 6), None, 20),
        done("r", ["find", "a", 2], (3, 4), None, 20),
    ]
    assert "only later" in check(early, model()).rule
    assert check([write, done("q", moving, (3, 4), None, 20)], model()).rule == ""


def put(value: str) -> list[Any]:
    return ["transaction", [["insert", "a", {"id": 1, "v": value}]]]


def test_which_of_two_calls_committed_at_one_position_may_be_told_later() -> None:
    """Either may have, as far as its own answer says: the other one came then, and its insert was
    refused inside it.  The first that fitted was believed, and what a third one read called wrong.
    """
    both = [done("p", put("p"), (1, 8), None, 10), done("q", put("q"), (2, 9), None, 10)]
    later = [done("r", ["insert", "a", {"v": "r"}], (10, 11), {"id": 2, "v": "r"}, 20)]
    for who, other in ("pq", "qp"):
        found = done("s", ["find", "a", 1], (12, 13), {"id": 1, "v": who}, 20)
        verdict = check([*both, *later, found], model())
        assert verdict.rule == ""
        assert [event.who for event in verdict.order] == [who, other, "r", "s"]
        assert cross_check([*both, *later, found], model()).verdict is None
    neither = done("s", ["find", "a", 1], (12, 13), {"id": 1, "v": "r"}, 20)
    assert check([*both, *later, neither], model()).rule


def test_many_positions_at_which_it_does_not_matter_who_committed_are_no_search() -> None:
    events = []
    for n in range(1, 60):
        span = (10 * n, 10 * n + 9)
        step = ["transaction", [["insert", "a", {"id": n, "v": "same"}]]]
        events += [done(who, step, span, None, 10 * n) for who in "pqr"]
    wrong = done("s", ["find", "a", 1], (1_000, 1_001), {"id": 1, "v": "other"}, 590)
    assert check(events, model()).rule == ""
    assert check([*events, wrong], model(), most_steps=200).rule
