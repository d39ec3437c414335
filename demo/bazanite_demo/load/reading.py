"""What is stored: read from the directory in one state, or through the pages."""

from __future__ import annotations

import re
from typing import Any

from bazanite import COUNT, DB

from .browser import Browser
from .html import Form, read
from .verdict import TASK_FIELDS, Found, Problem, Row

TABLES = ("users", "projects", "tasks", "comments")
_LAST_PAGE = 1_000_000


def found_in(db: DB, project: int) -> Found:
    """One state of the directory; what is in this project is the traffic's."""
    with db.storage.lock():
        rows = {name: db.find(name) for name in TABLES}
        groups = db.group_by("comments", "task", {"count": COUNT()})
    tasks = [row for row in rows["tasks"] if row["project"] == project]
    others = {(name, row["id"]): row for name in TABLES for row in rows[name]}
    theirs = {row["id"] for row in tasks}
    known = {pk for name, pk in others if name == "tasks"} - theirs
    # A comment on a task that is not there is the traffic's: nobody else's tasks ever go.
    comments = [row for row in rows["comments"] if row["task"] not in known]
    for name, own in (("tasks", tasks), ("comments", comments)):
        for row in own:
            others.pop((name, row["id"]), None)  # in damaged data an id may be there twice
    return Found(tasks, comments, others, {group["task"]: group["count"] for group in groups})


def problems_of_files(db: DB) -> list[Problem]:
    """What the database's own check has found."""
    report = db.check()
    return [] if report.ok else [Problem("check", str(problem)) for problem in report.problems]


def found_through(browser: Browser, project: int) -> Found:
    """The same as the pages show it, one after the other: nobody may change it meanwhile."""
    ids: set[int] = set()
    for page in _pages(browser, f"/projects/{project}?sort=title"):
        ids |= _numbers(page, r"/tasks/(\d+)")
    tasks: list[Row] = []
    comments: list[Row] = []
    for pk in sorted(ids):
        tasks.append(_task(pk, post_form(browser.get(f"/tasks/{pk}/edit").text)))
        for page in _pages(browser, f"/tasks/{pk}?sort=written"):
            comments += [
                {"id": number, "task": pk, "text": text}
                for number, text in read(page).comments.items()
            ]
    return Found(tasks, comments)


def post_form(page: str) -> Form:
    """The form of the page that is sent by POST; an empty one if it has none."""
    return next(iter(read(page).forms), Form())


def _task(pk: int, form: Form) -> dict[str, Any]:
    numbers = {name: form.fields.get(name, "") for name in ("version", "priority", "hours")}
    return {
        **dict.fromkeys(TASK_FIELDS),
        **form.fields,
        **{name: int(text) if text.isdecimal() else 0 for name, text in numbers.items()},
        "id": pk,
    }


def _pages(browser: Browser, path: str) -> list[str]:
    """All pages of a list: it says which ones there are."""
    last = browser.get(f"{path}&page={_LAST_PAGE}").text
    count = max(_numbers(last, r"[^#]*[?&]page=(\d+)"), default=1)
    return [*(browser.get(f"{path}&page={number}").text for number in range(1, count)), last]


def _numbers(page: str, pattern: str) -> set[int]:
    matches = (re.fullmatch(pattern, address) for address, _ in read(page).links)
    return {int(match[1]) for match in matches if match}
