"""The page, its stream of events and its buttons, which work without JavaScript, too."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)  # fmt: skip
from werkzeug.wrappers import Response as AnyResponse

from bazanite import DBError

from .access import refusal
from .experiment import Refused
from .jobs import Busy, Job
from .moments import LOGGED, MOMENTS
from .room import Room
from .state import Looking

blueprint = Blueprint("engine", __name__, url_prefix="/engine")
Answer = str | AnyResponse | tuple[str, int] | tuple[Response, int]

EVENT_SECONDS, STREAM_SECONDS = 0.5, 180.0
"""How often an event comes, and after how long a browser has to ask again."""
_LOOK_SECONDS = 0.1
_CONFLICT = 409


@blueprint.before_request
def only_from_this_machine() -> None:
    """403 for all others."""
    reason = refusal(request)
    if reason is not None:
        abort(403, reason)


@blueprint.get("")
def page() -> Answer:
    """All of it, as it is now."""
    return _page()


@blueprint.get("/events")
def events() -> Answer:
    """The same again and again, as server-sent events; 503 if this worker has enough readers."""
    room = _room()
    if not room.streams.acquire(blocking=False):
        return Response("busy", 503, {"Retry-After": "2"}, mimetype="text/plain")
    stream = _Stream(room, request.environ.get("gunicorn.socket"))
    response = Response(stream, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/kill")
def kill() -> Answer:
    """Have another worker begin a transaction, and kill it at the moment that was chosen."""
    moment = request.form.get("moment", LOGGED)
    if moment not in MOMENTS:
        abort(400, "There is no such moment.")
    try:
        story = _room().experiment.run(moment)
    except Refused as error:
        return _refused(str(error), "kill")
    except (DBError, OSError) as error:
        return _refused(f"It cannot be begun: {error}", "kill")
    if _wants_json():
        return Response(json.dumps(story), mimetype="application/json")
    return redirect(url_for(".page", _anchor="kill"), 303)


@blueprint.post("/torture")
def torture() -> Answer:
    """Start a torture run of ten seconds."""
    return _start(_room().torture, "torture")


@blueprint.post("/traffic")
def traffic() -> Answer:
    """Start half a minute of requests."""
    return _start(_room().traffic, "traffic")


class _Stream:
    """The body of a stream; closing it gives its place back, whether it was read or not."""

    def __init__(self, room: Room, connection: socket.socket | None) -> None:
        self._room = room
        self._connection = connection
        self._open = True
        self._events = self._all()

    def __iter__(self) -> Iterator[str]:
        return self._events

    def _all(self) -> Iterator[str]:
        room, looking = self._room, Looking(self._room)
        end = time.monotonic() + STREAM_SECONDS
        yield "retry: 500\n\n"
        while time.monotonic() < end and not room.stopping():
            try:
                state = looking.now()
            except DBError:
                return
            yield f"data: {json.dumps(state)}\n\n"
            next_at = time.monotonic() + EVENT_SECONDS
            while time.monotonic() < next_at and not room.stopping():
                time.sleep(_LOOK_SECONDS)
                if self._is_left():
                    return

    def _is_left(self) -> bool:
        """Whether the reader has gone; who writes to it hears of that later."""
        if self._connection is None:
            return False
        poll = select.poll()
        try:
            poll.register(self._connection, select.POLLIN)
            return bool(poll.poll(0)) and not self._connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):  # broken, or closed here
            return True

    def close(self) -> None:
        """Called by the server at the end, whatever happened."""
        if self._open:
            self._open = False
            self._room.streams.release()


def _start(job: Job, name: str) -> Answer:
    try:
        job.start()
    except Busy:
        return _refused("It is running already.", name)
    except OSError as error:
        return _refused(f"It cannot be started: {error}", name)
    if _wants_json():
        return Response("{}", mimetype="application/json")
    flash("Started. Reload this page to see how far it is.")
    return redirect(url_for(".page", _anchor=name), 303)


def _refused(reason: str, part: str) -> Answer:
    if _wants_json():
        document = json.dumps({"refused": reason})
        return Response(document, mimetype="application/json"), _CONFLICT
    return _page(reason, part), _CONFLICT


def _page(problem: str | None = None, part: str | None = None) -> str:
    return render_template(
        "engine.html",
        state=Looking(_room()).now(),
        directory=_room().directory,
        moments=MOMENTS,
        chosen=LOGGED,
        problem=problem,
        part=part,
    )


def _wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def _room() -> Room:
    room: Room = current_app.extensions["engine_room"]
    return room
