"""The verdict on a workload of one's own: acknowledged calls in the explorer's model, against what
the recovered database says.

Pure: no clock, no file, no database. A killed process loses nothing that was acknowledged, whatever
the durability; the call in flight is there whole or not at all. What each call returned must be
what the model returns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bazanite_stress.explore.model import Model
from bazanite_stress.explore.workload import Step
from bazanite_stress.torture.history import Pairs
from bazanite_stress.torture.judge import Finding, Snapshot

Rows = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""All rows by table and id."""

# Calls that change nothing even when they succeed.
QUIET = frozenset({"find", "read", "checkpoint", "archive", "reopen", "rollback"})
# More wrong rows of one directory say nothing new.
AT_MOST = 10
_SHOWN = 200


@dataclass(slots=True)
class Judgement:
    """What is wrong; if nothing is, the state that was found and the call that is the next."""

    findings: list[Finding]
    model: Model
    next_call: int
    commits: int = 0


def answer_of(value: Any, error: str = "", text: str = "") -> dict[str, str]:
    """What a call returned, or the error it ended in, short enough for a journal: equal digests
    mean equal answers.
    """
    data = json.dumps([value, error], sort_keys=True, default=repr)
    shown = f"{error}: {text}".rstrip(": ") if error else repr(value)
    return {"digest": hashlib.sha256(data.encode()).hexdigest()[:20], "shown": shown[:_SHOWN]}


def judge(
    steps: Sequence[Step], model: Model, first: int, pairs: Pairs, snapshot: Snapshot
) -> Judgement:
    """Hold a dead writer's journal against what was found after it.

    `steps` are the workload's calls, `model` the state that the writer found and `first` the call
    it began with; the model is not changed.
    """
    state, next_call, commits = model.clone(), first, 0
    findings = snapshot.complaints()
    for intent, answer in pairs.answered:
        step = steps[intent["call"]]
        next_call = (intent["call"] + 1) % len(steps)
        value, error = state.answer(step)
        expected = answer_of(value, error)
        if expected["digest"] != answer["digest"]:
            text = f"{_shown(step)}: {expected['shown']}"
            findings.append(Finding("wrong answer", text, answer["shown"]))
            return Judgement(findings, state, next_call, commits)
        commits += not error and step[0] not in QUIET
    right = [(state, next_call)]
    if pairs.in_flight is not None:
        call = pairs.in_flight["call"]
        after = state.clone()
        after.answer(steps[call])
        right = [(after, (call + 1) % len(steps)), (state, call)]
    if snapshot.errors:
        return Judgement(findings, state, next_call, commits)
    found, doubled = _index(snapshot)
    findings += doubled
    fitting = [(known, call) for known, call in right if _rows(known) == found]
    exact = [(known, call) for known, call in fitting if known.next_ids() == snapshot.next_ids]
    if not fitting:
        findings += _explain(steps, model, pairs, [known for known, _ in right], found)
    elif not exact:
        findings.append(
            Finding("wrong next id", str(fitting[0][0].next_ids()), str(snapshot.next_ids))
        )
    state, next_call = (exact or fitting or right)[0]
    return Judgement(findings, state, next_call, commits)


def _rows(model: Model) -> dict[str, dict[int, dict[str, Any]]]:
    return {name: table.rows for name, table in model.tables.items()}


def _index(snapshot: Snapshot) -> tuple[Rows, list[Finding]]:
    found: dict[str, dict[int, dict[str, Any]]] = {}
    findings = []
    for table, rows in snapshot.rows.items():
        index = found[table] = {}
        for row in rows:
            number = row["id"]
            assert isinstance(number, int)
            if number in index:
                findings.append(Finding("duplicate row", f"one {table} {number}", _shown(row)))
            index[number] = dict(row)
    return found, findings


def _explain(
    steps: Sequence[Step], model: Model, pairs: Pairs, right: list[Model], found: Rows
) -> list[Finding]:
    """Which kind of wrong it is, when the rows are none of the right ones."""
    done = _earlier_state(steps, model, pairs, found)
    if done is not None:
        intent, _ = pairs.answered[done]
        lost = len(pairs.answered) - done
        expected = f"{_shown(steps[intent['call']])}, acknowledged"
        text = f"the rows before that call: of {len(pairs.answered)} the last {lost} are lost"
        return [Finding("lost acknowledged operation", expected, text)]
    if len(right) == 2 and pairs.in_flight is not None:
        after, before = right
        ours = list(_differing(_rows(before), _rows(after)))
        if not set(_differing(_rows(after), found)) - set(ours):
            happened = [key for key in ours if _at(found, key) == _at(_rows(after), key)]
            others = [key for key in ours if key not in happened]
            if all(_at(found, key) == _at(_rows(before), key) for key in others):
                expected = f"{_shown(steps[pairs.in_flight['call']])}, in flight: whole or not"
                text = f"done: {_names(happened)}; not done: {_names(others)}"
                return [Finding("half transaction", expected, text)]
    nearest = min((_rows(known) for known in right), key=lambda rows: _distance(rows, found))
    return [
        Finding("wrong row", f"{_name(key)}: {_row(nearest, key)}", _row(found, key))
        for key in list(_differing(nearest, found))[:AT_MOST]
    ]


def _earlier_state(steps: Sequence[Step], model: Model, pairs: Pairs, found: Rows) -> int | None:
    """After how many of the acknowledged calls the rows were these; None if they never were."""
    state, matching = model.clone(), None
    for count, (intent, _) in enumerate(pairs.answered):
        if _rows(state) == found:
            matching = count
        state.answer(steps[intent["call"]])
    return matching


Key = tuple[str, int]


def _differing(one: Rows, other: Rows) -> Iterator[Key]:
    for table in sorted(one.keys() | other.keys()):
        rows, others = one.get(table, {}), other.get(table, {})
        for number in sorted(rows.keys() | others.keys()):
            if rows.get(number) != others.get(number):
                yield table, number


def _distance(one: Rows, other: Rows) -> int:
    return sum(1 for _ in _differing(one, other))


def _at(rows: Rows, key: Key) -> Mapping[str, Any] | None:
    return rows.get(key[0], {}).get(key[1])


def _row(rows: Rows, key: Key) -> str:
    row = _at(rows, key)
    return "no such row" if row is None else _shown(row)


def _name(key: Key) -> str:
    return f"{key[0]} {key[1]}"


def _names(keys: Sequence[Key]) -> str:
    return ", ".join(map(_name, keys[:AT_MOST])) + (", ..." if len(keys) > AT_MOST else "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
