"""``bazanite rows DIR TABLE``: the rows of a table."""

from __future__ import annotations

import argparse

from .opened import add_table_arguments, opened, table_of, usage
from .output import FINE
from .printing import add_query_arguments, fields_of, print_rows, query_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_table_arguments(parser)
    add_query_arguments(parser)
    parser.epilog = (
        "examples:\n"
        "  bazanite rows data person\n"
        "  bazanite rows data person --order-by -age,name --limit 10 --fields name,age\n"
        "  bazanite rows data person --jsonl > person.jsonl\n\n"
        "Without --order-by the order is that of the file, mostly. Writers go on meanwhile."
    )


def run(args: argparse.Namespace) -> int:
    """Print the rows, one after another."""
    with opened(args, read_only=True) as db:
        table = table_of(db, args.table)
        options = query_options(args, table)
        with usage():  # before anything is printed
            db.explain(args.table, **options)
        head = {"directory": db.storage.base_dir, "table": args.table}
        fields = fields_of(table, options["fields"])
        print_rows(args, head, fields, db.iterate(args.table, **options))
    return FINE
