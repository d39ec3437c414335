"""``bazanite dump DIR [OUT]``: schema and rows as one text, from which ``load`` makes the same."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from .exchange.dump_file import dump
from .exchange.opened import one_state
from .exchange.outputs import Outputs, cannot_write
from .looking import add_directory_arguments
from .output import FINE, CommandError, print_json
from .progress import Progress

_HELP = """\
example:
  bazanite dump data data.dump && bazanite load copy data.dump
  bazanite dump data | gzip > data.dump.gz

Recovers what a crash left, and writes one state of all tables; writers wait
until it is done. docs/exchange.md describes the text.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument(
        "out", metavar="OUT", nargs="?", help="the file to be written (default: standard output)"
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it is there")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _HELP


def run(args: argparse.Namespace) -> int:
    """Write the dump; of OUT all or nothing is there."""
    if args.out is None:
        if args.json:
            raise CommandError("--json needs OUT: the dump itself would go to standard output")
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        with one_state(args) as db:
            for line in dump(db):
                sys.stdout.write(line)
        return FINE
    with Outputs(force=args.force) as outputs:
        path = outputs.claim(args.out)
        with one_state(args) as db:
            lines = 0

            def told(_seconds: float) -> str:
                return f"{lines:,} lines"

            with Progress(told, always=False):
                for lines, line in enumerate(_written(path, dump(db)), 1):  # noqa: B007  told
                    del line
            tables = len(db.tables)
        outputs.finish()
    if args.json:
        rows = lines - tables - 2
        print_json({"directory": args.directory, "out": args.out, "tables": tables, "rows": rows})
    return FINE


def _written(path: str, lines: Iterator[str]) -> Iterator[str]:
    """The same lines, each written first."""
    try:
        with open(path, "x", encoding="utf-8", newline="") as file:
            for line in lines:
                file.write(line)
                yield line
    except OSError as error:
        raise cannot_write(path, error) from error
