"""What a call can have to do with: never less than what it has, and seldom more."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from bazanite_stress.crowd.tables import PLAIN, RULED
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.workload import Step
from bazanite_stress.history.checker import check
from bazanite_stress.history.events import Event
from bazanite_stress.history.footprint import EVERYTHING, footprint, meet
from bazanite_stress.history.rules import Reference, Rules, Unique

CHAINS: dict[str, dict[str, list[Any]]] = {
    "a": {"n": ["int", {"unique": True}], "a": ["fk", "a", {"on_delete": "cascade"}]},
    "t": {"a": ["fk", "a", {"on_delete": "cascade", "unique": True}], "v": ["int"]},
    "s": {"t": ["fk", "t", {"on_delete": "set_null", "unique": True}], "a": ["fk", "a"]},
    "r": {"t": ["fk", "t", {"on_delete": "restrict"}], "s": ["fk", "s"]},
}
"""Whatever may refer to whatever: to its own table, by a unique column, at two removes."""
DESIGNS = {"plain": PLAIN.tables, "ruled": RULED.tables, "chains": CHAINS}
_MOST = 4


def rules_of(tables: Any, *steps: Step) -> Rules:
    return Rules.of(Model(tables).tables, steps)


def values(random: Random, columns: Any) -> dict[str, Any]:
    chosen = [name for name in columns if random.random() < 0.6]
    return {name: random.choice((None, *range(1, _MOST + 1))) for name in chosen}


def any_step(random: Random, tables: Any) -> Step:
    table = random.choice(list(tables))
    number, given = random.randint(1, _MOST), values(random, tables[table])
    steps: list[Step] = [
        ["insert", table, given],
        ["insert", table, {"id": number, **given}],
        ["insert_many", table, [given, {"id": number, **values(random, tables[table])}]],
        ["update", table, number, given],
        ["update", table, number, given | {"id": random.randint(1, _MOST)}],
        ["delete", table, number],
        ["delete", table, number],
        ["truncate", table, random.random() < 0.5] if random.random() < 0.2 else ["read"],
        ["find", table, number],
        ["rows", table],
    ]
    return random.choice(steps)


def some_step(random: Random, tables: Any) -> Step:
    if random.random() < 0.1:
        return ["transaction", [any_step(random, tables) for _ in range(2)]]
    return any_step(random, tables)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("seed", range(20))
def test_a_call_that_changes_the_answer_of_another_one_meets_it(design: str, seed: int) -> None:
    tables, random = DESIGNS[design], Random(f"{design} {seed}")
    rules, changed = rules_of(tables), 0
    for _ in range(20):
        state = Model(tables)
        for _ in range(random.randint(5, 40)):
            state.answer(some_step(random, tables))
        for _ in range(150):
            first, second = some_step(random, tables), some_step(random, tables)
            alone, behind = state.clone(), state.clone()
            behind.answer(first)
            if alone.answer(second) != behind.answer(second):
                changed += 1
                assert meet(footprint(first, rules), footprint(second, rules)), (first, second)
    assert changed > 20


FIND: Step = ["find", "a", 2]
APART: list[tuple[Step, Step]] = [
    (FIND, ["update", "a", 1, {"n": 5}]),
    (FIND, ["update", "t", 2, {"v": "x"}]),
    (FIND, ["insert", "t", {"a": 3}]),
    (FIND, ["insert", "s", {"t": 2, "u": "x"}]),
    (FIND, ["delete", "a", 3]),
    (FIND, ["truncate", "t", True]),
    (["update", "a", 1, {"v": "x"}], ["update", "a", 2, {"n": 5}]),
    (["update", "s", 1, {"u": "x"}], ["update", "s", 2, {"t": 5}]),
    (["delete", "t", 3], ["insert", "a", {"n": 5}]),
    (["delete", "t", 3], ["find", "t", 4]),
]


@pytest.mark.parametrize("one, other", APART, ids=str)
def test_calls_that_have_nothing_to_do_with_each_other_do_not_meet(one: Step, other: Step) -> None:
    rules = rules_of(RULED.tables)
    assert not meet(footprint(one, rules), footprint(other, rules))


def test_a_row_that_is_held_fast_is_the_only_one_that_its_holder_has_to_do_with() -> None:
    held = {"a": {"v": ["int"]}, "s": {"a": ["fk", "a", {"on_delete": "restrict"}]}}
    rules = rules_of(held)
    delete, insert = (
        footprint(["delete", "a", 3], rules),
        footprint(["insert", "s", {"a": 3}], rules),
    )
    assert meet(delete, insert)
    assert not meet(footprint(["delete", "a", 4], rules), insert)
    assert meet(delete, footprint(["update", "s", 1, {"a": 4}], rules))
    assert meet(delete, footprint(["delete", "s", 1], rules))
    assert not meet(delete, footprint(["find", "s", 1], rules))


def test_what_a_migration_may_change_is_known_from_the_start() -> None:
    migrations: list[Step] = [
        ["migrate", 3, [["set_on_delete", "t", "b", "cascade"]]],
        ["migrate", 1, [["rename_column", "t", "a", "b"], ["add_unique", "a", ["v", "n"]]]],
        ["migrate", 2, [["rename_column", "a", "n", "m"], ["rename_table", "a", "c"]]],
        ["migrate", 4, [["add_column", "t", "s", ["fk", "t", {"on_delete": "restrict"}]]]],
    ]
    rules = rules_of(PLAIN.tables, *migrations)
    assert Reference("t", "b", "c", "cascade") in rules.references
    assert Reference("t", "s", "t", "restrict") in rules.references
    assert Unique("c", frozenset(("v", "m"))) in rules.unique
    assert Unique("a", frozenset(("v", "n"))) in rules.unique
    row, delete = footprint(["find", "t", 7], rules), ["delete", "c", 1]
    assert meet(footprint(delete, rules), row)
    assert not meet(footprint(delete, rules_of(PLAIN.tables)), row)
    assert footprint(migrations[0], rules) == EVERYTHING


def test_a_delete_without_an_answer_explains_what_went_with_it_and_was_set_free() -> None:
    """At once: no other call is tried, though many could have been under way."""
    tables, end = RULED.tables, 90
    insert = {"id": 1, "v": "p", "n": 1}
    child = {"id": 1, "a": 1, "v": "c"}
    cleared = {"id": 1, "a": None, "t": None, "u": None}
    again = {"id": 2, "v": "q", "n": 1}
    others = [
        Event(f"x{i}", ["update", "a", 7, {"v": f"{i}"}], 8, end, known=False) for i in range(200)
    ]
    events = [
        Event("p", ["insert", "a", {"v": "p", "n": 1}], 1, 2, insert, "", 10),
        Event("p", ["insert", "t", {"a": 1, "v": "c"}], 3, 4, child, "", 20),
        Event("p", ["insert", "s", {"t": 1}], 5, 6, cleared | {"t": 1}, "", 30),
        Event("dead", ["delete", "a", 1], 7, end, known=False),
        *others,
        Event("q", ["find", "t", 1], 91, 92, None, "", 40),
        Event("q", ["rows", "s"], 93, 94, [cleared], "", 40),
        Event("q", ["insert", "a", {"v": "q", "n": 1}], 95, 96, again, "", 50),
    ]
    verdict = check(events, Model(tables), most_steps=10)
    assert verdict.rule == ""
    assert [event.who for event in verdict.happened] == ["dead"]
