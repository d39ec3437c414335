"""What a new data directory begins with, so that there is something to look at."""

from __future__ import annotations

from datetime import timedelta

from bazanite import DB

from .editing import now

_USERS = [
    ("Ada Lovelace", "ada@example.org", "manager"),
    ("Grace Hopper", "grace@example.org", "admin"),
    ("Margaret Hamilton", "margaret@example.org", "manager"),
    ("Barbara Liskov", "barbara@example.org", "member"),
    ("Żaneta Świątek", "zaneta@example.org", "member"),
]
_PROJECTS = [
    (1, "Analytical engine", "active", 40, "Build it at last, brass and all."),
    (3, "Guidance software", "active", 12, "Must survive a restart in mid-descent.\nNo data lost."),
    (2, "Compiler", "planned", 90, "Programs that are written in words."),
    (4, "Office move", "done", -20, "From the attic to the first floor."),
]
_TASKS: list[tuple[int, str, int | None, str, int, int | None, int | None, str]] = [
    (1, "Order the brass", 5, "done", 2, -15, 4, "Two hundred kilos, from two suppliers."),
    (1, "Cut the gears", 5, "doing", 3, 6, 120, "Fifty decimal digits, a thousand numbers."),
    (1, "Write the first program", 1, "doing", 3, 9, 40, "Bernoulli numbers. See note G."),
    (1, "Find a room that is large enough", None, "todo", 1, 30, None, ""),
    (2, "Restart tables", 3, "done", 3, -8, 60, "Every job can be started again where it was."),
    (2, "Priority displays", 3, "doing", 3, -1, 30, "Tell the crew what goes on, at once."),
    (2, "Test with the power cut", 4, "todo", 3, 3, 24, "At every moment, not only at some."),
    (2, "Weave the rope memory", None, "todo", 2, 10, 300, "Ones through the core, zeros around."),
    (3, "Collect subroutines", 2, "todo", 2, 45, 16, "From everybody's notebooks."),
    (3, "Choose the words", 2, "todo", 2, 60, 8, "ADD, SUBTRACT, GO TO and whatever it needs."),
    (3, "Explain it to those who say it cannot work", 2, "todo", 1, None, None, ""),
    (4, "Carry the desks", 4, "done", 1, -21, 6, "Mind the stairs."),
    (4, "Water the plants", None, "done", 1, -20, 1, ""),
]
_COMMENTS = [
    (1, 1, "The second supplier is slower, but its brass is better."),
    (3, 5, "Should the loop be counted in the note, or drawn?"),
    (3, 1, "Drawn. Nobody will believe it otherwise."),
    (6, 4, "It is a day late already, can I help?"),
    (7, 3, "Please also pull the plug between two writes of the same transaction."),
    (9, 1, "Mine are on their way."),
]


def fill(db: DB) -> bool:
    """Insert the sample if no table has a row; one transaction.  Whether it was."""
    time = now()
    today = time.date()
    with db.transaction():
        if any(db.count(table) for table in ("users", "projects", "tasks", "comments")):
            return False
        db.insert_many(
            "users", [dict(zip(("name", "email", "role"), u, strict=True)) for u in _USERS]
        )
        db.insert_many(
            "projects",
            [
                {
                    "owner": owner, "name": name, "status": status, "description": text,
                    "due": today + timedelta(days=days), "created": time - timedelta(days=30),
                }
                for owner, name, status, days, text in _PROJECTS
            ],
        )  # fmt: skip
        db.insert_many(
            "tasks",
            [
                {
                    "project": project, "title": title, "assignee": who, "status": status,
                    "priority": priority, "hours": hours, "description": text,
                    "due": None if days is None else today + timedelta(days=days),
                    "created": time - timedelta(days=29), "changed": time - timedelta(hours=30 - n),
                }
                for n, (project, title, who, status, priority, days, hours, text) in
                enumerate(_TASKS)
            ],
        )  # fmt: skip
        db.insert_many(
            "comments",
            [
                {
                    "task": task,
                    "author": author,
                    "text": text,
                    "written": time - timedelta(hours=9 - n),
                }
                for n, (task, author, text) in enumerate(_COMMENTS)
            ],
        )
    return True
