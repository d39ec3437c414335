"""A plan in words: what ``db.explain`` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cond import shown
from .ask import Order, Query
from .plan import ByIds, ByIndex, Either, Plan, Way, plan
from .select import keys_of

if TYPE_CHECKING:
    from ..storage import Storage
    from ..table import Table


def explain(storage: Storage, table: Table, query: Query) -> str:
    """How this handle comes at the rows of a query, a line for each step."""
    with storage.store.reading() as view:
        storage.verified(view, table)
        how = plan(keys_of(storage, table), query)
    return "\n".join(_lines(table.name, how, query))


def _lines(table: str, how: Plan, query: Query) -> list[str]:
    lines = [f"{table}: {_way_text(how.way, query)}"]
    if how.otherwise is not None:
        lines.append(f"if that is more than {how.most} rows: {_way_text(how.otherwise.way, query)}")
    if query.where is not None:
        lines.append(f"keep rows that fulfil {shown(query.where)}")
    if query.order:
        by = ", ".join(_order_text(order) for order in query.order)
        if not how.ordered:
            lines.append(f"sort by {by}")
        elif isinstance(how.way, ByIndex) and how.way.sort:
            lines.append(f"in the order of {by}: sort rows that the index does not tell apart")
        else:
            lines.append(f"in the order of {by}: nothing to sort")
    if query.offset:
        lines.append(f"leave out {_rows(query.offset)}")
    if query.limit is not None:
        lines.append(f"stop after {_rows(query.limit)}")
    lines += [f"join {join.foreign_table_name} by {join.fk_attr}" for join in query.joins]
    if query.fields is not None:
        lines.append(f"give {', '.join(query.fields)} of each row")
    return lines


def _way_text(way: Way, query: Query) -> str:
    backwards = ", backwards" if query.backwards else ""
    if isinstance(way, ByIndex):
        columns = ", ".join(way.index.spec.columns)
        kind = "unique index" if way.index.spec.unique else "index"
        if not way.spans:
            return f"nothing, by the {kind} of {columns}"
        stretches = "a stretch" if len(way.spans) == 1 else f"{len(way.spans)} stretches"
        return f"read {stretches} of the {kind} of {columns}{backwards if way.group else ''}"
    if isinstance(way, ByIds):
        if all(low == high for low, high in way.ranges):
            return f"look {len(way.ranges)} {'id' if len(way.ranges) == 1 else 'ids'} up"
        return f"read a range of ids{backwards if query.order else ''}"
    if isinstance(way, Either):
        parts = "; or ".join(_way_text(part, Query()) for part in way.ways)
        return f"each of these ways: {parts}"
    return "read the whole table"


def _order_text(order: Order) -> str:
    return f"{order.field} (descending)" if order.descending else order.field


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
