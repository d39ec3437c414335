"""Changing the rows that a condition finds: each call is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bazanite_wal.transaction import Transaction

from ..change import update_row
from ..cond import EQ, BaseCond
from ..deleting import Deletion
from ..errors import ValidationError, shown_ids, shown_value
from ..row import Row
from ..verified import finish
from .ask import Query, check_where, checked_names
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

    All of them, or none if one is refused.  The rows are those that the condition finds before the
    call, and so is what a function is given; they are changed one by one in slot order, and each
    must be unique among the others as they are just then.
    """
    check_where(table.schema, where)
    if not callable(values):
        _checked(values)

    def write(tx: Transaction) -> None:
        writes = storage.writes(tx, table)
        rules = storage.rules.table(table.name)
        foreign = storage.foreign_keys(table)
        for pk, given in changes:
            update_row(writes, table.layout, pk, given, foreign, rules)
        finish(writes)

    with storage.store.transaction():
        with storage.store.reading():  # the program's own code may read, and not write
            rows = _matching(storage, table, Query(where))
            changes = [
                (row["id"], _checked(values(row)) if callable(values) else values) for row in rows
            ]
        storage.store.run(write)
    return [pk for pk, _ in changes]


def _checked(given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValidationError(f"Type mismatch: `{shown_value(given)}` does not map field names")
    return given


def delete_where(storage: Storage, table: Table, where: BaseCond | None) -> list[int]:
    """Delete every row for which the condition is true; returns their ids.

    All of them, or none if a row that refers to one, and does not go with it, is in the way.
    """
    check_where(table.schema, where)

    def write(tx: Transaction) -> None:
        writes = storage.writes(tx, table)
        Deletion(writes, storage.rules).run(table.name, ids)
        finish(writes)

    with storage.store.transaction():
        ids = [row["id"] for row in _matching(storage, table, Query(where))]
        storage.store.run(write)
    return ids


def upsert(
    storage: Storage, table: Table, values: Mapping[str, Any], on: str | Iterable[str]
) -> Row:
    """Change the row that has these values in the fields ``on``, or store a new one; returns it.

    ValidationError if several rows have them, or one of them is not given or is NULL.
    """
    names = checked_names(on, "a field, or a list of them")
    table.schema.check_names(names)
    if not names:
        raise ValidationError("There is no field to find the row by")
    _checked(values)
    for name in names:
        if values.get(name) is None:
            raise ValidationError(
                f"'{name}': a value is needed to find the row by; `on` may name other fields"
            )
    where = EQ(**{name: table.schema.as_read(name, values[name]) for name in names})
    with storage.store.transaction():
        found = _matching(storage, table, Query(where, limit=2))
        if len(found) > 1:
            shown = shown_ids(sorted(row["id"] for row in found))
            raise ValidationError(f"{where!r} finds several rows, with ids {shown}")
        if not found:
            return table.insert(values)
        return table.update_by_id(found[0]["id"], values)


def _matching(storage: Storage, table: Table, query: Query) -> list[Row]:
    with storage.store.reading() as view:
        verified = storage.verified(view, table)
        return rows_of(verified, table.layout, keys_of(storage, table), query)
