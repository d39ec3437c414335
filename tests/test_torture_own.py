"""`bazanite torture --workload`: a workload of one's own survives kills; a loss would be told."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bazanite_stress.explore.model import Model
from bazanite_stress.explore.session import Session
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.torture.history import Pairs, read_pairs
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.judge import Snapshot
from bazanite_stress.torture.own_judge import Judgement, answer_of, judge
from bazanite_stress.torture.own_worker import repeat
from bazanite_stress.torture.report import Progress
from bazanite_stress.torture.settings import Settings
from bazanite_stress.torture.supervisor import torture

COMMAND = [sys.executable, "-m", "bazanite_tools", "torture"]
DEADLINE_SECONDS = 100

MODULE = """\
from dataclasses import replace
from bazanite_stress.explore.workload import Workload

TABLES = {"people": {"name": ["char", 8]}, "notes": {"who": ["fk", "people"], "text": ["text"]}}
ALL = Workload(
    "all",
    TABLES,
    setup=[["insert", "people", {"name": "Ada"}]],
    steps=[
        ["insert_many", "people", [{"name": "Bob"}, {"name": "Cy"}]],
        ["transaction", [
            ["insert", "notes", {"who": 1, "text": "x" * 900}],
            ["rollback", [["delete", "people", 1]]],
            ["update", "people", 1, {"name": "Ada L."}],
        ]],
        ["lock", [["update", "notes", 1, {"text": "short"}], ["update", "notes", 1, {"who": 2}]]],
        ["find", "notes", 1],
        ["rollback", [["insert", "notes", {"text": "never"}]]],
        ["checkpoint"],
        ["find", "notes", 999],
        ["insert", "notes", {"who": 999}],
        ["reopen"],
        ["transaction", [["insert", "notes", {}], ["delete", "notes", 2]]],
        ["truncate", "people", False],
        ["truncate", "notes", False],
        ["truncate", "people", True],
        ["insert", "people", {"name": "Ada"}],
        ["update", "people", 1, {"name": "Ada II"}],
    ],
)
MADE_UNDER_WAY = replace(ALL, name="made under way", setup=None, steps=[
    ["insert", "people", {"id": 1, "name": "Ada"}], *ALL.steps, ["truncate", "people", True],
], durability="normal")
OPTIONS = {"checksums": True, "powersafe_overwrite": False}
SUMMED = replace(ALL, name="summed", options=OPTIONS)
GROWING = Workload("growing", TABLES, [["insert_many", "people", [{"name": "x"}] * 700]])
TOO_LONG = Workload("too long", TABLES, [["insert", "people", {"name": "x" * 9}]])
FINDS = Workload("finds", TABLES, [["find", "people", 1]])
NO_STEPS = Workload("no steps", TABLES, [["lock", []]])
NO_TABLE = Workload("no table", TABLES, [["insert", "persons", {}]])
BAD_OPTION = replace(ALL, options={"log_size_bites": 8192})
BAD_VALUE = replace(ALL, options={"log_size_bytes": -1})
"""

# An engine that answers otherwise than the model, seen from the other side.
WRONG_MODEL = """\
from bazanite_stress.explore.model import Model
from mine import FINDS

Model._find = lambda *_: {"id": 1, "name": "Eve"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG_MODEL, encoding="utf-8")
    (tmp_path / "parent").mkdir()
    return tmp_path


def run(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    arguments = [*COMMAND, "--dir", str(folder / "parent"), *options]
    return subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        cwd=folder,
    )


# ---------------------------------------------------------------------------------- real kills


