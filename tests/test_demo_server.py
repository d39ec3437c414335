"""The demo as it is started: its processes, its address, its key, how it stops."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bazanite import DB
from bazanite_demo.application import secret_key
from bazanite_demo.sample import fill
from bazanite_demo.tables import TABLES
from demo_support import COMMAND, Page, children, started


def get(address: str, path: str) -> tuple[int, str, str]:
    """Status, the worker's pid, and the page."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    try:
        return response.status, response.headers["X-Worker"], response.read().decode()
    finally:
        connection.close()


def ended(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command, which is to end by itself."""
    command = [*COMMAND, "--data", str(data), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_workers_share_a_directory_and_a_killed_one_is_replaced(tmp_path: Path) -> None:
    with started(tmp_path / "demo", "--workers", "3", "--threads", "2") as (server, address):
        assert address.startswith("http://127.0.0.1:")
        status, first, text = get(address, "/users")
        assert status == 200
        while len(workers := children(server.pid)) < 3:  # pytest-timeout bounds this
            get(address, "/users")
        assert "Ada Lovelace" in text
        assert int(first) in workers
        os.kill(int(first), signal.SIGKILL)
        seen = {get(address, "/tasks")[1] for _ in range(20)}
        assert first not in seen
        while len(children(server.pid) - {int(first)}) < 3:
            get(address, "/tasks")
    with DB(TABLES, tmp_path / "demo" / "tables") as db:
        assert db.check().ok
        assert db.count("users") == 5


def test_what_was_stored_is_there_when_it_is_started_again(tmp_path: Path) -> None:
    with started(tmp_path / "demo", "--workers", "1", "--no-sample") as (_, address):
        assert "There are none." in get(address, "/users")[2]
        with DB(TABLES, tmp_path / "demo" / "tables") as db:
            db.insert("users", {"name": "Ada", "email": "ada@example.org", "role": "admin"})
    with started(tmp_path / "demo", "--workers", "1") as (_, address):
        assert len(Page(get(address, "/users")[2]).all("th", scope="row")) == 1  # and no sample


@pytest.mark.parametrize(
    "options,told",
    [
        (["--engine-room", "--host", "0.0.0.0"], "needs a --host of this machine"),
        (["--workers", "0"], "must be 1 or more"),
        (["--port", "70000"], "from 0 to 65535"),
        (["--host", ""], "must not be empty"),
        (["--host", "no.such.host.invalid"], "bazanite_demo: "),
    ],
)
def test_what_cannot_be_served_is_said_at_once(
    tmp_path: Path, options: list[str], told: str
) -> None:
    done = ended(tmp_path / "demo", *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_taken_port_is_said_if_it_was_asked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = ended(tmp_path / "demo", "--port", port)
    assert done.returncode == 2
    assert "in use" in done.stderr


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "tables").write_text("mine")
    done = ended(tmp_path / "demo", "--port", "0")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert (tmp_path / "demo" / "tables").read_text() == "mine"


def test_all_who_begin_at_once_get_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(secret_key, [path] * 32))
    assert len(keys) == 1
    assert keys == {path.read_bytes()}
    assert len(path.read_bytes()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [path]
    path.write_bytes(b"short")
    with pytest.raises(OSError, match="remove the file"):
        secret_key(path)


def test_the_sample_comes_once(tmp_path: Path) -> None:
    with DB(TABLES, tmp_path) as db:
        assert fill(db)
        assert not fill(db)
        assert (db.count("users"), db.count("tasks")) == (5, 13)
        db.delete_by_id("comments", 1)
        assert not fill(db)
