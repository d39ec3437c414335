"""Tasks: the list, one with its comments, and the forms."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, session, url_for

from bazanite import EQ, LT, NE, BaseCond, Join
from bazanite.row import Row

from ..editing import now
from ..forms import CommentForm, TaskForm
from ..listing import Column, listing
from ..tables import TASK_STATUSES
from .common import Page, create, database, delete, edit, wanted

blueprint = Blueprint("tasks", __name__, url_prefix="/tasks")
JOINS = [Join("project", "project", "projects"), Join("assignee", "assignee", "users")]
COLUMNS = [
    Column("Title", "title"),
    Column("Project"),
    Column("Assigned to"),
    Column("Status", "status"),
    Column("Priority", "priority"),
    Column("Due", "due"),
]
COMMENTS = [Column("Written", "written")]
STATUSES = {"": "All", "open": "Open", "late": "Late", **TASK_STATUSES}


@blueprint.get("")
def index() -> Page:
    """All tasks, or those of one status, a page of them."""
    status = request.args.get("status", "")
    if status not in STATUSES:
        status = ""
    kept = {"status": status} if status else {}
    found = listing(
        database(),
        "tasks",
        COLUMNS,
        "-priority",
        condition(status) if status else None,
        JOINS,
        kept,
    )
    return render_template("tasks.html", listing=found, status=status, statuses=STATUSES)


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> Page:
    """A form for a new task."""
    form = TaskForm(project=request.args.get("project", None, type=int))

    def store() -> Row:
        time = now()
        with database().transaction():
            return database().insert("tasks", {**form.values(), "created": time, "changed": time})

    return create(
        form, "New task", url_for(".index"), store, lambda row: url_for(".show", pk=row["id"])
    )


@blueprint.get("/<int(min=1):pk>")
def show(pk: int) -> Page:
    """A task and the comments on it."""
    task = wanted("tasks", pk, joins=JOINS)
    found = listing(
        database(),
        "comments",
        COMMENTS,
        "written",
        EQ(task=pk),
        [Join("author", "author", "users")],
    )
    form = CommentForm(formdata=None, author=session.get("author"))
    form.offer(database())
    return render_template("task.html", task=task, listing=found, form=form)


@blueprint.route("/<int(min=1):pk>/edit", methods=["GET", "POST"])
def change(pk: int) -> Page:
    """A form with the task's values."""
    row = wanted("tasks", pk)
    return edit(TaskForm, f"Edit {row['title']}", url_for(".show", pk=pk), "tasks", row, _changed)


@blueprint.route("/<int(min=1):pk>/delete", methods=["GET", "POST"])
def remove(pk: int) -> Page:
    """Ask, and delete the task with the comments on it."""
    row = wanted("tasks", pk)
    count = database().count("comments", EQ(task=pk))
    what = (
        f"{count} comment{'s' * (count != 1)} on it go{'es' * (count == 1)} with it."
        if count
        else ""
    )
    return delete(
        "tasks", row, f"Delete the task {row['title']}?", what,
        url_for(".show", pk=pk), url_for("projects.show", pk=row["project"]),
    )  # fmt: skip


def _changed() -> dict[str, Any]:
    return {"changed": now()}


def condition(status: str) -> BaseCond:
    """Of the tasks of one of STATUSES but "", which is all."""
    if status == "open":
        return NE(status="done")
    if status == "late":
        return NE(status="done") & LT(due=now().date())
    return EQ(status=status)
