"""One run: a project to work in, clients and killer, and in the end all of it compared."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from bazanite import DB, DBError
from bazanite_stress.torture.stopping import Stopping

from .book import Book
from .browser import Browser, Wrong
from .client import Client
from .figures import Figures, stopwatch
from .killer import Deaths, Killer, kill_regularly
from .reading import found_in, found_through, post_form, problems_of_files
from .report import Progress, Result
from .served import NotServed, Served
from .verdict import Found, Problem, Row, judge, stored_of

TICK_SECONDS = 0.05
CLIENTS_END_SECONDS = 120.0
PATIENCE = 4.0
"""How many times as long a run may take as it was asked to, until all kills were made."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``url`` None: a server of our own, in a new directory in ``parent``."""

    seconds: float
    clients: int
    kills_every: float
    seed: int
    workers: int = 4
    parent: Path | None = None
    url: str | None = None

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
        self.deaths = Deaths()
        self._people: list[threading.Thread] = []
        self._stop = threading.Event()

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
        for number in range(self._settings.clients):
            client = Client(
                number,
                self.browser(),
                self.book,
                self.figures,
                Random(f"{self._settings.seed} client {number}"),
                run=place.run,
                project=place.project,
                shared=place.shared,
            )
            self._run(f"client {number}", partial(client.work, self._stop))

    def start_killer(self, killer: Killer, look: Look) -> None:
        """Kills, and a look after each."""
        every, count = self._settings.kills_every, self._settings.kills
        self._run("the killer", lambda: kill_regularly(killer.kill, every, count, self._stop, look))

    def last(self, progress: Progress, stopping: Stopping) -> None:
        """Until the time is over and all kills were made, or we are told to stop."""
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
                raise

        thread = threading.Thread(target=noted, name=name, daemon=True)
        self._people.append(thread)
        thread.start()


class Look:
    """A look at the data: whether its files agree, and whether it has what it must."""

    def __init__(
        self, db: DB, scene: Scene, place: Place, others: Mapping[tuple[str, int], Row]
    ) -> None:
        self._db = db
        self._scene = scene
        self._place = place
        self._others = others
        self.found = Found([], [])

    def __call__(self) -> None:
        """Note what is wrong."""
        with stopwatch() as seconds:
            problems = self.problems()
        self._scene.figures.checked(problems, seconds[0])

    def problems(self) -> list[Problem]:
        """What was acknowledged before must be in what is read now."""
        floor = self._scene.book.acknowledged()
        try:
            problems = problems_of_files(self._db)
            self.found = found_in(self._db, self._place.project)
        except DBError as error:
            return [Problem("unreadable", repr(error))]
        return problems + judge(self._scene.book.writes(), floor, self.found, self._others)


def run(settings: Settings, progress: Progress) -> Result:
    """The whole run, on a server of our own or another.  NotServed: there is none.

    Ctrl-C and SIGTERM end the load early; the verdict comes all the same.
    """
    kills = 0 if settings.url else settings.kills
    workers = 0 if settings.url else settings.workers
    result = Result(settings.seed, settings.url or "", settings.clients, workers, kills)
    with Stopping() as stopping:
        if settings.url:
            _visit(settings, result, progress, stopping)
            return result
        parent = Path(tempfile.mkdtemp(prefix="bazanite-load-", dir=settings.parent))
        result.directory = parent
        served = Served(parent, settings.workers)
        try:
            result.address = served.address()
            _host(settings, served, result, progress, stopping)
        except BaseException:
            progress.tell(f"kept {parent}")
            raise
        finally:
            if result.exit_status is None:
                result.exit_status = served.stop()
        if result.fine:
            shutil.rmtree(parent)
            result.directory = None
        return result


def _host(
    settings: Settings, served: Served, result: Result, progress: Progress, stopping: Stopping
) -> None:
    """Traffic and kills on our own server; stopped in the end, and its directory compared."""
    progress.tell(f"{result.address}, data in {served.tables.parent}, seed {settings.seed}")
    scene = Scene(settings, result.address, result)
    place = scene.prepare()
    figures = result.figures
    with DB.open(served.tables, read_only=True) as db:
        others = found_in(db, place.project).others
        scene.start(place)
        if settings.kills:
            rng = Random(f"{settings.seed} killer")
            killer = Killer(served.master, scene.deaths, figures, rng)
            scene.start_killer(killer, Look(db, scene, place, others))
        scene.last(progress, stopping)
    result.exit_status = served.stop()
    if result.exit_status != 0:
        figures.error(f"the server's exit status is {result.exit_status}")
    for line in served.traces():
        figures.error(f"in the server's log: {line}")
    try:
        # Opened for writing, as the next server would: it recovers what there may be.
        with DB.open(served.tables) as db:
            look = Look(db, scene, place, others)
            figures.found(look.problems())
    except DBError as error:
        figures.found([Problem("unreadable", repr(error))])
    else:
        _compared(result, look.found)


def _visit(settings: Settings, result: Result, progress: Progress, stopping: Stopping) -> None:
    """Traffic on a server that others started; compared through its pages, then tidied up."""
    progress.tell(f"{result.address}, seed {settings.seed}")
    scene = Scene(settings, result.address, result)
    try:
        place = scene.prepare()
    except Wrong as error:
        raise NotServed(f"{result.address}: {error}") from error
    browser = scene.browser(Figures())
    try:
        scene.start(place)
        scene.last(progress, stopping)
        found = found_through(browser, place.project)
        floor = scene.book.acknowledged()
        result.figures.found(judge(scene.book.writes(), floor, found))
        _compared(result, found)
        for path in (f"/projects/{place.project}/delete", f"/users/{place.user}/delete"):
            browser.post(path, post_form(browser.get(path).text).fields)
    except Wrong as error:
        result.figures.error(str(error))


def _compared(result: Result, found: Found) -> None:
    result.compared = True
    doubtful = [write for write in result.book.writes() if write.state == "doubtful"]
    result.stored_unseen = len(stored_of(doubtful, found))


def _create(browser: Browser, path: str, values: dict[str, str]) -> int:
    """A row of whatever the form at this address makes; its id."""
    form = post_form(browser.get(path).text)
    location = browser.post(path, {**form.fields, **values}).location
    found = re.fullmatch(r"/[a-z]+/(\d+)", location)
    if found is None:
        raise Wrong(f"{path}: led to {location!r}")
    return int(found[1])
