"""Several worker processes on one data directory, under gunicorn.

The application is made before the workers are forked: the directory is recovered before anybody is
served, and what cannot be opened stops the start.  Each worker attaches by itself at its first use.
A worker that dies is replaced; whatever it left in the directory, the next one to take the lock
finishes or drops.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest

from bazanite import DB, DBError

from .application import create_app, is_loopback, secret_key
from .engine_room.halting import HaltingSystem
from .engine_room.room import Room, install
from .engine_room.tables import Experiments
from .sample import fill
from .tables import TABLES

TABLES_NAME, KEY_NAME = "tables", "secret_key"
LOCK_TIMEOUT_SECONDS = 10.0
DEFAULT_PORT = 8000
MOST_STREAMS = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve; ``port`` None is the default one, or another if that is taken."""

    data: Path
    host: str = "127.0.0.1"
    port: int | None = None
    workers: int = 4
    threads: int = 8
    sample: bool = True
    engine_room: bool = False


def open_tables(data: Path, *, sample: bool, halting: HaltingSystem | None = None) -> DB:
    """The tables under ``data``, made if they are missing and filled if that is asked for.

    With ``halting`` there is one more, for experiments in the engine room.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{data} is not a directory") from None
    tables = [*TABLES, Experiments] if halting else TABLES
    db = DB(tables, data / TABLES_NAME, lock_timeout=LOCK_TIMEOUT_SECONDS, system=halting)
    if sample:
        fill(db)
    return db


def listen(settings: Settings) -> socket.socket:
    """A socket that listens; OSError if the port was given and is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    port = DEFAULT_PORT if settings.port is None else settings.port
    try:
        return socket.create_server((settings.host, port), family=family, backlog=256)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        if settings.port is not None:
            raise OSError(
                f"port {port} of {settings.host} is in use; --port 0 takes any that is free"
            ) from None
        return socket.create_server((settings.host, 0), family=family, backlog=256)


def address_of(listener: socket.socket) -> str:
    """The address that a browser is given."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """The master process: ``run`` returns never, but exits when it is told to stop."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._address = address_of(listener)
        self._descriptor = listener.detach()  # gunicorn makes its own of it, and closes this one
        self._db: DB | None = None
        self._room: Room | None = None
        super().__init__(prog="bazanite-demo")

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "workers": settings.workers,
            "worker_class": "gthread",
            "threads": settings.threads,
            "preload_app": True,
            "graceful_timeout": 5,
            "keepalive": 75,
            "loglevel": "warning",
            "proc_name": "bazanite-demo",
            "control_socket_disable": True,
            "when_ready": lambda _server: self._ready(),
            "worker_exit": self._left,
            "on_exit": lambda _server: self._close(),
        }
        if settings.engine_room:
            options |= {
                "pre_fork": lambda server, worker: self._the_room().choose_slot(
                    server.WORKERS.values(), worker
                ),
                "post_fork": lambda _server, worker: self._the_room().begin(worker),
                "child_exit": lambda _server, worker: self._the_room().buried(worker),
                "on_exit": lambda _server: self._close_all(),
            }
        for name, value in options.items():
            if name in self.cfg.settings:  # older releases have no control socket
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called once, by the master."""
        settings = self._settings
        halting = HaltingSystem() if settings.engine_room else None
        self._db = open_tables(settings.data, sample=settings.sample, halting=halting)
        key = secret_key(settings.data / KEY_NAME)
        app = create_app(self._db, key, only_here=is_loopback(settings.host))
        app.register_error_handler(ParseException, _no_request)
        app.config["ENGINE_ROOM"] = settings.engine_room
        for name in app.jinja_env.list_templates():
            app.jinja_env.get_template(name)  # compiled once, and not by each new worker
        if halting:
            streams = min(MOST_STREAMS, settings.threads - 1)  # the others answer
            self._room = Room(settings.data, self._address, halting, streams=streams)
            self._room.open(self._db, self._db.storage.base_dir)
            install(app, self._room)
        return app

    def _the_room(self) -> Room:
        assert self._room is not None
        return self._room

    def _ready(self) -> None:
        settings = self._settings
        address = self._address
        moved = settings.port is None and not address.endswith(f":{DEFAULT_PORT}")
        print(
            f"{address}\n"
            + (f"  port {DEFAULT_PORT} is in use, so it is another one\n" if moved else "")
            + f"  {settings.workers} worker processes share {settings.data / TABLES_NAME}\n"
            + (f"  {address}/engine shows what goes on in it\n" if settings.engine_room else "")
            + "  Ctrl-C stops them",
            flush=True,
        )

    def _left(self, _server: Any, worker: Any) -> None:
        """A worker ends; the master calls this too, of one that it finds gone."""
        if worker.pid != os.getpid():
            return
        try:
            self._close()
        except DBError as error:  # the directory was removed, say; the master will fail, too
            print(f"bazanite_demo: {error}", file=sys.stderr, flush=True)

    def _close_all(self) -> None:
        try:
            self._close()
        finally:
            self._the_room().close()

    def _close(self) -> None:
        """In a worker that ends, and at last in the master: the last one empties the log."""
        if self._db is not None:
            self._db.close()


def _no_request(_error: Exception) -> Any:
    """Of a body that breaks off between two chunks, which gunicorn finds when it is read."""
    return current_app.handle_http_exception(BadRequest("What was sent is not a whole request."))


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, and exit.  OSError or DBError: it cannot be started."""
    Server(settings, listen(settings)).run()
