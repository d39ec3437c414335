"""The load command, as it is called: its verdict, what it finds, what it refuses."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bazanite import DB
from bazanite_demo.load.__main__ import main
from bazanite_demo.load.browser import Browser
from bazanite_demo.load.client import Client
from bazanite_demo.load.killer import children
from bazanite_demo.load.look import Look
from bazanite_demo.load.report import Progress, Result, as_table
from bazanite_demo.load.scene import Place, Scene, Settings
from bazanite_demo.load.served import NotServed, Served
from bazanite_demo.load.verdict import Problem
from bazanite_stress.torture.stopping import Stopping

COMMAND = [sys.executable, "-m", "bazanite_demo.load"]
LONGEST_SECONDS = 100


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


def load(*args: object, until: str | None = None) -> Ended:
    """Run it; interrupt it when its progress has this text."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # SIGTERM and not SIGKILL: it stops its server.
    alarm = threading.Timer(LONGEST_SECONDS, process.terminate)
    alarm.start()
    try:
        assert process.stderr is not None
        lines = []
        if until is not None:
            for line in process.stderr:
                lines.append(line)
                if until in line:
                    process.send_signal(signal.SIGINT)
                    break
        out, err = process.communicate()
    finally:
        alarm.cancel()
    return Ended(process.returncode, out, "".join(lines) + err)


MakeClient = Callable[[Scene, Place], Client]


@pytest.fixture
def clients() -> Iterator[MakeClient]:
    browsers: list[Browser] = []

    def make(scene: Scene, place: Place) -> Client:
        browsers.append(scene.browser())
        return Client(
            5, browsers[-1], scene.book, scene.figures, Random(1),
            run=place.run, project=place.project, shared=place.shared,
            meeting=threading.Barrier(1),
        )  # fmt: skip

    yield make
    for browser in browsers:
        browser.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, workers=2)
    stopped = False
    try:
        yield served
        stopped = True
    finally:
        status = served.stop()
    assert stopped
    assert status == 0
    assert served.traces() == []


def test_killed_workers_lose_nothing(tmp_path: Path) -> None:
    ended = load(
        "--seconds", 3, "--kills-every", 0.6, "--clients", 6, "--dir", tmp_path, "--json"
    )  # fmt: skip
    document = ended.document
    shown = f"{ended.out}\n{ended.err}"
    assert document["verdict"] == "nothing lost", shown
    assert ended.status == 0, shown
    assert document["kills"] >= 5
    assert document["checks"] == document["checks_whole"] == document["kills"]
    assert document["errors"] == document["problems"] == 0
    assert document["acknowledged"] > 0
    assert document["read_ms"]["p99"] > 0
    assert document["write_ms"]["p99"] > 0
    assert document["server_exit_status"] == 0
    assert document["directory"] is None
    assert list(tmp_path.iterdir()) == []
    assert f"seed {document['seed']}" in ended.err


def test_ctrl_c_ends_it_early_and_the_verdict_comes_all_the_same(tmp_path: Path) -> None:
    ended = load(
        "--seconds", 600, "--kills-every", 0, "--clients", 2, "--dir", tmp_path, "--json",
        until=" s  kills ",
    )  # fmt: skip
    document = ended.document
    shown = f"{ended.out}\n{ended.err}"
    assert (ended.status, document["verdict"]) == (130, "nothing lost"), shown
    assert document["interrupted"]
    assert document["compared"]
    assert document["server_exit_status"] == 0
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_before_there_is_anything_to_judge_is_no_failure(tmp_path: Path) -> None:
    ended = load("--seconds", 600, "--clients", 2, "--dir", tmp_path, "--json", until=", data in ")
    document = ended.document
    shown = f"{ended.out}\n{ended.err}"
    assert (ended.status, document["verdict"]) == (130, "not measured"), shown
    assert document["interrupted"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "interrupted,acknowledged,problems,status",
    [(True, 1, 0, 130), (True, 0, 0, 130), (True, 1, 1, 1), (False, 0, 0, 1), (False, 1, 0, 0)],
)
def test_the_exit_status_tells_a_loss_from_an_early_end(
    interrupted: bool, acknowledged: int, problems: int, status: int
) -> None:
    result = Result(1, "", 1, 1, 0, interrupted=interrupted, compared=True)
    for number in range(acknowledged):
        result.book.acknowledge(result.book.begin("task", f"Traffic {number}"), number)
    result.figures.found([Problem("lost", "a task")] * problems)
    assert result.status == status


def test_a_server_that_runs_already_is_left_as_it_was(served: Served) -> None:
    address = served.address()
    with DB.open(served.tables, read_only=True) as db:
        before = {name: db.find(name) for name in ("users", "projects", "tasks", "comments")}
        ended = load("--seconds", 1, "--clients", 4, "--url", address, "--json")
        document = ended.document
        assert document["verdict"] == "nothing lost", f"{ended.out}\n{ended.err}"
        assert ended.status == 0
        assert document["compared"]
        assert document["kills"] == 0
        assert document["acknowledged"] > 1
        assert {name: db.find(name) for name in before} == before


