"""What the commands that change rows have in common: ids, JSON lines, and how they tell."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from bazanite import DB, Schema

from .output import CommandError, plural, print_json
from .values import from_json, json_line

_NAMED = 10


def row_id(text: str) -> int:
    """An argument that is a row's id."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"an id is a number, not {text!r}")
    return int(text)


def json_rows(schema: Schema, lines: TextIO) -> Iterator[dict[str, Any]]:
    """The rows that these lines are, empty lines left out; CommandError naming a line."""
    fields = {field.name: field for field in schema.schema}
    for number, line in _numbered(lines):
        if not line.strip():
            continue
        try:
            document = json_line(line)
        except (ValueError, RecursionError) as error:
            raise CommandError(f"line {number}: not a line of JSON: {error}") from error
        if not isinstance(document, dict):
            raise CommandError(f"line {number}: a row is a JSON object, not {line.strip()[:60]}")
        row: dict[str, Any] = {}
        for name, value in document.items():
            if name not in fields:
                names = ", ".join(fields)
                raise CommandError(f"line {number}: no column {name!r}; there are {names}")
            try:
                row[name] = from_json(fields[name], value)
            except CommandError as error:
                raise CommandError(f"line {number}: {error}") from error
        yield row


def _numbered(lines: TextIO) -> Iterator[tuple[int, str]]:
    try:
        yield from enumerate(lines, 1)
    except UnicodeDecodeError as error:
        raise CommandError(f"the input is not {error.encoding}: {error.reason}") from error


def tell_change(
    args: argparse.Namespace, db: DB, done: str, ids: Sequence[int], **more: Any
) -> None:
    """What became of how many rows."""
    if args.json:
        head = {"directory": db.storage.base_dir, "table": args.table}
        print_json({**head, "done": done, "count": len(ids), "ids": [*ids], **more})
        return
    if not ids:
        print(f"no row of {args.table} {done}")
        return
    print(f"{done} {plural(len(ids), 'row')} of {args.table}: {ids_text(ids)}")


def ids_text(ids: Iterable[int]) -> str:
    """Ids in few words: ``id 3``, ``ids 3, 5, 7 to 9``."""
    spans: list[list[int]] = []
    for number in ids:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    parts = [str(a) if a == b else f"{a} to {b}" for a, b in spans]
    shown = ", ".join(parts[:_NAMED]) + (", ..." if len(parts) > _NAMED else "")
    return f"id{'s' * (len(spans) > 1 or spans[0][0] < spans[0][1])} {shown}"
