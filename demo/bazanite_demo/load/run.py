"""One run: a server, a project to work in, clients and killer, and in the end all compared."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

from bazanite import DB, DBError
from bazanite_stress.torture.stopping import Stopping

from .browser import Broken, Browser, Wrong
from .figures import Figures
from .killer import Killer
from .look import Look
from .reading import found_in, found_through, post_form
from .report import Progress, Result
from .scene import Scene, Settings
from .served import NotServed, Served
from .verdict import Found, Problem, judge, stored_of

T = TypeVar("T")
REPEATED = 20
"""Tries, of what is no part of the load."""


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
        if result.status != 1:
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
            killer = Killer(served.master, served.tables, scene.deaths, figures, rng)
            scene.start_killer(killer.kill, Look(db, scene, place, others))
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
    except Broken as error:
        why = "a worker was killed before the clients began; start them once more"
        raise NotServed(f"{result.address}: {why}") from error
    browser = scene.browser(Figures())
    try:
        scene.start(place)
        scene.last(progress, stopping)
        found = _repeated(partial(found_through, browser, place.project))
        floor = scene.book.acknowledged()
        result.figures.found(judge(scene.book.writes(), floor, found))
        _compared(result, found)
        for path in (f"/projects/{place.project}/delete", f"/users/{place.user}/delete"):
            _repeated(partial(_delete, browser, path))
    except Wrong as error:
        result.figures.error(str(error))


def _repeated(work: Callable[[], T]) -> T:
    """What it returns when no worker is killed meanwhile."""
    for _ in range(REPEATED):
        try:
            return work()
        except Broken:
            continue
    return work()


def _delete(browser: Browser, path: str) -> None:
    """Unless it is gone: an answer may have been lost."""
    page = browser.get(path, 200, 404)
    if page.status == 200:
        browser.post(path, post_form(page.text).fields)


def _compared(result: Result, found: Found) -> None:
    result.compared = True
    doubtful = [write for write in result.book.writes() if write.state == "doubtful"]
    result.stored_unseen = len(stored_of(doubtful, found))
