"""``db.storage``: the tables of a handle over their shared store, and the global lock.

Bazoola's programs know ``db.storage.lock()``, ``base_dir`` and ``tables``; the tables themselves
reach the byte layer and each other through this object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

from bazanite_wal.layer import View, WriteSet

from .catalog import decode
from .codec import Layout
from .errors import TransactionError, ValidationError, shown_value
from .files import CATALOG_NAME, TableFiles
from .foreign import ForeignKeys
from .opening import (
    checked_classes,
    class_of,
    fits,
    open_tables,
    read_catalog_bytes,
    refuse_changed,
    refuse_unclaimed,
    stored_classes,
)
from .rules import Rules
from .specs import Catalog, MigrationRecord, TableSpec
from .sums import Covered, covered, sum_file
from .verified import VerifiedView, VerifiedWrites

if TYPE_CHECKING:
    from bazanite_wal.store import Store

    from .table import Table

T = TypeVar("T")


class _LayoutChanged(Exception):
    """Somebody may have changed a table since its layout was looked at last."""


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
        self._catalog: tuple[bytes, Catalog] | None = None
        self._rules: Rules | None = None
        self.epoch = store.layout
        if classes is None:
            checked = stored_classes(store, base_dir)
        else:
            checked = checked_classes(classes)
        layouts, catalog = open_tables(store, base_dir, checked, int_width, checksums, records)
        self.covered = self._covered_by(catalog)
        self.tables: dict[str, Table] = {
            name: cls(self, layouts[name]) for name, cls in checked.items()
        }

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
        with store.reading() as view:
            epoch = store.settled_layout
            data = read_catalog_bytes(view)
        catalog = decode(data, self.base_dir)
        known = {} if self._catalog is None else self._catalog[1].tables
        tables: dict[str, Table] = {}
        for name, spec in catalog.tables.items():
            table = self.tables.get(name)
            if table is not None and not fits(spec, table.schema):
                table = None
            elif table is None and name in known:
                continue  # it was there, and not opened here
            tables[name] = table or self._opened(name, spec, catalog.int_width)
        self.tables = tables
        self._catalog, self._rules = (data, catalog), None
        self._adopt(epoch)
        self.covered = self._covered_by(catalog)

    def _opened(self, name: str, spec: TableSpec, width: int) -> Table:
        cls = class_of(name, spec)
        return cls(self, Layout(TableFiles(self.base_dir, name), cls.schema.bind(width), width))

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
        epoch = self.store.settled_layout
        known = self._catalog
        if known is None or view.read(CATALOG_NAME, 0, len(known[0]) + 1) != known[0]:
            data = read_catalog_bytes(view)
            catalog = decode(data, self.base_dir)
            for name, table in self.tables.items():
                spec = catalog.tables.get(name)
                refuse_unclaimed(view, table.layout.files, spec)
                refuse_changed(name, spec, table.schema)
            known = self._catalog = (data, catalog)
            self.covered = self._covered_by(catalog)
        self._adopt(epoch)
        return known[1]

    def _adopt(self, epoch: int | None) -> None:
        """Read without the lock under this layout, unless there is more to come of it.

        The number moves before the change is committed: who took it for that of the old catalog,
        while the change was in the log only, would later read the new files in the old way.
        """
        if epoch is not None:
            self.epoch = epoch

    def quick_read(self, read: Callable[[View], T]) -> T:
        """``read``, mostly without the lock, under the layout that this handle knows.

        SchemaMismatch if it is another one by now.
        """

        def read_if_known(view: View) -> T:
            try:
                result = read(view)
            except Exception as error:
                if self.store.layout != self.epoch:
                    raise _LayoutChanged from error
                raise
            if self.store.layout != self.epoch:
                raise _LayoutChanged
            return result

        try:
            return self.store.quick_read(read_if_known)
        except _LayoutChanged:
            with self.store.reading() as view:
                self.catalog(view)
                return read(view)

    def rules(self, view: View) -> Rules:
        """What the directory's catalog, as this view has it, demands of the tables' rows."""
        catalog = self.catalog(view)
        rules = self._rules
        if rules is None or rules.catalog is not catalog:
            opened = {name: table.layout for name, table in self.tables.items()}
            rules = self._rules = Rules(self.base_dir, catalog, opened)
        return rules

    def _covered_by(self, catalog: Catalog) -> Covered:
        """Which files have checksums."""
        return covered(
            sum_file(TableFiles(self.base_dir, name), spec)
            for name, spec in catalog.tables.items()
            if spec.checksums
        )

    def verified(self, view: View) -> View:
        """The same view, verified where there are checksums.  Caller holds the lock."""
        self.catalog(view)  # another handle may have added them, or taken them away
        return VerifiedView(view, self.covered) if self.covered else view

    def quickly_verified(self, view: View) -> View:
        """The same without the lock, by what this handle last knew: an error is no verdict yet."""
        return VerifiedView(view, self.covered) if self.covered else view

    def writes(self, tx: WriteSet) -> WriteSet:
        """What a call changes the files of this transaction through; ``finish`` it at its end."""
        self.catalog(tx)
        return VerifiedWrites(tx, self.covered) if self.covered else tx

    @property
    def has_checksums(self) -> bool:
        """Whether, by what this handle last knew, some table has them."""
        return bool(self.covered)

    def spec(self, view: View, name: str) -> TableSpec | None:
        """What the catalog says of a table, which this handle need not have opened."""
        return self.catalog(view).tables.get(name)

    def foreign_keys(self, table: Table) -> ForeignKeys:
        """The check of foreign keys for one insert into, or update of, this table."""
        return ForeignKeys(self, table.schema, table.name)
