"""Users: the list, one with what is theirs, and the forms."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for

from bazanite import EQ, InverseCount
from bazanite.row import Row

from ..forms import UserForm
from ..listing import Column, listing
from .common import Page, create, database, delete, edit, wanted
from .tasks import COLUMNS as TASK_COLUMNS
from .tasks import JOINS as TASK_JOINS

blueprint = Blueprint("users", __name__, url_prefix="/users")
COLUMNS = [
    Column("Name", "name"),
    Column("E-mail", "email"),
    Column("Role", "role"),
    Column("Tasks"),
]


@blueprint.get("")
def index() -> Page:
    """All users, a page of them."""
    count = InverseCount("assignee", "tasks", "tasks")
    return render_template(
        "users.html", listing=listing(database(), "users", COLUMNS, "name", joins=[count])
    )


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> Page:
    """A form for a new user."""
    form = UserForm()

    def store() -> Row:
        with database().transaction():
            return database().insert("users", form.values())

    return create(
        form, "New user", url_for(".index"), store, lambda row: url_for(".show", pk=row["id"])
    )


@blueprint.get("/<int(min=1):pk>")
def show(pk: int) -> Page:
    """A user, the projects that they own, and the tasks that they are to do."""
    user = wanted("users", pk)
    owned = database().find("projects", EQ(owner=pk), order_by="name")
    columns = [column for column in TASK_COLUMNS if column.title != "Assigned to"]
    found = listing(database(), "tasks", columns, "due", EQ(assignee=pk), TASK_JOINS)
    return render_template("user.html", user=user, owned=owned, listing=found)


@blueprint.route("/<int(min=1):pk>/edit", methods=["GET", "POST"])
def change(pk: int) -> Page:
    """A form with the user's values."""
    row = wanted("users", pk)
    return edit(UserForm, f"Edit {row['name']}", url_for(".show", pk=pk), "users", row)


@blueprint.route("/<int(min=1):pk>/delete", methods=["GET", "POST"])
def remove(pk: int) -> Page:
    """Ask, and delete the user, unless they own a project; their tasks and comments stay."""
    row = wanted("users", pk)
    owned = database().count("projects", EQ(owner=pk))
    what = (
        f"{row['name']} owns {owned} project{'s' * (owned != 1)}, and the database will refuse"
        f" until {'it has' if owned == 1 else 'they have'} another owner."
        if owned
        else "Tasks assigned to them stay, and so do their comments, without a name."
    )
    return delete(
        "users", row, f"Delete {row['name']}?", what, url_for(".show", pk=pk), url_for(".index")
    )
