"""Changing the rows that a condition finds: each call is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bazanite_wal.transaction import Transaction

from ..change import update_row
from ..cond import EQ, BaseCond
from ..deleting import Deletion
from ..errors import ValidationError, listed, shown_ids, shown_value
from ..row import Row
from ..verified import finish
from .ask import Query, check_where
from .fetch import rows_of
from .select import keys_of

if TYPE_CHECKING:
    from ..storage import Storage
    from ..table import Table

Changes = Mapping[str, Any] | Callable[[Row], Mapping[str, Any]]
"""What to change in each row: the values, or a function of the row that gives them."""


def update_where(
    storage: Storage, table: Table, where: BaseCond | None, values: Changes
) -> list[int]:
    """Change fields of every row for which the condition is true; returns their ids.

    All of them, or none if one is refused.  What is unique, and which rows the condition finds, is
    decided row by row in slot order, of the rows as they were before the call.
    """
    check_where(table.schema, where)
    if not callable(values) and not isinstance(values, Mapping):
        raise ValidationError(f"Type mismatch: `{shown_value(values)}` does not map field names")

    def write(tx: Transaction) -> list[int]:
        writes = storage.writes(tx, table)
        rules = storage.rules.table(table.name)
        found = rows_of(writes, table.layout, rules.keys, Query(where))
        foreign = storage.foreign_keys(table)
        for row in found:
            given: object = values(Row(row)) if callable(values) else values
            if not isinstance(given, Mapping):
                shown = shown_value(given)
                raise ValidationError(f"Type mismatch: `{shown}` does not map field names")
            update_row(writes, table.layout, row["id"], given, foreign, rules)
        finish(writes)
        return [row["id"] for row in found]

    return storage.store.run(write)


def delete_where(storage: Storage, table: Table, where: BaseCond | None) -> list[int]:
    """Delete every row for which the condition is true; returns their ids.

    All of them, or none if a row that refers to one, and does not go with it, is in the way.
    """
    check_where(table.schema, where)

    def write(tx: Transaction) -> list[int]:
        writes = storage.writes(tx, table)
        query = Query(where)
        found = rows_of(writes, table.layout, keys_of(storage, table), query)
        ids = [row["id"] for row in found]
        Deletion(writes, storage.rules).run(table.name, ids)
        finish(writes)
        return ids

    return storage.store.run(write)


def upsert(
    storage: Storage, table: Table, values: Mapping[str, Any], on: str | Iterable[str]
) -> Row:
    """Change the row that has these values in the fields ``on``, or store a new one; returns it.

    ValidationError if several rows have them, or one of them is not given or is NULL.
    """
    names = [on] if isinstance(on, str) else listed(on, "a field, or a list of them")
    table.schema.check_names(names)
    if not names:
        raise ValidationError("There is no field to find the row by")
    given: object = values
    if not isinstance(given, Mapping):
        raise ValidationError(f"Type mismatch: `{shown_value(given)}` does not map field names")
    for name in names:
        if values.get(name) is None:
            raise ValidationError(f"'{name}': a value is needed to find the row by")
    where = EQ(**{name: values[name] for name in names})
    with storage.store.transaction():
        found = _matching(storage, table, where)
        if len(found) > 1:
            shown = shown_ids(sorted(row["id"] for row in found))
            raise ValidationError(f"{where!r} finds several rows, with ids {shown}")
        if not found:
            return table.insert(values)
        return table.update_by_id(found[0]["id"], values)


def _matching(storage: Storage, table: Table, where: BaseCond) -> list[Row]:
    with storage.store.reading() as view:
        verified = storage.verified(view, table)
        query = Query(where, limit=2)
        return rows_of(verified, table.layout, keys_of(storage, table), query)
