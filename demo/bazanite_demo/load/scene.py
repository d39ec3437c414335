"""Clients and killer at one address, while they work."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from bazanite_stress.torture.stopping import Stopping

from .book import Book
from .browser import Browser, Wrong
from .client import SHARING_CLIENTS, Client
from .figures import Figures
from .killer import Deaths, ToldDeaths, kill_regularly
from .reading import post_form
from .report import Progress, Result

TICK_SECONDS = 0.05
CLIENTS_END_SECONDS = 120.0
PATIENCE = 4.0
"""How many times as long a run may take as it was asked to, until all kills were made."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``url`` None: a server of our own, in a new directory in ``parent``.

    Else ``killed`` may be a file in which others tell whom of its workers they kill.
    """

    seconds: float
    clients: int
    kills_every: float
    seed: int
    workers: int = 4
    parent: Path | None = None
    url: str | None = None
    killed: Path | None = None

    @property
    def kills(self) -> int:
        """How many there are to be."""
        return round(self.seconds / self.kills_every) if self.kills_every else 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the traffic goes: rows of its own, so that it disturbs nobody."""

    run: str
    user: int
    project: int
    shared: tuple[str, int]


class Scene:
    """What belongs to one address while there is traffic."""

    def __init__(self, settings: Settings, address: str, result: Result) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._settings = settings
        self._result = result
        self.deaths = Deaths() if settings.killed is None else ToldDeaths(settings.killed)
        self._people: list[threading.Thread] = []
        self._stop = threading.Event()
        self._failed = threading.Event()

    @property
    def book(self) -> Book:
        """What was sent."""
        return self._result.book

    @property
    def figures(self) -> Figures:
        """What is counted."""
        return self._result.figures

    def browser(self, figures: Figures | None = None) -> Browser:
        """A new one; what it does counts as part of the load unless other figures are given."""
        return Browser(self._host, self._port, self.deaths, figures or self.figures)

    def prepare(self) -> Place:
        """A user, a project of theirs, and a task in it that several clients edit."""
        browser, run = self.browser(Figures()), secrets.token_hex(3)
        user = _create(
            browser, "/users/new", {"name": f"Traffic {run}", "email": f"{run}@example.org"}
        )
        values = {"name": f"Traffic {run}", "owner": str(user)}
        project = _create(browser, "/projects/new", values)
        write = self.book.begin("task", f"Traffic {run} shared")
        values = {name: str(value) for name, value in write.values.items()}
        shared = _create(browser, f"/tasks/new?project={project}", values)
        self.book.acknowledge(write, shared)
        browser.close()
        return Place(run, user, project, (write.item, shared))

    def start(self, place: Place) -> None:
        """All clients."""
        clients = self._settings.clients
        meeting = threading.Barrier(min(SHARING_CLIENTS, clients))
        for number in range(clients):
            client = Client(
                number,
                self.browser(),
                self.book,
                self.figures,
                Random(f"{self._settings.seed} client {number}"),
                run=place.run,
                project=place.project,
                shared=place.shared,
                meeting=meeting,
            )
            self._run(f"client {number}", partial(client.work, self._stop))

    def start_killer(self, kill: Callable[[], bool], look: Callable[[], None]) -> None:
        """Kills, and a look after each."""
        every, count = self._settings.kills_every, self._settings.kills
        self._run("the killer", lambda: kill_regularly(kill, every, count, self._stop, look))

    def last(self, progress: Progress, stopping: Stopping) -> None:
        """Until the time is over and all kills were made, or we are told to stop.

        It ends early as well if a client or the killer has failed, which no figure makes good.
        """
        start = time.monotonic()
        figures = self.figures
        try:
            while not self._enough(time.monotonic() - start):
                progress.tick(time.monotonic() - start, figures)
                stopping.check()
                time.sleep(TICK_SECONDS)
        except KeyboardInterrupt:
            self._result.interrupted = True
        finally:
            self._stop.set()
            self._result.seconds = time.monotonic() - start
        deadline = time.monotonic() + CLIENTS_END_SECONDS
        for person in self._people:
            person.join(max(0.0, deadline - time.monotonic()))
            if person.is_alive():
                figures.error(f"{person.name} does not end")

    def _enough(self, passed: float) -> bool:
        settings = self._settings
        if self._failed.is_set():
            return True
        if passed < settings.seconds:
            return False
        looked = min(len(self.figures.kills), self.figures.checks)
        patience = PATIENCE * settings.seconds + CLIENTS_END_SECONDS
        return looked >= settings.kills or passed >= patience

    def _run(self, name: str, act: Callable[[], None]) -> None:
        def noted() -> None:
            try:
                act()
            except BaseException as error:
                self.figures.error(f"{name} ended: {error!r}")
                self._failed.set()
                raise

        thread = threading.Thread(target=noted, name=name, daemon=True)
        self._people.append(thread)
        thread.start()


def _create(browser: Browser, path: str, values: dict[str, str]) -> int:
    """A row of whatever the form at this address makes; its id."""
    form = post_form(browser.get(path).text)
    location = browser.post(path, {**form.fields, **values}).location
    found = re.fullmatch(r"/[a-z]+/(\d+)", location)
    if found is None:
        raise Wrong(f"{path}: led to {location!r}")
    return int(found[1])
