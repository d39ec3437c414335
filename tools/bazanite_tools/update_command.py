"""``bazanite update DIR TABLE``: change one row by its id, or all for which conditions hold."""

from __future__ import annotations

import argparse

from .conditions import assignments, where
from .opened import add_table_arguments, opened, refused, table_of, working
from .output import FINDINGS, FINE, CommandError
from .rows_given import row_id, tell_change

INTERMIXED = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_table_arguments(parser)
    parser.add_argument(
        "words", metavar="[ID] NAME=VALUE", nargs="+", help="the row's id, and its new values"
    )
    add_where_arguments(parser)
    parser.epilog = (
        "examples:\n"
        "  bazanite update data person 3 age=37 note=NULL\n"
        "  bazanite update data person --where city=Oslo --where 'age>=18' grown=true\n\n"
        "Either an ID or --where. One transaction: all of these rows are changed, or none.\n"
        "Exit status 1 if there is no such row. `bazanite find --help` explains conditions."
    )


def add_where_arguments(parser: argparse.ArgumentParser) -> None:
    """Which rows are meant, where no id is given."""
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="all rows for which it holds; several --where must hold together",
    )
    parser.add_argument("--any", action="store_true", help="one of the conditions is enough")


def run(args: argparse.Namespace) -> int:
    """Change the rows, all of them or none."""
    with opened(args) as db:
        schema = table_of(db, args.table).schema
        if not args.where:
            values = assignments(schema, args.words[1:])
            pk = _id(args.words[0])
            if not values:
                raise CommandError("no value is given: write NAME=VALUE behind the id")
            with refused():
                ids = [db.update_by_id(args.table, pk, values)["id"]]
        else:
            values = assignments(schema, args.words)
            condition = where(schema, args.where, any_of=args.any)
            with refused(), working("changing rows"):
                ids = db.update_where(args.table, condition, values)
        tell_change(args, db, "updated", ids)
    return FINE if ids else FINDINGS


def _id(word: str) -> int:
    try:
        return row_id(word)
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"{error}; or say --where") from error
