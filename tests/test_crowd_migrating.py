"""Rooms whose tables change: what is made next, and how it stands in the history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bazanite import DB, MigrationError, SchemaMismatch
from bazanite_stress.concurrency import calls
from bazanite_stress.crowd.life import Life, Part
from bazanite_stress.crowd.migrating import (
    Made,
    answered,
    ends,
    events_of_migration,
    fitting,
    made_of,
    mending,
    migrate,
    next_migration,
)
from bazanite_stress.crowd.notes import Notes
from bazanite_stress.crowd.tables import MIGRATING
from bazanite_stress.crowd.verdict import events_of, judge
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.session import Session
from bazanite_stress.explore.workload import Step, table_class
from bazanite_stress.history.checker import check
from bazanite_stress.history.events import Event
from bazanite_wal.errors import CommitUncertain, LockTimeout

TABLES = MIGRATING.tables
STEP: Step = [
    "migrate",
    8,
    [["drop_unique", "a", ["n"]], ["add_unique", "s", ["y"]], ["drop_column", "s", "b"]],
]
TWO = replace(
    MIGRATING,
    migrations=(
        [["add_column", "a", "w", ["char", 12], "new"], ["set_on_delete", "t", "a", "cascade"]],
        [["add_unique", "a", ["n"]]],
    ),
)
"""The second one may be refused."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([table_class(*table) for table in TABLES.items()], tmp_path / "data") as db:
        yield db


def test_behind_all_migrations_the_tables_are_as_before_and_each_of_them_can_be_made(
    db: DB,
) -> None:
    before = db.storage.known.catalog.tables
    model = Model(TABLES)
    start = model.clone()
    for version in range(1, 2 * len(MIGRATING.migrations) + 1):
        step: Step = ["migrate", version, MIGRATING.changes(version)]
        made = Made()
        migrate(db, step, made)
        for done, _ in made.stages:
            assert model.answer(["migrate", version, step[2][:done]]) == ([version], "")
        assert model.answer(step) == ([], "")
        assert [done for done, _ in made.stages] == ends(step[2])
        lsns = [lsn for _, lsn in made.stages]
        assert sorted(set(lsns)) == lsns
        assert made.seen[-1] == (len(step[2]), lsns[-1])
        db.insert("a", {})
        model.answer(["insert", "a", {}])
        if version % len(MIGRATING.migrations) == 0:
            assert db.storage.known.catalog.tables == before
            for name, table in model.tables.items():
                assert dict(table.columns) == dict(start.tables[name].columns)
                assert table.keys == start.tables[name].keys


def test_what_is_refused_tells_what_it_saw_and_can_be_mended(db: DB) -> None:
    migrate(db, ["migrate", 1, TWO.changes(1)], Made())
    twins = db.insert_many("a", [{"n": 1}, {"n": 1}])
    saw = db.read_lsn
    step, made = ["migrate", 2, TWO.changes(2)], Made()
    with pytest.raises(MigrationError) as caught:
        migrate(db, step, made)
    assert made.stages == []
    assert made.refused() == made.seen[-2]
    assert [before for before, _ in made.seen] == [0, 0, 0]
    assert saw < made.refused()[1] < made.seen[-1][1]  # the index had been begun by then
    tried = [next_migration(db, TWO, Random(n))[1] for n in range(40)]
    assert set(tried) == {1, 2}  # nobody goes on behind one that is not done
    ids = [row["id"] for row in twins]
    assert list(caught.value.ids) == ids
    mend = mending(step, ids)
    assert mend == ["transaction", [["update", "a", pk, {"n": None}] for pk in ids]]
    Session(lambda: db).perform(mend)
    migrate(db, step, Made())
    assert made_of(db) == {1: 2, 2: 1}
    assert mending(["migrate", 1, [["drop_index", "a", ["v"]]]], [1]) is None


def test_a_handle_makes_what_is_next_and_seldom_what_was_made_or_is_too_old(db: DB) -> None:
    assert next_migration(db, TWO, Random(1))[1] == 1
    for version in (1, 2):
        migrate(db, ["migrate", version, TWO.changes(version)], Made())
    random = Random(2)
    versions = [next_migration(db, TWO, random)[1] for _ in range(400)]
    assert set(versions) == {1, 2, 3}
    assert versions.count(3) > 300
    made = Made()
    with pytest.raises(SchemaMismatch):
        migrate(db, ["migrate", 1, TWO.changes(1)], made)
    assert made.torn
    assert made.refused() == made.seen[-1] == (2, db.read_lsn)


def test_only_columns_that_a_handle_knows_are_given_values(db: DB) -> None:
    known: Step = ["insert", "a", {"v": "x", "n": 1}]
    steps: list[Step] = [
        known, ["update", "s", 1, {"u": "x", "y": "x", "b": 1}], ["find", "a", 1],
        ["insert_many", "a", [{"v": "x", "w": "y"}]], ["delete", "t", 1],
    ]  # fmt: skip
    fitted: list[Step] = [
        known, ["update", "s", 1, {"u": "x"}], ["find", "a", 1],
        ["insert_many", "a", [{"v": "x"}]], ["delete", "t", 1],
    ]  # fmt: skip
    assert [fitting(db, step) for step in steps] == fitted
    nested: Step = ["transaction", [["rollback", steps]]]
    assert fitting(db, nested) == ["transaction", [["rollback", fitted]]]


