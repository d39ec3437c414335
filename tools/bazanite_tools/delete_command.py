"""``bazanite delete DIR TABLE``: delete rows by their ids, or all for which conditions hold."""

from __future__ import annotations

import argparse
import sys

from bazanite import DB, IN, BaseCond

from .conditions import where
from .opened import add_table_arguments, is_terminal, opened, refused, table_of, working
from .output import FINDINGS, FINE, CommandError, plural
from .rows_given import ids_text, row_id, tell_change
from .update_command import add_where_arguments

INTERMIXED = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_table_arguments(parser)
    parser.add_argument("ids", metavar="ID", nargs="*", type=row_id, help="a row's id")
    add_where_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.epilog = (
        "examples:\n"
        "  bazanite delete data person 3 4\n"
        "  bazanite delete data person --where 'age<18' --where city=Oslo --yes\n\n"
        "Either IDs or --where; on a terminal --where asks first. One transaction: all of\n"
        "these rows go, or none. What becomes of rows that refer to them is in the schema.\n"
        "Exit status 1 if there is no such row. `bazanite find --help` explains conditions."
    )


def run(args: argparse.Namespace) -> int:
    """Delete the rows, all of them or none."""
    if bool(args.ids) == bool(args.where):
        raise CommandError("say which rows: either IDs or --where CONDITION")
    with opened(args) as db:
        schema = table_of(db, args.table).schema
        if args.where:
            condition = where(schema, args.where, any_of=args.any)
            if not args.yes and is_terminal() and not _agreed(args.table, db, condition):
                raise CommandError("nothing was deleted", FINDINGS)
            with refused(), working("deleting rows"):
                ids = db.delete_where(args.table, condition)
        else:
            ids = _by_ids(args.table, args.ids, db)
        tell_change(args, db, "deleted", ids)
    return FINE if ids else FINDINGS


def _by_ids(table: str, given: list[int], db: DB) -> list[int]:
    wanted = list(dict.fromkeys(given))
    with refused(), db.transaction():
        missing = [pk for pk in wanted if db.find_by_id(table, pk) is None]
        if missing:
            raise CommandError(
                f"{table} has no row with {ids_text(missing)}; nothing was deleted", FINDINGS
            )
        return db.delete_where(table, IN(id=wanted))


def _agreed(table: str, db: DB, condition: BaseCond | None) -> bool:
    """Whether the person at the terminal wants these rows to go; no lock is held meanwhile."""
    count = db.count(table, condition)
    if not count:
        return True
    print(f"Delete {plural(count, 'row')} of {table}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
