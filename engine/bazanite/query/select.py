"""Answering a query with the rows of one state of the database."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from ..cond import is_built_in
from ..join import with_joins
from ..keyed import TableKeys
from ..known import LayoutChanged
from ..row import Row
from .ask import Query
from .fetch import TooMany, by_equality, by_plan, key_of_equality, rows_of, through_table
from .plan import Whole, plan

if TYPE_CHECKING:
    from ..storage import Storage
    from ..table import Table


def select(storage: Storage, table: Table, query: Query) -> list[Row]:
    """The rows that the query asks for, all of one state, with what its joins add."""
    own = table.schema.names
    if not query.joins:
        return projected(stored(storage, table, query), query, own)
    with storage.store.reading():
        rows = stored(storage, table, query)
        return projected(with_joins(rows, query.joins, table), query, own)


def stored(storage: Storage, table: Table, query: Query) -> list[Row]:
    """The rows that the query asks for, as they are stored; mostly without the lock by an index.

    A condition of the program's own is asked under the lock: it may do what cannot be repeated, and
    must not see bytes that are just being changed.
    """
    known = storage.known
    whole = False
    if (
        table.name in known.catalog.tables  # it may have been dropped
        and not storage.covered
        and is_built_in(query.where)
    ):
        keys = known.rules.table(table.name).keys
        key = key_of_equality(keys, query)
        if key is not None:
            with suppress(TooMany, LayoutChanged):
                return storage.quick_read(table, known, lambda view: by_equality(view, key))
        how = plan(keys, query)
        whole = isinstance(how.way, Whole)
        if not whole:
            try:
                return storage.quick_read(
                    table, known, lambda view: by_plan(view, table.layout, how, query)
                )
            except TooMany:
                whole = True
            except LayoutChanged:
                pass
    with storage.store.reading() as view:
        verified = storage.verified(view, table)
        if whole:
            return through_table(verified, table.layout, query)
        return rows_of(verified, table.layout, keys_of(storage, table), query)


def keys_of(storage: Storage, table: Table) -> TableKeys:
    """The table's indexes as this handle knows them now."""
    return storage.rules.table(table.name).keys


def projected(rows: list[Row], query: Query, own: Collection[str]) -> list[Row]:
    """The rows with the fields that are wanted, and what joins added to the table's ``own``."""
    if query.fields is None:
        return rows
    fields = query.fields
    result = [Row({name: row[name] for name in fields}) for row in rows]
    if query.joins:
        for row, all_of_it in zip(result, rows, strict=True):
            row.update({name: all_of_it[name] for name in all_of_it if name not in own})
    return result
