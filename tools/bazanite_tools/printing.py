"""Rows as the commands print them: a table, one JSON document, or a document a line; streamed."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from typing import Any

from bazanite import DECIMAL, INT, Field, Row, Table
from bazanite.errors import DBError

from .grid import Grid, print_record
from .looking import as_command_error
from .output import CommandError, count, plural, speaks_unicode
from .progress import Progress
from .values import document_cell, to_json


def add_query_arguments(parser: argparse.ArgumentParser) -> None:
    """What of the rows is wanted, and how."""
    parser.add_argument("--limit", type=count, metavar="N", help="at most N rows")
    parser.add_argument(
        "--offset", type=count, default=0, metavar="N", help="leave out the first N"
    )
    parser.add_argument(
        "--order-by", metavar="A,-B", help="sort by column A, then by B, descending"
    )
    parser.add_argument("--fields", metavar="A,B", help="only these columns")
    parser.add_argument("--jsonl", action="store_true", help="print each row as a line of JSON")


def query_options(args: argparse.Namespace, table: Table) -> dict[str, Any]:
    """The options of ``db.find``; CommandError for a column that the table does not have."""
    if args.json and args.jsonl:
        raise CommandError("either --json or --jsonl, not both")
    return {
        "limit": args.limit,
        "offset": args.offset,
        "order_by": names_in(args.order_by, table, signed=True),
        "fields": names_in(args.fields, table),
    }


def names_in(text: str | None, table: Table, *, signed: bool = False) -> list[str] | None:
    """The columns of a list with commas; with ``signed`` each may have a ``-`` in front."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    for name in names:
        bare = name[1:] if signed and name not in table.schema.names else name
        if name not in table.schema.names and not (
            signed and name.startswith("-") and bare in table.schema.names
        ):
            known = ", ".join(field.name for field in table.schema.schema)
            raise CommandError(f"no column {name!r}; there are {known}")
    return names


def fields_of(table: Table, names: Sequence[str] | None) -> list[Field]:
    """The fields of these names, each once, all if None."""
    fields = {field.name: field for field in table.schema.schema}
    return list(fields.values()) if names is None else [fields[n] for n in dict.fromkeys(names)]


def print_rows(
    args: argparse.Namespace, head: dict[str, Any], fields: Sequence[Field], rows: Iterable[Row]
) -> int:
    """Print the rows as asked for; returns how many there were.

    ``head`` is what a JSON document says before its rows.  An error that comes amid them ends the
    document, and is told in it.
    """
    counter = _Counter(rows)
    with _progress(counter):
        if args.jsonl:
            for row in counter:
                print(row_json(fields, row))
        elif args.json:
            _print_document(args, head, fields, counter)
        else:
            right = [isinstance(field.type, (INT, DECIMAL)) for field in fields]
            grid = Grid(sys.stdout, [field.name for field in fields], right)
            kinds = [(field.name, field.type) for field in fields]
            grid.print([document_cell(kind, row[n]) for n, kind in kinds] for row in counter)
            if sys.stdout.isatty():
                print(f"({plural(counter.count, 'row')})")
    return counter.count


def print_row(fields: Sequence[Field], row: Row) -> None:
    """One row, a line for each field."""
    print_record(sys.stdout, [(f.name, document_cell(f.type, row[f.name])) for f in fields])


def row_document(fields: Sequence[Field], row: Row) -> dict[str, Any]:
    """A row in a JSON document."""
    return {field.name: to_json(field.type, row[field.name]) for field in fields}


def row_json(fields: Sequence[Field], row: Row) -> str:
    """A row as one line of JSON."""
    return json_text(row_document(fields, row))


def json_text(document: dict[str, Any], indent: int | None = None) -> str:
    """The document with the characters as they are, where they can be written."""
    return json.dumps(document, indent=indent, ensure_ascii=not speaks_unicode(sys.stdout))


def _progress(counter: _Counter) -> AbstractContextManager[object]:
    """Tells on stderr how far it is, where the rows go into a file.

    Who sees them come needs no other sign of life, and a pager has the terminal for itself.
    """
    try:
        to_file = stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except OSError:  # no stream of the system
        to_file = False
    if not to_file:
        return nullcontext()
    return Progress(lambda _: plural(counter.count, "row"), always=False)


class _Counter:
    """Goes through rows, and counts them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _print_document(
    args: argparse.Namespace, head: dict[str, Any], fields: Sequence[Field], rows: _Counter
) -> None:
    iterator = iter(rows)
    first = list(islice(iterator, 1))  # an error before it has the document for itself
    print(json_text(head, 2)[:-2], end=',\n  "rows": [')
    failure: DBError | None = None
    separator = ""
    try:
        for row in chain(first, iterator):
            print(f"{separator}\n    {row_json(fields, row)}", end="")
            separator = ","
    except DBError as error:
        failure = error
    end: dict[str, Any] = {"row_count": rows.count}
    if failure is not None:
        args.json = False  # this document tells of it
        end |= {"error": failure.message, "exit_code": as_command_error(failure).code}
    line = "\n  " if separator else ""
    print(f"{line}],{json_text(end, 2)[1:]}")
    if failure is not None:
        raise failure
