"""The demo over a directory, without a server or with one, and its pages taken apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bazanite import DB
from bazanite.row import Row
from bazanite_demo.application import create_app
from bazanite_demo.sample import fill
from bazanite_demo.tables import TABLES

COMMAND = [sys.executable, "-m", "bazanite_demo"]
VOID = {"meta", "link", "input", "br", "img", "hr"}


@contextmanager
def served(path: Path, *, sample: bool = True, **options: Any) -> Iterator[tuple[DB, Flask]]:
    """The application on a directory, made and filled if it is new."""
    with DB(TABLES, path, **options) as db:
        if sample:
            fill(db)
        yield db, create_app(db, b"k" * 32)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[DB, Flask]]:
    with served(tmp_path / "tables") as made:
        yield made


@pytest.fixture
def client(demo: tuple[DB, Flask]) -> FlaskClient:
    return demo[1].test_client()


def state(db: DB) -> dict[str, list[Row]]:
    """Every row of every table."""
    return {table: db.find(table, order_by="id") for table in sorted(db.tables)}


@contextmanager
def started(data: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server on this directory, and its address; killed, workers too, unless it stops."""
    command = [*COMMAND, "--data", str(data), "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server, server.stdout.readline().strip()
            server.send_signal(signal.SIGTERM)
            output, errors = server.communicate(timeout=60)
            assert server.returncode == 0, output + errors
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)


def children(pid: int) -> set[int]:
    """The processes that this one has started."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        found.update(map(int, (task / "children").read_text().split()))
    return found


class Page(HTMLParser):
    """A page: its elements with their attributes and text, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[list[str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text: list[str] = []
        self.elements.append((tag, {name: value or "" for name, value in attrs}, text))
        if tag not in VOID:
            self._open.append(text)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        for text in self._open:
            text.append(data)

    def all(self, tag: str, **wanted: str) -> list[tuple[dict[str, str], str]]:
        """Attributes and text of the elements that have these attributes."""
        wanted = {name.strip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [
            (attributes, "".join(text).strip())
            for name, attributes, text in self.elements
            if name == tag and wanted.items() <= attributes.items()
        ]

    def values(self) -> dict[str, str]:
        """What the page's form holds as it came, by name; of a choice the one that is chosen."""
        found: dict[str, str] = {}
        select = area = ""
        for tag, attributes, text in self.elements:
            if tag == "input" and attributes.get("name", "q") != "q":
                found[attributes["name"]] = attributes.get("value", "")
            elif tag == "textarea":
                area = attributes["name"]
                found[area] = "".join(text).removeprefix("\r\n").removeprefix("\n")
            elif tag == "select":
                select = attributes["name"]
            elif tag == "option" and (select not in found or "selected" in attributes):
                found[select] = attributes["value"]
        return found


def page(response: TestResponse) -> Page:
    return Page(response.get_data(as_text=True))


def send(
    client: FlaskClient, address: str, changed: dict[str, str], *, form: Page | None = None
) -> TestResponse:
    """Get the form (or take this one), type ``changed`` into it, and send it."""
    form = form or page(client.get(address))
    values = form.values()
    assert changed.keys() <= values.keys(), f"{address} has {sorted(values)}"
    return client.post(address, data={**values, **changed})
