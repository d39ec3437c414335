"""What breaks without any crash, torn sectors, and what a violation says to a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB
from bazanite.errors import CorruptionError
from bazanite_stress.explore.as_test import test_source as source_of_test
from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.explorer import (
    REFUSED,
    WRONG_ANSWER,
    Explorer,
    Limits,
)
from bazanite_stress.explore.faults import Fault
from bazanite_stress.explore.minimise import minimise
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.replay import (
    Replay,
    from_document,
    record,
    replay,
)
from bazanite_stress.explore.report import describe_violation
from bazanite_stress.explore.shrink import api_calls
from bazanite_stress.explore.story import rows_table, story
from bazanite_stress.simulation.legal import Tearing
from bazanite_stress.simulation.system import SimulatedSystem
from replay_faults import FAULTS

LIMITS = Limits(exhaustive=60, sample=12, violations=20)
HERE = Path(__file__).parent


def test_an_answer_that_is_wrong_without_a_crash_is_kept_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workload = replace(WORKLOADS["rows"], steps=[*WORKLOADS["rows"].steps, ["find", "a", 9]])
    with monkeypatch.context() as patches:
        patches.setattr(Model, "_find", lambda *_: {"id": 9, "v": "other", "n": None})
        violation = Explorer(workload, "journal", limits=LIMITS).explore().violations[0]
        small = minimise(violation)
        assert small.rule == WRONG_ANSWER
        assert small.workload.steps == [["find", "a", 1]]
        assert replay(record(small), 3).identical == 3
    assert replay(Replay(small, {}, "")).verdict == "survived"
    assert story(small).startswith("Without any crash")


@pytest.mark.parametrize("boot, moment", [(1, "setup"), (2, "opening")])
def test_an_engine_that_refuses_its_own_work_is_kept_too(
    boot: int, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setup runs on the first boot, the steps on the second: one of them ends in an error."""

    class Refusing(DB):
        def __init__(self, *arguments: Any, system: SimulatedSystem, **options: Any) -> None:
            if system.machine.boot == boot:
                raise CorruptionError("/db/a.dat", 0, "a row", "nothing")
            super().__init__(*arguments, system=system, **options)

    workload = WORKLOADS["rows"]
    with monkeypatch.context() as patches:
        patches.setattr("bazanite_stress.explore.session.DB", Refusing)
        (violation,) = Explorer(workload, "journal", limits=LIMITS).explore().violations
        assert violation.rule == REFUSED
        assert (violation.point.what, violation.found[:15]) == (moment, "CorruptionError")
        assert violation.expected == ("a: {id: 1, n: 1, v: 'one'}\nt: no rows",)
        small = minimise(violation)
        assert small.workload.steps == []
        assert api_calls(small.workload) == 0
        recorded = record(small)
        assert replay(recorded, 3).identical == 3
        with pytest.raises(AssertionError, match=REFUSED):
            run_generated(recorded)
    assert story(small).startswith(f"Without any crash, {REFUSED} ({moment}): CorruptionError")
    assert replay(recorded).verdict == "survived"
    run_generated(recorded)


def run_generated(recorded: Replay) -> None:
    """The test that is stored with it."""
    generated: dict[str, Any] = {}
    exec(compile(source_of_test(recorded, "it"), "test_it.py", "exec"), generated)
    generated["test_it"]()


def test_torn_sectors_are_part_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bazanite_stress.explore.explorer.broken_rule", only_torn)
    torn = Tearing(torn=True, neighbours=True)
    explorer = Explorer(WORKLOADS["rows"], "journal", limits=LIMITS, tearing=torn)
    small = minimise(explorer.explore().violations[0])
    recorded = from_document(record(small).as_document())
    assert recorded.violation.tearing == torn
    assert replay(recorded, 5).identical == 5
    assert "tearing=Tearing(torn=True, neighbours=True)" in source_of_test(recorded, "it")


def only_torn(outcome: Any, right: Any, durability: str) -> str:
    """A rule that is broken by disks whose log ends in a torn frame, as far as rows show it."""
    return "" if outcome.content == right[-1].content() else "not the newest rows"


def test_the_story_and_the_table_say_what_a_person_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patches:
        FAULTS["first frame only"](patches.setattr)
        v = minimise(Explorer(WORKLOADS["rows"], "journal", limits=LIMITS).explore().violations[0])
    shown = replace(
        v,
        expected=("a: {id: 1, v: 'one'}, {id: 2, v: 'two'}\nt: no rows", "a: no rows\nt: no rows"),
        found="a: {id: 2, v: 'old'}\nt: no rows",
    )
    assert rows_table(shown).splitlines() == [
        "   expected           or       found",
        "a  {id: 1, v: 'one'}  -        -",
        "a  {id: 2, v: 'two'}  -        {id: 2, v: 'old'}",
        "t  no rows            no rows  no rows",
    ]
    assert rows_table(replace(shown, found="refused: X")).splitlines()[-1] == "found: refused: X"
    assert rows_table(replace(shown, expected=())) == f"found: {shown.found}"
    assert "3 states" in rows_table(replace(shown, expected=shown.expected[:1] * 3))
    assert story(v).startswith("Cut the power ")
    killed = replace(v, how={"kind": "kill", "call": 7})
    assert story(killed).startswith("A kill (call 7) ")
    fault = Fault(9, "EIO", "lost", persistent=True, sector=3, other="kept").as_json()
    failed = replace(v, how={"kind": "fault", "fault": fault, "doing": "the close", "limits": {}})
    words = "EIO at call 9, lost, sector 3 kept, and from there on"
    assert story(failed).startswith(f"A fault ({words}) ")
    told = describe_violation(failed)
    assert f"besides      kind: fault, fault: {words}" in told
    assert "moment       " in told
    assert "power cut    " not in told
    assert "power cut    at crash point" in describe_violation(v)
    seen = replace(v, how={"kind": "detector", "letter": "E", "workloads": []})
    assert "besides      kind: detector, letter: E\n" in describe_violation(seen)
