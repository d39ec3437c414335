"""Comments: a new one on a task, and the forms to change one or take it away."""

from __future__ import annotations

from flask import Blueprint, session, url_for

from bazanite.row import Row

from ..editing import now
from ..forms import CommentForm
from ..listing import LAST
from .common import Page, create, database, delete, edit, wanted

blueprint = Blueprint("comments", __name__)


@blueprint.route("/tasks/<int(min=1):task>/comments/new", methods=["GET", "POST"])
def new(task: int) -> Page:
    """A form for a new comment; the task's page has the same one."""
    row = wanted("tasks", task)
    form = CommentForm(author=session.get("author"))

    def store() -> Row:
        with database().transaction():
            stored = database().insert(
                "comments", {**form.values(), "task": task, "written": now()}
            )
        session["author"] = form.author.data
        return stored

    return create(
        form, f"Comment on {row['title']}", url_for("tasks.show", pk=task), store,
        lambda row: url_for("tasks.show", pk=task, page=LAST, _anchor=f"comment-{row['id']}"),
    )  # fmt: skip


@blueprint.route("/comments/<int(min=1):pk>/edit", methods=["GET", "POST"])
def change(pk: int) -> Page:
    """A form with the comment."""
    row = wanted("comments", pk)
    return edit(
        CommentForm, "Edit the comment", url_for("tasks.show", pk=row["task"]), "comments", row
    )


@blueprint.route("/comments/<int(min=1):pk>/delete", methods=["GET", "POST"])
def remove(pk: int) -> Page:
    """Ask, and delete the comment."""
    row = wanted("comments", pk)
    back = url_for("tasks.show", pk=row["task"])
    return delete("comments", row, "Delete this comment?", row["text"], back, back)
