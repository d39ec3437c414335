"""``bazanite import DIR IN --from FORMAT``: rows of other programs into tables, all or none."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bazanite.catalog import WIDTHS
from bazanite.db import DB
from bazanite.fields import DEFAULT_INT_WIDTH
from bazanite.schema import Schema
from bazanite.specs import Catalog
from bazanite.stored_schema import schema_of

from .exchange import csv_files, json_lines, sqlite_in
from .exchange.bulk import last_id, set_last_id
from .exchange.destination import (
    Filling,
    directory_in_use,
    new_directory,
    refuse_dangling,
    stored_catalog,
)
from .exchange.incoming import Incoming, Problems, Source, planned
from .exchange.making import is_new
from .exchange.wishes import apply_wishes, rename, wishes_of
from .export_command import add_csv_arguments, dialect_of
from .looking import add_directory_arguments
from .output import FINE, CommandError, plural, print_json
from .progress import Progress

_HELP = """\
examples:
  bazanite import data people.csv --from csv
  bazanite import data csv --from csv --append   csv/TABLE.csv for each table
  bazanite import data prices.csv --from csv --column "price:DECIMAL(8,2)"
  bazanite import data old.sqlite --from sqlite --rename "order items=items"

All rows are stored, or none, also if it is interrupted. What types columns
get, and what cannot be stored, is told in docs/exchange.md.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument(
        "source", metavar="IN", help="the file; for csv and jsonl also a directory of files"
    )
    parser.add_argument(
        "--from",
        dest="format",
        required=True,
        choices=["csv", "jsonl", "sqlite"],
        help="the format",
    )
    parser.add_argument(
        "--table",
        action="append",
        metavar="NAME",
        help="what the table of a file is called (default: as the file); of a directory or an"
        " SQLite file: only this one, may be repeated",
    )
    parser.add_argument(
        "--append", action="store_true", help="put the rows into tables that are there"
    )
    parser.add_argument(
        "--column",
        action="append",
        metavar="NAME:TYPE",
        help="a column's type, [TABLE.]NAME:TYPE, as DECIMAL(8,2) null unique",
    )
    parser.add_argument(
        "--rename",
        action="append",
        metavar="OLD=NEW",
        help="another name for a table, or for a column: [TABLE.]COLUMN=NEW",
    )
    parser.add_argument(
        "--skip", action="store_true", help="leave out rows with values that cannot be stored"
    )
    parser.add_argument(
        "--dangling",
        choices=["refuse", "keep"],
        default="refuse",
        help="what to do about an SQLite file's references to nothing: refuse them (default), or"
        " let the new tables' references keep them",
    )
    parser.add_argument(
        "--int-width",
        type=int,
        choices=WIDTHS,
        metavar="N",
        help="how many digits ids have in a new directory (default: 9, or what they need)",
    )
    add_csv_arguments(parser)
    parser.add_argument(
        "--quoted-null", action="store_true", help="a cell like --null is NULL in quotes, too"
    )
    parser.add_argument(
        "--encoding", default="utf-8", metavar="NAME", help="of the text (default: utf-8)"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _HELP


def run(args: argparse.Namespace) -> int:
    """Find out the types, try the values, store the rows."""
    notes: list[str] = []
    known = None if is_new(args.directory) else stored_catalog(args)
    with _sources(args, notes) as sources:
        with Progress(lambda _: "looking at the values", always=False):
            tables = _planned(args, sources, known)
        for note in notes:
            print(f"bazanite import: {note}", file=sys.stderr)
        counts = _store(args, tables, known)
    skipped = {table.name: table.skipped for table in tables}
    if args.json:
        print_json(
            {
                "directory": args.directory,
                "tables": {
                    table.name: {
                        "rows": counts[table.name],
                        "skipped": skipped[table.name],
                        "new": table.schema is not None,
                    }
                    for table in tables
                },
                "notes": notes,
            }
        )
    else:
        left = sum(skipped.values())
        rows = plural(sum(counts.values()), "row") + (f"; {left:,} skipped" if left else "")
        print(f"{args.directory}: {plural(len(tables), 'table')}, {rows}")
    return FINE


@contextmanager
def _sources(args: argparse.Namespace, notes: list[str]) -> Iterator[list[Source]]:
    if args.format == "sqlite":
        with sqlite_in.sources(args.source, args.table, args.dangling == "keep", notes) as found:
            yield found
        return
    dialect = dialect_of(args, quoted_null=args.quoted_null)
    found = []
    for path, name in _files(args):
        if args.format == "csv":
            found.append(csv_files.source(path, name, dialect, args.encoding))
        else:
            found.append(json_lines.source(path, name, args.encoding))
    yield found


def _files(args: argparse.Namespace) -> list[tuple[str, str]]:
    """The files, and what the table of each is called."""
    path = args.source
    if not os.path.isdir(path):
        if args.table and len(args.table) > 1:
            raise CommandError("--table: a file is one table")
        stem = os.path.splitext(os.path.basename(path))[0]
        return [(path, args.table[0] if args.table else stem)]
    ending = f".{args.format}"
    found = sorted(name for name in os.listdir(path) if name.endswith(ending))
    names = {name.removesuffix(ending): os.path.join(path, name) for name in found}
    for name in args.table or ():
        if name not in names:
            raise CommandError(f"{path}: there is no {name}{ending}")
    if not names:
        raise CommandError(f"{path}: there are no files *{ending}")
    return [(names[name], name) for name in args.table or names]


def _planned(
    args: argparse.Namespace, sources: list[Source], known: Catalog | None
) -> list[Incoming]:
    wishes = wishes_of(args.column)
    rename(sources, args.rename)
    apply_wishes(sources, wishes)
    there = known.tables if known else {}
    problems = Problems()
    tables: list[Incoming] = []
    if args.int_width not in (None, known.int_width if known else args.int_width):
        raise CommandError(f"--int-width: the directory has {known and known.int_width}")
    for source in sources:
        if source.name in (table.name for table in tables):
            raise CommandError(f"two tables would be called '{source.name}'")
        existing: Schema | None = None
        if source.name in there:
            if not args.append:
                raise CommandError(
                    f"{args.directory} has a table '{source.name}' already; --append puts the rows"
                    " into it, --rename makes another one"
                )
            if source.wishes:
                raise CommandError(f"--column: table '{source.name}' has its types already")
            assert known is not None
            existing = schema_of(there[source.name]).bind(known.int_width)
        width = known.int_width if known else args.int_width
        tables.append(planned(source, existing, width, problems))
    if not args.skip:
        problems.refuse()
    _check_targets(tables, {*there})
    return tables


def _check_targets(tables: list[Incoming], there: set[str]) -> None:
    names = {table.name for table in tables} | there
    for table in tables:
        for column, target in table.schema.relations() if table.schema else ():
            if target not in names:
                raise CommandError(
                    f"table '{table.name}', column '{column}' refers to '{target}', which is"
                    " neither there nor imported"
                )


def _store(
    args: argparse.Namespace, tables: list[Incoming], known: Catalog | None
) -> dict[str, int]:
    schemas = {table.name: table.schema for table in tables if table.schema is not None}
    largest = max(len(str(table.largest_id)) for table in tables)
    width = args.int_width or max(DEFAULT_INT_WIDTH, largest)
    if known is None and is_new(args.directory):
        with new_directory(args.directory, schemas, width) as db:
            return _fill(args, db, tables)
    with directory_in_use(args, schemas) as db:
        return _fill(args, db, tables)


def _fill(args: argparse.Namespace, db: DB, tables: list[Incoming]) -> dict[str, int]:
    filling = Filling(db)
    with Progress(lambda _: f"{filling.rows:,} rows", always=False):
        for table in tables:
            filling.begin(table.name, table.source.where)
            for number, row in table.rows(skip=args.skip):
                filling.add(number, row)
        filling.flush()
        for table in tables:
            last = last_id(db, table.name)
            wanted = max(last, filling.largest[table.name], table.source.last_id)
            if last < wanted < 10 ** db.storage.table(table.name).layout.int_width:
                set_last_id(db, table.name, wanted)
        names = [table.name for table in tables]
        refuse_dangling(db, names, "a column FK(table,keep) takes them as they are")
    return filling.counts
