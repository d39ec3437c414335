"""What is stored: users, their projects, tasks in these, comments on tasks.

Every row that people edit has a ``version``, one more with each edit: whoever saves a form says
which version it was filled in for (``editing``).
"""

from __future__ import annotations

from bazanite import CHAR, DATE, DATETIME, FK, INT, PK, TEXT, Field, Schema, Table

ROLES = {"member": "Member", "manager": "Manager", "admin": "Administrator"}
PROJECT_STATUSES = {"planned": "Planned", "active": "Active", "paused": "Paused", "done": "Done"}
TASK_STATUSES = {"todo": "To do", "doing": "In progress", "done": "Done"}
PRIORITIES = {3: "High", 2: "Normal", 1: "Low"}

NAME_BYTES, EMAIL_BYTES, TITLE_BYTES = 40, 80, 80
LONGEST_TEXT = 20_000
"""In characters; the engine would take 50,000 times as many."""


def _version() -> Field:
    return Field("version", INT(default=1))


class Users(Table):
    """Who owns projects, is assigned tasks, and comments on them."""

    name = "users"
    schema = Schema(
        [
            Field("id", PK()),
            Field("name", CHAR(NAME_BYTES, index=True)),
            Field("email", CHAR(EMAIL_BYTES, unique=True)),
            Field("role", CHAR(8)),
            _version(),
        ]
    )


class Projects(Table):
    """What tasks belong to; its owner cannot be deleted."""

    name = "projects"
    schema = Schema(
        [
            Field("id", PK()),
            Field("name", CHAR(TITLE_BYTES, unique=True)),
            Field("owner", FK("users", on_delete="restrict", index=True)),
            Field("status", CHAR(8)),
            Field("due", DATE(null=True)),
            Field("created", DATETIME(utc=True)),
            Field("description", TEXT()),
            _version(),
        ]
    )


class Tasks(Table):
    """What is to be done; goes with its project, and stays without its assignee."""

    name = "tasks"
    schema = Schema(
        [
            Field("id", PK()),
            Field("title", CHAR(TITLE_BYTES)),
            Field("project", FK("projects", on_delete="cascade", index=True)),
            Field("assignee", FK("users", null=True, on_delete="set_null", index=True)),
            Field("status", CHAR(8)),
            Field("priority", INT(1)),
            Field("due", DATE(null=True, index=True)),
            Field("hours", INT(4, null=True)),
            Field("created", DATETIME(utc=True)),
            Field("changed", DATETIME(utc=True, index=True)),
            Field("description", TEXT()),
            _version(),
        ]
    )


class Comments(Table):
    """What somebody said of a task; goes with it, and stays without its author."""

    name = "comments"
    schema = Schema(
        [
            Field("id", PK()),
            Field("task", FK("tasks", on_delete="cascade", index=True)),
            Field("author", FK("users", null=True, on_delete="set_null", index=True)),
            Field("written", DATETIME(utc=True)),
            Field("text", TEXT()),
            _version(),
        ]
    )


TABLES = [Users, Projects, Tasks, Comments]
