"""``db.storage``: the tables of a handle over their shared store, and the global lock.

Bazoola's programs know ``db.storage.lock()``, ``base_dir`` and ``tables``; the tables themselves
reach the byte layer and each other through this object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from bazanite_wal.layer import View, WriteSet
from bazanite_wal.shared import APPLIED, DURABILITY, END, LAYOUT, LAYOUT_AT, LEVELS

from .catalog import decode, spec_of
from .catalog_file import read_catalog_bytes
from .codec import Layout
from .errors import SchemaMismatch, TransactionError, ValidationError, shown_value
from .fields import FieldType
from .files import CATALOG_NAME, TableFiles
from .foreign import ForeignKeys
from .known import Known, LayoutChanged
from .opening import (
    checked_classes,
    class_of,
    fits,
    open_tables,
    refuse_changed,
    refuse_unclaimed,
    stored_classes,
)
from .rules import Rules
from .schema import Schema
from .specs import Catalog, MigrationRecord, TableSpec
from .stored_schema import layout_of
from .sums import Covered, covered_by
from .verified import VerifiedView, VerifiedWrites

if TYPE_CHECKING:
    from bazanite_wal.store import Store

    from .table import Table

T = TypeVar("T")
_UNKNOWN_EPOCH = -1
"""Stands for a layout number that no store has."""
_NORMAL = LEVELS.index("normal") + 1
"""Stands in DURABILITY: readers see what is in the log too."""


class Storage:
    """The open tables of one handle.  Any thread may use it; ``close`` belongs to the handle."""

    def __init__(
        self,
        store: Store,
        base_dir: str,
        classes: list[type[Table]] | None,
        int_width: int | None,
        checksums: bool | None = None,
        records: Iterable[MigrationRecord] = (),
    ) -> None:
        self.base_dir = base_dir
        self._store: Store | None = store
        checked = checked_classes(classes) if classes is not None else {}
        if store.read_only:
            self._look(store, base_dir, classes, checked, int_width, checksums)
            return
        epoch = store.word(LAYOUT)  # before the tables are looked at: whoever changes them moves it
        while True:
            if classes is None:
                checked = stored_classes(store, base_dir)
            try:
                layouts, catalog = open_tables(
                    store, base_dir, checked, int_width, checksums, records
                )
            except SchemaMismatch:
                if classes is None and not _are_stored(store, base_dir, checked):
                    continue  # somebody changed them meanwhile
                raise
            break
        # within a transaction the files may not be so yet; the next call reads the catalog again
        self._have(checked, layouts, catalog, epoch, store.word(END))

    def _look(
        self,
        store: Store,
        base_dir: str,
        classes: list[type[Table]] | None,
        checked: dict[str, type[Table]],
        int_width: int | None,
        checksums: bool | None,
    ) -> None:
        """Open the tables as they are, all of one state."""
        from .read_only import look_at_tables, stored_catalog  # noqa: PLC0415  seldom used

        with store.reading() as view:
            stored_catalog(store, view, base_dir)
            if classes is None:
                checked = stored_classes(store, base_dir)
            layouts, catalog = look_at_tables(store, base_dir, checked, int_width, checksums)
            since = store.word(END)
            epoch = store.word(LAYOUT) if store.word(APPLIED) == since else _UNKNOWN_EPOCH
        self._have(checked, layouts, catalog, epoch, since)

    def _have(
        self,
        classes: Mapping[str, type[Table]],
        layouts: dict[str, Layout],
        catalog: Catalog,
        epoch: int,
        since: int,
    ) -> None:
        self.covered: Covered = covered_by(self.base_dir, catalog)
        self.tables: dict[str, Table] = {
            name: cls(self, layouts[name]) for name, cls in classes.items()
        }
        self.known = Known(b"", catalog, Rules(self.base_dir, catalog, layouts), epoch, since)

    @property
    def store(self) -> Store:
        """The byte layer; TransactionError once the database is closed."""
        if self._store is None:
            raise TransactionError("the database is closed")
        return self._store

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._store is None

    def lock(self) -> AbstractContextManager[None]:
        """Hold the global lock, of threads and processes, over several calls."""
        return self.store.lock()

    def close(self) -> None:
        """Give the store back; TransactionError, and still open, inside a transaction."""
        if self._store is None:
            return
        if self._store.in_transaction():
            raise TransactionError("a transaction is open: leave it before closing the database")
        store = self._store
        try:
            store.close()
        finally:
            if store.closed:  # not if this thread holds the lock: then the handle stays usable
                self._store = None
                self.tables = {}

    def reload(self) -> None:
        """Have the tables as the catalog says now: this handle has changed them itself."""
        store = self.store
        with store.reading() as view:  # to the end: other threads go by what it changes
            epoch, since = self._applied_epoch(), store.word(END)
            data = read_catalog_bytes(view)
            catalog = decode(data, self.base_dir)
            known = self.known.catalog.tables
            tables: dict[str, Table] = {}
            for name, spec in catalog.tables.items():
                table = self.tables.get(name)
                kinds: dict[str, FieldType] = {}
                if table is not None and not fits(spec, table.schema):
                    kinds = _kept_types(table.schema, known[name], spec)
                    table = None
                elif table is None and name in known:
                    continue  # it was there, and not opened here
                tables[name] = table or self._opened(name, spec, catalog.int_width, kinds)
            self.tables = tables
            self._know(data, catalog, epoch, since)

    def _opened(
        self, name: str, spec: TableSpec, width: int, kinds: Mapping[str, FieldType]
    ) -> Table:
        layout = layout_of(TableFiles(self.base_dir, name), spec, width, kinds)
        return class_of(name, spec)(self, layout)

    def table(self, name: str) -> Table:
        """The open table of this name; ValidationError if there is none."""
        if self._store is None:
            raise TransactionError("the database is closed")
        try:
            return self.tables[name]
        except (KeyError, TypeError):
            raise ValidationError(f"No such table: {shown_value(name)}") from None

    def catalog(self, view: View) -> Catalog:
        """The directory's catalog as this view has it.

        Other handles may have added tables; SchemaMismatch if they changed one that is open here.
        """
        store, known = self.store, self.known
        epoch = self._applied_epoch()
        if view.read(CATALOG_NAME, 0, len(known.data) + 1) != known.data:
            data = read_catalog_bytes(view)
            catalog = decode(data, self.base_dir)
            for name, table in self.tables.items():
                spec = catalog.tables.get(name)
                refuse_unclaimed(view, table.layout.files, spec)
                refuse_changed(name, spec, table.schema)
            self._know(data, catalog, epoch, store.word(END))
        elif known.epoch != epoch:
            self.known = replace(known, epoch=epoch)
        return self.known.catalog

    def layout_seen(self) -> int | None:
        """The layout number of what a reader who holds the lock sees.

        None if that cannot be told: the frame that changes the layout is not applied yet.
        """
        store = self.store
        applied = store.word(APPLIED)
        sees_all = store.in_transaction() or store.word(DURABILITY) == _NORMAL
        if sees_all or applied == store.word(END) or applied >= store.word(LAYOUT_AT):
            return store.word(LAYOUT)
        return None

    def _applied_epoch(self) -> int:
        """The layout number of the files as they are; while frames wait that may be of another one,
        what was known before.
        """
        store = self.store
        return store.word(LAYOUT) if store.word(APPLIED) == store.word(END) else self.known.epoch

    def _know(self, data: bytes, catalog: Catalog, epoch: int, since: int) -> None:
        self.covered = covered_by(self.base_dir, catalog)
        opened = {name: table.layout for name, table in self.tables.items()}
        self.known = Known(data, catalog, Rules(self.base_dir, catalog, opened), epoch, since)

    def quick_read(self, table: Table, known: Known, read: Callable[[View], T]) -> T:
        """``read``, mostly without the lock, by what was known before it began.

        LayoutChanged if that is no longer so, or not yet: then what it returned means nothing.
        """
        store = self.store

        def read_if_known(view: View) -> T:
            try:
                result = read(view)
            except Exception as error:
                if store.word(LAYOUT) != known.epoch:
                    raise LayoutChanged from error
                raise
            if store.word(LAYOUT) != known.epoch:
                raise LayoutChanged
            return result

        if self.tables.get(table.name) is not table or store.word(APPLIED) < known.since:
            raise LayoutChanged
        return store.quick_read(read_if_known)

    @property
    def rules(self) -> Rules:
        """What the catalog demands of the tables' rows; after ``verified`` or ``writes``."""
        return self.known.rules

    def verified(self, view: View, table: Table) -> View:
        """The same view, verified where there are checksums.  Caller holds the lock.

        SchemaMismatch if the table is no longer one of this handle's, after a migration.
        """
        self.catalog(view)  # another handle may have added them, or taken them away
        self._refuse_replaced(table)
        return VerifiedView(view, self.covered) if self.covered else view

    def quickly_verified(self, view: View) -> View:
        """The same without the lock, by what this handle last knew: an error is no verdict yet."""
        return VerifiedView(view, self.covered) if self.covered else view

    def writes(self, tx: WriteSet, table: Table) -> WriteSet:
        """What a call changes the files of this transaction through; ``finish`` it at its end."""
        self.catalog(tx)
        self._refuse_replaced(table)
        return VerifiedWrites(tx, self.covered) if self.covered else tx

    def _refuse_replaced(self, table: Table) -> None:
        if self.tables.get(table.name) is not table:
            _ = self.store  # closed by another thread meanwhile, it has no tables either
            raise SchemaMismatch(
                f"table '{table.name}' was changed by a migration: take it from `db.tables` again"
            )

    @property
    def has_checksums(self) -> bool:
        """Whether, by what this handle last knew, some table has them."""
        return bool(self.covered)

    def foreign_keys(self, table: Table) -> ForeignKeys:
        """The check of foreign keys for one insert into, or update of, this table."""
        return ForeignKeys(self, table.schema, table.name)


def _kept_types(schema: Schema, before: TableSpec, now: TableSpec) -> dict[str, FieldType]:
    """The types that a program declared, with checks and defaults, of columns that stayed."""
    declared = {field.name: field.type for field in schema.schema}
    was = {field.name: replace(field, on_delete=None) for field in before.fields}
    return {
        field.name: declared[field.name]
        for field in now.fields
        if field.name in declared and was.get(field.name) == replace(field, on_delete=None)
    }


def _are_stored(store: Store, directory: str, classes: Mapping[str, type[Table]]) -> bool:
    """Whether the directory still has the tables of which these classes were made."""
    now = stored_classes(store, directory)
    return {n: spec_of(c.schema) for n, c in now.items()} == {
        n: spec_of(c.schema) for n, c in classes.items()
    }
