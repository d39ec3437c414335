"""What the pages share: the database, rows that must be there, and how a form is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, current_app, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from bazanite import DBError, IntegrityError
from bazanite.row import Row

from ..conflicts import merge, remember
from ..editing import Conflict, Gone, remove, save
from ..forms import DeleteForm, VersionedForm, put_error
from ..noted import NotedDB

Page = str | Response | tuple[str, int]
GONE = "Somebody has deleted it meanwhile. Nothing was saved."


def database() -> NotedDB:
    """The handle of this process."""
    db: NotedDB = current_app.extensions["bazanite"]
    return db


def wanted(table: str, pk: int, **options: Any) -> Row:
    """The row; a page that says so (404) if there is none."""
    row = database().find_by_id(table, pk, **options)
    if row is None and request.method == "POST":  # it was there when the form was made
        abort(404, GONE)
    if row is None:
        abort(404, f"There is nothing under this address: no {table[:-1]} has the number {pk}.")
    return row


def create(
    form: VersionedForm,
    title: str,
    back: str,
    store: Callable[[], Row],
    address: Callable[[Row], str],
) -> Page:
    """Show the form; when it is sent and can be stored, go on to the new row's page."""
    form.offer(database())
    if form.validate_on_submit():
        try:
            row = store()
        except (DBError, ValueError) as error:
            put_error(form, error)
        else:
            flash("Saved.")
            return redirect(address(row), 303)
    return _shown(form, title, back)


def edit(
    kind: type[VersionedForm],
    title: str,
    address: str,
    table: str,
    row: Row,
    more: Callable[[], dict[str, Any]] = dict,
) -> Page:
    """Show such a form with the row's values; when it is sent and saved, go on to ``address``.

    ``more`` is what else is stored.  If somebody saved the row meanwhile, nothing is: the page
    shows what differs, and the form goes on from there, with what was typed (``conflicts``).
    """
    form = kind(data=row if request.method == "GET" else None)
    form.offer(database())
    if request.method == "GET":
        form.version.data = str(row["version"])
        remember(form)
    if form.validate_on_submit():
        try:
            save(database(), table, row["id"], form.version_given(), {**form.values(), **more()})
        except Gone:
            abort(404, GONE)
        except Conflict as conflict:
            theirs = kind(formdata=None, data=conflict.row)
            theirs.offer(database())
            differences = merge(form, theirs)
            form.version.data = str(conflict.row["version"])
            return _shown(form, title, address, differences, conflict=True)
        except (DBError, ValueError) as error:
            put_error(form, error)
        else:
            flash("Saved.")
            return redirect(address, 303)
    return _shown(form, title, address)


def delete(table: str, row: Row, title: str, what: str, back: str, done: str) -> Page:
    """Ask whether the row is to go, and ``what`` with it; when that is confirmed, go on."""
    form = DeleteForm()
    problem = None
    if request.method == "GET":
        form.version.data = str(row["version"])
    elif form.validate_on_submit():
        try:
            remove(database(), table, row["id"], form.version_given())
        except Gone:
            abort(404, GONE)
        except Conflict as conflict:
            problem = "Somebody changed it while you were looking. Delete it all the same?"
            form.version.data = str(conflict.row["version"])
        except IntegrityError:  # who refers to it must not lose it
            problem = "Nothing was deleted: what belongs to it needs another owner before."
        else:
            flash(f"The {table[:-1]} was deleted.")
            return redirect(done, 303)
    page = render_template(
        "delete.html", form=form, title=title, what=what, back=back, problem=problem
    )
    return (page, 409) if problem else page


def _shown(
    form: VersionedForm,
    title: str,
    back: str,
    differences: list[tuple[str, str, str]] | None = None,
    *,
    conflict: bool = False,
) -> Page:
    page = render_template(
        "form.html", form=form, title=title, back=back, differences=differences, conflict=conflict
    )
    return (page, 409) if conflict else (page, 422) if form.errors else page
