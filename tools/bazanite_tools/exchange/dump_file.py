"""The portable text of a whole directory: its catalog, then every row, a JSON document a line.

    {"bazanite dump": 1, "catalog": {...}, "checksums": ["t"]}
    {"table": "t", "columns": ["id", "name"], "last_id": 2}
    [1, "Ada"]
    [2, null]
    {"end": {"t": 2}}

The catalog is what ``schema.json`` would say (docs/format.md), without checksums; ``last_id`` is
the last automatic id.  The last line counts the rows, so that a text that was cut short is noticed.

Pure but for the database that is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bazanite import catalog as catalogs
from bazanite.db import DB
from bazanite.schema import Schema
from bazanite.specs import Catalog
from bazanite_wal.errors import DBError, shown_value

from .bulk import last_id
from .opened import catalog_of
from .values import from_json, to_json

MAGIC = "bazanite dump"
VERSION = 1
_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class BadDump(Exception):
    """The text is no dump, or a damaged one; says in which line."""


@dataclass(frozen=True, slots=True)
class TableStart:
    """What comes before the rows of a table."""

    name: str
    last_id: int


def dump(db: DB) -> Iterator[str]:
    """The lines, with their ends; the caller keeps the database as it is meanwhile."""
    catalog = catalog_of(db)
    checksums = [name for name, spec in sorted(catalog.tables.items()) if spec.checksums]
    yield _line({MAGIC: VERSION, "catalog": _document(catalog), "checksums": checksums})
    counts: dict[str, int] = {}
    for name in sorted(catalog.tables):
        schema = db.storage.table(name).schema
        yield _line(
            {
                "table": name,
                "columns": [field.name for field in schema.schema],
                "last_id": last_id(db, name),
            }
        )
        counts[name] = 0
        writers = [(field.name, to_json(field.type)) for field in schema.schema]
        for row in db.iterate(name):
            yield _line([write(row[column]) for column, write in writers])
            counts[name] += 1
    yield _line({"end": counts})


def _line(document: object) -> str:
    return _WRITER.encode(document) + "\n"


def _document(catalog: Catalog) -> Any:
    tables = {
        name: replace(
            spec, checksums=False, indexes=tuple(index for index in spec.indexes if index.ready)
        )
        for name, spec in catalog.tables.items()
    }
    return json.loads(catalogs.encode(replace(catalog, tables=tables)))


class Reader:
    """A dump's lines, one after another.

    ``catalog`` and ``checksums`` are there at once; then ``parts`` has all else.
    """

    def __init__(self, lines: Iterable[bytes], source: str) -> None:
        self._lines = enumerate(lines, 1)
        self._source = source
        self._number = 0
        head = self._next()
        if not isinstance(head, dict) or MAGIC not in head:
            raise self.bad("this is no dump of a Bazanite directory")
        if head[MAGIC] != VERSION:
            raise self.bad(f"a dump of version {VERSION} was expected")
        self.catalog = self._catalog(head.get("catalog"))
        checksums = head.get("checksums")
        if not isinstance(checksums, list) or not all(
            isinstance(name, str) and name in self.catalog.tables for name in checksums
        ):
            raise self.bad("tables with checksums were expected")
        self.checksums: list[str] = checksums

    def _catalog(self, document: object) -> Catalog:
        try:
            data = json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"
            return catalogs.decode(data)
        except (DBError, ValueError, RecursionError) as error:
            raise self.bad(f"its catalog is damaged: {error}") from error

    @property
    def line(self) -> int:
        """The number of the line that was read last."""
        return self._number

    def bad(self, what: str, line: int | None = None) -> BadDump:
        """The error for that line, the last one if None."""
        return BadDump(f"{self._source}: line {line or self._number or 1}: {what}")

    def _next(self) -> Any:
        try:
            self._number, line = next(self._lines)
        except StopIteration:
            raise self.bad("the dump ends too early: it was cut short") from None
        try:
            return json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise self.bad(f"not a JSON document in UTF-8: {error}") from error

    def parts(self, schemas: dict[str, Schema]) -> Iterator[TableStart | dict[str, Any]]:
        """For each table its beginning and then its rows; BadDump as soon as something is wrong."""
        counts: dict[str, int] = {}
        name = ""
        readers: list[tuple[str, Any]] = []
        while True:
            part = self._next()
            if isinstance(part, list) and name:
                counts[name] += 1
                yield self._row(part, readers)
            elif isinstance(part, dict) and "table" in part:
                start, readers = self._start(part, schemas, counts)
                name = start.name
                counts[name] = 0
                yield start
            elif isinstance(part, dict) and "end" in part:
                if part["end"] != counts or counts.keys() != schemas.keys():
                    raise self.bad(f"rows are missing: it tells of {part['end']}, found {counts}")
                if next(self._lines, None) is not None:
                    raise self.bad("something stands behind the end", self._number + 1)
                return
            else:
                raise self.bad(f"a table or a row was expected, not {shown_value(part)}")

    def _start(
        self, part: dict[str, Any], schemas: dict[str, Schema], known: dict[str, int]
    ) -> tuple[TableStart, list[tuple[str, Any]]]:
        name, columns, last = part["table"], part.get("columns"), part.get("last_id")
        if not isinstance(name, str) or name not in schemas or name in known:
            raise self.bad(f"a table of the catalog was expected, not {shown_value(name)}")
        fields = {field.name: field.type for field in schemas[name].schema}
        if not isinstance(columns, list) or len(columns) != len(fields):
            raise self.bad(f"the columns of table '{name}' were expected")
        if any(not isinstance(c, str) or c not in fields for c in columns):
            raise self.bad(f"the columns of table '{name}' were expected")
        if len(set(columns)) != len(columns):
            raise self.bad(f"a column of table '{name}' is named twice")
        if type(last) is not int or not 0 <= last < 10**18:
            raise self.bad(f"the last automatic id of table '{name}' was expected")
        return TableStart(name, last), [(c, from_json(fields[c])) for c in columns]

    def _row(self, part: list[Any], readers: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(part) != len(readers):
            raise self.bad(f"a row of {len(readers)} values was expected, not of {len(part)}")
        row: dict[str, Any] = {}
        for (column, read), value in zip(readers, part, strict=True):
            try:
                row[column] = read(value)
            except ValueError as error:
                raise self.bad(f"'{column}': {error}") from error
        return row
