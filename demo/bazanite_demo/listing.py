"""Lists in pages, sorted by a column: what an address asks for, and the links to others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flask import request, url_for

from bazanite import BaseCond, BaseJoin
from bazanite.row import Row

from .noted import NotedDB

PAGE_ROWS = 20
LAST = "last"
"""The page of this name is the last one."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list; one that has a ``field`` can be sorted by it."""

    title: str
    field: str | None = None


@dataclass(slots=True)
class Listing:
    """One page of a list; ``number`` counts from 1, and is the last one for any behind it."""

    columns: list[Column]
    sort: str
    rows: list[Row]
    count: int
    number: int
    pages: int
    kept: dict[str, Any] = field(default_factory=dict)

    def sort_link(self, name: str) -> str:
        """The address of the list by this column; the other way round if it is so already."""
        return self._link(sort=f"-{name}" if self.sort == name else name)

    def page_link(self, number: int) -> str:
        """The address of another page."""
        return self._link(sort=self.sort, page=number)

    def direction(self, name: str) -> str:
        """For ``aria-sort``."""
        return {name: "ascending", f"-{name}": "descending"}.get(self.sort, "none")

    def near(self) -> list[int]:
        """The numbers of pages to offer: the first, the last, and those around this one."""
        around = range(self.number - 2, self.number + 3)
        return sorted({1, self.pages, *around} & set(range(1, self.pages + 1)))

    def _link(self, **changed: Any) -> str:
        assert request.endpoint is not None
        return url_for(request.endpoint, **{**(request.view_args or {}), **self.kept, **changed})


def listing(
    db: NotedDB,
    table: str,
    columns: list[Column],
    default: str,
    where: BaseCond | None = None,
    joins: Iterable[BaseJoin] = (),
    kept: dict[str, Any] | None = None,
) -> Listing:
    """The page of ``table`` that this request asks for by ``sort`` and ``page``.

    An order that no column offers is the default one.  ``kept`` goes into every link.
    """
    sort = request.args.get("sort", default)
    fields = {column.field for column in columns if column.field}
    if sort.removeprefix("-") not in fields:
        sort = default
    count = db.count(table, where)
    pages = max(1, -(-count // PAGE_ROWS))
    asked = request.args.get("page")
    number = pages if asked == LAST else request.args.get("page", 1, type=int)
    number = min(max(1, number), pages)
    rows = db.find(
        table,
        where,
        order_by=[sort, "-id" if sort.startswith("-") else "id"],
        limit=PAGE_ROWS,
        offset=(number - 1) * PAGE_ROWS,
        joins=list(joins) or None,
    )
    return Listing(columns, sort, rows, count, number, pages, kept or {})
