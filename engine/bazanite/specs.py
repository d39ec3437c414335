"""What the catalog says of tables: columns, indexes, references, checksums, and what changed them.

Pure data; ``catalog`` writes and reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .fields import KEEP, FieldType
from .files import TableFiles
from .kinds import LATER, LONG

FORMAT = "bazanite 1"
CHECKED_FORMAT = "bazanite 2"
"""The format of a catalog in which some table has checksums."""
LATER_FORMAT = "bazanite 3"
"""The format of a catalog with what came later, with checksums or without: other types, indexes,
deletes that look at who refers, migrations.
"""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One column as the catalog knows it; ``table`` is what an FK refers to.

    ``on_delete`` says what becomes of the row when the one that it refers to is deleted: one of
    ``fields.ON_DELETE``; None for any other type, and in a class that does not say.
    ``params`` are a type's other arguments that its bytes depend on, by name.
    """

    name: str
    type: str
    size: int
    null: bool
    table: str | None = None
    params: tuple[tuple[str, Any], ...] = ()
    on_delete: str | None = None

    @property
    def in_text_file(self) -> bool:
        """Whether its values are in the table's text file, and the row has their offsets."""
        return self.type in LONG

    def __str__(self) -> str:
        target = f" to '{self.table}'" if self.table is not None else ""
        params = "".join(f", {name}={value}" for name, value in self.params)
        null = " null" if self.null else ""
        deleting = f' on_delete="{self.on_delete}"' if self.on_delete is not None else ""
        return f"{self.type}({self.size}{params}){target}{null}{deleting}"

    def later_type(self) -> FieldType | None:
        """The type, if it is one of those that came later; ValidationError if it cannot be."""
        made: Any = LATER.get(self.type)
        return None if made is None else made(**dict(self.params), null=self.null)


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """One index of a table: its columns in order, whether they must be unique, its file's name.

    ``built`` is None once every row is in it, else it has the rows of the slots below that.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    built: int | None = None

    def __str__(self) -> str:
        return f"{'unique' if self.unique else 'index'} ({', '.join(self.columns)})"

    @property
    def ready(self) -> bool:
        """Whether it has every row."""
        return self.built is None


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table's columns, in order, its indexes, and whether its files have checksums."""

    fields: tuple[FieldSpec, ...]
    checksums: bool = False
    indexes: tuple[IndexSpec, ...] = ()

    @property
    def row_size(self) -> int:
        """Width of a row in bytes, with its newline."""
        return sum(field.size for field in self.fields) + 1

    @property
    def has_text(self) -> bool:
        """Whether the table has a text file."""
        return any(field.in_text_file for field in self.fields)

    def files(self, directory: str, table: str) -> list[str]:
        """The names of the table's files, but that of the checksums."""
        names = [index.name for index in self.indexes]
        return TableFiles(directory, table).names(has_text=self.has_text, indexes=names)

    def references(self, table: str) -> list[tuple[int, int]]:
        """(offset in the row, width) of each column that refers to this table."""
        result: list[tuple[int, int]] = []
        offset = 0
        for field in self.fields:
            if field.table == table:
                result.append((offset, field.size))
            offset += field.size
        return result


@dataclass(frozen=True, slots=True)
class MigrationRecord:
    """A migration that the directory has seen, and how many of its steps were made."""

    version: int
    name: str
    done: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables of a directory, how wide its unsized integers are, and what changed it."""

    int_width: int
    tables: dict[str, TableSpec]
    migrations: tuple[MigrationRecord, ...] = ()

    @property
    def has_checksums(self) -> bool:
        """Whether any table has them."""
        return any(spec.checksums for spec in self.tables.values())

    @property
    def format(self) -> str:
        """The lowest one whose programs keep all that is in it."""
        specs = self.tables.values()
        fields = [field for spec in specs for field in spec.fields]
        later = any(f.type in LATER or f.on_delete not in (None, KEEP) for f in fields)
        if later or self.migrations or any(spec.indexes for spec in specs):
            return LATER_FORMAT
        return CHECKED_FORMAT if self.has_checksums else FORMAT
