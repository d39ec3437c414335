"""``bazanite get DIR TABLE ID``: one row."""

from __future__ import annotations

import argparse

from .opened import add_table_arguments, opened, table_of
from .output import FINDINGS, FINE, CommandError, print_json
from .printing import fields_of, print_row, row_document
from .rows_given import row_id


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_table_arguments(parser)
    parser.add_argument("id", metavar="ID", type=row_id, help="the row's id")
    parser.epilog = (
        "example: bazanite get data person 3\n\nEvery value is whole. Exit status 1 if there is"
        " no such row."
    )


def run(args: argparse.Namespace) -> int:
    """Print the row, a line for each field."""
    with opened(args, read_only=True) as db:
        table = table_of(db, args.table)
        row = db.find_by_id(args.table, args.id)
        if row is None:
            raise CommandError(f"{args.table} has no row with id {args.id}", FINDINGS)
        fields = fields_of(table, None)
        if args.json:
            head = {"directory": db.storage.base_dir, "table": args.table}
            print_json({**head, "row": row_document(fields, row)})
        else:
            print_row(fields, row)
    return FINE
