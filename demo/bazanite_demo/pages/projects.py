"""Projects: the list, one with its tasks, and the forms."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for

from bazanite import EQ, Join
from bazanite.row import Row

from ..editing import now
from ..forms import ProjectForm
from ..listing import Column, listing
from .common import Page, create, database, delete, edit, wanted
from .home import progress
from .tasks import COLUMNS as TASK_COLUMNS
from .tasks import JOINS as TASK_JOINS

blueprint = Blueprint("projects", __name__, url_prefix="/projects")
OWNER = Join("owner", "owner", "users")
COLUMNS = [
    Column("Name", "name"),
    Column("Owner"),
    Column("Status", "status"),
    Column("Due", "due"),
    Column("Tasks done"),
]


@blueprint.get("")
def index() -> Page:
    """All projects, a page of them."""
    found = listing(database(), "projects", COLUMNS, "name", joins=[OWNER])
    return render_template("projects.html", listing=found, progress=progress())


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> Page:
    """A form for a new project."""
    form = ProjectForm()

    def store() -> Row:
        with database().transaction():
            return database().insert("projects", {**form.values(), "created": now()})

    return create(
        form, "New project", url_for(".index"), store, lambda row: url_for(".show", pk=row["id"])
    )


@blueprint.get("/<int(min=1):pk>")
def show(pk: int) -> Page:
    """A project and its tasks."""
    project = wanted("projects", pk, joins=[OWNER])
    columns = [column for column in TASK_COLUMNS if column.title != "Project"]
    found = listing(database(), "tasks", columns, "status", EQ(project=pk), TASK_JOINS)
    return render_template(
        "project.html", project=project, listing=found, progress=progress(EQ(project=pk)).get(pk)
    )


@blueprint.route("/<int(min=1):pk>/edit", methods=["GET", "POST"])
def change(pk: int) -> Page:
    """A form with the project's values."""
    row = wanted("projects", pk)
    return edit(ProjectForm, f"Edit {row['name']}", url_for(".show", pk=pk), "projects", row)


@blueprint.route("/<int(min=1):pk>/delete", methods=["GET", "POST"])
def remove(pk: int) -> Page:
    """Ask, and delete the project with its tasks and their comments."""
    row = wanted("projects", pk)
    count = database().count("tasks", EQ(project=pk))
    what = (
        f"Its {count} task{'s' * (count != 1)} and all comments on them go with it."
        if count
        else ""
    )
    return delete(
        "projects", row, f"Delete the project {row['name']}?", what,
        url_for(".show", pk=pk), url_for(".index"),
    )  # fmt: skip
