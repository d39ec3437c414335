"""Changes of the schema: explored, judged by a model of their own, and faults in them found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bazanite import building, keyed, tables
from bazanite.errors import SchemaMismatch
from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.concurrency.plans import RoundRobin
from bazanite_stress.concurrency.programs import load_program
from bazanite_stress.concurrency.tasks import Task as Schedules
from bazanite_stress.concurrency.tasks import carry_out as simulate
from bazanite_stress.concurrency.trial import Court
from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.catalogue_schema import SCHEMA, SETUP, TABLES
from bazanite_stress.explore.errors import ErrorLimits, Errors
from bazanite_stress.explore.explorer import Explorer, Limits, prepared
from bazanite_stress.explore.kills import QUICK, Kills
from bazanite_stress.explore.migrations import built_bit_by_bit
from bazanite_stress.explore.minimise import minimise
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.nested import Nested, NestedLimits
from bazanite_stress.explore.replay import read_replay, record, replay_file, write_replay
from bazanite_stress.explore.runner import Run, setup_model
from bazanite_stress.explore.schema_model import Key
from bazanite_stress.explore.workload import Workload
from bazanite_stress.explore.workload_check import WrongWorkload
from bazanite_stress.simulation.disk import PROFILES

LITTLE = Limits(exhaustive=20, sample=6, violations=1)


def migrating(*changes: list[Any], setup: list[Any] | None = None) -> Workload:
    return Workload("own", TABLES, [["migrate", 1, list(changes)]], setup or SETUP)


def violations(workload: Workload, limits: Limits = LITTLE) -> list[Any]:
    return [
        violation
        for profile in PROFILES
        for violation in Explorer(workload, profile, limits=limits).explore().violations
    ]


@pytest.mark.parametrize("name", sorted(SCHEMA))
def test_the_engine_survives_power_cuts(name: str) -> None:
    assert violations(WORKLOADS[name]) == []


def test_every_change_is_in_a_workload() -> None:
    names = {
        change[0]
        for workload in SCHEMA.values()
        for step in workload.steps
        if step[0] == "migrate"
        for change in step[2]
    }
    assert names == {
        "add_column", "drop_column", "rename_column", "change_column", "add_index", "drop_index",
        "add_unique", "drop_unique", "set_on_delete", "rename_table", "drop_table",
    }  # fmt: skip


def test_the_engine_survives_kills_and_survivors_open_it_again() -> None:
    workload = migrating(["add_index", "a", ["n"]], ["drop_column", "t", "v"])
    limits = replace(QUICK, cuts=1, torn=0, every=11)
    assert Kills(workload, "hostile", limits=limits).explore().violations == []


def test_the_engine_survives_crashes_in_recovery() -> None:
    limits = NestedLimits(images=8, first=4, exhaustive=6, sample=2, deeper=1, cuts=1)
    assert Nested(WORKLOADS["mixed changes"], "hostile", limits=limits).explore().violations == []


@pytest.mark.parametrize("kind", ["EIO", "MemoryError", "KeyboardInterrupt"])
def test_the_engine_survives_errors_and_the_same_process_goes_on(kind: str) -> None:
    workload = migrating(["rename_column", "a", "v", "w"], ["add_index", "a", ["w"]])
    limits = ErrorLimits(each=1, cuts=1, torn=0, sectors=False)
    errors = Errors(workload, "hostile", limits=limits)
    chosen = [fault for fault in errors.faults() if fault.kind == kind][::5]
    assert len(chosen) > 5
    errors.try_all(chosen)
    assert errors.tally.violations == []


def test_a_migration_goes_through_a_state_for_each_of_its_transactions() -> None:
    workload = migrating(
        ["rename_column", "a", "v", "w"],
        ["add_column", "b", "m", ["int"], 5],
        ["add_unique", "a", ["w"]],
        ["drop_column", "a", "n"],
    )
    states, answer, error = setup_model(workload).passed(workload.steps[0])
    assert (answer, error) == ([1], "")
    assert [state.made for state in states] == [{1: 2}, {1: 3}, {1: 4}]
    assert states[0].tables["b"].rows == {1: {"id": 1, "n": 7, "m": 5}}
    assert states[1].tables["a"].keys == (Key(("w",), True),)
    assert set(states[2].tables["a"].columns) == {"w"}
    assert states[2].passed(workload.steps[0]) == ([states[2]], [], "")


def test_what_was_made_before_a_refusal_stays() -> None:
    workload = migrating(["drop_column", "t", "v"], ["add_unique", "a", ["n"]])
    model = setup_model(workload)
    assert model.answer(workload.steps[0]) == (None, "MigrationError")
    assert (model.made, set(model.tables["t"].columns)) == ({1: 1}, {"a"})
    assert model.answer(["migrate", 1, workload.steps[0][2]])[1] == "MigrationError"


def test_an_index_is_built_in_several_transactions_and_the_engine_is_left_as_it_was() -> None:
    usual = building.SLOTS_AT_ONCE
    with built_bit_by_bit(), built_bit_by_bit():
        assert building.SLOTS_AT_ONCE == 2
    assert usual == building.SLOTS_AT_ONCE == 4096
    workload = WORKLOADS["index built"]
    run = Run(workload, prepared(workload, "journal", 512), lambda _point: None)
    run.start()
    assert run.db is not None
    before = run.db.stats()["commits"]
    run.take(0, workload.steps[0])
    assert run.db.stats()["commits"] - before == 3  # declared; two slots; the other two


def test_a_fault_in_a_migration_is_found_stored_and_made_small(tmp_path: Path) -> None:
    def forgetful(_self: Any, tx: Any, *_: Any) -> None:
        del tx

    with mock.patch.object(keyed.StoredKeys, "save", forgetful):
        found = violations(WORKLOADS["index built"])
        assert found
        assert found[0].rule.startswith("check() after a migration")
        small = minimise(found[0])
        (step,) = [step for step in small.workload.steps if step[0] == "migrate"]
        assert len(step[2]) == 1
        write_replay(tmp_path / "one.json", record(small))
        recorded = read_replay(tmp_path / "one.json")
        assert replay_file(tmp_path / "one.json").verdict == "violated"
    assert replay_file(tmp_path / "one.json").verdict != "violated"
    assert recorded.violation.workload.steps == small.workload.steps


def test_what_a_migration_makes_of_it_when_it_is_made_again_is_judged() -> None:
    rename = tables.Tables.rename

    def renamed_without_its_rows(self: Any, table: str, to: str) -> None:
        rename(self, table, to)
        self.writes.truncate(f"{to}.dat", 0)
        self.writes.truncate(f"{to}__id.idx.dat", 0)

    model = setup_model(migrating())
    assert model.tables["b"].rows
    with mock.patch.object(tables.Tables, "rename", renamed_without_its_rows):
        rules = {v.rule for v in violations(migrating(["rename_table", "b", "c"]))}
    assert rules == {"a migration made again does not lead to what it must"}


@pytest.mark.parametrize(
    "name", ["columns change beside finds", "index built beside writers", "two migrate"]
)
def test_processes_survive_each_others_migrations(name: str) -> None:
    for profile in PROFILES:
        part = simulate(Schedules(PROGRAMS[name], "random", profile, 8, "tests"))
        assert part.violations == []


def test_a_handle_that_is_refused_though_nothing_changed_is_a_violation() -> None:
    court = Court(PROGRAMS["columns change beside finds"])
    refused = mock.MagicMock(side_effect=SchemaMismatch("another program changed it"))
    with mock.patch("bazanite.storage.refuse_changed", refused):
        broken = court.run(RoundRobin(50)).broken
    assert broken is not None
    assert broken.rule == "a call raised what it must not"
    assert "nothing changed" in broken.found


@pytest.mark.parametrize(
    "step, why",
    [
        (["migrate", 0, []], "positive"),
        (["migrate", 1, [["add_index", "a", []]]], "add_index"),
        (["migrate", 1, [["add_index", "a", ["id"]]]], "add_index"),
        (["migrate", 1, [["add_column", "a", "w", ["char", 4, {"unique": True}]]]], "of its own"),
        (["migrate", 1, [["add_column", "a", "w", ["float"]]]], "no such type"),
        (["migrate", 1, [["rename_column", "a", "v", "No Name"]]], "rename_column"),
        (["migrate", 1, [["set_on_delete", "t", "a", "explode"]]], "set_on_delete"),
        (["migrate", 1, [["drop_table", "z"]]], "drop_table"),
        (["migrate", 1, [["swap", "a"]]], "one of"),
        (["transaction", [["migrate", 1, []]]], "within"),
    ],
)
def test_a_migration_that_nobody_can_make_is_refused(step: Any, why: str) -> None:
    workload = Workload("own", TABLES, [step], SETUP)
    with pytest.raises(WrongWorkload, match=why):
        Workload.from_json(json.loads(json.dumps(workload.as_json())))


def test_steps_are_checked_by_the_tables_of_then() -> None:
    change: list[Any] = ["migrate", 1, [["rename_column", "a", "v", "w"]]]
    later = Workload("own", TABLES, [change, ["insert", "a", {"w": "x"}]], SETUP)
    Workload.from_json(later.as_json())
    for steps in ([["insert", "a", {"w": "x"}], change], [change, ["insert", "a", {"v": "x"}]]):
        with pytest.raises(WrongWorkload, match="no column"):
            Workload.from_json(later.with_steps(steps).as_json())
    for wrong in (replace(later, setup=None), replace(later, setup=[change])):
        with pytest.raises(WrongWorkload, match="setup"):
            Workload.from_json(wrong.as_json())


def test_two_migrations_of_one_version_and_a_program_of_a_migrating_workload_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps = [["migrate", 1, []], ["migrate", 1, [["drop_table", "b"]]]]
    with pytest.raises(WrongWorkload, match="another migration"):
        Workload.from_json(Workload("own", TABLES, steps, SETUP).as_json())
    (tmp_path / "own_migrating.py").write_text(
        "from bazanite_stress.explore.catalogue_schema import SCHEMA\n"
        "WORKLOAD = SCHEMA['index built']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="name a Program"):
        load_program("own_migrating:WORKLOAD")


def test_the_model_of_a_migration_shares_no_state_with_the_one_before() -> None:
    model = setup_model(migrating())
    before = model.content()
    twin = model.clone()
    twin.answer(["migrate", 3, [["drop_column", "a", "v"], ["rename_table", "b", "c"]]])
    assert (model.content(), model.made) == (before, {})
    assert isinstance(twin, Model)
    assert twin.content() != before
