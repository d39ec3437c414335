"""``bazanite load DIR [IN]``: a directory from a dump."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from bazanite.migrator import Migration
from bazanite.specs import MigrationRecord

from .exchange.bulk import set_last_id
from .exchange.destination import Filling, new_directory, refuse_dangling
from .exchange.dump_file import BadDump, Reader, TableStart
from .exchange.making import is_new
from .exchange.schemas import declared_schema
from .output import FINDINGS, FINE, CommandError, plural, print_json
from .progress import Progress

_HELP = """\
example:
  bazanite load copy data.dump
  gunzip < data.dump.gz | bazanite load copy

DIR comes into being whole, with tables, ids, constraints, indexes and the
next ids, or not at all.
"""


class _Seen(Migration):
    """A migration of which only the record is known."""

    def __init__(self, record: MigrationRecord) -> None:
        super().__init__(record.version, record.name, ())
        object.__setattr__(self, "_seen", record)

    @property
    def record(self) -> MigrationRecord:
        seen: MigrationRecord = object.__getattribute__(self, "_seen")
        return seen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("directory", metavar="DIR", help="the new directory")
    parser.add_argument(
        "source", metavar="IN", nargs="?", help="the dump (default: standard input)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _HELP


def run(args: argparse.Namespace) -> int:
    """Make the directory."""
    if not is_new(args.directory):
        raise CommandError(f"{args.directory}: is there already; a dump makes a new directory")
    try:
        with _opened(args.source) as lines:
            counts = _load(args.directory, Reader(lines, args.source or "standard input"))
    except BadDump as error:
        raise CommandError(str(error), FINDINGS) from error
    if args.json:
        print_json({"directory": args.directory, "tables": counts})
    else:
        rows = plural(sum(counts.values()), "row")
        print(f"{args.directory}: {plural(len(counts), 'table')}, {rows}")
    return FINE


@contextmanager
def _opened(source: str | None) -> Iterator[BinaryIO]:
    if source is None:
        yield sys.stdin.buffer
        return
    try:
        file = open(source, "rb")  # noqa: SIM115  what happens while it is used is not its error
    except OSError as error:
        raise CommandError(f"{source}: cannot be read: {error.strerror}") from error
    with file:
        yield file


def _load(directory: str, reader: Reader) -> dict[str, int]:
    catalog = reader.catalog
    if not catalog.tables:
        raise reader.bad("a directory has at least one table")
    schemas = {name: declared_schema(spec) for name, spec in catalog.tables.items()}
    migrations = [_Seen(record) for record in catalog.migrations]
    with new_directory(directory, schemas, catalog.int_width, migrations, reader.checksums) as db:
        filling = Filling(db)
        last_ids: dict[str, int] = {}
        with Progress(lambda _: f"{filling.rows:,} rows", always=False):
            for part in reader.parts(schemas):
                if isinstance(part, TableStart):
                    filling.begin(part.name, lambda line: f"line {line}")
                    last_ids[part.name] = part.last_id
                else:
                    filling.add(reader.line, part)
            filling.flush()
            for name, last in last_ids.items():
                set_last_id(db, name, last)
            refuse_dangling(db, sorted(schemas))
    return filling.counts
