"""Failures one can hold: a violation made small, stored, repeated, and turned into a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.explore import campaign
from bazanite_stress.explore.again import (
    OtherSteps,
    broken_again,
    chosen,
    identical,
    rule_of,
    same_rule,
)
from bazanite_stress.explore.as_test import test_source as source_of_test
from bazanite_stress.explore.catalogue import CALLS, TABLES, WORKLOADS
from bazanite_stress.explore.explorer import (
    Explorer,
    Limits,
    Violation,
)
from bazanite_stress.explore.keep import keep, keep_first
from bazanite_stress.explore.minimise import Bounds, Progress, minimise
from bazanite_stress.explore.replay import (
    Replay,
    ReplayError,
    from_document,
    read_replay,
    record,
    replay,
    replay_file,
    write_replay,
)
from bazanite_stress.explore.shrink import api_calls, simpler
from bazanite_stress.explore.story import story
from bazanite_stress.explore.tasks import plan
from bazanite_stress.explore.workload import Workload
from bazanite_stress.simulation.disk import PROFILES
from bazanite_tools.cli import main
from replay_faults import FAULTS

LIMITS = Limits(exhaustive=60, sample=12, violations=20)
HERE = Path(__file__).parent


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An engine with this fault."""
    FAULTS[request.param](monkeypatch.setattr)
    return str(request.param)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An engine whose checkpoints forget the log before the data is durable."""
    with monkeypatch.context() as patches:
        FAULTS["header before data"](patches.setattr)
        yield


def violations(*names: str) -> list[Violation]:
    """The first violation of each rule in these workloads; the engine must have a fault."""
    found: dict[str, Violation] = {}
    for name in names:
        for profile in PROFILES:
            tally = Explorer(WORKLOADS[name], profile, limits=LIMITS).explore()
            for violation in tally.violations:
                found.setdefault(rule_of(violation), violation)
    assert found
    return list(found.values())


def in_a_process(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=HERE, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_of_a_long_workload_little_is_left(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    for violation in violations("recycled log", "two tables")[:2]:
        small = minimise(violation)
        assert same_rule(small, violation)
        assert api_calls(small.workload) <= 10
        assert len(small.lost) <= 3
        assert api_calls(small.workload) < api_calls(violation.workload)
        recorded = record(small, bugs=(1,))
        write_replay(path, recorded)
        assert read_replay(path) == recorded
        assert replay(recorded, 10).identical == 10
    assert fault in FAULTS


def test_minimising_twice_gives_the_same() -> None:
    with pytest.MonkeyPatch.context() as patches:
        FAULTS["first frame only"](patches.setattr)
        violation = violations("equal frames")[0]
        assert identical(minimise(violation), minimise(violation))


@pytest.mark.usefixtures("faulty")
def test_minimising_stops_at_its_bounds_and_tells_how_far_it_is() -> None:
    violation = violations("recycled log")[0]
    seen: list[Progress] = []
    minimise(violation, Bounds(states=300), seen.append)
    assert 0 < len(seen) <= seen[-1].searches
    assert [now.calls for now in seen] == sorted((now.calls for now in seen), reverse=True)
    assert (
        minimise(violation, Bounds(seconds=-1.0)).workload.steps[:2] == violation.workload.steps[:2]
    )


@cache
def stored(name: str) -> Replay:
    """A small violation of an engine with this fault."""
    with pytest.MonkeyPatch.context() as patches:
        FAULTS[name](patches.setattr)
        return record(minimise(violations("equal frames")[0]))


@pytest.mark.parametrize("name", FAULTS)
def test_what_was_stored_fails_each_time_with_the_fault_and_never_without(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = stored(name)
    text = source_of_test(recorded, "it")
    assert text.startswith(f'"""{story(recorded.violation)[:40]}')
    assert recorded.violation.rule[:20] in " ".join(text.split())
    generated: dict[str, Any] = {}
    exec(compile(text, "test_it.py", "exec"), generated)

    generated["test_it"]()
    result = replay(recorded)
    assert result.verdict in {"survived", "other steps"}
    assert result.verdict == "survived" or "explored anew, survives" in result.problem

    FAULTS[name](monkeypatch.setattr)
    with pytest.raises(AssertionError, match="violation: "):
        generated["test_it"]()
    result = replay(recorded, 100)
    assert (result.verdict, result.identical) == ("violated", 100)


