"""A kept connection to one worker process, with cookies, and what excuses its end.

Each answer names the process that made it (``X-Worker``), and a connection stays with that.  When
it breaks, that is excused only by that very process having been killed by us.
"""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from .figures import Figures
from .html import read
from .killer import Deaths

TIMEOUT_SECONDS = 60.0
TRIES_TO_CONNECT = 20
CHEAP = "/static/icon.svg"
_CUT = "the answer was cut"


class Broken(Exception):
    """The worker was killed before it had answered."""


class Wrong(Exception):
    """An answer, or the lack of one, that nothing excuses."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``location`` is where it sends the browser, without the part that a browser keeps."""

    status: int
    text: str
    location: str
    fragment: str


@dataclass(slots=True)
class _Kept:
    """A connection; ``pid`` is 0 until the first answer told it."""

    connection: http.client.HTTPConnection
    opened: float
    pid: int = 0


class Browser:
    """One user's browser.  Not for several threads."""

    def __init__(self, host: str, port: int, deaths: Deaths, figures: Figures) -> None:
        self._host = host
        self._port = port
        self._deaths = deaths
        self._figures = figures
        self._kept: _Kept | None = None
        self._cookies: dict[str, str] = {}

    def get(self, path: str, *expected: int) -> Answer:
        """A page; Wrong if it has not one of these status codes (200 if none is given)."""
        return self._ask("GET", path, None, expected or (200,))

    def post(self, path: str, fields: dict[str, str], *expected: int) -> Answer:
        """What comes of a form."""
        return self._ask("POST", path, fields, expected or (303,))

    def close(self) -> None:
        """The connection only: cookies stay."""
        if self._kept is not None:
            self._kept.connection.close()
            self._kept = None

    def _ask(
        self, method: str, path: str, fields: dict[str, str] | None, expected: tuple[int, ...]
    ) -> Answer:
        kept = self._connected()
        start = time.monotonic()
        try:
            answer = self._exchange(kept, method, path, fields)
        except Broken:
            self._figures.broke(self._deaths.of(kept.pid))
            raise
        end = time.monotonic()
        self._figures.answered(end - start, end, writing=method == "POST")
        if answer.status not in expected:
            title = read(answer.text).title
            raise Wrong(f"{method} {path}: {answer.status} {title!r}, expected {expected}")
        return answer

    def _connected(self) -> _Kept:
        """The connection, or a new one on which a cheap request has told the worker's pid."""
        tries = 0
        while self._kept is None or not self._kept.pid:
            tries += 1
            if tries > TRIES_TO_CONNECT:
                raise Wrong(f"{TRIES_TO_CONNECT} connections ended, one after the other")
            self._figures.connected()
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
            self._kept = _Kept(connection, time.monotonic())
            try:
                # It is the master that listens, and nobody kills that: no excuse.
                connection.connect()
            except OSError as error:
                self.close()
                raise Wrong(f"cannot connect: {error!r}") from error
            try:
                self._exchange(self._kept, "GET", CHEAP, None)
            except Broken:
                continue
        return self._kept

    def _exchange(
        self, kept: _Kept, method: str, path: str, fields: dict[str, str] | None
    ) -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        body = None
        if fields is not None:
            body = urlencode(fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            with self._figures.busy(kept.pid, writing=body is not None):
                kept.connection.request(method, path, body, headers)
                response = kept.connection.getresponse()
                raw = response.read()
            pid = response.getheader("X-Worker", "")
            if response.getheader("Content-Length") is None or not re.fullmatch("[0-9]{1,9}", pid):
                # Headers that end early look like an answer that ends with the connection.
                raise http.client.HTTPException(_CUT)
        except TimeoutError as error:
            self.close()
            raise Wrong(f"{method} {path}: no answer in {TIMEOUT_SECONDS:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if self._deaths.excuse(kept.pid, kept.opened):
                raise Broken from error
            who = kept.pid or "unknown"
            raise Wrong(f"{method} {path}: worker {who} was not killed, but {error!r}") from error
        if kept.pid not in (0, int(pid)):
            raise Wrong(f"{method} {path}: worker {pid} answered for {kept.pid}")
        kept.pid = int(pid)
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        if response.will_close:
            self.close()
        location, _, fragment = response.getheader("Location", "").partition("#")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise Wrong(f"{method} {path}: {error}") from error
        return Answer(response.status, text, location, fragment)
