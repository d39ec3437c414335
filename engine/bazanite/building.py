"""Building an index of a table that has rows, while others read and write it.

The catalog says up to which slot the index has the rows.  Each transaction takes the next few
thousand; meanwhile whoever changes a row below that changes the index too, and leaves those above
alone, as the builder will come to them.  So a crash costs nothing, and nobody waits for long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .catalog import decode
from .catalog_file import read_catalog_bytes
from .errors import IntegrityError, MigrationError
from .keyed import StoredKeys, TableKeys
from .specs import Catalog, IndexSpec
from .tables import Tables

if TYPE_CHECKING:
    from bazanite_wal.store import Store

    from .steps import AddIndex

SLOTS_AT_ONCE = 4096
"""Others wait as long as it takes to put so many rows in."""


def build(
    store: Store, directory: str, step: AddIndex, recorded: Callable[[Catalog], Catalog]
) -> bool:
    """Put all rows in; ``recorded`` gives the catalog that says the step is done.

    Returns whether it was this call that came to the end; another process may have, or may have
    found that the index cannot be.  MigrationError, and it is gone, if its values are not unique.
    """
    refused: IntegrityError | None = None
    while True:
        with store.transaction(private=True) as tx:
            catalog = decode(read_catalog_bytes(tx), directory)
            tables = Tables(store, tx, directory, catalog)
            index = step.found(tables.spec(step.table))
            if index is None or index.ready:
                break
            if refused is not None:
                tables.drop_index(step.table, index)
                tables.finish()
                break
            try:
                _take_some(tables, step.table, index)
            except IntegrityError as error:
                refused = error
                continue
            finished = tables.index(step.table, index.name).ready
            if finished:
                tables.catalog = recorded(tables.catalog)
            tables.finish()
        if finished:
            return True
    if refused is not None:
        raise MigrationError(refused.message, refused.ids) from refused
    return False


def _take_some(tables: Tables, table: str, index: IndexSpec) -> None:
    """Put the rows of the next slots in, and say so in the catalog."""
    layout = tables.layout(table)
    begin = index.built or 0
    count = layout.codec.slot_count(tables.view)
    end = min(begin + SLOTS_AT_ONCE, count)
    whole = TableKeys(layout, [replace(index, built=None)])
    new = StoredKeys(whole, tables.view, layout.codec.slot_rows(tables.view, begin, end))
    new.save(tables.writes)
    tables.set_index(table, replace(index, built=None if end >= count else end))
