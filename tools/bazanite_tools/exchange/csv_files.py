"""Tables as CSV files: a header of the columns' names, then a record for each row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bazanite.db import DB

from ..output import FINDINGS, CommandError
from .csv_text import BadRecord, Dialect
from .guess import TextGuess
from .incoming import MOST_COLUMNS, Record, Source
from .outputs import Outputs
from .values import from_text, to_text


def export(
    db: DB, name: str, outputs: Outputs, path: str, dialect: Dialect, told: Callable[[], None]
) -> int:
    """Write a table's rows; returns how many.  ``told`` is called for each."""
    schema = db.storage.table(name).schema
    writers = [(field.name, to_text(field.type)) for field in schema.schema]
    count = 0
    with outputs.open(path) as file:
        file.write(dialect.record(column for column, _ in writers))
        for row in db.iterate(name):
            cells = [
                None if (value := row[column]) is None else write(value)
                for column, write in writers
            ]
            file.write(dialect.record(cells))
            count += 1
            told()
    return count


def source(path: str, name: str, dialect: Dialect, encoding: str) -> Source:
    """The table in a CSV file; CommandError if its header makes no columns."""

    def records() -> Iterator[tuple[int, list[str | None]]]:
        return _records(path, dialect, encoding)

    number, header = next(records(), (1, []))
    if not header:
        raise CommandError(f"{path}: is empty: its first line must name the columns")
    columns = _columns(path, number, header)
    count = len(columns)

    def rows() -> Iterator[Record]:
        found = records()
        next(found)
        for number, cells in found:
            if len(cells) != count:
                raise CommandError(
                    f"{path}: line {number}: {count} cells were expected, as in the header, and"
                    f" there are {len(cells)}",
                    FINDINGS,
                )
            row: Mapping[str, Any] = dict(zip(columns, cells, strict=True))
            yield number, row

    return Source(
        name,
        columns,
        rows,
        lambda line: f"{path}: line {line}",
        from_text,
        lambda _, first: TextGuess(first=first),
    )


def _columns(path: str, number: int, header: list[str | None]) -> list[str]:
    if len(header) > MOST_COLUMNS:
        raise CommandError(f"{path}: {len(header):,} columns; there may be {MOST_COLUMNS:,}")
    columns: list[str] = []
    for cell in header:
        if not cell or not cell.isprintable():
            raise CommandError(
                f"{path}: line {number}: {cell or ''!a} cannot be a column's name; the first line"
                " must name the columns"
            )
        columns.append(cell)
    doubled = {column for column in columns if columns.count(column) > 1}
    if doubled:
        raise CommandError(f"{path}: line {number}: two columns are called {min(doubled)!r}")
    return columns


def _records(path: str, dialect: Dialect, encoding: str) -> Iterator[tuple[int, list[str | None]]]:
    if encoding.lower() in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # with a mark of the byte order or without
    number = 0
    try:
        with open_text(path, encoding) as lines:
            for number, cells in dialect.records(lines):
                yield number, cells
    except BadRecord as error:
        raise CommandError(f"{path}: line {error.line}: {error}", FINDINGS) from error
    except UnicodeError as error:
        raise CommandError(
            f"{path}: behind line {number}: not valid in this encoding ({error}); --encoding names"
            " another",
            FINDINGS,
        ) from error


def open_text(path: str, encoding: str) -> Any:
    """The file, whose line ends stay as they are; CommandError if it cannot be read, twice."""
    try:
        if not os.path.isfile(path):
            what = (
                "is no file, and has to be read twice" if os.path.exists(path) else "no such file"
            )
            raise CommandError(f"{path}: {what}")
        return open(path, encoding=encoding, newline="")
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror or error}") from error
    except LookupError as error:
        raise CommandError(f"--encoding {encoding}: there is no such encoding") from error
