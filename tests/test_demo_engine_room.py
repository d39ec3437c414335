"""The engine room of the demo: who may look into it, and how a transaction stands still there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite_demo.application import create_app
from bazanite_demo.engine_room.board import STANDS, STEP, WENT_ON, Board
from bazanite_demo.engine_room.halting import HaltingSystem
from bazanite_demo.engine_room.moments import LOGGED, MOMENTS
from bazanite_demo.engine_room.orders import Order, Victim
from bazanite_demo.engine_room.room import Room, install
from bazanite_demo.engine_room.story import Telling
from bazanite_demo.server import open_tables
from engine_room_support import JSON, token

# ---------------------------------------------------------------- who may look


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    halting = HaltingSystem()
    db = open_tables(tmp_path, sample=True, halting=halting)
    app = create_app(db, b"key", only_here=False)  # it looks by itself
    app.config["ENGINE_ROOM"] = True
    room = Room(tmp_path, "http://127.0.0.1:1", halting, streams=3)
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
    page = client.get("/engine").get_data(as_text=True)
    data = {"csrf_token": token(page), "moment": "logged"}
    refused = client.post("/engine/kill", data=data)
    assert refused.status_code == 409
    assert b"Two workers are needed" in refused.data
    told = client.post("/engine/kill", data=data, headers=JSON)
    assert "Two workers are needed" in told.get_json()["refused"]


def test_a_story_whose_teller_died_does_not_go_on(app: Any) -> None:
    experiment = app.extensions["engine_room"].experiment
    telling = Telling(experiment._folder / "story.json", LOGGED, 1)
    telling.step("begin", "It begins.")
    assert experiment.last() == telling.story
    telling.story["by"] = _gone()
    telling.step("stand", "It stands.")
    page = app.test_client().get("/engine").get_data(as_text=True)
    assert "It is going on." not in page
    assert "the worker that told it died" in page


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that can be taken for another worker."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


def test_a_story_that_cannot_be_stored_is_told_to_whom_asked_for_it(
    app: Any, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the button led to an error, and the page said for ever that it goes on."""
    room = app.extensions["engine_room"]
    room.board.begin(1, other.pid)

    def step(self: Telling, *_: str) -> None:
        monkeypatch.setattr(Path, "write_text", full)
        self._save()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Telling, "step", step)
    client = app.test_client()
    data = {"csrf_token": token(client.get("/engine").get_data(as_text=True))}
    told = client.post("/engine/kill", data=data, headers=JSON).get_json()
    assert told["title"] == "It came to no end: [Errno 28] No space left on device"
    assert not told["running"]
    assert room.experiment.last() is None
    told = client.post("/engine/kill", data=data, headers=JSON).get_json()
    assert told == {"refused": "It cannot be begun: [Errno 28] No space left on device"}
    assert room.board.killed == 0


# ---------------------------------------------------------------- standing still


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("why", ["it is too late", "who was to kill it is gone", "it must stop"])
def test_a_worker_that_nobody_kills_goes_on_and_commits(
    tmp_path: Path, moment: str, why: str
) -> None:
    late = time.monotonic() + (0 if why == "it is too late" else 60)
    by = _gone() if why == "who was to kill it is gone" else os.getpid()
    halting, board = HaltingSystem(), Board()
    steps: list[int] = []
    with open_tables(tmp_path, sample=False, halting=halting) as db:

        def stopping() -> bool:
            steps.append(board.get(0, STEP))
            return why == "it must stop"

        victim = Victim(db, halting, board, stopping)
        victim.carry_out(Order(os.getpid(), 7, moment, late, by))
        assert board.get(0, STEP) == WENT_ON
        assert (steps == [STANDS]) == (why == "it must stop")
        assert [row["part"] for row in db.find("experiments", order_by="id")] == [1, 2, 3, 4, 5]
        assert halting.halt is None
        assert db.check().ok


def _gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
