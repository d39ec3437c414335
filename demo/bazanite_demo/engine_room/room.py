"""What a process has of the engine room: made by the master, completed in each worker."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Flask

from bazanite import DB, DBError

from . import jobs
from .board import (
    ACTIVE,
    CALLS,
    CHECKPOINTS,
    COMMITS,
    LOG_BYTES,
    RATE,
    REPAIRS,
    SLOTS,
    SYNCS,
    Board,
)  # fmt: skip
from .experiment import Experiment
from .feed import Feed
from .halting import HaltingSystem
from .orders import Orders, Victim
from .records import Records

FOLDER_NAME = "engine_room"
_REPORT_SECONDS = 0.25
_RATE_REPORTS = 4
"""A rate is over so many reports: a second."""
_REPORTED = {
    COMMITS: "commits",
    SYNCS: "log_syncs",
    CHECKPOINTS: "checkpoints",
    REPAIRS: "repairs",
    LOG_BYTES: "log_bytes",
}
_EVENTS_PATH = "/engine/events"


class Room:
    """``open`` it with the tables, before any fork; ``begin`` in each worker.

    ``streams`` of events can be had from each worker at once: each takes one of its threads.
    """

    def __init__(self, data: Path, address: str, system: HaltingSystem, *, streams: int) -> None:
        self.folder = data / FOLDER_NAME
        self.folder.mkdir(parents=True, exist_ok=True)
        self.board = Board()
        self.streams = threading.BoundedSemaphore(streams)
        self.torture = jobs.torture(self.folder)
        self.traffic = jobs.traffic(self.folder, address)
        self._system = system
        self._orders = Orders()
        self._worker: Any = None
        self._slot = -1
        self._counting = threading.Lock()

    def open(self, db: DB, directory: str) -> None:
        """Have everything that all workers will use; by the master."""
        self.db = db
        self.directory = directory
        self.records = Records(self.folder / "records.jsonl", directory)
        self.records.install()
        self.feed = Feed(directory)
        self.experiment = Experiment(
            db, self.board, self._orders, self.records, self.folder, self.stopping
        )
        self.experiment.forget()
        for job in (self.torture, self.traffic):
            job.forget()
        logging.getLogger("gunicorn.error").addFilter(self._name_killer)

    def stopping(self) -> bool:
        """Whether this worker was told to end."""
        return self._worker is not None and not self._worker.alive

    # ---- gunicorn's hooks

    def choose_slot(self, living: Iterable[Any], worker: Any) -> None:
        """By the master, before it forks: the first slot that no living worker has."""
        taken = {getattr(other, "slot", -1) for other in living}
        worker.slot = next((slot for slot in range(SLOTS) if slot not in taken), -1)

    def begin(self, worker: Any) -> None:
        """By a new worker: it reports, and takes orders."""
        self._worker, self._slot = worker, worker.slot
        if self._slot < 0:
            return
        self.board.begin(self._slot, os.getpid())
        threading.Thread(target=self._report, name="reports", daemon=True).start()
        Victim(self.db, self._system, self.board, self.stopping).start(self._orders, self._slot)

    def buried(self, worker: Any) -> None:
        """By the master: a worker has ended."""
        slot = getattr(worker, "slot", -1)
        if slot >= 0:
            self.board.clear(slot)

    def close(self) -> None:
        """By the master, when the server stops: end the jobs, and let go of everything."""
        for job in (self.torture, self.traffic):
            job.stop()
        logging.getLogger("gunicorn.error").removeFilter(self._name_killer)
        self.records.uninstall()
        self.feed.close()
        self._orders.close()

    def _name_killer(self, record: logging.LogRecord) -> bool:
        """A filter: gunicorn takes each SIGKILL for one by the system, short of memory."""
        args = record.args
        if isinstance(args, tuple) and "was sent" in str(record.msg):
            pid = args[0] if args else None
            if isinstance(pid, int) and self.experiment.has_killed(pid):
                record.levelno, record.levelname = logging.INFO, "INFO"
                record.msg, record.args = "Worker (pid:%s) was killed by the engine room", (pid,)
        return True

    # ---- figures of this worker

    def counted(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """The same WSGI application; what it is answering is counted, but for streams."""

        def call(environ: dict[str, Any], start_response: Any) -> Any:
            if environ.get("PATH_INFO") == _EVENTS_PATH:
                return app(environ, start_response)
            self._count(ACTIVE, 1)
            try:
                return app(environ, start_response)
            finally:
                self._count(ACTIVE, -1)
                self._count(CALLS, 1)

        return call

    def _count(self, word: int, more: int) -> None:
        if self._slot >= 0:
            with self._counting:
                self.board.put(self._slot, word, self.board.get(self._slot, word) + more)

    def _report(self) -> None:
        """Every quarter of a second, until the database is closed."""
        counts: list[int] = []
        pause = threading.Event()
        while not self.stopping():
            try:
                figures = self.db.stats()
            except DBError:
                return
            for word, name in _REPORTED.items():
                self.board.put(self._slot, word, figures[name])
            counts = [*counts[-_RATE_REPORTS:], figures["commits"]]
            rate = (counts[-1] - counts[0]) / max(1, len(counts) - 1) / _REPORT_SECONDS
            self.board.put(self._slot, RATE, int(rate * 1000))
            pause.wait(_REPORT_SECONDS)


def install(app: Flask, room: Room) -> None:
    """Serve it at /engine."""
    from .views import blueprint  # noqa: PLC0415  which imports this module

    app.extensions["engine_room"] = room
    app.register_blueprint(blueprint)
    app.wsgi_app = room.counted(app.wsgi_app)  # type: ignore[method-assign]
