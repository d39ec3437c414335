"""The Flask application: its settings, what every page has, and what it says of errors."""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, render_template, session
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException

from bazanite import DB, CommittedNotApplied, CommitUncertain, LockTimeout

from . import pages, tables
from .noted import NotedDB, noted
from .stored import Files

SHOWN_ROWS = 12
"""At the most, as they lie in the files, at the bottom of a page."""
REMEMBERED_CALLS = 6
"""Of a form that was sent, told on the page that follows: they travel in a cookie."""


def secret_key(path: Path) -> bytes:
    """What cookies are signed with: made once and kept in this file, which only its owner reads."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        key = secrets.token_hex(32).encode()
        file.write(key)
    return key


def create_app(db: DB, key: bytes) -> Flask:
    """The application on this open database.  Used by all threads of a process, and its forks."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=key,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_NAME="bazanite_demo",
        MAX_CONTENT_LENGTH=1 << 20,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: who writes for hours can still save
        TRUSTED_HOSTS=None,
    )
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
    app.register_error_handler(CommittedNotApplied, _uncertain)
    app.extensions["style"] = _version_of_style()
    return app


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
        "style": current_app.extensions["style"],
        "today": datetime.now(UTC).date(),
    }


def _finish(response: Response) -> Response:
    """What every answer has; and the calls of a form that was sent are kept for the next page."""
    if 300 <= response.status_code < 400 and "notes" in g:
        session["before"] = [
            ["    " * call.depth + call.text[:160], round(call.milliseconds, 2), call.lsn]
            for call in noted().calls[-REMEMBERED_CALLS:]
        ]
    response.headers.setdefault("X-Worker", str(os.getpid()))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _problem(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    text = error.description
    if isinstance(error, CSRFError):
        text = "This form is too old or from elsewhere. Go back, reload the page and send it again."
    return render_template("problem.html", title=error.name, text=text), error.code


def _busy(error: LockTimeout) -> Any:
    text = f"Somebody else was changing the data all the time. Nothing was saved. ({error})"
    page = render_template("problem.html", title="Busy, try again", text=text)
    return page, 503, {"Retry-After": "1"}


def _uncertain(error: Exception) -> Any:
    text = f"Look whether your change is there before you make it again. ({error})"
    return render_template("problem.html", title="Perhaps saved", text=text), 500


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
