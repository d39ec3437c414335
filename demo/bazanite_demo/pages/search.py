"""Search over everything, without regard to case."""

from __future__ import annotations

import re

from flask import Blueprint, render_template, request
from markupsafe import Markup, escape

from bazanite import ISUBSTR, BaseCond, Join

from ..listing import Column, listing
from .common import Page, database
from .tasks import JOINS as TASK_JOINS

blueprint = Blueprint("search", __name__)
SHOWN = 5
LONGEST = 100
"""In characters, of what can be searched for."""
KINDS = {
    "tasks": ("Tasks", ("title", "description"), "title", TASK_JOINS),
    "projects": ("Projects", ("name", "description"), "name", [Join("owner", "owner", "users")]),
    "users": ("Users", ("name", "email"), "name", []),
    "comments": (
        "Comments", ("text",), "-written",
        [Join("task", "task", "tasks"), Join("author", "author", "users")],
    ),
}  # fmt: skip
AROUND = 60


@blueprint.get("/search")
def page() -> Page:
    """The first few of each kind; with ``in`` all of one kind, a page of them."""
    text = request.args.get("q", "").strip()[:LONGEST]
    kind = request.args.get("in", "")
    if not text:
        return render_template("search.html", text="", kinds=KINDS, found={}, counts={}, only=None)
    if kind in KINDS:
        title, fields, order, joins = KINDS[kind]
        column = Column(title, order.removeprefix("-"))
        kept = {"q": text, "in": kind}
        found = listing(database(), kind, [column], order, _contains(fields, text), joins, kept)
        return render_template("search.html", text=text, kinds=KINDS, only=kind, listing=found)
    rows, counts = {}, {}
    for name, (_, fields, order, joins) in KINDS.items():
        where = _contains(fields, text)
        counts[name] = database().count(name, where)
        rows[name] = database().find(
            name, where, order_by=[order, "id"], limit=SHOWN, joins=joins or None
        )
    return render_template(
        "search.html", text=text, kinds=KINDS, found=rows, counts=counts, only=None
    )


def marked(value: str, text: str) -> Markup:
    """What stands around the first occurrence of ``text``, and each of them marked; escaped."""
    pattern = re.compile(re.escape(text), re.IGNORECASE) if text else None
    first = pattern.search(value) if pattern else None
    start = max(0, first.start() - AROUND) if first else 0
    end = start + 3 * AROUND
    shown = value[start:end]
    result = escape("… " if start else "")
    place = 0
    for match in pattern.finditer(shown) if pattern else ():
        result += escape(shown[place : match.start()]) + Markup("<mark>")
        result += escape(match.group()) + Markup("</mark>")
        place = match.end()
    return result + escape(shown[place:]) + escape(" …" if end < len(value) else "")


def _contains(fields: tuple[str, ...], text: str) -> BaseCond:
    (first, *others) = [ISUBSTR(**{name: text}) for name in fields]
    condition: BaseCond = first
    for other in others:
        condition |= other
    return condition
