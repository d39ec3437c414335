"""Unique values, indexes and deletes that reach further: explored, and faults in them found."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from bazanite import keyed
from bazanite.btree_shrink import Shrinkage
from bazanite.deleting import Deletion
from bazanite_stress.explore.aftermath import CarefulSession
from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.catalogue_rules import RULES, WIDE
from bazanite_stress.explore.explorer import Explorer, Limits, prepared
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.runner import Run
from bazanite_stress.explore.workload import Workload, all_steps
from bazanite_stress.simulation.disk import PROFILES

LITTLE = Limits(exhaustive=20, sample=8, violations=1)


def found(name: str) -> list[str]:
    """The rules that break in this workload, looked at briefly."""
    return [
        violation.rule
        for profile in PROFILES
        for violation in Explorer(WORKLOADS[name], profile, limits=LITTLE).explore().violations
    ]


def index_nodes(name: str) -> list[int]:
    """How many pages the long index of WIDE has, before the first step and after each."""
    workload = WORKLOADS[name]
    sizes: list[int] = []

    def visit(point: Any) -> None:
        if not point.what.startswith("before "):
            sizes.append(len(run.machine.image().get("w.k.index.dat", b"")))

    run = Run(workload, prepared(workload, "journal", 512), visit)
    run.start()
    run.finish()
    return [size // 4096 for size in sizes]


def test_an_index_splits_in_the_workload_that_says_so() -> None:
    before, after = index_nodes("index split")[:2]
    assert (before, after) == (2, 4)  # header and leaf; a root over two leaves


def test_an_index_is_joined_in_the_workload_that_says_so() -> None:
    with mock.patch.object(Shrinkage, "_lower", autospec=True, side_effect=Shrinkage._lower) as low:
        assert index_nodes("index joined")[0] == 4
    assert low.called


def test_every_kind_of_delete_is_explored_over_several_tables() -> None:
    kinds = {
        kind[-1]["on_delete"]
        for workload in RULES.values()
        for columns in workload.tables.values()
        for kind in columns.values()
        if kind[0] == "fk"
    }
    assert kinds == {"cascade", "set_null", "restrict"}


def test_the_model_refuses_what_the_workloads_say_it_does() -> None:
    refused: set[str] = set()
    for workload in RULES.values():
        model = Model(workload.tables)
        for step in workload.setup or ():
            assert model.answer(step)[1] == ""
        for step in all_steps(workload.steps):
            if step[0] not in ("transaction", "rollback"):
                refused.add(f"{step[0]} {model.answer(step)[1]}".strip())
    assert {"insert IntegrityError", "insert_many IntegrityError"} <= refused
    assert {"update IntegrityError", "delete IntegrityError"} <= refused


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_engine_survives(name: str) -> None:
    assert found(name) == []


def test_an_index_that_disagrees_with_the_rows_is_a_violation() -> None:
    with mock.patch.object(keyed.TableKeys, "remove"):
        rules = found("cascade delete")
    assert rules
    assert all(rule.startswith("check() finds") for rule in rules)


def test_a_delete_that_does_not_reach_further_is_a_violation() -> None:
    with mock.patch.object(Deletion, "_follow", return_value=[]):
        assert found("restricted delete")
        assert found("cascade delete")


def test_a_value_that_is_not_unique_is_a_violation() -> None:
    with mock.patch.object(keyed.TableIndex, "twin", return_value=None):
        assert found("unique")


def test_a_part_that_the_model_refuses_does_not_end_its_transaction() -> None:
    workload = Workload("refused", WIDE, [
        ["transaction", [["insert", "w", {"k": "x"}], ["insert", "w", {"k": "x"}],
                         ["delete", "w", 9], ["insert", "w", {"a": 7}], ["insert", "w", {}]]],
    ])  # fmt: skip
    machine = prepared(workload, "journal", 512)
    run = Run(workload, machine, lambda _point: None, make_session=CarefulSession)
    run.start()
    run.finish()
    outcome = Judge(workload, "journal", 512).outcome(machine.image())
    assert outcome.content == run.states[-1].content()
    assert len(run.states[-1].tables["w"].rows) == 2