def test_pytest_runs_the_generated_file(tmp_path: Path) -> None:
    name = "log never synced"
    path = tmp_path / "test_it.py"
    path.write_text(source_of_test(stored(name), "it"))
    run = "import sys, pytest; sys.exit(pytest.main(['-qp', 'no:cacheprovider', sys.argv[1]]))"
    passed = in_a_process(run, str(path))
    assert passed.returncode == 0, passed.stdout
    failed = in_a_process(f"import replay_faults; replay_faults.plant({name!r}); {run}", str(path))
    assert failed.returncode == 1, failed.stdout
    assert stored(name).violation.rule[:40] in failed.stdout


def test_a_new_process_gives_the_same_disk_and_verdict(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    write_replay(path, stored("first frame only"))
    program = (
        "import sys, replay_faults; replay_faults.plant('first frame only')\n"
        "from bazanite_tools.cli import main; sys.exit(main(['replay', *sys.argv[1:]]))"
    )
    done = in_a_process(program, str(path), "--times", "3", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"], answer["identical"]) == (1, "violated", 3)


def test_the_command_tells_survived_violated_and_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "first frame only"
    path = tmp_path / "it.json"
    write_replay(path, stored(name))
    assert main(["replay", str(path)]) == 0
    assert capsys.readouterr().out.startswith("survived")
    FAULTS[name](monkeypatch.setattr)
    assert main(["replay", str(path), "--times", "2"]) == 1
    out = capsys.readouterr().out
    assert story(stored(name).violation) in out
    assert "2 of 2 times" in out
    assert main(["replay", str(path), "--times", "0"]) == 2
    assert main(["replay", str(tmp_path / "absent.json")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_an_engine_with_other_steps_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "it.json"
    write_replay(path, stored("log never synced"))
    assert main(["replay", str(path), "--json"]) == 2
    said = capsys.readouterr()
    assert "not reproduced: this engine takes other steps" in json.loads(said.out)["error"]
    recorded = stored("first frame only")
    v = recorded.violation
    for other in (
        replace(v, point=replace(v.point, number=9_999)),
        replace(v, prefix=9_999),
        replace(v, choice=(*v.choice, 0)),
    ):
        assert replay(replace(recorded, violation=other)).verdict == "other steps"
    assert replay(replace(recorded, older={"sector 77 of x": 0})).verdict == "other steps"


def test_files_that_are_damaged_or_foreign_are_refused(tmp_path: Path) -> None:
    good = stored("first frame only").as_document()
    path = tmp_path / "it.json"

    def refusal(document: Any) -> str:
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        with pytest.raises(ReplayError) as refused:
            read_replay(path)
        return str(refused.value)

    assert "not even JSON" in refusal("{")
    assert "not even JSON" in refusal("[" * 100_000)
    assert "no replay file" in refusal([1])
    assert "no replay file" in refusal({"verdict": "survived"})
    assert "another version" in refusal(good | {"format": "bazanite replay 2"})
    assert "nothing here repeats" in refusal(good | {"how": {"kind": "earthquake"}})
    assert "'sideways'" in refusal(good | {"profile": "sideways"})
    assert "less than 1" in refusal(good | {"sector": 0})
    assert "'prefix' is missing" in refusal(good | {"disk": {}})
    assert "must be numbers" in refusal(good | {"disk": good["disk"] | {"choice": ["x"]}})
    assert "no such step" in refusal(good | {"workload": good["workload"] | {"steps": [["x"]]}})
    assert "damaged" in refusal(good | {"workload": {"name": "x"}})
    assert "damaged" in refusal(good | {"tearing": {"torn": True, "burnt": True}})
    for key in good:
        if key != "story":
            assert str(path) in refusal({name: good[name] for name in good if name != key})
    path.write_text(json.dumps(good))
    assert read_replay(path).as_document() == good


def test_a_workload_that_means_nothing_is_no_failure(tmp_path: Path) -> None:
    good = stored("first frame only").as_document()
    workload = good["workload"] | {"steps": [["insert", "no such table", {}]]}
    with pytest.raises(ReplayError, match=r"no table .no such table."):
        replay(from_document(good | {"workload": workload}))
    path = tmp_path / "it.json"
    path.write_text(json.dumps(good | {"bugs": [999_999]}))
    with pytest.raises(ReplayError, match="no planted bug 999999"):
        replay_file(path)
    assert replay_file(path, plant=False).verdict == "survived"


@pytest.mark.usefixtures("faulty")
def test_the_first_of_each_rule_are_kept_under_names_of_their_own(tmp_path: Path) -> None:
    found = violations("equal frames")[:2]
    kept = list(keep_first([*found, *found], tmp_path))
    assert 0 < len(kept) <= len(found)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == sorted(p.name for one in kept for p in (one.file, one.test))
    again = keep(found[0], tmp_path / "deeper", "bug_6", bugs=(6,))
    assert read_replay(again.file).bugs == (6,)
    assert "bug 6" in again.test.read_text()


@pytest.mark.timeout(600)  # it explores three times; minutes on a busy machine
def test_explore_stores_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_short_one.py").write_text(
        "from bazanite_stress.explore.catalogue import WORKLOADS\nW = WORKLOADS['rows']\n"
    )
    monkeypatch.setattr(campaign, "plan", lambda *given: plan(*given)[:1])
    monkeypatch.chdir(tmp_path)
    FAULTS["first frame only"](monkeypatch.setattr)
    command = ["explore", "--workload", "a_short_one:W", "--jobs", "1"]
    assert main(command) == 1
    assert "With --out DIR" in capsys.readouterr().err
    assert main([*command, "--json", "--out", "failures"]) == 1
    said = capsys.readouterr()
    files = json.loads(said.out)["stored"]
    assert files
    assert f"bazanite replay {files[0]}" in said.err
    assert main(["replay", files[0]]) == 1
    (tmp_path / "file").write_text("")
    assert main([*command, "--out", "file"]) == 2


def test_every_simplification_is_a_workload_and_they_come_to_an_end() -> None:
    groups = Workload(
        "g", TABLES, [["lock", [["transaction", [CALLS["insert"]]]]], *CALLS.values()]
    )
    for workload in (groups, *WORKLOADS.values()):
        candidates = list(simpler(workload))
        assert candidates
        for candidate in candidates:
            Workload.from_json(json.loads(json.dumps(candidate.as_json())))
            assert candidate != workload
    smallest, steps = groups, 0
    while (smaller := next(iter(simpler(smallest)), None)) is not None and smaller != smallest:
        smallest, steps = smaller, steps + 1
    assert steps < 100
    assert api_calls(smallest) == 0


def test_a_kind_that_explores_finds_its_case_among_others() -> None:
    v = replace(stored("first frame only").violation, how={"kind": "kill", "sectors": (1, 2)})
    other = replace(v, how={"kind": "kill", "sectors": (1, 3)})
    found = chosen([other, v], v).violation
    assert found is not None
    assert found.how == {"kind": "kill", "sectors": [1, 2]}
    assert chosen([], v).violation is None
    with pytest.raises(OtherSteps, match="1 other violations"):
        chosen([other], v)


def test_a_moved_fault_is_found_by_the_generated_test(monkeypatch: pytest.MonkeyPatch) -> None:
    v = stored("first frame only").violation
    FAULTS["first frame only"](monkeypatch.setattr)
    text = broken_again(
        v.workload, profile=v.profile, sector=v.sector, rule=v.rule,
        point=replace(v.point, number=9_999), prefix=v.prefix, choice=v.choice, older={},
    )  # fmt: skip
    assert text.startswith("violation: ")
