"""Who refers to a row: found by an index of the column, or else by reading the table once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bazanite_wal.layer import View

from .cond import EQ
from .errors import IntegrityError, shown_ids
from .row import Row
from .search import find

if TYPE_CHECKING:
    from .rules import TableRules


@dataclass(frozen=True, slots=True)
class Reference:
    """A column of a table that refers to another one, and what a delete there does."""

    table: str
    field: str
    on_delete: str


def refused(reference: Reference, target: int, ids: list[int]) -> IntegrityError:
    """The error for a row that these refer to."""
    rows = "row" if len(ids) == 1 else "rows"
    return IntegrityError(
        f"row with id {target} is referred to by '{reference.table}.{reference.field}': "
        f"{rows} with id {shown_ids(ids)}",
        reference.table,
        (reference.field,),
        ids,
    )


def referring(view: View, rules: TableRules, field: str, ids: Collection[int]) -> Iterator[Row]:
    """The rows of which this column refers to one of these ids; by an index if there is one."""
    codec = rules.layout.codec
    index = rules.keys.leading(field)
    if index is not None:
        for pk in ids:
            low, high = index.maker.bounds(equal=[pk])
            for _, slot in index.tree.range(view, low, high):
                row = codec.live_row_at(view, slot)
                if row[field] == pk:
                    yield row
    elif len(ids) == 1:
        (pk,) = ids
        yield from find(view, codec, EQ(**{field: pk}))
    else:
        wanted = set(ids)
        for rows in codec.lists(view):
            yield from (row for row in rows if row[field] in wanted)
