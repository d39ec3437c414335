"""The tables of a directory as a migration changes them: catalog, rows, files, in a transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from bazanite_wal.layer import View, WriteSet

from . import sums
from .catalog import field_spec
from .catalog_copy import COPY_NAME
from .catalog_file import write_catalog
from .codec import Layout
from .errors import IntegrityError, MigrationError
from .fields import RESTRICT, Field
from .files import CHUNK_SIZE_BYTES, TableFiles, check_table_name
from .index import RowIndex
from .keyed import TableKeys
from .rewriting import Make, Rewriting, erase_texts
from .specs import Catalog, FieldSpec, IndexSpec, TableSpec
from .stored_schema import layout_of
from .verified import VerifiedView, VerifiedWrites, finish

if TYPE_CHECKING:
    from bazanite_wal.store import Store


class Tables:
    """What a step changes; ``finish`` writes the catalog and the checksums.

    ``view`` and ``writes`` are the transaction, verified where there are checksums.  ``coming`` are
    tables that will be made when the migrations are.
    """

    def __init__(
        self,
        store: Store,
        tx: WriteSet,
        directory: str,
        catalog: Catalog,
        coming: Collection[str] = (),
    ) -> None:
        self._store, self._tx, self._directory = store, tx, directory
        self.catalog = catalog
        self._coming = coming
        self._stored = catalog
        self._rebuilt: set[str] = set()
        covered = sums.covered_by(directory, catalog)
        self.view: View = VerifiedView(tx, covered) if covered else tx
        self.writes: WriteSet = VerifiedWrites(tx, covered) if covered else tx

    # ---- what is there

    def spec(self, table: str) -> TableSpec:
        """A table as it is now; MigrationError if there is none."""
        spec = self.catalog.tables.get(table)
        if spec is None:
            raise MigrationError(f"there is no table '{table}'")
        return spec

    def column(self, table: str, name: str) -> FieldSpec:
        """A column as it is now; MigrationError if there is none."""
        for field in self.spec(table).fields:
            if field.name == name:
                return field
        raise MigrationError(f"table '{table}' has no column '{name}'")

    def index(self, table: str, name: str) -> IndexSpec:
        """An index by its name, which is there."""
        return next(index for index in self.spec(table).indexes if index.name == name)

    def field(self, field: Field) -> FieldSpec:
        """What the catalog is to say of a new column."""
        bound = field.type.bind_width(self.catalog.int_width)
        spec = field_spec(field.name, bound)
        if spec.table is not None:
            if spec.table not in self._coming:
                self.spec(spec.table)
            spec = replace(spec, on_delete=spec.on_delete or RESTRICT)
        return spec

    def layout(self, table: str, kinds: Iterable[Field] = ()) -> Layout:
        """Where the table's bytes stand now; ``kinds`` are types that the program gave."""
        return self._layout(table, self.spec(table), kinds)

    def _layout(self, table: str, spec: TableSpec, kinds: Iterable[Field] = ()) -> Layout:
        given = {field.name: field.type for field in kinds}
        files = TableFiles(self._directory, table)
        return layout_of(files, spec, self.catalog.int_width, given)

    # ---- changing it

    def put(self, table: str, spec: TableSpec) -> None:
        """Let the catalog say this of the table."""
        self.catalog = replace(self.catalog, tables={**self.catalog.tables, table: spec})

    def rewrite(
        self,
        table: str,
        spec: TableSpec,
        source: dict[str, str],
        make: dict[str, Make],
        kinds: Iterable[Field] = (),
        *,
        erased: str | None = None,
    ) -> None:
        """Bring every row into another form; see ``Rewriting``.  ``erased``: a TEXT that goes."""
        old = self.layout(table)
        new = self._layout(table, spec, kinds)
        self._verify(table)
        there = self.spec(table).files("", table)
        self._store.create_files([name for name in spec.files("", table) if name not in there])
        rewriting = Rewriting(self._tx, old, new, source, make)
        rewriting.prepare()
        if erased is not None:
            erase_texts(self._tx, old, erased)
        rewriting.save()
        if self.spec(table).has_text and not spec.has_text:
            self._tx.truncate(old.files.text, 0)
        self.put(table, spec)

    def rename(self, table: str, to: str) -> None:
        """Give the table's bytes to files of another name, and tell all who refer to it."""
        spec = self.spec(table)
        check_table_name(to)
        if to in self.catalog.tables:
            raise MigrationError(f"there is a table '{to}' already")
        self._verify(table)
        names = list(zip(spec.files("", table), spec.files("", to), strict=True))
        for _, name in names:
            if self._tx.size(name):
                raise MigrationError(f"there is a file '{name}' already, and it is not empty")
        self._store.create_files([name for _, name in names])
        for old, new in names:
            size = self._tx.size(old)
            for offset in range(0, size, CHUNK_SIZE_BYTES):
                self._tx.write(new, offset, self._tx.read(old, offset, CHUNK_SIZE_BYTES))
            self._tx.truncate(old, 0)
        self._drop_sums(table, spec)
        tables = {(to if name == table else name): s for name, s in self.catalog.tables.items()}
        for name, other in tables.items():
            fields = tuple(replace(f, table=to) if f.table == table else f for f in other.fields)
            tables[name] = replace(other, fields=fields)
        self.catalog = replace(self.catalog, tables=tables)
        self._rebuilt.add(to)

    def drop(self, table: str) -> None:
        """Empty the table's files, which stay, and forget it."""
        spec = self.spec(table)
        for name, other in self.catalog.tables.items():
            if name != table and other.references(table):
                raise MigrationError(f"table '{name}' refers to '{table}'; change that first")
        for name in spec.files("", table):
            if self._tx.size(name):
                self._tx.truncate(name, 0)
        self._drop_sums(table, spec)
        left = {name: s for name, s in self.catalog.tables.items() if name != table}
        self.catalog = replace(self.catalog, tables=left)

    def add_index(self, table: str, index: IndexSpec) -> None:
        """An index with nothing in it yet."""
        spec = self.spec(table)
        layout = self.layout(table)
        layout.schema.check_indexable(index.columns)
        self._verify(table)
        file = layout.files.keyed(index.name)
        self._store.create_files([file])
        TableKeys(layout, [index]).clear(self._tx)
        self.put(table, replace(spec, indexes=(*spec.indexes, index)))

    def rebuild(self, table: str, indexes: Iterable[IndexSpec], kinds: Iterable[Field]) -> None:
        """Make these indexes anew, in this transaction; MigrationError if one is not unique."""
        layout = self.layout(table, kinds)
        for index in indexes:
            layout.schema.check_indexable(index.columns)
            try:
                TableKeys(layout, [index]).build(self._tx)
            except IntegrityError as error:
                raise MigrationError(error.message, error.ids) from error

    def drop_index(self, table: str, index: IndexSpec) -> None:
        """Empty its file, which stays, and forget it."""
        spec = self.spec(table)
        self._verify(table)
        self._tx.truncate(TableFiles("", table).keyed(index.name), 0)
        left = tuple(i for i in spec.indexes if i.name != index.name)
        self.put(table, replace(spec, indexes=left))

    def set_index(self, table: str, index: IndexSpec) -> None:
        """Say something else of an index that is there."""
        spec = self.spec(table)
        indexes = tuple(index if i.name == index.name else i for i in spec.indexes)
        self.put(table, replace(spec, indexes=indexes))

    def refuse_dangling(self, table: str, column: str) -> None:
        """MigrationError if rows refer to what does not exist."""
        target = self.column(table, column).table
        assert target is not None
        self._verify(table)
        if target in self.catalog.tables:
            self._verify(target)
        index = RowIndex(TableFiles(self._directory, target), self.catalog.int_width)
        known: dict[int, bool] = {}
        ids: list[int] = []
        for _, row in self.layout(table).codec.slot_rows(self._tx):
            value = row[column]
            if value is None:
                continue
            if value not in known:
                known[value] = value > 0 and index.find(self._tx, value) is not None
            if not known[value]:
                ids.append(row["id"])
        if ids:
            rows = "row refers" if len(ids) == 1 else "rows refer"
            raise MigrationError(
                f"'{table}.{column}': {len(ids)} {rows} to rows of '{target}' that do not exist, "
                f"the first has id {ids[0]}",
                ids,
            )

    def finish(self) -> None:
        """Write the catalog and the checksums, if there is anything to write."""
        finish(self.writes)
        if self.catalog == self._stored:
            return
        for name in sorted(self._rebuilt & self.catalog.tables.keys()):
            spec = self.catalog.tables[name]
            if spec.checksums:
                files = TableFiles(self._directory, name)
                self._store.create_files([files.sums])
                sums.build(self._tx, sums.sum_file(files, spec))
        self._store.create_files([COPY_NAME])  # which an old directory may not have
        write_catalog(self._tx, self.catalog)
        if not _is_read_as_before(self._stored, self.catalog):
            self._store.layout_changed()

    def _verify(self, table: str) -> None:
        """See that a table with checksums is whole, before all of them are made anew."""
        spec = self.spec(table)
        if not spec.checksums or table in self._rebuilt:
            return
        for name in spec.files("", table):
            self._verify_file(name, sums.sum_file(TableFiles("", table), spec))
        self._rebuilt.add(table)

    def _verify_file(self, name: str, sum_file: sums.SumFile) -> None:
        size, offset = self.view.size(name), 0
        while offset < size:
            data = self.view.read(name, offset, CHUNK_SIZE_BYTES)
            offset += CHUNK_SIZE_BYTES
            if not data.strip(b"\0"):  # gaps in the ids are longer than anything else
                offset = max(offset, sums.next_covered(self.view, sum_file, name, offset))

    def _drop_sums(self, table: str, spec: TableSpec) -> None:
        if spec.checksums:
            self._tx.truncate(TableFiles("", table).sums, 0)
        self._rebuilt.discard(table)


def _is_read_as_before(old: Catalog, new: Catalog) -> bool:
    """Whether who knows the old catalog still reads the files rightly, by its indexes too."""
    for name, spec in old.tables.items():
        now = new.tables.get(name)
        if now is None or now.fields != spec.fields:
            return False
        if not {index for index in spec.indexes if index.ready} <= set(now.indexes):
            return False
    return True
