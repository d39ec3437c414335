"""The crash explorer: the engine survives, planted faults do not, and the counts are true."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite_stress.explore import campaign as campaign_module
from bazanite_stress.explore.campaign import Settings, explore
from bazanite_stress.explore.canary import canary_is_found
from bazanite_stress.explore.catalogue import CALLS, TABLES, WORKLOADS, family
from bazanite_stress.explore.explorer import Explorer, Limits, broken_rule, prepared
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.model import Model, ModelError
from bazanite_stress.explore.runner import Run
from bazanite_stress.explore.sampling import addresses, torn
from bazanite_stress.explore.tasks import Task, carry_out, plan
from bazanite_stress.explore.workload import Workload
from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_stress.simulation.legal import Tearing, spaces
from bazanite_tools.cli import main
from bazanite_wal import checkpoint, scan
from bazanite_wal.datafiles import DataFiles
from bazanite_wal.frame import FrameError
from bazanite_wal.log import Log

both_profiles = pytest.mark.parametrize("profile", PROFILES)
LITTLE = Limits(exhaustive=100, sample=20, violations=1)


def exploring(name: str, profile: Profile, limits: Limits = LITTLE) -> Explorer:
    return Explorer(WORKLOADS[name], profile, limits=limits)


@both_profiles
def test_three_transactions_and_a_checkpoint_are_covered_to_the_last_state(
    profile: Profile,
) -> None:
    steps: list[Any] = [
        ["insert", "t", {"v": "a"}],
        ["update", "t", 1, {"v": "bb"}],
        ["delete", "t", 1],
    ]
    workload = Workload("small", {"t": {"v": ["text"]}}, [*steps, ["checkpoint"]])
    tally = Explorer(workload, profile).explore()
    assert tally.violations == []
    assert tally.exhaustive_points == tally.points > 30
    assert tally.covered == tally.legal > 100
    assert tally.unique <= tally.visited <= tally.covered


@pytest.mark.parametrize(
    "where, name, broken",
    [
        (Log, "sync", mock.MagicMock()),
        (DataFiles, "sync_all", mock.MagicMock()),
        (checkpoint, "sync_data_files", mock.MagicMock()),
        (scan, "frame_at", mock.MagicMock(side_effect=FrameError("none"))),
    ],
    ids=["no log sync", "no data sync", "checkpoint without data sync", "no frame is replayed"],
)
def test_a_planted_fault_is_found(where: Any, name: str, broken: Any) -> None:
    with mock.patch.object(where, name, broken):
        found = [
            violation
            for workload in ("rows", "three", "recycled log")
            for profile in PROFILES
            for violation in exploring(workload, profile).explore().violations
        ]
    assert found


def test_a_violation_names_a_disk_that_can_be_built_again() -> None:
    with mock.patch.object(Log, "sync"):
        violation = exploring("rows", "hostile").explore().violations[0]
        seen: list[str] = []

        def stop_there(point: Any) -> None:
            if point.number != violation.point.number:
                return
            assert run.machine.folder is not None
            for space in spaces(run.machine.disk, run.machine.folder):
                if space.prefix == violation.prefix:
                    outcome = judge.outcome(space.image(violation.choice))
                    right = run.states[point.lowest : point.highest + 1]
                    seen.append(broken_rule(outcome, right, "full"))

        workload = violation.workload
        judge = Judge(workload, violation.profile, violation.sector)
        run = Run(workload, prepared(workload, violation.profile, violation.sector), stop_there)
        run.start()
        run.finish()
    assert seen == [violation.rule]


def test_the_canary_is_found_and_a_blind_harness_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert canary_is_found()
    monkeypatch.setattr(campaign_module, "canary_is_found", lambda: False)
    monkeypatch.setattr(campaign_module, "plan", lambda *_: [])
    assert explore(Settings(), lambda *_: None).verdict == "harness broken"


def test_the_family_has_every_short_sequence_once() -> None:
    found = [tuple(map(json.dumps, workload.steps)) for workload in family()]
    assert len(found) == len(set(found)) == 8 + 64 + 512
    assert {len(steps) for steps in found} == {1, 2, 3}
    assert len(CALLS) == 8


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_the_engine_answers_each_workload_as_the_model_does(name: str) -> None:
    workload = WORKLOADS[name]
    run = Run(workload, prepared(workload, "journal", 512), lambda _point: None)
    run.start()
    run.finish()
    assert run.points > 5


_IDS = st.integers(1, 4)
_VALUES = st.fixed_dictionaries(
    {}, optional={"v": st.text("aä#*", max_size=3).filter(lambda t: not t.startswith("*"))}
)
_NEW_ID = st.fixed_dictionaries({"id": _IDS})
_SIMPLE = st.one_of(
    st.tuples(st.just("insert"), st.just("a"), _VALUES),
    st.tuples(st.just("insert"), st.just("t"), st.fixed_dictionaries({"a": _IDS})),
    st.tuples(st.just("update"), st.sampled_from("at"), _IDS, _VALUES),
    st.tuples(st.just("update"), st.just("t"), _IDS, st.fixed_dictionaries({"a": _IDS})),
    st.tuples(st.just("insert"), st.sampled_from("at"), _NEW_ID),
    st.tuples(st.just("update"), st.sampled_from("at"), _IDS, _NEW_ID),
    st.tuples(st.just("delete"), st.sampled_from("at"), _IDS),
    st.tuples(st.just("truncate"), st.sampled_from("at"), st.booleans()),
    st.tuples(st.just("insert_many"), st.just("a"), st.lists(_VALUES, max_size=3)),
    st.tuples(st.just("find"), st.sampled_from("at"), _IDS),
).map(list)
_GROUPS = st.recursive(
    _SIMPLE,
    lambda inner: st.tuples(
        st.sampled_from(["transaction", "rollback"]), st.lists(inner, max_size=3)
    ).map(list),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_GROUPS, max_size=8))
def test_engine_and_model_agree_on_random_steps(steps: list[Any]) -> None:
    workload = Workload("random", TABLES, [*steps, ["reopen"]])
    run = Run(workload, prepared(workload, "journal", 512), lambda _point: None)
    run.start()
    run.finish()


def test_a_wrong_answer_is_a_violation_without_any_crash() -> None:
    with mock.patch.object(Model, "_find", return_value={"id": 1}):
        workload = Workload("wrong", TABLES, [["find", "a", 1]])
        violations = Explorer(workload, "journal", limits=LITTLE).explore().violations
    assert [violation.rule for violation in violations] == ["a call's answer is not the model's"]


@pytest.mark.parametrize("way", ["nested", "kill", "error"])
def test_a_wrong_answer_is_told_by_the_other_ways_too(way: Any) -> None:
    workload = Workload("wrong", TABLES, [["find", "a", 1]])
    with mock.patch.object(Model, "_find", return_value={"id": 1}):
        part = carry_out(Task("wrong", "hostile", 512, LITTLE, workload, way=way))
    told = [violation.rule for violation in part.violations]
    assert told
    assert all("a call's answer is not the model's" in text for text in told)


def test_the_model_refuses_what_the_engine_refuses() -> None:
    model = Model(TABLES)
    for step in (
        ["update", "a", 1, {}],
        ["delete", "t", 9],
        ["insert", "t", {"a": 7}],
    ):
        with pytest.raises(ModelError):
            model.apply(step)
    assert model.next_ids() == {"a": 1, "t": 1}


def _widest_space(profile: Profile) -> Any:
    found: list[Any] = []

    def keep(_point: Any) -> None:
        assert run.machine.folder is not None
        found.extend(spaces(run.machine.disk, run.machine.folder))

    workload = WORKLOADS["long frames"]
    run = Run(workload, prepared(workload, profile, 512), keep)
    run.start()
    run.finish()
    return max(found, key=lambda space: (len(space.units), space.count))


@both_profiles
def test_a_sample_is_repeatable_without_repetition_and_begins_with_the_extremes(
    profile: Profile,
) -> None:
    space = _widest_space(profile)
    chosen = list(addresses(space, 200, "seed"))
    assert chosen == list(addresses(space, 200, "seed"))
    assert len(set(chosen)) == len(chosen) == 200
    events = [
        [unit.events[option] for unit, option in zip(space.units, choice, strict=True)]
        for choice in chosen[:2]
    ]
    assert events == [
        [min(unit.events) for unit in space.units],
        [max(unit.events) for unit in space.units],
    ]
    assert list(addresses(space, 200, "other seed")) != chosen


def test_a_sample_holds_every_pair_of_options() -> None:
    space = _widest_space("hostile")
    chosen = list(addresses(space, 3000, "pairs"))
    for (i, one), (j, two) in combinations(enumerate(space.units), 2):
        pairs = {(choice[i], choice[j]) for choice in chosen}
        assert len(pairs) == len(one.options) * len(two.options)


def test_a_sample_of_a_small_space_is_all_of_it() -> None:
    space = _widest_space("journal")
    space.units = space.units[:3]
    chosen = list(addresses(space, 10_000, "all"))
    assert len(chosen) == space.count


def test_shards_share_the_plan_between_them() -> None:
    tasks = plan("ci", 0)
    assert sum(1 for task in tasks for _ in task.workloads()) >= 500
    whole = [id(task) for task in tasks]
    assert sorted(whole) == sorted(id(task) for i in range(5) for task in tasks[i::5])


@pytest.mark.timeout(600)  # some 30 seconds; many times that while coverage is measured
def test_the_quick_profile_survives(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--json", "--jobs", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "survived"
    assert document["states"] > 20_000
    assert document["states_unique"] > 5_000
    assert document["violations"] == 0
    keys = ("profile", "seed", "workloads", "points", "states_exhaustive_percent")
    assert all(key in document for key in (*keys, "states_per_second"))


@pytest.fixture
def own_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"own_workload_{random.Random(str(tmp_path)).randrange(10**9)}"
    text = (
        "from bazanite_stress.explore.workload import Workload\n"
        "W = Workload('own', {'x': {'v': ['char', 4]}}, [['insert', 'x', {'v': 'abc'}]])\n"
        "NOT_ONE = 7\n"
    )
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OWN", name)


@pytest.mark.usefixtures("own_workload")
def test_a_workload_of_ones_own_is_explored(capsys: pytest.CaptureFixture[str]) -> None:
    import os

    name = os.environ["OWN"]
    assert main(["explore", "--workload", f"{name}:W", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "survived" in out
    assert "own" in out
    for wrong in (f"{name}:NOT_ONE", f"{name}:ABSENT", "no_such_module_here:W", "nothing"):
        assert main(["explore", "--workload", wrong]) == 2
    assert "not a Workload" in capsys.readouterr().err


def test_a_workload_goes_through_json_and_back() -> None:
    for workload in WORKLOADS.values():
        text = json.dumps(workload.as_json())
        assert Workload.from_json(json.loads(text)).as_json() == json.loads(text)


def test_a_lock_may_stand_in_the_setup_and_in_a_transaction_and_setups_may_fail() -> None:
    lock = ["lock", [["insert", "a", {"v": "x"}], ["delete", "a", 9]]]
    workload = Workload("locks", TABLES, [["transaction", [lock]], ["find", "a", 2]], [lock])
    run = Run(workload, prepared(workload, "journal", 512), lambda _point: None)
    run.start()
    run.finish()
    assert list(run.states[-1].tables["a"].rows) == [1, 2]


def test_torn_addresses_tear_one_sector_or_several_and_the_same_seed_gives_the_same() -> None:
    machine = prepared(WORKLOADS["rows"], "hostile", 512)
    assert machine.folder is not None
    inode = machine.disk.files[machine.folder.names["a.dat"]]
    machine.disk.write(inode, b"x" * 2_000, 0)
    (whole,) = spaces(machine.disk, machine.folder)
    assert list(torn(whole, 50, "0")) == []
    (space,) = spaces(machine.disk, machine.folder, Tearing(torn=True))
    found = list(torn(space, 50, "0"))
    assert len(found) == len(set(found)) > 20
    counts = {
        sum(option >= unit.whole for unit, option in zip(space.units, choice, strict=True))
        for choice in found
    }
    assert 0 not in counts
    assert {1, 3} <= counts
    assert found == list(torn(space, 50, "0")) != list(torn(space, 50, "1"))
