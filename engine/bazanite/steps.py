"""What a migration can do to a table: each step says what becomes of the catalog and of the rows.

A step is given the directory as the steps before it left it, in one transaction, and changes it
through ``Tables``; what does not fit is a MigrationError that names the rows.  The program's
functions are given a row or a value, and are refused the directory (TransactionError).  Building an
index is the one thing that takes more than one transaction; see ``building``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .catalog import index_name
from .declared import NOTHING, declared
from .errors import MigrationError, shown_value
from .fields import FK, KEEP, ON_DELETE, SET_NULL, Field, FieldType
from .rewriting import Make
from .specs import FieldSpec, IndexSpec, TableSpec

if TYPE_CHECKING:
    from .tables import Tables


class Step(ABC):
    """One change of the schema; ``table`` is the one that it changes."""

    table: str

    @abstractmethod
    def change(self, tables: Tables) -> None:
        """Make it, in an open transaction; MigrationError, and nothing is changed."""


@dataclass(frozen=True)
class AddColumn(Step):
    """A new last column, with this value in all rows: a value, or a function of the row.

    Without one it is the field's default, or else NULL.
    """

    table: str
    field: Field
    value: Any = NOTHING

    def change(self, tables: Tables) -> None:
        spec = tables.spec(self.table)
        if any(f.name == self.field.name for f in spec.fields):
            raise MigrationError(f"table '{self.table}' has a column '{self.field.name}' already")
        added = tables.field(self.field)
        make = _maker(self.value, self.field.type)
        names = [f.name for f in spec.fields]
        tables.rewrite(
            self.table,
            replace(spec, fields=(*spec.fields, added)),
            {name: name for name in names},
            {self.field.name: make},
            [self.field],
        )
        if added.table is not None:
            tables.refuse_dangling(self.table, self.field.name)


@dataclass(frozen=True)
class DropColumn(Step):
    """Take a column away, and its values; refused for one that an index has."""

    table: str
    column: str

    def change(self, tables: Tables) -> None:
        spec = tables.spec(self.table)
        dropped = tables.column(self.table, self.column)
        if self.column == "id":
            raise MigrationError(f"table '{self.table}': its 'id' cannot be dropped")
        _refuse_indexed(self.table, spec, self.column)
        left = tuple(f for f in spec.fields if f.name != self.column)
        tables.rewrite(
            self.table,
            replace(spec, fields=left),
            {f.name: f.name for f in left},
            {},
            erased=self.column if dropped.in_text_file else None,
        )


@dataclass(frozen=True)
class RenameColumn(Step):
    """Call a column something else; its place and values stay."""

    table: str
    column: str
    to: str

    def change(self, tables: Tables) -> None:
        spec = tables.spec(self.table)
        tables.column(self.table, self.column)
        if "id" in (self.column, self.to):
            raise MigrationError(f"table '{self.table}': 'id' is the name of its ids, and stays it")
        if any(f.name == self.to for f in spec.fields):
            raise MigrationError(f"table '{self.table}' has a column '{self.to}' already")
        if not self.to or not self.to.isprintable():
            raise MigrationError(f"{self.to!a} cannot be a column's name")
        fields = tuple(
            replace(f, name=self.to) if f.name == self.column else f for f in spec.fields
        )
        indexes = tuple(
            replace(i, columns=tuple(self.to if c == self.column else c for c in i.columns))
            for i in spec.indexes
        )
        tables.put(self.table, replace(spec, fields=fields, indexes=indexes))


@dataclass(frozen=True)
class ChangeColumn(Step):
    """Another type for a column: wider, narrower, NULL allowed or not, or something else.

    ``convert`` makes the new value of the old one; without it the value stays.  Rows whose value
    does not fit are named, and nothing is changed.  Its indexes are made anew.  An FK to the same
    table that does not say what a delete does leaves that as it is.
    """

    table: str
    column: str
    type: FieldType
    convert: Callable[[Any], Any] | None = None

    def change(self, tables: Tables) -> None:
        spec = tables.spec(self.table)
        old = tables.column(self.table, self.column)
        if self.column == "id":
            raise MigrationError(f"table '{self.table}': the type of its 'id' stays")
        changed = Field(self.column, self.type)
        new = self._as_stored(old, tables.field(changed))
        convert, column = self.convert, self.column
        if convert is None:
            make: Make = lambda row: row[column]  # noqa: E731
        else:
            make = lambda row: convert(row[column])  # noqa: E731
        fields = tuple(new if f.name == column else f for f in spec.fields)
        stays = {f.name: f.name for f in fields if f.name != column}
        tables.rewrite(
            self.table,
            replace(spec, fields=fields),
            stays,
            {column: make},
            [changed],
            erased=column if old.in_text_file else None,
        )
        having = [index for index in spec.indexes if column in index.columns]
        tables.rebuild(self.table, having, [changed])
        if new.table is not None and new.on_delete != KEEP:
            tables.refuse_dangling(self.table, column)

    def _as_stored(self, old: FieldSpec, new: FieldSpec) -> FieldSpec:
        """What a delete does stays, if the type does not say it and the table is the same."""
        said = isinstance(self.type, FK) and self.type.on_delete is not None
        if said or new.table is None or new.table != old.table:
            return new
        if old.on_delete == SET_NULL and not new.null:
            raise MigrationError(
                f"'{self.table}.{self.column}' is set to NULL by a delete, and may not be NULL; "
                "say what else one does (on_delete)"
            )
        return replace(new, on_delete=old.on_delete)


@dataclass(frozen=True)
class SetOnDelete(Step):
    """What a delete of the row that this column refers to does from now on."""

    table: str
    column: str
    on_delete: str

    def change(self, tables: Tables) -> None:
        spec, old = tables.spec(self.table), tables.column(self.table, self.column)
        if old.table is None:
            raise MigrationError(f"'{self.table}.{self.column}' refers to no table")
        if self.on_delete not in ON_DELETE:
            raise MigrationError(f"on_delete={shown_value(self.on_delete)}: not one of {ON_DELETE}")
        if self.on_delete == SET_NULL and not old.null:
            raise MigrationError(f"'{self.table}.{self.column}' may not be NULL")
        if self.on_delete != KEEP:
            tables.refuse_dangling(self.table, self.column)
        changed = replace(old, on_delete=self.on_delete)
        fields = tuple(changed if f is old else f for f in spec.fields)
        tables.put(self.table, replace(spec, fields=fields))


@dataclass(frozen=True)
class RenameTable(Step):
    """Call a table something else: its files, and whoever refers to it."""

    table: str
    to: str

    def change(self, tables: Tables) -> None:
        tables.rename(self.table, self.to)


@dataclass(frozen=True)
class DropTable(Step):
    """Take a table away, and its rows; refused while another table refers to it."""

    table: str

    def change(self, tables: Tables) -> None:
        tables.drop(self.table)


@dataclass(frozen=True)
class _IndexStep(Step):
    """A step for the index of these columns, unique or not."""

    table: str
    columns: tuple[str, ...]
    unique: bool = False

    def __init__(self, table: str, columns: str | Iterable[str], *, unique: bool = False) -> None:
        object.__setattr__(self, "table", table)
        names = (columns,) if isinstance(columns, str) else tuple(columns)
        object.__setattr__(self, "columns", names)
        object.__setattr__(self, "unique", unique)

    def found(self, spec: TableSpec) -> IndexSpec | None:
        """The index, if it is there, built or being built."""
        same = [i for i in spec.indexes if (i.columns, i.unique) == (self.columns, self.unique)]
        return same[0] if same else None


class AddIndex(_IndexStep):
    """An index of these columns.  It is built bit by bit, while others read and write."""

    def change(self, tables: Tables) -> None:
        spec = tables.spec(self.table)
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise MigrationError(f"an index needs columns, each once, not {self.columns}")
        for name in self.columns:
            tables.column(self.table, name)
        same = self.found(spec)
        if same is not None:
            if same.ready:
                raise MigrationError(f"table '{self.table}' has {same} already")
            return  # somebody began to build it, and was stopped
        name = index_name(self.columns, spec.indexes)
        tables.add_index(self.table, IndexSpec(name, self.columns, self.unique, built=0))


class AddUnique(AddIndex):
    """No two rows may have the same values in these columns; IntegrityError if some have."""

    def __init__(self, table: str, columns: str | Iterable[str]) -> None:
        super().__init__(table, columns, unique=True)


class DropIndex(_IndexStep):
    """Take an index away, and what it enforced."""

    def change(self, tables: Tables) -> None:
        same = self.found(tables.spec(self.table))
        if same is None:
            kind = IndexSpec("", self.columns, self.unique)
            raise MigrationError(f"table '{self.table}' has no {kind}")
        tables.drop_index(self.table, same)


class DropUnique(DropIndex):
    """The same for a unique constraint."""

    def __init__(self, table: str, columns: str | Iterable[str]) -> None:
        super().__init__(table, columns, unique=True)


def _maker(value: Any, kind: FieldType) -> Make:
    if value is NOTHING:
        said = declared(kind)
        return lambda _row: None if said.default is NOTHING else said.default_value()
    if callable(value):
        make: Make = value
        return make
    return lambda _row: value


def _refuse_indexed(table: str, spec: TableSpec, column: str) -> None:
    for index in spec.indexes:
        if column in index.columns:
            raise MigrationError(f"table '{table}': {index} has '{column}'; drop it first")
