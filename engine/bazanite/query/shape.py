"""In which form rows come: as dictionaries, or as objects of a class of the program's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import ValidationError, shown_value
from ..row import Row

if TYPE_CHECKING:
    from ..table import Table

R_co = TypeVar("R_co", covariant=True)


class Typed(Protocol[R_co]):
    """A table class with a ``row_type``: a dataclass, say, whose fields are those of the rows."""

    name: str

    @property
    def row_type(self) -> Callable[..., R_co]: ...


TableName = str | type["Table"] | Typed[Any]
"""How a call names a table: by its name, or by its class, which says how rows come."""


def table_name(table: TableName) -> str:
    """The table's name; ValidationError if the class has none."""
    if isinstance(table, str):
        return table
    name: object = getattr(table, "name", None)
    if not isinstance(name, str):
        raise ValidationError(f"{shown_value(table)} is neither a table's name nor its class")
    return name


def shaped(table: TableName, rows: Iterable[Row]) -> Iterable[Any]:
    """The rows as this table's class has them, or else as they are."""
    make = None if isinstance(table, str) else getattr(table, "row_type", None)
    return rows if make is None else (_made(make, row) for row in rows)


def _made(make: Callable[..., Any], row: Row) -> Any:
    try:
        return make(**row)
    except TypeError as error:
        shown = getattr(make, "__name__", shown_value(make))
        raise ValidationError(f"{shown} cannot be made of {', '.join(row)}: {error}") from error