def test_workers_that_others_kill_are_errors(served: Served, clients: MakeClient) -> None:
    """No kill of ours excuses them."""
    address = served.address()
    scene, place = _scene(served, address)
    client = clients(scene, place)
    while len(workers := children(served.master)) < 2:  # the first one answers already
        pass
    (first, second) = sorted(workers)
    assert client.step()
    for pid in (first, second):
        with subprocess.Popen(["kill", "-9", str(pid)]) as kill:
            assert kill.wait() == 0
    while {first, second} & children(served.master):
        pass
    assert not client.step()
    assert scene.figures.error_count == 1
    assert "was not killed" in scene.figures.errors[0]


def test_what_goes_behind_its_back_is_reported(served: Served, clients: MakeClient) -> None:
    scene, place = _scene(served, served.address())
    client = clients(scene, place)
    with DB.open(served.tables) as db:
        look = Look(db, scene, place, {})
        look.problems()
        look = Look(db, scene, place, look.found.others)
        while len(look.found.tasks) < 4 or not look.found.comments:
            assert client.step(), scene.figures.errors
            assert look.problems() == []
        task, *_ = (
            row
            for row in look.found.tasks
            if all(comment["task"] != row["id"] for comment in look.found.comments)
        )
        title = task["title"]
        db.update_by_id("tasks", task["id"], {"description": "Something else."})
        assert [problem.kind for problem in look.problems()] == ["changed"]
        db.update_by_id("users", 1, {"name": "Somebody else"})
        assert [problem.kind for problem in look.problems()] == ["changed", "changed"]
        db.delete_by_id("tasks", task["id"])
        lost, _ = look.problems()
        assert str(lost) == f"lost: task {title!r} is not there"
        db.delete_by_id("comments", look.found.comments[0]["id"])
        problems = look.problems()
    assert sorted(problem.kind for problem in problems) == ["changed", "lost", "lost"]
    scene.figures.found(problems)
    assert _result(scene).verdict == "LOST: 1 changed, 2 lost"


def _scene(served: Served, address: str) -> tuple[Scene, Place]:
    result = Result(seed=1, address=address, clients=1, workers=2, kills_wanted=0)
    settings = Settings(seconds=1.0, clients=1, kills_every=0.0, seed=1)
    scene = Scene(settings, address, result)
    return scene, scene.prepare()


def _result(scene: Scene) -> Result:
    result = Result(1, "", 1, 1, 0, scene.figures, scene.book)
    result.compared = True
    return result


def test_a_killer_that_fails_ends_the_run_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(str(args.exc_value)))
    result = Result(seed=1, address="", clients=1, workers=1, kills_wanted=9)
    settings = Settings(seconds=900.0, clients=1, kills_every=0.01, seed=1)
    scene = Scene(settings, "http://127.0.0.1:9", result)
    scene.start_killer(_fail, lambda: None)
    with Stopping() as stopping:
        scene.last(Progress(io.StringIO()), stopping)
    assert result.verdict == "errors"
    assert result.figures.errors == ["the killer ended: RuntimeError('no killer')"]
    assert told == ["no killer"]


def _fail() -> bool:
    raise RuntimeError("no killer")


def test_nothing_is_fine_unless_it_was_measured() -> None:
    result = Result(seed=1, address="", clients=1, workers=4, kills_wanted=2)
    result.compared = True
    assert result.verdict == "not measured"  # nothing was written
    result.book.acknowledge(result.book.begin("task", "Traffic 0-1"), 1)
    assert result.verdict == "not measured"  # nobody was killed
    for when in (1.0, 2.0):
        result.figures.killed(when)
    assert result.verdict == "nothing lost"
    result.compared = False
    assert result.verdict == "not measured"
    result.figures.error("GET /: 500")
    assert result.verdict == "errors"
    assert not result.fine
    assert "GET /: 500" in as_table(result)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no directory")
    served = Served(tmp_path, workers=1)
    try:
        with pytest.raises(NotServed, match="is not a directory"):
            served.address()
    finally:
        served.stop()


@pytest.mark.parametrize(
    "args,message",
    [
        (["--clients", "0"], "--clients must be from 1 to"),
        (["--workers", "0"], "--workers must be 1 or more"),
        (["--seconds", "0"], "must be above 0"),
        (["--kills-every", "-1"], "must be 0 or more"),
        (["--seconds", "1", "--kills-every", "5"], "nobody would be killed"),
        (["--dir", "/nowhere/at/all"], "is no directory"),
        (["--url", "http://192.0.2.1:8000"], "192.0.2.1 is not this machine"),
        (["--url", "http://example.org"], "example.org is not this machine"),
        (["--url", "http://127.0.0.1.example.org"], "is not this machine"),
        (["--url", "http://127.0.0.1@192.0.2.1/"], "192.0.2.1 is not this machine"),
        (["--url", "https://127.0.0.1:1"], "--url must be as"),
        (["--url", "http://127.0.0.1:70000"], "--url: "),
        (["--url", "http://127.0.0.1:1/tasks"], "--url must be as"),
        (["--url", "http://127.0.0.1:1", "--kills-every", "1"], "are not killed"),
        (["--url", "http://127.0.0.1:1", "--dir", "."], "no data directory"),
    ],
)
def test_misuse_is_told(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""


def test_a_server_that_is_not_there_is_told() -> None:
    ended = load("--url", "http://127.0.0.1:9", "--seconds", 1)
    assert ended.status == 1
    assert "cannot connect" in ended.err
    assert "Traceback" not in ended.err
