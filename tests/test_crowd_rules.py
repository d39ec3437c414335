"""Rooms whose tables have rules: what is planned for them, and what is found in them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.crowd.steps import Planner
from bazanite_stress.crowd.tables import (
    DESIGNS,
    MIGRATING,
    PLAIN,
    RULED,
    RULED_INDEXED,
    Design,
    design_of,
)
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.workload import Step, all_steps, more
from bazanite_stress.history.events import READS

STEPS: list[Step] = [
    ["insert_many", "a", [{"v": "one", "n": 1}, {"v": "two", "n": 2}]],
    ["insert_many", "t", [{"a": 1, "v": "of one"}, {"a": 1}, {"a": 2}]],
    ["insert_many", "s", [{"t": 1, "u": "u1"}, {"t": 3}]],
    ["delete", "a", 1],
    ["insert", "a", {"v": "again", "n": 1}],
]


def planned(seed: str, design: Design, count: int, **more: Any) -> list[Step]:
    planner = Planner(seed, design, **more)
    return [planner.next() for _ in range(count)]


def met(steps: list[Step], tables: Any) -> Counter[str]:
    """What came of these calls, made one after another."""
    model, found = Model(tables), Counter[str]()
    for step in steps:
        before = {name: dict(table.rows) for name, table in model.tables.items()}
        _, error = model.answer(step)
        found[f"{step[0]} {error}".strip()] += 1
        if step[0] != "delete" or error:
            continue
        for name, table in model.tables.items():
            gone = before[name].keys() - table.rows.keys()
            found[f"taken along from {name}"] += bool(gone) and name != step[1]
            found[f"cleared in {name}"] += any(
                before[name][pk] != table.rows[pk] for pk in table.rows
            )
    return found


@pytest.mark.parametrize("design", [RULED, RULED_INDEXED], ids=lambda design: design.name)
def test_the_calls_in_a_room_with_rules_meet_every_rule_often(design: Design) -> None:
    steps = [step for number in range(60) for step in planned(f"1/{number}", design, 30)]
    found = met(steps, design.tables)
    for what in (
        "insert IntegrityError", "update IntegrityError", "delete IntegrityError",
        "insert_many IntegrityError", "insert ValueError", "insert ValidationError",
        "update ValueError", "taken along from t", "cleared in s", "insert", "update", "delete",
        "transaction", "truncate",
    ):  # fmt: skip
        assert found[what] > 5, (what, found)
    inner = Counter(
        step[0] + step[1] for step in all_steps(steps) if step[0] in ("insert", "update")
    )
    assert set(inner) == {f"{call}{table}" for call in ("insert", "update") for table in "ats"}


def test_the_calls_of_a_seed_are_always_the_same_and_know_their_tables() -> None:
    for design in DESIGNS:
        assert planned("3/7", design, 200) == planned("3/7", design, 200)
        steps = planned("3/8", design, 200)
        named = {step[1] for step in all_steps(steps) if isinstance(step[1:2], list) and step[1:]
                 and isinstance(step[1], str)}  # fmt: skip
        assert named == set(design.tables)
        assert {step[0] for step in planned("3/9", design, 200, reads_only=True)} == READS


def test_each_design_comes_once_in_so_many_rooms_in_an_order_that_the_seed_says() -> None:
    size = len(DESIGNS)
    orders = {seed: [design_of(seed, n).name for n in range(1, 4 * size + 1)] for seed in "123456"}
    assert orders["1"] == [design_of("1", n).name for n in range(1, 4 * size + 1)]
    for order in orders.values():
        for start in range(0, len(order), size):
            assert Counter(order[start : start + size]) == Counter(d.name for d in DESIGNS)
    assert len({tuple(order) for order in orders.values()}) > 1


def test_what_migrates_goes_on_round_trips_in_an_order_of_its_own() -> None:
    rooms = [design_of("1", number) for number in range(1, 20 * len(DESIGNS) + 1)]
    migrating = [room for room in rooms if room.migrates]
    assert len(migrating) == 20
    assert len({str(room.migrations) for room in migrating}) > 5
    for room in migrating:
        assert sorted(map(str, room.migrations)) == sorted(map(str, MIGRATING.migrations))
        model, start = Model(room.tables), Model(room.tables)
        for version in range(1, len(room.migrations) + 1):
            step = ["migrate", version, room.changes(version)]
            assert model.answer(step) == ([version], "")
        for name, table in model.tables.items():
            assert table.hidden() == start.tables[name].hidden()


def test_what_is_called_indexed_has_an_index_of_each_column() -> None:
    plain = [kind for columns in PLAIN.tables.values() for kind in columns.values()]
    assert not any(more(kind) for kind in plain)
    for columns in RULED_INDEXED.tables.values():
        assert all(more(kind).get("unique") or more(kind)["index"] for kind in columns.values())
    given = {more(kind).get("on_delete") for c in RULED.tables.values() for kind in c.values()}
    assert given >= {"cascade", "set_null", "restrict"}


MIGRATE: list[Step] = [["migrate"]] * 5


def killed_at_each_append(
    design: str, steps: list[Step], then: list[Step], *bugs: int
) -> dict[str, Any]:
    """Which rule was broken, with these bugs planted, after a kill at each append to the log."""
    child = Path(__file__).with_name("crowd_fault_child.py")
    request = {"bugs": bugs, "design": design, "steps": steps, "then": then}
    done = subprocess.run(
        [sys.executable, child],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("design", ["RULED_INDEXED", "MIGRATING"])
def test_no_kill_tears_apart_what_belongs_together(design: str) -> None:
    """One kill in each append, and a life that comes through."""
    steps, then = (MIGRATE, MIGRATE) if design == "MIGRATING" else ([], [])
    answer = killed_at_each_append(design, STEPS[:3] + steps + STEPS[3:], then)
    assert set(answer["rules"]) == {""}
    assert len(answer["rules"]) > len(STEPS) + len(steps)


@pytest.mark.parametrize(
    "design, bug",
    [("RULED_INDEXED", 63), ("RULED_INDEXED", 64), ("MIGRATING", 69), ("MIGRATING", 72)],
    ids=[
        "cascade in two frames", "index not cleared", "index marked before it is built",
        "migration recorded behind its steps",
    ],
)  # fmt: skip
def test_a_planted_bug_is_found(design: str, bug: int) -> None:
    migrate = MIGRATE if design == "MIGRATING" else []
    answer = killed_at_each_append(design, STEPS[:3] + migrate + STEPS[3:], migrate[:1], bug)
    assert answer["planted"]
    assert any(answer["rules"])
