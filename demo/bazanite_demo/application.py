"""The Flask application: its settings, what every page has, and what it says of errors."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import secrets
import tempfile
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, render_template, request, session
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException, SecurityError

from bazanite import (
    DB,
    CommittedNotApplied,
    CommitUncertain,
    DBError,
    LockTimeout,
    PoisonedError,
)

from . import pages, tables
from .noted import NotedDB, noted
from .stored import Files

SHOWN_ROWS = 12
"""At the most, as they lie in the files, at the bottom of a page."""
REMEMBERED_BYTES = 1800
"""Of calls that a form made, told on the page that follows: they travel in a cookie of 4 KiB."""
_KEY_BYTES = 32
_TEXTS = ("name", "email", "title", "description", "text")
"""Of all forms."""


def secret_key(path: Path) -> bytes:
    """What cookies are signed with: made once and kept in this file, which only its owner reads.

    Of several that make it at once all get the same.
    """
    if not path.exists():
        descriptor, made = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        with suppress(FileExistsError):
            path.hardlink_to(made)
        Path(made).unlink()
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise OSError(f"{path}: too short for a key; remove the file, and a new one is made")
    return key


def create_app(db: DB, key: bytes, *, only_here: bool = True) -> Flask:
    """The application on this open database.  Used by all threads of a process, and its forks.

    ``only_here``: it answers to names of this machine alone, so that no page from elsewhere can
    reach it under a name of its own (DNS rebinding).
    """
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=key,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_NAME="bazanite_demo",
        MAX_CONTENT_LENGTH=1 << 20,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: who writes for hours can still save
    )
    if only_here:
        app.before_request(_refuse_other_names)
    CSRFProtect(app)
    app.extensions["bazanite"] = NotedDB(db)
    for blueprint in pages.BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.after_request(_finish)
    app.context_processor(_for_all_pages)
    app.jinja_env.filters.update(day=_day, moment=_moment, marked=pages.search.marked)
    app.register_error_handler(HTTPException, _problem)
    app.register_error_handler(LockTimeout, _busy)
    app.register_error_handler(CommitUncertain, _uncertain)
    app.register_error_handler(CommittedNotApplied, _not_shown_yet)
    app.register_error_handler(PoisonedError, _poisoned)
    app.register_error_handler(DBError, _refused)
    app.extensions["style"] = _version_of_style()
    return app


def is_loopback(host: str) -> bool:
    """Whether the address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_this_machine(host: str) -> bool:
    """Whether a Host header is a name of this machine, with or without a port.

    Flask's TRUSTED_HOSTS takes every address in brackets for a foreign one.
    """
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _refuse_other_names() -> None:
    if not names_this_machine(request.headers.get("Host", "")):
        abort(400, "This address is served under the names of this machine only.")


def _for_all_pages() -> dict[str, Any]:
    def how_it_works() -> dict[str, Any]:
        """What this request did so far; called at the bottom of a page."""
        db: NotedDB = _app_db()
        notes = noted()
        wanted = list(notes.rows)
        return {
            "before": session.pop("before", []),
            "calls": notes.calls,
            "rows": Files(db.db.storage.base_dir).rows(wanted[:SHOWN_ROWS]),
            "omitted": max(0, len(wanted) - SHOWN_ROWS),
            "directory": db.db.storage.base_dir,
            "pid": os.getpid(),
        }

    return {
        "how_it_works": how_it_works,
        "labels": tables,
        "typed": _typed,
        "style": current_app.extensions["style"],
        "today": datetime.now(UTC).date(),
    }


def _finish(response: Response) -> Response:
    """What every answer has; and the calls of a form that was sent are kept for the next page."""
    if 300 <= response.status_code < 400 and "notes" in g:
        session["before"] = _remembered()
    response.headers.setdefault("X-Worker", str(os.getpid()))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    if (response.mimetype or "").startswith("text/") and request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _remembered() -> list[list[Any]]:
    """The calls of this request, as many of the first as a cookie holds."""
    kept: list[list[Any]] = []
    room = REMEMBERED_BYTES
    for call in noted().calls:
        told = ["    " * call.depth + call.text, round(call.milliseconds, 2), call.lsn]
        room -= len(json.dumps(told))
        if room < 0:
            break
        kept.append(told)
    return kept


def _problem(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    text = error.description
    if isinstance(error, SecurityError):  # asked under a foreign name: there is no address to link
        return Response(f"{text}\n", error.code, mimetype="text/plain")
    if isinstance(error, CSRFError):
        text = "This form is too old or from elsewhere. Go back, reload the page and send it again."
    return render_template("problem.html", title=error.name, text=text), error.code


def _typed() -> dict[str, str]:
    """The texts of a form that could not be saved, so that they can be copied from the page.

    No browser keeps them: its page before is asked for anew.
    """
    if request.method != "POST":
        return {}
    with suppress(HTTPException):  # it was too large to be read
        return {name: request.form[name] for name in _TEXTS if request.form.get(name)}
    return {}


def _busy(error: LockTimeout) -> Any:
    text = f"Somebody else was changing the data all the time. Nothing was saved. ({error})"
    page = render_template("problem.html", title="Busy, try again", text=text)
    return page, 503, {"Retry-After": "1"}


def _uncertain(error: Exception) -> Any:
    text = f"Look whether your change is there before you make it again. ({error})"
    return render_template("problem.html", title="Perhaps saved", text=text), 500


def _not_shown_yet(error: CommittedNotApplied) -> Any:
    text = f"Your change is on disk. Do not make it again: it is shown in a moment. ({error})"
    return render_template("problem.html", title="Saved, and not shown yet", text=text), 500


def _poisoned(error: PoisonedError) -> Any:
    current_app.logger.error("%s: %s", type(error).__name__, error)
    text = (
        "Restart the server, and if you sent a form, look whether your change is there before you"
        f" make it again. ({error})"
    )
    return render_template("problem.html", title="Out of service", text=text), 500


def _refused(error: DBError) -> Any:
    """Any other: the disk is full, a file is damaged, a sync has failed."""
    current_app.logger.error("%s: %s", type(error).__name__, error)
    text = f"The database could not do that, and nothing was changed by it. ({error.message})"
    return render_template("problem.html", title="Not done", text=text), 500


def _day(value: date | None) -> str:
    return "" if value is None else f"{value.day} {value:%b %Y}"


def _moment(value: datetime) -> str:
    return f"{value.day} {value:%b %Y, %H:%M} UTC"


def _version_of_style() -> str:
    """So that no browser goes on with an old one."""
    sheet = files(__package__).joinpath("static/style.css").read_bytes()
    return hashlib.sha256(sheet).hexdigest()[:12]


def _app_db() -> NotedDB:
    db: NotedDB = current_app.extensions["bazanite"]
    return db
