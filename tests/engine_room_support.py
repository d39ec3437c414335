"""A demo server with its engine room, as a browser sees it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from demo_support import COMMAND

SECONDS = 60.0
JSON = {"Accept": "application/json"}


def token(page: str) -> str:
    """What a form of the page sends along."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found is not None
    return found[1]


@dataclass
class Answer:
    status: int
    location: str
    text: str


class Browser:
    """Cookies, and a connection for each request."""

    def __init__(self, address: str) -> None:
        self._place = urlsplit(address).netloc
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> str:
        answer = self._ask("GET", path, None, {})
        assert answer.status == 200, answer
        return answer.text

    def send(self, form: str, path: str, headers: dict[str, str], **values: str) -> Answer:
        """Get the page ``form``, and send these values to ``path`` with its token."""
        values = {"csrf_token": token(self.get(form)), **values}
        return self._ask("POST", path, urlencode(values), headers)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        headers = {**headers, "Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(self._place, timeout=SECONDS)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            for cookie in response.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self._cookies[name] = value
            text = response.read().decode()
            return Answer(response.status, response.headers.get("Location", ""), text)
        finally:
            connection.close()


class Server(Browser):
    """A server's process, and a browser that looks at it."""

    def __init__(self, process: subprocess.Popen[str], address: str, data: Path) -> None:
        super().__init__(address)
        self.process = process
        self.address = address
        self.data = data

    def press(self, button: str, **values: str) -> Any:
        """What the button's answer tells a script; with "refused" if it was."""
        answer = self.send("/engine", f"/engine/{button}", JSON, **values)
        told = json.loads(answer.text)
        assert (answer.status == 200) == ("refused" not in told)
        return told

    @contextmanager
    def events(self) -> Iterator[Iterator[dict[str, Any]]]:
        """A stream of them; of another worker, if one has enough readers."""
        connection = http.client.HTTPConnection(self._place, timeout=SECONDS)
        deadline = time.monotonic() + SECONDS
        try:
            while True:
                connection.request("GET", "/engine/events")
                stream = connection.getresponse()
                if stream.status != 503 or time.monotonic() > deadline:
                    break
                connection.close()
            with stream:
                assert stream.status == 200
                assert stream.headers["Content-Type"].startswith("text/event-stream")
                yield (json.loads(line[6:]) for line in stream if line.startswith(b"data: "))
        finally:
            connection.close()

    def until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first event that is so."""
        deadline = time.monotonic() + SECONDS
        with self.events() as events:
            for event in events:
                if wanted(event):
                    return event
                assert time.monotonic() < deadline, event
        raise AssertionError("the stream ended")

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Its exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(SECONDS)


@contextmanager
def serving(data: Path, workers: int = 2) -> Iterator[Server]:
    """A server with so many workers, all of which are there; killed in the end."""
    options = ["--engine-room", "--port", "0", "--data", str(data), "--workers", str(workers)]
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            server = Server(process, process.stdout.readline().strip(), data)
            server.until(lambda event: len(event["workers"]) == workers)
            yield server
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
