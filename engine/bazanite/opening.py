"""What happens to the tables when a database opens: compared, adopted or created.

All in one transaction: a directory whose tables are refused is left as it was.  A handle may
open some of the directory's tables, and add new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from bazanite_wal.layer import View, WriteSet

from . import adopt, sums
from .catalog import WIDTHS, compare, compare_columns, settled, spec_of
from .catalog_copy import COPY_NAME, copy_of
from .catalog_file import read_catalog, read_catalog_bytes, write_catalog
from .codec import Layout
from .errors import (
    CorruptionError,
    DirectoryError,
    SchemaMismatch,
    TransactionError,
    ValidationError,
    shown_value,
)
from .fields import KEEP, RESTRICT
from .files import CATALOG_NAME, TableFiles, check_table_name
from .keyed import TableKeys
from .schema import Schema
from .specs import Catalog, MigrationRecord, TableSpec
from .stored_schema import schema_of
from .table import Table

if TYPE_CHECKING:
    from bazanite_wal.store import Store
    from bazanite_wal.system import System


def checked_classes(classes: Iterable[type[Table]]) -> dict[str, type[Table]]:
    """The table classes by name; ValidationError if they cannot be tables of one directory."""
    result: dict[str, type[Table]] = {}
    given: Iterable[object] = classes
    for cls in given:
        if not (isinstance(cls, type) and issubclass(cls, Table)):
            raise ValidationError(f"{shown_value(cls)} is not a class of tables")
        name = check_table_name(getattr(cls, "name", None))
        schema = getattr(cls, "schema", None)
        if not isinstance(schema, Schema):
            raise ValidationError(f"table '{name}': needs a schema")
        if result.get(name, cls) is not cls:
            raise ValidationError(f"table '{name}': two tables have this name")
        try:
            schema.check_id()
            for _, target in schema.relations():
                check_table_name(target)
            spec_of(schema)
        except ValidationError as error:
            raise ValidationError(f"table '{name}': {error.message}") from error
        result[name] = cls
    if not result:
        raise ValidationError("DB must have at least one table")
    return result


def check_width(int_width: int | None) -> None:
    """ValidationError unless integers can be this wide."""
    if int_width is not None and (type(int_width) is not int or int_width not in WIDTHS):
        raise ValidationError(f"int_width must be from {WIDTHS.start} to {WIDTHS.stop - 1}")


def has_catalog(store: Store) -> bool:
    """Whether the directory has tables already."""
    with store.reading() as view:
        return view.size(CATALOG_NAME) > 0


def refuse_without_store(directory: str, system: System | None) -> None:
    """DirectoryError, and nothing is made, where there is nothing that could have a catalog."""
    from bazanite_wal.offline import has_store  # noqa: PLC0415  seldom used

    if not has_store(directory, CATALOG_NAME, system):
        raise without_tables(directory)


def without_tables(directory: str) -> DirectoryError:
    """The error for a directory that has no tables, where none may be made."""
    return DirectoryError(
        f"{directory}: there are no tables. Is it another directory that is meant? To make tables "
        "here, give their classes: DB([...], ...)"
    )


def stored_classes(store: Store, directory: str) -> dict[str, type[Table]]:
    """A class for each table of the directory, by its catalog; DirectoryError if it has none."""
    with store.reading() as view:
        catalog = read_catalog(view, directory)
    if catalog is None:
        raise without_tables(directory)
    return {name: class_of(name, spec) for name, spec in catalog.tables.items()}


def class_of(name: str, spec: TableSpec) -> type[Table]:
    """A class that declares what the catalog says of a table."""
    return type(name, (Table,), {"name": name, "schema": schema_of(spec)})


def open_tables(
    store: Store,
    directory: str,
    classes: dict[str, type[Table]],
    int_width: int | None,
    checksums: bool | None = None,
    records: Iterable[MigrationRecord] = (),
) -> tuple[dict[str, Layout], Catalog]:
    """The layout of each table, all of them in the catalog and with all their files; the catalog.

    ``checksums``: whether these tables are to have them; None: as they are, new ones as others.
    ``records``: migrations that a new directory need not see, as the classes are what they lead to.

    SchemaMismatch if a stored table differs from its class, or the width from ``int_width``;
    DirectoryError if a file is missing; CorruptionError if a Bazoola table cannot be adopted, or
    one that is to get checksums is damaged; TransactionError for a new table inside a transaction,
    whose rollback would take it away.
    """
    inside = store.in_transaction()
    with store.transaction() as tx:
        present = set(store.file_names())
        stored = read_catalog(tx, directory)
        files = {name: TableFiles(directory, name) for name in classes}
        known = stored.tables if stored is not None else {}
        added = [name for name in classes if name not in known]
        if stored is not None:
            width = stored.int_width
            if int_width not in (None, width):
                raise SchemaMismatch(f"stored int_width is {width}, declared {int_width}")
        else:
            new = [(files[name], classes[name].schema) for name in added]
            width = int_width or adopt.recognise(tx, new, present)
        layouts = {n: Layout(files[n], cls.schema.bind(width), width) for n, cls in classes.items()}
        for name, layout in layouts.items():
            if checksums is not False:
                refuse_unclaimed(tx, layout.files, known.get(name))
            if name in known:
                compare(name, known[name], spec_of(layout.schema))
                summed = known[name].checksums and checksums is not False
                needed = known[name].files(directory, name)
                needed += [layout.files.sums] if summed else []
                adopt.require_files(layout.files, needed, present)
            else:
                adopt.verify(tx, layout, present)
        specs = _specs(tx, stored, layouts, checksums)
        changed = {name for name, spec in specs.items() if known.get(name) != spec}
        for name in added:
            _refuse_unknown_targets(name, specs[name], known.keys() | classes.keys())
        if changed and inside:
            raise TransactionError("a transaction is open: open new tables before it begins")
        seen = stored.migrations if stored is not None else tuple(records)
        catalog = Catalog(width, {**known, **specs}, seen)
        if changed:
            names = [n for a in added for n in specs[a].files(directory, a)]
            names += [files[n].sums for n in sorted(changed) if specs[n].checksums]
            store.create_files([CATALOG_NAME, COPY_NAME, *names])
            for name in added:
                adopt.settle(tx, layouts[name])
                TableKeys(layouts[name], specs[name].indexes).build(tx)
            for name in sorted(changed):
                if name in known and specs[name].checksums:
                    adopt.verify(tx, layouts[name], present)  # what is damaged gets none
                if specs[name].checksums:
                    sums.build(tx, sums.sum_file(files[name], specs[name]))
        _store(tx, catalog, changed=bool(changed), as_it_is=checksums is False)
        _drop_sums(tx, [files[name].sums for name, spec in specs.items() if not spec.checksums])
        return layouts, catalog


def _store(tx: WriteSet, catalog: Catalog, *, changed: bool, as_it_is: bool) -> None:
    """Write the catalog if it was changed; or if its copy is of another one, which was put back,
    and the caller takes the directory ``as_it_is``.
    """
    copy = tx.read(COPY_NAME, 0, tx.size(COPY_NAME)) if as_it_is else b""
    if changed or (copy and not copy_of(copy, read_catalog_bytes(tx))):
        write_catalog(tx, catalog)


def _refuse_unknown_targets(table: str, spec: TableSpec, known: Collection[str]) -> None:
    """SchemaMismatch if a new table refers to one that there is not, so that no row could.

    References that "keep" may: Bazoola's programs open their tables one by one.
    """
    for field in spec.fields:
        if field.table is not None and field.on_delete != KEEP and field.table not in known:
            raise SchemaMismatch(
                f"table '{table}', '{field.name}': refers to table '{field.table}', which the "
                "directory does not have: give DB its class as well, now or before"
            )


def _drop_sums(tx: WriteSet, names: list[str]) -> None:
    for name in names:
        if tx.size(name):  # the file may be what is missing
            tx.truncate(name, 0)


def refuse_unclaimed(view: View, files: TableFiles, spec: TableSpec | None) -> None:
    """CorruptionError if the table has checksums of which the catalog says nothing.

    Both change in one transaction, so the catalog is lost, or an older one: believed, it would
    take the checksums away, and with them all that they know of damage.
    """
    if (spec is None or not spec.checksums) and view.size(files.sums):
        raise CorruptionError(
            f"{files.directory}/{CATALOG_NAME}",
            0,
            f"a catalog in which table '{files.table}' has the checksums of {files.sums}",
            "one without that table" if spec is None else "one without checksums",
            sums.ADVICE,
        )


def refuse_changed(name: str, stored: TableSpec | None, schema: Schema) -> None:
    """SchemaMismatch if an open table is no longer as it was when it was opened."""
    advice = "another program changed it since it was opened here; open the database again"
    if stored is None:
        raise SchemaMismatch(f"table '{name}' is gone: {advice}")
    try:
        compare_columns(name, stored, spec_of(schema))
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{error.message}: {advice}") from error


def fits(stored: TableSpec, schema: Schema) -> bool:
    """Whether a declared schema has the columns that are stored."""
    try:
        compare_columns("", stored, spec_of(schema))
    except SchemaMismatch:
        return False
    return True


def _specs(
    view: View, stored: Catalog | None, layouts: dict[str, Layout], checksums: bool | None
) -> dict[str, TableSpec]:
    """What the catalog is to say of each of these tables.

    One that Bazoola filled may have references to nothing, and its programs delete freely.
    """
    usual = stored is not None and stored.has_checksums
    result: dict[str, TableSpec] = {}
    for name, layout in layouts.items():
        spec = stored.tables.get(name) if stored is not None else None
        if spec is None:
            filled = view.size(layout.files.rows) or view.size(layout.files.sequence)
            spec = settled(spec_of(layout.schema), KEEP if filled else RESTRICT)
            spec = replace(spec, checksums=usual)
        result[name] = spec if checksums is None else replace(spec, checksums=checksums)
    return result
