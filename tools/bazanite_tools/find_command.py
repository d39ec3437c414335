"""``bazanite find DIR TABLE CONDITION...``: the rows for which conditions hold."""

from __future__ import annotations

import argparse
from typing import Any

from bazanite import DB, BaseCond

from .conditions import HELP, where
from .opened import add_table_arguments, opened, table_of, usage, working
from .output import FINDINGS, FINE, print_json
from .printing import add_query_arguments, fields_of, print_rows, query_options

INTERMIXED = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_table_arguments(parser)
    parser.add_argument("conditions", metavar="CONDITION", nargs="*", help="see below")
    parser.add_argument("--any", action="store_true", help="one of the conditions is enough")
    add_query_arguments(parser)
    parser.add_argument("--count", action="store_true", help="print only how many rows there are")
    parser.add_argument(
        "--explain", action="store_true", help="print only how the rows would be found"
    )
    parser.epilog = (
        f"{HELP}\n\n"
        "examples:\n"
        "  bazanite find data person city=Oslo 'age>=18'\n"
        "  bazanite find data person name~ada note=NULL --any --order-by -age\n"
        "  bazanite find data person 'name!^=A' --count\n\n"
        "Exit status 1 if there is no such row."
    )


def run(args: argparse.Namespace) -> int:
    """Print the rows, or what else of them was asked for."""
    with opened(args, read_only=True) as db:
        table = table_of(db, args.table)
        condition = where(table.schema, args.conditions, any_of=args.any)
        options = query_options(args, table)
        with usage():
            plan = db.explain(args.table, condition, **options)
        head = {"directory": db.storage.base_dir, "table": args.table}
        if args.explain:
            print_json({**head, "plan": plan.splitlines()}) if args.json else print(plan)
            return FINE
        if args.count:
            return _count(args, db, condition, head)
        fields = fields_of(table, options["fields"])
        found = print_rows(args, head, fields, db.iterate(args.table, condition, **options))
    return FINE if found else FINDINGS


def _count(
    args: argparse.Namespace, db: DB, condition: BaseCond | None, head: dict[str, Any]
) -> int:
    with working("counting"):
        found = db.count(args.table, condition)
    found = max(0, found - args.offset)
    if args.limit is not None:
        found = min(found, args.limit)
    print_json({**head, "count": found}) if args.json else print(found)
    return FINE if found else FINDINGS
