"""``bazanite vacuum DIR [TABLE ...]``: give back the room of deleted rows and long values."""

from __future__ import annotations

import argparse
import sys

from .grid import Grid
from .looking import add_directory_arguments
from .opened import opened, table_of
from .output import FINE, print_json, size_text
from .progress import Progress

INTERMIXED = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument("tables", metavar="TABLE", nargs="*", help="a table; all, if none is named")
    parser.epilog = (
        "example: bazanite vacuum data person\n\n"
        "Works beside other processes, in many short transactions. It can be stopped at any time:"
        " what is done stays, and the next one goes on."
    )


class _Told:
    """How far the table at work is."""

    def __init__(self) -> None:
        self._table = ""
        self._done = self._of = 0

    def take(self, table: str, done: int, of: int) -> None:
        """What the engine tells."""
        self._table, self._done, self._of = table, done, of

    def line(self, seconds: float) -> str:
        """The present line."""
        if not self._of:
            return f"vacuum ... {seconds:.0f} s"
        share = 100 * self._done // self._of
        return f"vacuum {self._table}: {share}% of {size_text(self._of)}, {seconds:.0f} s"


def run(args: argparse.Namespace) -> int:
    """Vacuum one table after the other, and say how many bytes that freed."""
    told = _Told()
    with opened(args) as db:
        names = list(dict.fromkeys(args.tables)) or sorted(db.tables)
        for name in names:
            table_of(db, name)
        with Progress(told.line):
            freed = {name: db.vacuum(name, progress=told.take) for name in names}
        path = db.storage.base_dir
    if args.json:
        print_json({"directory": path, "freed_bytes": freed})
    else:
        grid = Grid(sys.stdout, ["table", "freed"], [False, True])
        grid.print([name, size_text(count)] for name, count in freed.items())
    return FINE
