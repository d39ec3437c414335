"""The planted bugs: all there, all still fitting the engine; the detectors are not blind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.explore.again import OtherSteps, again
from bazanite_stress.explore.minimise import calls_of, sectors_of
from bazanite_stress.explore.replay import read_replay
from bazanite_stress.explore.shrink import simpler
from bazanite_stress.explore.workload import Step
from bazanite_stress.mutants import campaign as campaign_module
from bazanite_stress.mutants import errors, interleaved, nested
from bazanite_stress.mutants.bug import LETTERS, Bug, Patch
from bazanite_stress.mutants.campaign import (
    MOST_CALLS,
    MOST_SECTORS,
    Campaign,
    Kill,
    Result,
    Stored,
    judge,
    run,
)
from bazanite_stress.mutants.detectors import seen
from bazanite_stress.mutants.looking import Caught, Looking
from bazanite_stress.mutants.planted import BUGS
from bazanite_stress.mutants.planting import MARKER, PlantingError, apply, module_source, plant
from bazanite_stress.mutants.scene import Scene, origins_of
from bazanite_stress.mutants.session import Session
from bazanite_stress.mutants.with_bugs import failure_of
from bazanite_stress.mutants.workloads import ALL
from bazanite_tools.cli import main

PAGE = Path(__file__).resolve().parent.parent / "docs" / "planted-bugs.md"
each_bug = pytest.mark.parametrize("bug", BUGS.values(), ids=lambda bug: f"{bug.number}")
HARMLESS = Patch("bazanite_wal.io", "    while rest:\n", "    while __planted__(rest):\n")
NEVER_RUN = Patch(
    "bazanite_wal.io",
    '            raise OSError(errno.ENOSPC, "the system wrote nothing',
    '            raise __planted__(OSError)(errno.ENOSPC, "the system wrote nothing',
)


def planted_in_a_child(*patches: Patch) -> Bug:
    """A bug that is on no page."""
    return Bug(99, "a bug", "I", patches)


@each_bug
def test_every_patch_fits_the_engine(bug: Bug) -> None:
    sources: dict[str, str] = {}
    for patch in bug.patches:
        source = sources.get(patch.module) or module_source(patch.module)
        sources[patch.module] = apply(source, [patch])
    for module, source in sources.items():
        compile(source, module, "exec")
    assert any(MARKER in source for source in sources.values())


@each_bug
def test_what_a_bug_says_of_itself_is_complete(bug: Bug) -> None:
    assert bug.detectors
    assert set(bug.detectors) <= set(LETTERS)
    assert not (bug.pending and bug.equivalent)
    assert not bug.equivalent or bug.pairs
    assert set(bug.pairs) <= set(BUGS)
    assert set(bug.workloads) <= set(ALL)
    assert set(bug.programs) <= set(PROGRAMS)


def test_what_is_planted_names_nothing_that_its_module_lacks(tmp_path: Path) -> None:
    """A module no longer imported what one bug used: it raised before it did any harm."""
    for bug in BUGS.values():
        for module in {patch.module for patch in bug.patches}:
            patches = [patch for patch in bug.patches if patch.module == module]
            path = tmp_path / f"{bug.number}_{module.replace('.', '_')}.py"
            path.write_text(apply(module_source(module), patches))
    linter = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821"]
    known = ["--config", f'builtins = ["{MARKER}"]']
    done = subprocess.run([*linter, *known, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_lists_the_same_bugs() -> None:
    row = re.compile(r"^\| (\d+) \| (.+?) \| ([A-Z ]+) \|$", re.MULTILINE)
    cells = row.findall(PAGE.read_text("utf-8"))
    page = {int(number): (title, letters.replace(" ", "")) for number, title, letters in cells}
    assert page == {n: (bug.title, bug.detectors) for n, bug in BUGS.items()}
    assert sorted(page) == list(range(1, len(BUGS) + 1))


def test_no_bug_is_pending() -> None:
    assert [number for number, bug in BUGS.items() if bug.pending] == []


def test_a_text_that_is_not_there_once_is_an_error() -> None:
    with pytest.raises(PlantingError, match="found 0 times"):
        apply("x = 1\n", [Patch("m", "y = 1", "y = 2")])
    with pytest.raises(PlantingError, match="found 2 times"):
        apply("x = 1\nx = 1\n", [Patch("m", "x = 1", "x = 2")])


def test_an_imported_engine_is_too_late_to_plant_in() -> None:
    with pytest.raises(PlantingError, match="imported already"):
        plant(planted_in_a_child(HARMLESS))
    with pytest.raises(PlantingError, match="nothing tells whether it ran"):
        plant(planted_in_a_child(replace(HARMLESS, new="    while rest:  #\n")))


@pytest.mark.parametrize("letter", "TIL")
def test_the_quick_detectors_see_nothing_in_an_engine_without_bugs(letter: str) -> None:
    assert ask([], [[letter, None]])["findings"] == []


@pytest.mark.parametrize("letter", "PENKC")
def test_the_others_see_nothing_in_their_first_states(letter: str) -> None:
    answer = ask([], [[letter, 700]])
    assert answer["findings"] == []
    assert answer["looked"][letter] > 100


def ask(bugs: list[int], rounds: list[list[object]], **more: str) -> dict[str, Any]:
    request = json.dumps({"bugs": bugs, "rounds": rounds, "stop": True} | more)
    command = [sys.executable, "-m", "bazanite_stress.mutants.child", request]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "broken" not in answer
    return answer


CHEAP = (
    2, 3, 5, 7, 8, 10, 12, 16, 22, 25, 30, 34, 37, 38, 39, 41, 42, 43, 46, 52, 56,
    61, 62, 63, 64, 67, 69, 72, 74, 75, 76, 77, 78, 79,
)  # fmt: skip


@pytest.mark.parametrize("number", CHEAP)
def test_a_planted_bug_is_caught(number: int) -> None:
    result = judge(BUGS[number])
    assert result.verdict == "killed", result
    assert result.kills[0].rule
    assert result.kills[0].stored is None


def test_the_command_prints_one_document_and_saves_what_it_caught(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mutants", "--only", "2,38", "--json", "--jobs", "2", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    counts = [document[name] for name in ("planted", "killed", "equivalent", "pending")]
    assert counts == [2, 2, 0, 0]
    assert document["equivalent_bugs"] == document["pending_bugs"] == []
    assert document["survivors"] == []
    assert document["states_to_kill_median"] >= 1
    assert len(err.splitlines()) == 2
    stored, locks = (kill["stored"] for bug in document["bugs"] for kill in bug["kills"])
    assert stored["file"] == str(tmp_path / "bug_02.json")
    assert locks["file"] == str(tmp_path / "bug_38_l.json")
    assert stored["calls"] <= 10
    assert stored["sectors"] <= 3
    assert document["too_large"] == []


STORED = {
    "bug_02": 2,
    "bug_21": 21,
    "bug_48": 48,
    "bug_03_t": 3,
    "bug_08_i": 8,
    "bug_25_e": 25,
    "bug_33_c": 33,
    "bug_38_l": 38,
    "bug_46_n": 46,
    "bug_60_k": 60,
}
"""Some of each letter.  Bug 48: the engine refuses its own work."""


@pytest.mark.parametrize("name", STORED)
def test_a_kill_is_made_small_and_its_test_fails_with_the_bug_alone(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bug 21 goes through a set: its disk was another one in each process, by the hashes' seed."""
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    number = STORED[name]
    assert main(["mutants", "--only", str(number), "--out", str(tmp_path / "kills")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"; [A-Z] stored: \d+ calls?, \d sector", out)
    assert "still larger" not in out
    path = tmp_path / "kills" / f"{name}.json"
    recorded = read_replay(path)
    assert recorded.bugs == (number,)
    assert calls_of(recorded.violation) <= MOST_CALLS
    assert sectors_of(recorded.violation) <= MOST_SECTORS
    assert recorded.violation.expected
    assert main(["replay", "--times", "3", "--json", str(path)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["identical"]) == ("violated", 3)
    assert main(["replay", "--without-bugs", str(path)]) in (0, 2)
    said = capsys.readouterr()
    assert said.out.startswith("survived") or "explored anew, survives" in said.err
    generated: dict[str, Any] = {"__file__": str(path.with_name(f"test_{name}.py"))}
    exec(compile(Path(generated["__file__"]).read_text(), "it.py", "exec"), generated)
    generated[f"test_{name}"]()
    generated[f"test_{name}_fails_with_the_bug"]()


SCHEDULED = (35, 51, 55, 73)


@pytest.mark.parametrize("number", SCHEDULED)
def test_a_schedule_shows_the_bug_and_is_the_same_100_times(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kill,) = ask([number], [["C", None]], way="schedule", out=str(tmp_path))["findings"]
    assert kill["way"] == "schedule"
    assert kill["stored"]["calls"] <= MOST_CALLS
    path = tmp_path / f"bug_{number}_c_schedule.json"
    assert read_replay(path).bugs == (number,)
    assert main(["replay", "--times", "100", "--json", str(path)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["identical"]) == ("violated", 100)
    assert main(["replay", "--without-bugs", str(path)]) == 0


def test_a_test_that_does_not_fail_with_the_bug_says_so(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("import bazanite\n\ndef test_it():\n    assert bazanite\n")
    with pytest.raises(RuntimeError, match="never ran"):
        failure_of(str(path), "test_it", bugs=(2,))
    path.write_text(
        "import bazanite\n\n"
        "class Rows(bazanite.Table):\n    name = 'rows'\n"
        "    schema = bazanite.Schema([bazanite.Field('id', bazanite.PK())])\n\n"
        "def test_it(tmp_path):\n    bazanite.DB([Rows], str(tmp_path / 'd')).close()\n"
    )
    assert failure_of(str(path), "test_it", bugs=(16,)) == ""
    with pytest.raises(RuntimeError, match=r"not found: .*::test_other"):
        failure_of(str(path), "test_other", bugs=(16,))


@pytest.mark.parametrize("scene", [*interleaved.scenes(())], ids=lambda scene: scene.part)
def test_each_scene_of_several_processes_is_played_to_its_end(scene: Scene) -> None:
    ends = {
        "turns": "read by third",
        "reads": "find by reader within truncate, before write_at t__seqnum.dat",
        "sync": "all killed after read",
    }
    met: list[str] = []

    class Noting(Looking):
        def moment(self, case: Any, number: int, what: str) -> bool:
            met.append(what)
            return super().moment(case, number, what)

    assert seen(scene, Noting()) is None
    assert met[-1] == ends[scene.part]
    assert ("the leader syncs" in met) == (scene.part == "sync")
    assert any(what.startswith("find by reader within") for what in met) == (scene.part == "reads")


def test_a_smaller_workload_keeps_who_does_what() -> None:
    (scene, *_) = nested.scenes(("rows",))
    steps = scene.workload.steps
    assert scene.by == ("writer",) * 4 + ("next",) * 2
    assert origins_of([steps[0], *steps[3:]], steps) == [0, 3, 4, 5]
    assert origins_of(steps[:2], steps) == [0, 1]
    assert origins_of([], steps) == []
    for smaller in simpler(scene.workload):
        made = scene.with_workload(smaller)
        assert len(made.by) == len(smaller.steps)
        assert [*made.by] == sorted(made.by, reverse=True)
    opened: list[Step] = [["transaction", steps[:2]], ["read"]]
    assert origins_of([*steps[:2], ["read"]], opened) == [0, 0, 1]


def test_a_case_that_an_engine_never_comes_to_is_another_step() -> None:
    """What is recorded of it is changed, and each time the sound engine says what it met."""
    (scene, *_) = errors.scenes(())
    session = Session(scene, Looking(), {"fault": "short", "step": 0, "call": 2})
    with pytest.raises(Caught) as caught:
        session.verdict("insert by writer", "nothing", "a rule")
    v = caught.value.violation
    operation = "write_at wal.log"
    here = replace(
        v,
        how=v.how | {"operation": operation},
        point=replace(v.point, number=3, what="insert by writer"),
    )
    assert again(here).violation is None
    for other, text in (
        (replace(here, how=here.how | {"call": 999}), "never comes to that moment"),
        (replace(here, how=here.how | {"operation": "sync wal.log"}), "never comes"),
        (replace(here, point=replace(here.point, what="power cut")), "moment 3 is another one"),
        (replace(here, point=replace(here.point, number=999)), "never comes to that moment"),
    ):
        with pytest.raises(OtherSteps, match=text):
            again(other)


def test_what_is_not_stored_or_is_still_large_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kills = iter([Stored(file="large.json", calls=11, sectors=1), Stored(problem="no disk")])
    letters = iter("KP")

    def attempt(bug: Bug, *_: object) -> Result:
        return Result(bug, "killed", [Kill(next(letters), "a rule", 9, 0.1, stored=next(kills))])

    monkeypatch.setattr(campaign_module, "_attempt", attempt)
    assert main(["mutants", "--only", "1,2", "--jobs", "1", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "K stored: 11 calls, 1 sector\n" in out
    assert "P not stored: no disk\n" in out
    assert "still larger than 10 calls and 3 sectors: large.json\n" in out
    (tmp_path / "file").write_text("")
    assert main(["mutants", "--only", "1", "--out", str(tmp_path / "file")]) == 2


def test_the_command_prints_the_kill_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "--only", "25"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^ 25 short write not continued .* x .* E, \d+ states", out, re.MULTILINE)
    assert "survived   none" in out


@pytest.mark.parametrize("numbers", ["0", "1000", "2,x", ""])
def test_a_bug_that_does_not_exist_is_wrong_usage(numbers: str) -> None:
    assert main(["mutants", "--only", numbers]) == 2


def test_a_survivor_is_told_by_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        campaign_module, "_attempt", lambda bug, *_, **__: Result(bug, "survived", looked={"P": 9})
    )
    assert main(["mutants", "--only", "1"]) == 1
    monkeypatch.setitem(BUGS, 41, replace(BUGS[41], pending="needs what is not there"))
    assert main(["mutants", "--only", "41"]) == 0
    assert judge(replace(BUGS[1], equivalent="it is", pairs=(2,))).verdict == "survived"


def test_an_equivalent_bug_must_be_caught_in_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(bug: Bug, numbers: tuple[int, ...], *_: object, **__: object) -> Result:
        return Result(bug, "killed" if numbers == (11, 53) else "survived")

    monkeypatch.setattr(campaign_module, "_attempt", attempt)
    bug = replace(BUGS[11], equivalent="another defence", pairs=(53,))
    result = judge(bug)
    assert (result.verdict, result.pair) == ("equivalent", 53)
    document = run([bug], 1, lambda _: None).as_document()
    assert (document["equivalent"], document["equivalent_bugs"]) == (1, [11])
    assert (document["killed"], document["pending"], document["pending_bugs"]) == (0, 0, [])


def test_a_bug_that_does_not_fit_or_never_runs_breaks_the_harness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter(['{"broken": "found 0 times", "seconds": 0}', "", "no JSON"])

    def no_child(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, next(answers), "Traceback")

    monkeypatch.setattr(subprocess, "run", no_child)
    campaign: Campaign = run([BUGS[1], BUGS[2], BUGS[3]], 1, lambda _: None)
    assert campaign.numbers("harness broken") == [1, 2, 3]
    assert not campaign.passed
    assert campaign.as_document()["broken"][0].endswith("found 0 times")


def test_a_bug_that_never_runs_is_told_by_its_process() -> None:
    program = (
        "from bazanite_stress.mutants import child, planted\n"
        "from bazanite_stress.mutants.bug import Bug, Patch\n"
        f"planted.BUGS[99] = Bug(99, 'a bug', 'T', ({NEVER_RUN!r},))\n"
        'child.main(\'{"bugs": [99], "rounds": [["T", null]], "stop": true}\')\n'
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert json.loads(done.stdout)["broken"] == "the planted code never ran"
