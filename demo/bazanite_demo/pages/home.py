"""The first page: what is open, what is late, what happened last."""

from __future__ import annotations

from flask import Blueprint, render_template

from bazanite import COUNT, NE, BaseCond, Join

from .common import Page, database
from .tasks import JOINS, condition

blueprint = Blueprint("home", __name__)
SHOWN = 6


@blueprint.get("/")
def page() -> Page:
    """Four lists, each short."""
    db = database()
    open_tasks = condition("open")
    due = db.find(
        "tasks", open_tasks & NE(due=None), order_by=["due", "id"], limit=SHOWN, joins=JOINS
    )
    recent = db.find("tasks", order_by=["-changed", "-id"], limit=SHOWN, joins=JOINS)
    projects = db.find(
        "projects", NE(status="done"), order_by=["due", "id"], limit=SHOWN,
        joins=[Join("owner", "owner", "users")],
    )  # fmt: skip
    return render_template(
        "home.html",
        due=due,
        recent=recent,
        projects=projects,
        progress=progress(),
        open_count=db.count("tasks", open_tasks),
        late_count=db.count("tasks", condition("late")),
        project_count=db.count("projects"),
        user_count=db.count("users"),
    )


def progress(where: BaseCond | None = None) -> dict[int, tuple[int, int]]:
    """Of each project that has such tasks, how many of them are done, and how many there are."""
    found: dict[int, tuple[int, int]] = {}
    for group in database().group_by("tasks", ["project", "status"], {"count": COUNT()}, where):
        done, count = found.get(group["project"], (0, 0))
        done += group["count"] if group["status"] == "done" else 0
        found[group["project"]] = (done, count + group["count"])
    return found
