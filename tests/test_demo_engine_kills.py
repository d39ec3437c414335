"""The engine room of a demo that is served: what it shows, and what is left of a killed worker."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB
from bazanite_demo.engine_room.jobs import torture, traffic
from bazanite_demo.engine_room.moments import MOMENTS
from engine_room_support import SECONDS, Browser, Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("room")) as server:
        yield server


def test_the_stream_tells_of_workers_lock_log_and_commits(server: Server) -> None:
    with server.events() as events:
        first = next(events)
        assert [worker["name"] for worker in first["workers"]] == ["worker 1", "worker 2"]
        assert {"holder", "waiting", "longest_ms"} <= first["lock"].keys()
        assert first["log"]["applied"] <= first["log"]["durable"] <= first["log"]["end"]
        assert server.send("/users/new", "/users/new", {}, **_user("stream")).status == 303
        told = (commit["changes"] for event in events for commit in event["commits"])
        assert next(told)[0].startswith("insert users ")
    assert server.until(lambda event: event["counts"]["commits"] > first["counts"]["commits"])


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_at_a_moment_leaves_all_of_its_transaction_or_nothing(
    server: Server, moment: str
) -> None:
    before = {worker["pid"] for worker in server.until(_complete)["workers"]}
    story = server.press("kill", moment=moment)
    assert (story["ok"], story["running"], story["rows"]) == (True, False, MOMENTS[moment].rows)
    kinds = [step["kind"] for step in story["steps"]]
    assert kinds == ["begin", "stand", "wait", "kill", "takeover", "redo", "check", "new"]
    assert all(step["ok"] for step in story["steps"])

    standing, left = story["standing"], story["left"]
    if MOMENTS[moment].rows:  # on disk in the log, and not yet in the tables: then redone
        assert standing["applied"] < standing["durable"] == standing["end"] <= left["applied"]
        assert f" {story['number']} " in story["after"]
    else:
        assert standing["applied"] == standing["end"]
        assert story["during"] == story["after"]
    in_log = re.findall(f"^\\d+ +{story['number']} .*Z$", story["frame"], re.MULTILINE)
    assert len(in_log) == {"open": 0, "half-logged": 3}.get(moment, 5)
    assert story["after"].startswith(story["during"])  # also behind two and a half rows
    assert (len(story["during"]) < len(story["after"])) == bool(MOMENTS[moment].rows)

    after = server.until(_complete)
    pids = {worker["pid"] for worker in after["workers"]}
    assert len(before - pids) == 1
    assert story["successor"] in pids
    with DB.open(server.data / "tables", read_only=True) as db:
        number = story["number"]
        rows = [row for row in db.find("experiments") if row["number"] == number]
        assert [row["part"] for row in rows] == [1, 2, 3, 4, 5][: MOMENTS[moment].rows]
        assert db.check().ok
    page = server.get("/engine")
    assert "Nothing was lost." in page
    assert MOMENTS[moment].outcome in page


def test_the_terminal_says_who_killed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path) as server:
        assert server.press("kill", moment="open")["ok"]
    told = capfd.readouterr().err
    assert "was killed by the engine room" in told
    assert "memory" not in told


def test_what_was_acknowledged_beside_kills_is_there(server: Server) -> None:
    acknowledged: list[str] = []
    over = threading.Event()

    def work(number: int) -> None:
        browser = Browser(server.address)
        for count in itertools.count():
            if over.is_set():
                return
            user = _user(f"{number}.{count}")
            try:
                if browser.send("/users/new", "/users/new", {}, **user).status == 303:
                    acknowledged.append(user["email"])
            except (OSError, http.client.HTTPException):
                continue  # its worker was killed: nobody knows

    threads = [threading.Thread(target=work, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        stories = []
        for moment in MOMENTS:
            server.until(_complete)
            stories.append(server.press("kill", moment=moment))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert [story["rows"] for story in stories] == [moment.rows for moment in MOMENTS.values()]
    assert all(story["ok"] for story in stories)
    with DB.open(server.data / "tables", read_only=True) as db:
        stored = {row["email"] for row in db.find("users")}
    assert len(acknowledged) > 10
    assert set(acknowledged) <= stored


@pytest.mark.timeout(300)  # beside all other tests
def test_traffic_takes_the_kills_of_the_engine_room_for_what_they_are(server: Server) -> None:
    """As the button starts it, but for its length and what it prints."""
    command = traffic(server.data / "engine_room", server.address).command
    command[command.index("--seconds") + 1] = "8"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        for moment in ("half-applied", "open"):
            server.until(lambda event: _complete(event) and "insert comments" in str(event))
            assert server.press("kill", moment=moment)["ok"]
        document = json.loads(load.communicate(timeout=SECONDS)[0])
    assert (document["verdict"], load.returncode) == ("nothing lost", 0), document
    assert document["acknowledged"] > 10
    assert document["kills"] == 0  # of its own


def test_a_button_works_without_javascript(server: Server) -> None:
    answer = server.send("/engine", "/engine/kill", {}, moment="logged")
    assert (answer.status, answer.location) == (303, "/engine#kill")
    assert "Nothing was lost." in server.get("/engine")


@pytest.mark.timeout(300)
def test_a_torture_run_goes_on_beside_the_application_and_is_told(server: Server) -> None:
    assert server.press("torture") == {}
    assert server.press("torture") == {"refused": "It is running already."}
    assert server.until(lambda event: event["torture"]["running"])
    assert "Analytical engine" in server.get("/projects")
    state = server.until(lambda event: not event["torture"]["running"])["torture"]
    assert state["ended"]
    assert state["kills"] > 0
    assert state["violations"] == 0


def test_a_server_with_an_open_stream_and_a_job_stops_within_seconds(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.press("torture") == {}
        job = torture(tmp_path / "engine_room")
        assert job.is_running()
        with server.events() as events:
            next(events)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 15
            assert all(event["workers"] for event in events)  # it has ended
        assert not job.is_running()
    with DB.open(tmp_path / "tables") as db:
        assert db.check().ok


def _complete(event: dict[str, Any]) -> bool:
    return len(event["workers"]) == 2


def _user(name: str) -> dict[str, str]:
    return {"name": name, "email": f"{name}@load.example", "role": "member"}
