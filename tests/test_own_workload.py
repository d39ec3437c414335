"""A workload of one's own is refused with a sentence beforehand, or carried out."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.explore.explorer import prepared
from bazanite_stress.explore.own import load_workload
from bazanite_stress.explore.runner import Run
from bazanite_stress.explore.workload import Step, Workload
from bazanite_tools.cli import main

TABLES: dict[str, Any] = {"a": {"v": ["char", 8], "n": ["int"]}, "b": {"a": ["fk", "a"]}}
STEP: Step = ["insert", "a", {"v": "x"}]

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a module of its own name and gives that name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text: str) -> str:
        name = f"own_{tmp_path.name.replace('-', '_')}_{next(_numbers)}"
        header = "from bazanite_stress.explore.workload import Workload\n"
        (tmp_path / f"{name}.py").write_text(header + text)
        return name

    return write


def carried_out(workload: Workload) -> Run:
    run = Run(workload, prepared(workload, "journal", 512), lambda _point: None)
    run.start()
    run.finish()
    return run


# ---------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "step, why",
    [
        ("insert", "no such step: 'insert': a step is a list"),
        ([], "a step is a list"),
        (["insrt", "a", {}], "no such step.*; there are insert, insert_many"),
        ([["insert"], "a", {}], "no such step"),
        (["insert", "a"], "insert takes str, dict"),
        (["delete", "a", "1"], "delete takes str, int"),
        (["update", "a", {"v": "x"}, 1], "update takes str, int, dict"),
        (["delete", "a", True], "delete takes str, int"),
        (["delete", "a", 0], "ids begin at 1"),
        (["insert", "c", {}], "no table 'c'"),
        (["insert", "a", {"w": "x"}], "a has no column 'w'"),
        (["insert", "a", {1: "x"}], "a has no column 1"),
        (["insert_many", "a", [{"v": "x"}, {"w": 1}]], "a has no column 'w'"),
        (["insert", "a", {"v": "x" * 9}], "'v': The value is too long"),
        (["insert", "a", {"v": 5}], "'v': Type mismatch"),
        (["insert", "a", {"v": b"x"}], "'v': texts here are str, not bytes"),
        (["insert", "a", {"v": "x "}], "'v': comes back without the spaces"),
        (["insert", "a", {"n": 10**9}], "'n': The value is too big"),
        (["insert", "a", {"n": True}], "'n': Type mismatch"),
        (["insert", "a", {"id": None}], "'id': The value can't be None"),
        (["insert", "a", {"id": -1}], "ids here are from 1 to"),
        (["update", "a", 1, {"id": 10**6}], "ids here are from 1 to"),
        (["insert_many", "a", ["x"]], "a row is a dict, not 'x'"),
        (["insert_many", "a", [{"v": "x"}] * 99 + [{"v": "x" * 9}]], r"\.\.\.: 'v': The value"),
        (["lock", [["transaction", [["insert", "a", {"v": 5}]]]]], "'v': Type mismatch"),
        (["lock", [["reopen"]]], "no reopen within a lock"),
        (["lock", [["transaction", [["checkpoint"]]]]], "no checkpoint within a transaction"),
    ],
)
def test_a_step_that_nobody_can_carry_out(step: Any, why: str) -> None:
    for steps, setup in (([step], []), ([STEP], [step])):
        with pytest.raises(ValueError, match=why) as info:
            Workload.from_json(Workload("w", TABLES, steps, setup).as_json())
        assert len(str(info.value)) < 300


@pytest.mark.parametrize(
    "change, why",
    [
        ({"name": None}, "name must be a text"),
        ({"tables": None}, "tables: must map names to columns, not None"),
        ({"tables": {}}, "tables: must map names to columns"),
        ({"tables": ["a"]}, "tables: must map names"),
        ({"tables": {"a": ["v"]}}, "a must map columns to types such as"),
        ({"tables": {"a": {"v": "text"}}}, "a.v: a type is a list such as .*, not 'text'"),
        ({"tables": {"a": {"v": ["CHAR", 8]}}}, "a.v: no such type: 'CHAR'; there are int, char"),
        ({"tables": {"a": {"v": ["char"]}}}, "char takes a number of bytes"),
        ({"tables": {"a": {"v": ["char", "8"]}}}, "char takes a number of bytes"),
        ({"tables": {"a": {"v": ["char", 0]}}}, "tables: Size of the field"),
        ({"tables": {"a": {"v": ["text", 8]}}}, "text takes nothing"),
        ({"tables": {"a": {"v": ["fk", "z"]}}}, "no table 'z'"),
        ({"tables": {"a": {"id": ["int"]}}}, "two fields have this name"),
        ({"steps": "insert"}, "steps: must be a list of steps, not 'insert'"),
        ({"steps": None}, "steps: must be a list"),
        ({"setup": "x"}, "setup: must be a list"),
        ({"durability": "ful"}, "no such durability: 'ful'; there are full, normal, off"),
        ({"options": None}, "options: must map names to values"),
        ({"options": {"durability": "off"}}, "options: durability cannot be given here"),
        ({"options": {"int_width": 2}, "steps": [["insert", "a", {"n": 100}]]}, "too big"),
        ({"explore_from": -1}, "explore_from=-1"),
    ],
)
def test_a_workload_that_nobody_can_carry_out(change: dict[str, Any], why: str) -> None:
    fields: dict[str, Any] = {"name": "w", "tables": TABLES, "steps": [STEP]}
    with pytest.raises(ValueError, match=why):
        Workload.from_json(Workload(**(fields | change)).as_json())


@pytest.mark.parametrize(
    "text, why",
    [
        ("W = (", r"cannot be imported: SyntaxError: .* \(own_\w+\.py, line 2\)"),
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all' .*line 2"),
        ("W = 1 / 0", r"cannot be imported: ZeroDivisionError: .*own_\w+\.py, line 2\)"),
        ("import sys\nsys.exit(3)", "cannot be imported: SystemExit: 3"),
        ("def W():\n    raise KeyError('x')", r"W\(\) ended in KeyError: 'x' .*line 3"),
        ("def W(n):\n    return n", r"W\(\) ended in TypeError"),
        ("W = Workload", "is a class, not a Workload"),
        ("W = 5", "is of type int, not a Workload"),
        ("V = Workload('v', {'a': {'v': ['int']}}, [])", "has no 'W'; its Workloads: V"),
        ("W = Workload('w', {'a/b': {'v': ['int']}}, [])", "'a/b' cannot be a table's name"),
        ("W = Workload('w', {'a': {}}, [], options={'log_sise': 3})", "refuses .*'log_sise'"),
        ("W = Workload('w', {'a': {}}, [], options={'log_size_bytes': 3})", "refuses .*8192"),
        ("W = Workload('w', {'a': {}}, [], explore_from=1)", "explore_from=1: there are 0 steps"),
    ],
)
@pytest.mark.parametrize("command", ["explore", "torture"])
def test_a_module_that_gives_no_workload_is_exit_status_2_and_one_line(
    text: str, why: str, command: str, module: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = module(text)
    with pytest.raises((TypeError, ValueError), match=why):
        load_workload(f"{name}:W")
    assert main([command, "--workload", f"{name}:W"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"bazanite {command}: --workload {name}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "reference, why",
    [
        ("no_such_module_here:W", "no module 'no_such_module_here' in this directory or on"),
        ("os.no_such_one:W", "no module 'os.no_such_one'"),
        ("mine.py:W", r"without folder and \.py"),
        ("./mine.py:W", r"without folder and \.py"),
        ("mine", "named as module:name"),
        (":W", "named as module:name"),
        ("mine:", "named as module:name"),
    ],
)
def test_a_name_that_is_none(reference: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        load_workload(reference)


# ---------------------------------------------------------------------------------- what is taken


def test_tuples_are_lists_and_a_function_may_make_the_workload(module: Any) -> None:
    text = (
        "def make():\n"
        "    return Workload('w', {'a': {'v': ('char', 8)}}, [('insert', 'a', {'v': 'x'})])"
    )
    workload = load_workload(f"{module(text)}:make")
    assert workload.steps == [["insert", "a", {"v": "x"}]]
    assert json.loads(json.dumps(workload.as_json())) == workload.as_json()


def test_the_log_is_small_whatever_other_options_there_are() -> None:
    """A log of 4 MiB in each of many thousand disks took hours, for a checksum asked for."""
    assert Workload("w", TABLES, []).options == {"log_size_bytes": 8192}
    summed = Workload("w", TABLES, [], options={"checksums": True})
    assert summed.options == {"log_size_bytes": 8192, "checksums": True}
    assert Workload("w", TABLES, [], options={"log_size_bytes": 9000}).options == {
        "log_size_bytes": 9000
    }


def test_the_model_moves_ids_and_fails_as_the_engine_does() -> None:
    workload = Workload(
        "ids",
        TABLES,
        [
            ["insert", "a", {"v": "one"}],
            ["insert", "a", {"v": "two"}],
            ["update", "a", 1, {"id": 2}],  # is taken
            ["update", "a", 1, {"id": 1, "v": "same"}],
            ["update", "a", 1, {"id": 7}],
            ["find", "a", 1],
            ["find", "a", 7],
            ["update", "b", 9, {"a": 1}],  # the foreign key is looked at first
            ["update", "b", 9, {"a": 2}],
            ["insert", "a", {"id": 3}],
            ["insert", "a", {}],
        ],
    )
    assert Workload.from_json(workload.as_json()) == workload
    assert sorted(carried_out(workload).states[-1].tables["a"].rows) == [2, 3, 4, 7]
