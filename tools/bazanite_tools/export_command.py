"""``bazanite export DIR OUT --to FORMAT``: the rows for other programs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from bazanite.db import DB

from .exchange import csv_files, json_lines, postgres_dump, sqlite_out
from .exchange.csv_text import Dialect
from .exchange.opened import catalog_of, chosen, one_state
from .exchange.outputs import Outputs
from .looking import add_directory_arguments
from .output import FINE, CommandError, plural, print_json
from .progress import Progress

_HELP = """\
examples:
  bazanite export data csv --to csv            csv/TABLE.csv for each table
  bazanite export data data.sqlite --to sqlite
  bazanite export data data.sql --to postgres
  psql -v ON_ERROR_STOP=1 -f data.sql

Recovers what a crash left, and writes one state of all tables; writers wait
until it is done. Files are there whole or not at all. docs/exchange.md says
what becomes of each type.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument(
        "out",
        metavar="OUT",
        help="the directory (csv, jsonl) or file (sqlite, postgres) to be written",
    )
    parser.add_argument(
        "--to", required=True, choices=["csv", "jsonl", "sqlite", "postgres"], help="the format"
    )
    parser.add_argument(
        "--table", action="append", metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    add_csv_arguments(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _HELP


def add_csv_arguments(parser: argparse.ArgumentParser) -> None:
    """What import and export take alike."""
    parser.add_argument(
        "--delimiter", default=",", metavar="CHAR", help="between the cells of CSV (default: ,)"
    )
    parser.add_argument(
        "--null",
        default="",
        metavar="TEXT",
        help="the cell that is NULL, unless it is in quotes (default: an empty one)",
    )


def dialect_of(args: argparse.Namespace, *, quoted_null: bool = False) -> Dialect:
    """The kind of CSV that was asked for; CommandError if it could not be read back."""
    delimiter = {"\\t": "\t", "tab": "\t"}.get(args.delimiter, args.delimiter)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise CommandError(f"--delimiter {args.delimiter!r}: must be one character, no quote")
    if any(char in args.null for char in ('"', "\r", "\n", delimiter)):
        raise CommandError(f"--null {args.null!r}: may not have quotes, line ends or delimiters")
    return Dialect(delimiter, args.null, quoted_null)


def run(args: argparse.Namespace) -> int:
    """Write all files, then put them at their places."""
    dialect = dialect_of(args)
    notes: list[str] = []
    with Outputs(force=args.force) as outputs:
        counts = _export(args, outputs, dialect, notes)
        outputs.finish()
    if args.json:
        print_json(
            {
                "directory": args.directory,
                "out": args.out,
                "format": args.to,
                "tables": counts,
                "notes": notes,
            }
        )
    else:
        rows = plural(sum(counts.values()), "row")
        print(f"{args.out}: {plural(len(counts), 'table')}, {rows}")
        for note in notes:
            print(f"  {note}")
    return FINE


def _export(
    args: argparse.Namespace, outputs: Outputs, dialect: Dialect, notes: list[str]
) -> dict[str, int]:
    done = 0

    def told() -> None:
        nonlocal done
        done += 1

    with one_state(args) as db, Progress(lambda _: f"{done:,} rows", always=False):
        names = chosen(catalog_of(db), args.table)
        if args.to == "sqlite":
            return sqlite_out.export(db, names, outputs.claim(args.out), notes, told)
        if args.to == "postgres":
            return postgres_dump.export(db, names, outputs, args.out, notes, told)
        return _files(args, db, names, outputs, dialect, told)


def _files(
    args: argparse.Namespace,
    db: DB,
    names: Sequence[str],
    outputs: Outputs,
    dialect: Dialect,
    told: Callable[[], None],
) -> dict[str, int]:
    outputs.directory(args.out)
    counts: dict[str, int] = {}
    for name in names:
        path = os.path.join(args.out, f"{name}.{args.to}")
        if args.to == "csv":
            counts[name] = csv_files.export(db, name, outputs, path, dialect, told)
        else:
            counts[name] = json_lines.export(db, name, outputs, path, told)
    return counts
