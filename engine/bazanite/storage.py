"""``db.storage``: the tables of a handle over their shared store, and the global lock.

Bazoola's programs know ``db.storage.lock()``, ``base_dir`` and ``tables``; the tables themselves
reach the byte layer and each other through this object.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from bazanite_wal.layer import View, WriteSet

from .catalog import Catalog, TableSpec, decode
from .errors import TransactionError, ValidationError, shown_value
from .files import CATALOG_NAME, TableFiles
from .foreign import ForeignKeys
from .opening import checked_classes, open_tables, read_catalog_bytes, refuse_unclaimed
from .sums import Covered, covered, sum_file
from .verified import VerifiedView, VerifiedWrites

if TYPE_CHECKING:
    from bazanite_wal.store import Store

    from .table import Table


class Storage:
    """The open tables of one handle.  Any thread may use it; ``close`` belongs to the handle."""

    def __init__(
        self,
        store: Store,
        base_dir: str,
        classes: list[type[Table]],
        int_width: int | None,
        checksums: bool | None = None,
    ) -> None:
        self.base_dir = base_dir
        self._store: Store | None = store
        self._catalog: tuple[bytes, Catalog] | None = None
        checked = checked_classes(classes)
        layouts, catalog = open_tables(store, base_dir, checked, int_width, checksums)
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

    def table(self, name: str) -> Table:
        """The open table of this name; ValidationError if there is none."""
        if self._store is None:
            raise TransactionError("the database is closed")
        try:
            return self.tables[name]
        except (KeyError, TypeError):
            raise ValidationError(f"No such table: {shown_value(name)}") from None

    def catalog(self, view: View) -> Catalog:
        """The directory's catalog as this view has it; other handles may have added tables."""
        known = self._catalog
        if known is None or view.read(CATALOG_NAME, 0, len(known[0]) + 1) != known[0]:
            data = read_catalog_bytes(view)
            catalog = decode(data, self.base_dir)
            for name, table in self.tables.items():
                refuse_unclaimed(view, table.layout.files, catalog.tables.get(name))
            known = self._catalog = (data, catalog)
            self.covered = self._covered_by(catalog)
        return known[1]

    def _covered_by(self, catalog: Catalog) -> Covered:
        """Which files have checksums."""
        return covered(
            sum_file(TableFiles(self.base_dir, name), spec.has_text)
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
