"""What ``mkdocs build`` adds to the pages: the help of every command, as it is printed.

A page that has the line ``<!-- help of every command -->`` gets a section for each command there,
by what it is about, made by the command's own parser.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any

from bazanite_tools.cli import GROUPS, run_line, summary

MARK = "<!-- help of every command -->"
TITLES = {
    "data": "Rows and schema",
    "exchange": "Moving in and out",
    "care": "Care",
    "proof": "Proof",
}
_WIDTH = "88"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page's text, with the sections in the place of the mark; MkDocs calls this."""
    return markdown.replace(MARK, "\n".join(sections())) if MARK in markdown else markdown


def sections() -> Iterator[str]:
    """The lines of a heading for each group, and of one for each command with its help."""
    for group, names in GROUPS.items():
        yield f"## {TITLES[group]}\n"
        for name in names:
            yield f"### {name}\n\n{summary(name).capitalize()}.\n"
            yield f"```text\n{help_of([name])}```\n"
            if name == "wal":
                for action in ("show", "verify", "tail", "archive"):
                    yield f"#### wal {action}\n\n```text\n{help_of([name, action])}```\n"


def help_of(words: list[str]) -> str:
    """What these words and ``--help`` print, in lines of 88 columns."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDTH
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            run_line([*words, "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return printed.getvalue()
