"""The engine room of the demo: who may look, what is seen, and what is left of a killed worker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bazanite import DB
from bazanite_demo.application import create_app
from bazanite_demo.engine_room.halting import HaltingSystem
from bazanite_demo.engine_room.jobs import torture
from bazanite_demo.engine_room.moments import MOMENTS
from bazanite_demo.engine_room.room import Room, install
from bazanite_demo.server import open_tables

SECONDS = 60.0
JSON = {"Accept": "application/json"}


# ---------------------------------------------------------------- who may look


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    halting = HaltingSystem()
    db = open_tables(tmp_path, sample=True, halting=halting)
    app = create_app(db, b"key", only_here=False)  # it looks by itself
    app.config["ENGINE_ROOM"] = True
    room = Room(tmp_path, "http://127.0.0.1:1", halting)
    room.open(db, db.storage.base_dir)
    install(app, room)
    yield app
    db.close()
    room.close()


def test_without_the_option_there_is_no_engine_room(tmp_path: Path) -> None:
    with open_tables(tmp_path, sample=False) as db:
        client = create_app(db, b"key").test_client()
        assert client.get("/engine").status_code == 404
        assert client.get("/engine/events").status_code == 404
        assert client.post("/engine/kill").status_code in (400, 404)
        assert b"/engine" not in client.get("/").data


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_this_machine_sees_it_under_its_own_names(app: Any, host: str) -> None:
    assert app.test_client().get("/engine", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/engine", "/engine/events"])
@pytest.mark.parametrize(
    "host", ["example.org", "127.0.0.1.example.org", "localhost.example.org:8000", "[::2]", "", "["]
)
def test_a_foreign_name_is_refused(app: Any, host: str, path: str) -> None:
    client = app.test_client()
    assert client.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.7", "2001:db8::1", "unknown"])
def test_another_machine_is_refused(app: Any, address: str) -> None:
    client = app.test_client()
    answer = client.get("/engine", environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == 403
    assert b"this machine only" in answer.data


def test_another_sites_page_can_follow_a_link_here_and_do_nothing_else(app: Any) -> None:
    client = app.test_client()
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert client.get("/engine/events", headers=foreign).status_code == 403
    link = {**foreign, "Sec-Fetch-Mode": "navigate"}
    assert client.get("/engine", headers=link).status_code == 200


@pytest.mark.parametrize("button", ["kill", "torture", "traffic"])
def test_a_button_without_its_token_does_nothing(app: Any, button: str) -> None:
    client = app.test_client()
    client.get("/engine")
    assert client.post(f"/engine/{button}", data={"moment": "logged"}).status_code == 400
    assert client.get(f"/engine/{button}").status_code == 405
    room = app.extensions["engine_room"]
    assert (room.board.killed, room.torture.state(), room.traffic.state()) == (0, None, None)


def test_more_readers_than_a_worker_takes_are_sent_away(app: Any) -> None:
    client = app.test_client()
    streams = [client.get("/engine/events") for _ in range(3)]
    assert {stream.status_code for stream in streams} == {200}
    assert client.get("/engine/events").status_code == 503
    streams[0].close()
    again = client.get("/engine/events")
    assert again.status_code == 200
    for stream in [*streams, again]:
        stream.close()


def test_without_another_worker_nobody_is_killed(app: Any) -> None:
    client = app.test_client()
    token = _token(client.get("/engine").get_data(as_text=True))
    data = {"csrf_token": token, "moment": "logged"}
    page = client.post("/engine/kill", data=data)
    assert page.status_code == 409
    assert b"Two workers are needed" in page.data
    told = client.post("/engine/kill", data=data, headers=JSON)
    assert "Two workers are needed" in told.get_json()["refused"]


# ---------------------------------------------------------------- a real server


class Server:
    """A server process and what a browser would keep of it."""

    def __init__(self, process: subprocess.Popen[str], address: str, data: Path) -> None:
        self.process = process
        self.address = address
        self.data = data
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._browser = urllib.request.build_opener(cookies)

    def get(self, path: str) -> str:
        with self._browser.open(self.address + path, timeout=SECONDS) as answer:
            text: str = answer.read().decode()
            return text

    def post(self, path: str, **values: str) -> Any:
        data = {"csrf_token": _token(self.get("/engine")), **values}
        request = urllib.request.Request(self.address + path, urlencode(data).encode(), JSON)
        with self._browser.open(request, timeout=SECONDS) as answer:
            return json.loads(answer.read())

    @contextmanager
    def events(self) -> Iterator[Iterator[dict[str, Any]]]:
        with urllib.request.urlopen(self.address + "/engine/events", timeout=SECONDS) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            yield (json.loads(line[6:]) for line in stream if line.startswith(b"data: "))

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event that is so."""
        deadline = time.monotonic() + SECONDS
        with self.events() as events:
            for event in events:
                if wanted(event):
                    return event
                assert time.monotonic() < deadline, event
        raise AssertionError("the stream ended")

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        self.process.send_signal(signal_number)
        return self.process.wait(SECONDS)


@contextmanager
def serving(data: Path, workers: int = 2) -> Iterator[Server]:
    command = [sys.executable, "-m", "bazanite_demo", "--engine-room", "--port", "0"]
    command += ["--data", str(data), "--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        server = Server(process, process.stdout.readline().strip(), data)
        server.until(lambda event: len(event["workers"]) == workers)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("room")) as server:
        yield server


def test_the_stream_tells_of_workers_lock_log_and_commits(server: Server) -> None:
    def commented(event: dict[str, Any]) -> bool:
        return any("insert users 6" in commit["changes"] for commit in event["commits"])

    with server.events() as events:
        first = next(events)
        assert [worker["name"] for worker in first["workers"]] == ["worker 1", "worker 2"]
        assert {"holder", "waiting", "longest_ms"} <= first["lock"].keys()
        assert first["log"]["applied"] <= first["log"]["durable"] <= first["log"]["end"]
        token = _token(server.get("/users/new"))
        values = {"name": "Ada", "email": "a@b.example", "role": "member", "csrf_token": token}
        data = urlencode(values).encode()
        server._browser.open(server.address + "/users/new", data, timeout=SECONDS).close()
        event = next(event for event in events if commented(event))
    assert sum(worker["commits"] for worker in event["workers"]) >= 1 or server.until(
        lambda event: event["counts"]["commits"] >= 1
    )


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_at_a_moment_leaves_all_of_its_transaction_or_nothing(
    server: Server, moment: str
) -> None:
    before = {worker["pid"] for worker in server.until(_complete)["workers"]}
    story = server.post("/engine/kill", moment=moment)
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


def test_a_button_works_without_javascript(server: Server) -> None:
    values = {"csrf_token": _token(server.get("/engine")), "moment": "logged"}
    data = urlencode(values).encode()
    answer = server._browser.open(server.address + "/engine/kill", data, timeout=SECONDS)
    with answer:
        page = answer.read().decode()
    assert answer.url.endswith("/engine#kill")
    assert "Nothing was lost." in page


def test_a_torture_run_goes_on_beside_the_application_and_is_told(server: Server) -> None:
    assert server.post("/engine/torture") == {}
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.post("/engine/torture")
    assert refused.value.code == 409
    assert server.until(lambda event: event["torture"]["running"])
    assert "Analytical engine" in server.get("/projects")
    state = server.until(lambda event: not event["torture"]["running"])["torture"]
    assert state["ended"]
    assert state["kills"] > 0
    assert state["violations"] == 0


def test_a_server_with_an_open_stream_and_a_job_stops_within_seconds(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.post("/engine/torture") == {}
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


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found is not None
    return found[1]