def part(count: int) -> Step:
    return ["migrate", 8, STEP[2][:count]]


def test_each_transaction_of_a_migration_is_a_call() -> None:
    made = Made(stages=[(1, 50), (3, 70)], seen=[(0, 50), (1, 60), (1, 70), (3, 90)])
    whole = events_of_migration("p", STEP, 1, 2, answered(made, None), known=True)
    assert whole == [
        Event("p", part(1), 1, 2, [8], "", 50),
        Event("p", part(3), 1, 2, [8], "", 70),
        Event("p", STEP, 1, 2, [], "", 90),
    ]
    made = Made(stages=[(1, 50)], seen=[(0, 50), (1, 60), (1, 80), (1, 85)])
    noted = answered(made, MigrationError("not unique"))
    refused = events_of_migration("p", STEP, 1, 2, noted, known=True)
    assert refused == [
        Event("p", part(1), 1, 2, [8], "", 50),
        Event("p", part(2), 1, 2, None, "MigrationError", 80),
    ]
    noted = answered(Made(), LockTimeout("too long"))
    nothing = events_of_migration("p", STEP, 1, 2, noted, known=True)
    assert nothing == [Event("p", STEP, 1, 2, None, "LockTimeout")]


def test_of_one_that_died_or_does_not_know_each_transaction_may_have_been() -> None:
    died = events_of_migration("p", STEP, 1, 9, None, known=False)
    assert died == [Event("p", part(n), 1, 9, known=False) for n in (1, 2, 3)]
    made = answered(Made(stages=[(1, 50)], seen=[(0, 50)]), CommitUncertain("who knows"))
    unknown = events_of_migration("p", STEP, 1, 9, made, known=False)
    assert [event.lsn for event in unknown] == [50, None, None]
    assert [event.known for event in unknown] == [True, False, False]


def test_a_dead_migration_that_only_changed_a_rule_explains_what_follows() -> None:
    """No row tells of it until one is deleted."""
    dead: Step = ["migrate", 1, [["set_on_delete", "t", "a", "cascade"]]]
    row, child = {"id": 1, "v": None, "n": None}, {"id": 1, "a": 1, "v": None}
    events = [
        Event("p", ["insert", "a", {}], 1, 2, row, "", 10),
        Event("p", ["insert", "t", {"a": 1}], 3, 4, child, "", 20),
        Event("dead", dead, 5, 9, known=False),
        Event("p", ["delete", "a", 1], 6, 7, None, "", 30),
    ]
    gone = Event("p", ["rows", "t"], 10, 11, [], "", 30)
    verdict = check([*events, gone], Model(TABLES))
    assert (verdict.rule, verdict.happened) == ("", [events[2]])
    cleared = Event("p", ["rows", "t"], 10, 11, [child | {"a": None}], "", 30)
    verdict = check([*events, cleared], Model(TABLES))
    assert (verdict.rule, verdict.happened) == ("", [])
    kept = Event("p", ["rows", "t"], 10, 11, [child], "", 30)
    assert check([*events, kept], Model(TABLES)).rule


@pytest.mark.parametrize("migrated", [True, False])
def test_a_handle_that_is_told_to_be_stale_reopens_and_must_have_been(
    migrated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 0

    def perform(session: Any, step: Step, workload: Any) -> Any:
        nonlocal told
        if step[0] == "find" and not told:
            told += 1
            if migrated:
                with DB.open(str(tmp_path / "data")) as other:
                    migrate(other, ["migrate", 1, TWO.changes(1)], Made())
            else:
                raise SchemaMismatch("it is not")
        return calls.perform(session, step, workload)

    monkeypatch.setattr("bazanite_stress.crowd.life.perform", perform)
    notes = Notes()
    first: tuple[Step, ...] = (["find", "a", 1], ["insert", "a", {"v": "x", "w": "y"}])
    Life(Part(str(tmp_path / "data"), "1/1", first, calls=0, design=TWO), notes).run()
    failed = [content for kind, _, content in notes if kind == "failed"]
    if not migrated:
        assert len(failed) == 1
        assert "no migration was made" in failed[0]
        return
    assert failed == []
    events = events_of("p", notes, 1 << 62)
    named = [(event.step[0], event.error) for event in events]
    assert named == [
        ("read", ""), ("find", "SchemaMismatch"), ("reopen", ""), ("insert", ""),
    ]  # fmt: skip
    assert (events[-1].answer["w"], events[-1].lsn is not None) == ("y", True)
    assert events[1].lsn is None
    # the other process's migration is missing from the history
    assert judge(events, TABLES)[0].rule
    made = Event("q", ["migrate", 1, TWO.changes(1)], events[1].start, events[1].end, known=False)
    assert judge([*events, made], TABLES)[0].rule == ""
