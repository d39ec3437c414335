"""What people see, and the operator, while something below the demo is broken."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bazanite import DB
from bazanite_demo.server import Server, Settings, listen
from demo_support import page, started


@pytest.mark.parametrize("damage", ["bytes", "no object", "other", "directory", "gone"])
def test_a_page_whose_rows_cannot_be_shown_raw_is_shown_all_the_same(
    demo: tuple[DB, Flask], tmp_path: Path, damage: str
) -> None:
    """The view of the files is read by itself: an error of its took every page along, even 404s.

    What was an OSError then ended the connection without an answer.
    """
    catalog = tmp_path / "tables" / "schema.json"
    client = demo[1].test_client()
    assert page(client.get("/tasks/3")).all("pre")
    kept = catalog.rename(tmp_path / "kept")
    match damage:
        case "bytes":
            catalog.write_bytes(b"\xff" + kept.read_bytes())
        case "no object":
            catalog.write_bytes(b"[]")
        case "other":
            catalog.write_bytes(b'{"int_width": 9, "tables": {}}')
        case "directory":
            catalog.mkdir()
    found = client.get("/tasks/3")
    assert found.status_code == 200
    assert not page(found).all("pre")
    assert "db.find_by_id('tasks', 3" in page(found).text
    assert client.get("/tasks/99").status_code == 404
    if damage == "directory":
        catalog.rmdir()
    kept.rename(catalog)
    assert page(client.get("/tasks/3")).all("pre")


def test_a_body_that_is_none_is_the_senders_error(tmp_path: Path) -> None:
    with started(tmp_path / "demo", "--workers", "1") as (_, address):
        place = address.removeprefix("http://")
        host, _, port = place.partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(
                b"POST /users/new HTTP/1.1\r\nHost: " + place.encode() + b"\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n"
                b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\n\r\n"
            )
            with connection.makefile("rb") as answer:
                told = answer.read()
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"not a whole request" in told


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "evil@10.0.0.1", "[::1", "[::2]"]
)
def test_a_name_of_another_machine_is_refused(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 400


def test_a_worker_whose_directory_is_gone_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path / "demo", port=0)
    with listen(settings) as listener:
        server = Server(settings, listener)
    server.load()
    shutil.rmtree(tmp_path / "demo")
    server._left(None, SimpleNamespace(pid=os.getpid()))
    os.close(server._descriptor)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bazanite_demo: ")
    assert "was removed or replaced" in line
