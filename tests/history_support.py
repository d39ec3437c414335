"""Right histories of any length, made by a seed; and how long it takes to check one.

    python tests/history_support.py --operations 100000 --processes 16 --deaths 100

prints seconds and calls a second, for a history that is right and for one with a wrong answer.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import replace
from typing import Any

from bazanite_stress.explore.model import Model
from bazanite_stress.history.checker import check
from bazanite_stress.history.events import Event

TABLES: dict[str, dict[str, list[Any]]] = {"a": {"v": ["char", 8]}}
_ROWS = 40
_SPACING = 10


def long_history(seed: int, operations: int, processes: int, deaths: int) -> list[Event]:
    """Calls of many processes that overlap, each taking effect somewhere within its span.

    About ``deaths`` of them have no answer; half of these happened.  Whoever comes next in a dead
    one's place reads everything first.
    """
    generator = random.Random(seed)
    state, lsn, events = Model(TABLES), 10, []
    free = [0] * processes
    first = [True] * processes
    for number in range(operations):
        moment = (number + 1) * _SPACING
        who = min(range(processes), key=lambda i: free[i] + generator.random() * processes)
        step = ["rows", "a"] if first[who] else _step(generator, number)
        start = max(free[who] + 1, moment - generator.randint(0, _SPACING * processes))
        start = min(start, moment)
        end = moment + generator.randint(1, _SPACING * processes)
        free[who], first[who] = end, False
        dies = generator.random() < deaths / operations
        if dies:
            first[who] = True
        if dies and generator.random() < 0.5:
            events.append(Event(f"{who}", step, start, end, known=False))
            continue
        answer, error = state.answer(step)
        lsn += 10 * (step[0] not in ("find", "rows") and not error)
        made = Event(f"{who}", step, start, end, answer, error, lsn)
        events.append(Event(f"{who}", step, start, end, known=False) if dies else made)
    return events


def _step(generator: random.Random, number: int) -> list[Any]:
    row = generator.randint(1, _ROWS)
    steps: list[list[Any]] = [
        ["insert", "a", {"v": f"{number}"[-8:]}],
        ["update", "a", row, {"v": f"{number}"[-8:]}],
        ["delete", "a", row],
        ["find", "a", row],
        ["transaction", [["update", "a", row, {"v": f"t{number}"[-8:]}], ["delete", "a", row + 1]]],
        ["rows", "a"],
        ["truncate", "a", True],
    ]
    return generator.choices(steps, (4, 6, 4, 6, 2, 1, 0.1))[0]


def spoilt(events: list[Event], seed: int) -> list[Event]:
    """The same with one answer that is not right."""
    generator = random.Random(seed)
    found = [i for i, event in enumerate(events) if event.known and event.step[0] == "find"]
    i = generator.choice(found)
    return [*events[:i], replace(events[i], answer={"id": 0, "v": "wrong"}), *events[i + 1 :]]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--deaths", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    events = long_history(args.seed, args.operations, args.processes, args.deaths)
    dead = sum(not event.known for event in events)
    for name, history in (("right", events), ("spoilt", spoilt(events, args.seed))):
        begin = time.perf_counter()
        verdict = check(history, Model(TABLES))
        seconds = time.perf_counter() - begin
        rate = f"{seconds:.2f} s, {len(history) / seconds:,.0f}/s"
        calls = f"{len(history):,} calls, {dead} without an answer"
        sys.stdout.write(f"{name}: {calls}: {rate}: {verdict.rule or 'right'}\n")


if __name__ == "__main__":
    main()
