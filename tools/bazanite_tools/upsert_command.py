"""``bazanite upsert DIR TABLE --on FIELD``: change the row with these values, or store one."""

from __future__ import annotations

import argparse

from bazanite import EQ

from .conditions import assignments
from .opened import add_table_arguments, opened, refused, table_of
from .output import FINE
from .printing import names_in
from .rows_given import tell_change

INTERMIXED = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_table_arguments(parser)
    parser.add_argument("words", metavar="NAME=VALUE", nargs="+", help="a value")
    parser.add_argument(
        "--on",
        metavar="A,B",
        default="id",
        help="the columns by which the row is found (default: id)",
    )
    parser.epilog = (
        "example: bazanite upsert data person --on name name=Ada age=37\n\n"
        "Changes the row whose column name is Ada, or stores one. Refused if several rows are."
    )


def run(args: argparse.Namespace) -> int:
    """Change or store the row, in one transaction."""
    with opened(args) as db:
        table = table_of(db, args.table)
        on = names_in(args.on, table) or []
        values = assignments(table.schema, args.words)
        known = {name: values[name] for name in on if values.get(name) is not None}
        with refused(), db.transaction():
            there = bool(known) and db.count(args.table, EQ(**known)) > 0
            row = db.upsert(args.table, values, on)
        tell_change(args, db, "updated" if there else "inserted", [row["id"]])
    return FINE
