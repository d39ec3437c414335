"""What the checker knows of a table, all of it from the catalog, and how numbers are written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .fields import FieldType
from .files import TableFiles
from .specs import Catalog, TableSpec

_NUMBER = re.compile(rb"(-?[1-9][0-9]*|0) *\Z")


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A field as the catalog has it, and where in the row it stands.

    ``later`` is its type if it is one of those that came later.
    """

    name: str
    type: str
    null: bool
    start: int
    end: int
    table: str | None
    later: FieldType | None = None


@dataclass(frozen=True, slots=True)
class TableLayout:
    """One table: its files, the width of index entries, and its fields' places."""

    name: str
    int_width: int
    fields: tuple[FieldPlace, ...]
    row_size: int
    files: TableFiles = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", TableFiles("", self.name))

    @property
    def id_field(self) -> FieldPlace | None:
        """The field that holds the row's id; None in a catalog that no program wrote."""
        return next((place for place in self.fields if place.name == "id"), None)


def layouts(catalog: Catalog) -> dict[str, TableLayout]:
    """All tables of a catalog."""
    return {name: _layout(name, catalog.int_width, spec) for name, spec in catalog.tables.items()}


def _layout(name: str, int_width: int, spec: TableSpec) -> TableLayout:
    places: list[FieldPlace] = []
    start = 0
    for item in spec.fields:
        end = start + item.size
        later = item.later_type()
        places.append(FieldPlace(item.name, item.type, item.null, start, end, item.table, later))
        start = end
    return TableLayout(name, int_width, tuple(places), spec.row_size)


def parse_number(raw: bytes) -> int | None:
    """A number as the tables have it: decimal, left-aligned, padded with spaces; else None."""
    match = _NUMBER.match(raw)
    return None if match is None else int(match[1])


def is_no_entry(entry: bytes) -> bool:
    """Whether an index entry says "no row": ``#`` all over, or zeros in a gap left sparse."""
    return entry.count(b"#") == len(entry) or entry.count(b"\0") == len(entry)
