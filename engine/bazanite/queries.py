"""The calls of ``DB`` that ask for rows by a condition, add them up, or change all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from .cond import BaseCond
from .query.ask import Options, check_where, query
from .query.changing import Changes, delete_where, update_where, upsert
from .query.groups import COUNT, MAX, MIN, SUM, Aggregate, group_by, total
from .query.select import select
from .query.shape import TableName, Typed, shaped, table_name
from .query.stream import stream
from .query.words import explain
from .row import Row

if TYPE_CHECKING:
    from .storage import Storage
    from .table import Table

R = TypeVar("R")


class Queries:
    """Base of ``DB``.  A table is named by its name or its class; any thread may call."""

    storage: Storage

    @overload
    def find(
        self, table: Typed[R], where: BaseCond | None = ..., **options: Unpack[Options]
    ) -> list[R]: ...
    @overload
    def find(
        self, table: str | type[Table], where: BaseCond | None = ..., **options: Unpack[Options]
    ) -> list[Row]: ...
    def find(
        self, table: TableName, where: BaseCond | None = None, **options: Unpack[Options]
    ) -> list[Any]:
        """The rows for which the condition is true, all of one state of the database.

        Options: ``fields``, the names of those that are wanted of each row; ``order_by``, a field
        or a list of them, descending with ``-`` in front (NULL is below every value); ``limit`` and
        ``offset``; ``joins``.  Without ``order_by`` the order is not promised.  By its name a
        table's rows are dictionaries, by a class with a ``row_type`` they are objects of that.
        """
        opened = self.storage.table(table_name(table))
        rows = select(self.storage, opened, query(opened.schema, where, **options))
        return list(shaped(table, rows))

    @overload
    def iterate(
        self, table: Typed[R], where: BaseCond | None = ..., **options: Unpack[Options]
    ) -> Iterator[R]: ...
    @overload
    def iterate(
        self, table: str | type[Table], where: BaseCond | None = ..., **options: Unpack[Options]
    ) -> Iterator[Row]: ...
    def iterate(
        self, table: TableName, where: BaseCond | None = None, **options: Unpack[Options]
    ) -> Iterator[Any]:
        """The rows that ``find`` would return, one after another, in memory that does not grow.

        Between two of them no lock is held, so others may change what is still to come: a row that
        stays as it is all the while comes exactly once.  Within a transaction all are of one state.
        SchemaMismatch if a migration changes the table meanwhile.
        """
        opened = self.storage.table(table_name(table))
        rows = stream(self.storage, opened, query(opened.schema, where, **options))
        return iter(shaped(table, rows))

    def explain(
        self, table: TableName, where: BaseCond | None = None, **options: Unpack[Options]
    ) -> str:
        """How ``find`` with these arguments comes at its rows, in words."""
        opened = self.storage.table(table_name(table))
        return explain(self.storage, opened, query(opened.schema, where, **options))

    def count(self, table: TableName, where: BaseCond | None = None) -> int:
        """How many rows there are for which the condition is true."""
        return int(self._total(table, where, COUNT()))

    def sum(self, table: TableName, field: str, where: BaseCond | None = None) -> int | Decimal:
        """The sum of a field of numbers of these rows, NULL left out; 0 of none."""
        found: int | Decimal = self._total(table, where, SUM(field))
        return found

    def min(self, table: TableName, field: str, where: BaseCond | None = None) -> Any:
        """The least value of a field of these rows, NULL left out; None of none."""
        return self._total(table, where, MIN(field))

    def max(self, table: TableName, field: str, where: BaseCond | None = None) -> Any:
        """The greatest value of a field of these rows, NULL left out; None of none."""
        return self._total(table, where, MAX(field))

    def group_by(
        self,
        table: TableName,
        by: str | Iterable[str],
        aggregates: Mapping[str, Aggregate],
        where: BaseCond | None = None,
    ) -> list[Row]:
        """A row for each group of rows with the same values in the fields ``by``, NULL included.

        It has these values and what the aggregates (COUNT, SUM, MIN, MAX) say of the group, by
        their names: ``db.group_by("bills", "owner", {"n": COUNT(), "due": SUM("amount")})``.
        Groups come in the order of their values, NULL first.
        """
        opened = self.storage.table(table_name(table))
        check_where(opened.schema, where)
        return group_by(self.storage, opened, by, aggregates, where)

    def _total(self, table: TableName, where: BaseCond | None, aggregate: Aggregate) -> Any:
        opened = self.storage.table(table_name(table))
        check_where(opened.schema, where)
        return total(self.storage, opened, where, aggregate)

    def upsert(
        self, table: TableName, values: Mapping[str, Any], on: str | Iterable[str] = "id"
    ) -> Row:
        """Change the row that has the same values in the fields ``on``, or store a new one.

        Returns the whole row.  ValidationError if several rows have them, or one of them is not
        given or is None.
        """
        return upsert(self.storage, self.storage.table(table_name(table)), values, on)

    def update_where(self, table: TableName, where: BaseCond | None, values: Changes) -> list[int]:
        """Change fields of all rows for which the condition is true, None: of every row.

        Returns their ids, in slot order.

        ``values`` may be a function that is given each row and returns what to change in it.  One
        transaction: all of them, or none if one is refused.
        """
        return update_where(self.storage, self.storage.table(table_name(table)), where, values)

    def delete_where(self, table: TableName, where: BaseCond | None) -> list[int]:
        """Delete all rows for which the condition is true, None: every row; returns their ids.

        One transaction; what becomes of rows that refer to them is decided for all of them together
        (``on_delete``), IntegrityError if one is in the way.
        """
        return delete_where(self.storage, self.storage.table(table_name(table)), where)
