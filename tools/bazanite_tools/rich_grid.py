"""Rows in a terminal, drawn by rich.  Needs the extra ``terminal``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .values import NULL

GAP = "   "


def print_batch(
    stream: TextIO,
    headings: Sequence[str],
    columns: Iterable[tuple[int, bool]],
    rows: Iterable[Sequence[str]],
    *,
    first: bool,
) -> None:
    """Print these rows, under the headings if they are the ``first`` ones.

    ``columns``: how wide each is, and whether it is aligned to the right.
    """
    plain = bool(os.environ.get("NO_COLOR"))
    table = Table(box=SIMPLE_HEAD, show_header=first, show_edge=False, pad_edge=False)
    table.header_style = "" if plain else "bold"
    for heading, (width, right) in zip(headings, columns, strict=True):
        table.add_column(
            Text(heading),
            width=width,
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        cells = [Text(text, "dim" if text == NULL and not plain else "") for text in row]
        table.add_row(*cells)
    Console(file=stream, highlight=False).print(table)
