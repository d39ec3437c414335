"""The tables of a directory that is open read-only: compared with their classes, never made.

What a handle that may write would do now (take tables over from Bazoola, make new ones, give them
checksums, migrate) is refused, so that nobody goes on with tables that are not as declared.
"""

from __future__ import annotations

from bazanite_wal.layer import View
from bazanite_wal.store import Store

from . import adopt
from .catalog import compare, spec_of
from .catalog_file import read_catalog
from .codec import Layout
from .errors import DirectoryError, ReadOnlyError, SchemaMismatch
from .files import CATALOG_NAME, TableFiles
from .opening import refuse_unclaimed, without_tables
from .specs import Catalog
from .table import Table


def stored_catalog(store: Store, view: View, directory: str) -> Catalog:
    """The directory's catalog; DirectoryError if it has none."""
    catalog = read_catalog(view, directory)
    if catalog is not None:
        return catalog
    if any(name.endswith(".dat") and view.size(name) for name in store.file_names()):
        raise DirectoryError(
            f"{directory}: it has no {CATALOG_NAME}: its tables are Bazoola's, and must be taken"
            " over before they can be read. Open it once for writing, with their classes"
        )
    raise without_tables(directory)


def look_at_tables(
    store: Store,
    directory: str,
    classes: dict[str, type[Table]],
    int_width: int | None,
    checksums: bool | None,
) -> tuple[dict[str, Layout], Catalog]:
    """The layout of each table, and the catalog.

    SchemaMismatch if a table differs from its class or is not there, or the width from
    ``int_width``; DirectoryError if there are no tables or a file is missing; CorruptionError if
    the catalog says nothing of checksums that are there; ReadOnlyError if ``checksums`` would have
    to be made or taken away.
    """
    with store.reading() as view:
        catalog = stored_catalog(store, view, directory)
        width = catalog.int_width
        if int_width not in (None, width):
            raise SchemaMismatch(f"stored int_width is {width}, declared {int_width}")
        present = set(store.file_names())
        layouts: dict[str, Layout] = {}
        for name, cls in classes.items():
            files = TableFiles(directory, name)
            layouts[name] = Layout(files, cls.schema.bind(width), width)
            spec = catalog.tables.get(name)
            refuse_unclaimed(view, files, spec)
            if spec is None:
                raise SchemaMismatch(
                    f"table '{name}': the directory does not have it, and none is made, as it is"
                    " open read-only"
                )
            compare(name, spec, spec_of(layouts[name].schema))
            if checksums not in (None, spec.checksums):
                raise ReadOnlyError(
                    f"{directory}: nothing was done: table '{name}' has"
                    f" {'checksums' if spec.checksums else 'no checksums'}, and the directory is"
                    f" open read-only: checksums={checksums} cannot be"
                )
            sums = [files.sums] if spec.checksums else []
            adopt.require_files(files, [*spec.files(directory, name), *sums], present)
    return layouts, catalog
