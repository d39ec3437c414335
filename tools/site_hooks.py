"""What ``mkdocs build`` adds to the pages: the help of every command, as it is printed.

A page that has the line ``<!-- help of every command -->`` gets a section for each command there,
by what it is about, made by the command's own parser.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import Any

from bazanite_tools.cli import GROUPS, run_line

MARK = "<!-- help of every command -->"
TITLES = {
    "data": "Rows and schema",
    "exchange": "Moving in and out",
    "care": "Care",
    "proof": "Proof",
}
_WIDTH = "80"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page's text, with the sections in the place of the mark; MkDocs calls this."""
    return markdown.replace(MARK, "\n".join(sections())) if MARK in markdown else markdown


def sections() -> Iterator[str]:
    """The lines of a heading for each group, and of one for each command with its help."""
    for group, names in GROUPS.items():
        yield f"## {TITLES[group]}\n"
        for name in names:
            shown = help_of([name])
            yield f"### {name}\n\n```text\n{shown}```\n"
            for action in actions(shown):
                yield f"#### {name} {action}\n\n```text\n{help_of([name, action])}```\n"


def actions(shown: str) -> list[str]:
    """The commands of a command, by its help: argparse lists them in the first lines of a group."""
    group = r"^positional arguments:\n  [A-Z]+\n((?: {4}\w.*\n| {6,}\w.*\n)+)"
    listed = re.search(group, shown, re.MULTILINE)
    return re.findall(r"^ {4}(\w+)", listed[1], re.MULTILINE) if listed else []


def help_of(words: list[str]) -> str:
    """What these words and ``--help`` print, in lines of 80 columns."""
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
