"""Tables as JSON lines: for each row an object on a line of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NoReturn

from bazanite.db import DB
from bazanite.decimals import DECIMAL
from bazanite.fields import FieldType

from ..output import FINDINGS, CommandError
from .csv_files import open_text
from .guess import JsonGuess
from .incoming import MOST_COLUMNS, Record, Source
from .outputs import Outputs
from .values import Convert, from_json, refuse, to_json

_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def export(db: DB, name: str, outputs: Outputs, path: str, told: Callable[[], None]) -> int:
    """Write a table's rows; returns how many.  ``told`` is called for each."""
    schema = db.storage.table(name).schema
    writers = [
        (field.name, f"{_WRITER.encode(field.name)}: ", _writer(field.type))
        for field in schema.schema
    ]
    count = 0
    with outputs.open(path) as file:
        for row in db.iterate(name):
            parts = [key + write(row[column]) for column, key, write in writers]
            file.write("{" + ", ".join(parts) + "}\n")
            count += 1
            told()
    return count


def _writer(kind: FieldType) -> Callable[[Any], str]:
    """To JSON text; a DECIMAL is a number, with all of its digits."""
    if isinstance(kind, DECIMAL):
        return lambda value: "null" if value is None else format(value, "f")
    convert: Convert = to_json(kind)
    return lambda value: _WRITER.encode(convert(value))


def source(path: str, name: str, encoding: str) -> Source:
    """The table in a file of JSON lines; its columns are the keys of all objects."""
    columns: dict[str, None] = {}
    found: list[str] = []

    def rows() -> Iterator[Record]:
        for number, row in _objects(path, encoding):
            if not row.keys() <= columns.keys():
                for key in row:
                    if key not in columns:
                        columns[key] = None
                        found.append(key)
                if len(columns) > MOST_COLUMNS:
                    raise CommandError(
                        f"{path}: line {number}: more than {MOST_COLUMNS:,} different keys"
                    )
            yield number, row

    return Source(
        name,
        found,
        rows,
        lambda line: f"{path}: line {line}",
        from_json,
        lambda _, first: JsonGuess(first=first),
    )


def _objects(path: str, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if encoding.lower() in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    number = 0
    try:
        with open_text(path, encoding) as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = json.loads(
                    line,
                    parse_float=Decimal,
                    parse_constant=_no_number,
                    object_pairs_hook=_distinct,
                )
                if not isinstance(row, dict):
                    refuse(row, "an object")
                yield number, row
    except (ValueError, RecursionError) as error:
        place = "behind line" if isinstance(error, UnicodeError) else "line"
        raise CommandError(f"{path}: {place} {number}: {error}", FINDINGS) from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object has a key twice")
    return result


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