@pytest.mark.parametrize(
    "name, start_method, options, durability",
    [
        ("ALL", "fork", [], "full"),
        ("ALL", "spawn", ["--durability", "off"], "off"),
        ("MADE_UNDER_WAY", "fork", [], "normal"),
        ("SUMMED", "fork", [], "full"),
    ],
)
def test_no_kill_loses_what_ones_own_workload_had_acknowledged(
    name: str, start_method: str, options: list[str], durability: str, folder: Path
) -> None:
    options = [*options, "--start-method", start_method, "--seconds", "2.5", "--seed", "1"]
    done = run("--workload", f"mine:{name}", "--writers", "2", "--json", *options, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("seed 1\n")
    document = json.loads(done.stdout)
    assert (document["verdict"], document["violations"]) == ("survived", 0)
    assert (document["workload"], document["durability"]) == (f"mine:{name}", durability)
    kinds = (document["rounds_with_checksums"], document["rounds_with_whole_pages"])
    assert kinds == ((document["rounds"],) * 2 if name == "SUMMED" else (0, 0))
    assert document["kills"] >= 2
    assert document["recoveries"] >= 2
    assert document["operations"] > document["commits"] > 0
    assert document["directory"] is None
    assert f"--workload mine:{name}" in document["replay"]
    assert list((folder / "parent").iterdir()) == []


def test_the_documented_workload_survives_as_it_is_printed(folder: Path) -> None:
    page = Path(__file__).parent.parent / "docs" / "crash-model.md"
    code = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    (folder / "mine.py").write_text(code, encoding="utf-8")
    done = run("--workload", "mine:WORKLOAD", "--seconds", "1", "--writers", "2", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_workload_that_grows_begins_anew_at_times(folder: Path) -> None:
    done = run("--workload", "mine:GROWING", "--seconds", "2.5", "--writers", "2", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "workload          mine:GROWING" in done.stdout
    assert "loaded" not in done.stdout


def test_an_answer_that_is_not_the_models_is_a_violation(folder: Path) -> None:
    done = run("--workload", "wrong:FINDS", "--seconds", "1", "--json", folder=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "lost"
    violation = document["first_violations"][0]
    assert violation["what"] == "wrong answer"
    assert "Eve" in violation["expected"]
    assert "Eve" not in violation["found"]
    kept = Path(document["directory"])
    assert json.loads((kept / "violations.json").read_text())
    assert (kept / "killed" / "people.dat").is_file()
    assert (kept / "recovered" / "people.dat").is_file()
    assert list(kept.glob("*.journal"))
    assert "replay  bazanite torture --seed" in done.stderr
    assert "--workload wrong:FINDS" in done.stderr


def test_an_engine_that_only_says_it_did_it_is_found_out(tmp_path: Path) -> None:
    """The control: a run with an engine that acknowledges updates and forgets them."""
    workload = Workload(
        "forgotten",
        {"t": {"n": ["int"]}},
        [["update", "t", 1, {"n": 1}], ["update", "t", 1, {"n": 2}]],
        setup=[["insert", "t", {"n": 0}]],
    )
    perform = Session.perform

    def pretend(session: Session, step: Step) -> Any:
        return {"id": 1, **step[3]} if step[0] == "update" else perform(session, step)

    settings = Settings(seed=1, seconds=0.5, writers=1, parent=tmp_path, workload=workload)
    with mock.patch.object(Session, "perform", pretend):
        tally = torture(settings, Progress(io.StringIO()))
    assert tally.verdict == "lost"
    assert {violation.what for violation in tally.violations} == {"lost acknowledged operation"}
    assert tally.directory is not None


def test_writers_that_end_by_themselves_again_and_again_get_on(tmp_path: Path) -> None:
    """Each of these ends after 2,000 quick calls; its successor was asked for more than these."""
    workload = Workload("finds", {"t": {"n": ["int"]}}, [["find", "t", 1]])
    settings = Settings(
        seed=1, seconds=0.5, writers=2, parent=tmp_path, workload=workload, stuck_seconds=10
    )
    tally = torture(settings, Progress(io.StringIO()))
    assert tally.violations == []
    assert tally.operations > 4_000


# ---------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "options, why",
    [
        (["--workload", "mine:ALL", "--load", "mine.py"], "--workload and --load exclude"),
        (["--workload", "mine:ALL", "--engine", "bazoola"], "--engine bazoola exclude each other"),
        (["--workload", "mine:ALL", "--checksums", "1"], "its own options say it"),
        (["--workload", "mine:ALL", "--whole-pages", "0"], "its own options say it"),
        (["--workload", "mine"], "named as module:name"),
        (["--workload", "mine:TABLES"], "not a Workload"),
        (["--workload", "mine:NO_STEPS"], "it has no steps"),
        (["--workload", "mine:NO_TABLE"], "no table 'persons'"),
        (["--workload", "mine:TOO_LONG"], "'name': The value is too long"),
        (["--workload", "mine:BAD_OPTION"], "log_size_bites"),
        (["--workload", "mine:BAD_VALUE"], "log_size_bytes"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_left(
    options: list[str], why: str, folder: Path
) -> None:
    done = run(*options, folder=folder)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert list((folder / "parent").iterdir()) == []


# ---------------------------------------------------------------------------------- the writer


def test_a_writer_begins_where_the_last_one_ended_and_tells_each_call(tmp_path: Path) -> None:
    steps: list[Step] = [
        ["insert", "t", {"n": 1}],
        ["lock", [["update", "t", 9, {"n": 2}], ["find", "t", 1]]],
    ]
    journal = Journal(tmp_path / "journal", create=True)
    repeat(
        {
            "workload": Workload("w", {"t": {"n": ["int"]}}, steps),
            "durability": "off",
            "directory": tmp_path / "data",
            "journal": journal.path,
            "first": 2,
            "limit": 5,
        }
    )
    pairs = read_pairs(journal.records())
    journal.close()
    assert pairs.opened
    assert pairs.in_flight is None
    assert [intent["call"] for intent, _ in pairs.answered] == [2, 0, 1, 2, 0]
    shown = [answer["shown"] for _, answer in pairs.answered]
    assert shown[:2] == ["None", "{'id': 1, 'n': 1}"]
    assert shown[2].startswith("NotFoundError")
    assert shown[3] == shown[1]


# ---------------------------------------------------------------------------------- the judge

STEPS: list[Step] = [
    ["insert", "t", {"n": 1}],
    ["transaction", [["insert", "t", {"n": 2}], ["update", "t", 1, {"n": 3}]]],
    ["transaction", [["insert", "t", {"n": 4}], ["delete", "t", 3]]],
    ["delete", "t", 99],
]


def after(count: int) -> Model:
    """The model after so many of the steps."""
    model = Model({"t": {"n": ["int"]}})
    for step in STEPS[:count]:
        model.answer(step)
    return model


def life(acknowledged: int, in_flight: int | None = None) -> Pairs:
    """The journal of a writer that did the first steps."""
    pairs = Pairs(opened=True)
    model = after(0)
    for call, step in enumerate(STEPS[:acknowledged]):
        intent = {"token": str(call), "kind": step[0], "call": call}
        pairs.answered.append((intent, {"token": str(call), **answer_of(*model.answer(step))}))
    if in_flight is not None:
        pairs.in_flight = {"token": "0", "kind": STEPS[in_flight][0], "call": in_flight}
    return pairs


def seen(rows: dict[int, int], next_id: int) -> Snapshot:
    return Snapshot(
        {"t": [{"id": number, "n": value} for number, value in rows.items()]},
        next_ids={"t": next_id},
    )


def verdict(pairs: Pairs, snapshot: Snapshot) -> Judgement:
    return judge(STEPS, after(0), 0, pairs, snapshot)


def whats(judgement: Judgement) -> Sequence[str]:
    return [finding.what for finding in judgement.findings]


def test_what_was_acknowledged_and_is_there_is_right() -> None:
    judgement = verdict(life(4), seen({1: 3, 2: 2}, 4))
    assert judgement.findings == []
    assert (judgement.next_call, judgement.commits) == (0, 3)
    assert judgement.model.content() == after(4).content()


def test_a_writer_that_did_nothing_leaves_its_place_to_the_next() -> None:
    judgement = judge(STEPS, after(1), 1, Pairs(), seen({1: 1}, 2))
    assert (judgement.findings, judgement.next_call, judgement.commits) == ([], 1, 0)


@pytest.mark.parametrize(
    "rows, next_id, next_call",
    [({1: 1}, 2, 1), ({1: 3, 2: 2}, 3, 2)],
    ids=["it did not happen", "it did"],
)
def test_the_call_in_flight_happened_or_not(
    rows: dict[int, int], next_id: int, next_call: int
) -> None:
    judgement = verdict(life(1, in_flight=1), seen(rows, next_id))
    assert (judgement.findings, judgement.next_call) == ([], next_call)
    assert judgement.model.content() == after(next_call).content()


@pytest.mark.parametrize("next_id, next_call", [(3, 2), (4, 3)])
def test_the_next_id_tells_what_equal_rows_do_not(next_id: int, next_call: int) -> None:
    judgement = verdict(life(2, in_flight=2), seen({1: 3, 2: 2}, next_id))
    assert (judgement.findings, judgement.next_call) == ([], next_call)
    assert judgement.model.next_ids() == {"t": next_id}


def test_the_right_rows_with_a_wrong_next_id_are_wrong() -> None:
    assert whats(verdict(life(2), seen({1: 3, 2: 2}, 7))) == ["wrong next id"]


@pytest.mark.parametrize("in_flight", [None, 2])
def test_an_acknowledged_call_that_is_missing_is_lost(in_flight: int | None) -> None:
    judgement = verdict(life(2, in_flight), seen({1: 1}, 2))
    assert whats(judgement) == ["lost acknowledged operation"]
    assert "transaction" in judgement.findings[0].expected
    assert "of 2 the last 1 are lost" in judgement.findings[0].found


@pytest.mark.parametrize("rows", [{1: 1, 2: 2}, {1: 3}])
def test_half_of_what_was_in_flight_is_a_violation(rows: dict[int, int]) -> None:
    judgement = verdict(life(1, in_flight=1), seen(rows, 3))
    assert whats(judgement) == ["half transaction"]
    assert "done: t " in judgement.findings[0].found
    assert "not done: t " in judgement.findings[0].found


@pytest.mark.parametrize(
    "rows, where",
    [({1: 3, 2: 5}, "t 2"), ({1: 3, 2: 2, 8: 8}, "t 8"), ({2: 2}, "t 1")],
    ids=["changed", "stray", "gone"],
)
def test_a_row_that_nobody_made_is_told(rows: dict[int, int], where: str) -> None:
    judgement = verdict(life(2), seen(rows, 3))
    assert whats(judgement) == ["wrong row"]
    assert judgement.findings[0].expected.startswith(where)


def test_a_wrong_answer_is_a_violation_even_if_the_rows_are_right() -> None:
    pairs = life(2)
    pairs.answered[0][1].update(answer_of({"id": 1, "n": 2}))
    judgement = verdict(pairs, seen({1: 3, 2: 2}, 3))
    assert whats(judgement) == ["wrong answer"]
    assert judgement.findings[0].found == "{'id': 1, 'n': 2}"


def test_a_row_twice_a_failed_check_and_what_cannot_be_read_are_violations() -> None:
    snapshot = seen({1: 1}, 2)
    snapshot.rows["t"] *= 2
    snapshot.problems.append("t.dat: damaged")
    assert whats(verdict(life(1), snapshot)) == ["check", "duplicate row"]
    snapshot.errors.append("open: CorruptError")
    assert "unreadable" in whats(verdict(life(1), snapshot))


def test_equal_answers_have_equal_digests() -> None:
    rows = [{"id": n, "text": "ä" * 500} for n in range(50)]
    assert answer_of(rows) == answer_of([dict(reversed(row.items())) for row in rows]) | {
        "shown": answer_of(rows)["shown"]
    }
    assert answer_of(rows)["digest"] != answer_of(rows[1:])["digest"]
    assert answer_of(None)["digest"] != answer_of(None, "ValueError")["digest"]
    assert answer_of(None, "ValueError", "a")["digest"] == answer_of(None, "ValueError")["digest"]
    assert len(json.dumps(answer_of(rows))) < 2_000
