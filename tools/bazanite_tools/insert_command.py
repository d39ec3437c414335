"""``bazanite insert DIR TABLE``: a row of ``name=value`` words, or rows from standard input."""

from __future__ import annotations

import argparse
import sys

from .conditions import assignments
from .opened import add_table_arguments, opened, refused, table_of, working
from .output import FINE, CommandError
from .rows_given import json_rows, tell_change

INTERMIXED = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_table_arguments(parser)
    parser.add_argument(
        "words", metavar="NAME=VALUE", nargs="+", help="a value; or only -, see below"
    )
    parser.epilog = (
        "examples:\n"
        "  bazanite insert data person name=Ada age=36 note=NULL\n"
        "  bazanite rows old person --jsonl | bazanite insert data person -\n\n"
        "With - each line of the standard input is a row as a JSON object, all of them one\n"
        "transaction: all are stored, or none. Without an id a row gets the next free one.\n"
        "NULL is NULL; the text NULL is written 'note=\"NULL\"', between double quotes."
    )


def run(args: argparse.Namespace) -> int:
    """Store the rows, all of them or none."""
    with opened(args) as db:
        schema = table_of(db, args.table).schema
        if "-" in args.words:
            if args.words != ["-"]:
                raise CommandError("either - or values, not both")
            with refused(), working("storing rows"):
                ids = db.insert_ids(args.table, json_rows(schema, sys.stdin))
        else:
            values = assignments(schema, args.words)
            with refused():
                ids = [db.insert(args.table, values)["id"]]
        tell_change(args, db, "inserted", ids)
    return FINE
