"""Conditions: which rows a search returns.

Pure.  Subclass ``BaseCond`` and write ``eval(row)`` for your own; the built-in ones refuse names
that are not fields of the table, and values that cannot be compared, instead of finding nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .errors import ValidationError, mismatch, shown_value
from .row import Row
from .schema import Schema


class BaseCond(ABC):
    """A condition with named parameters; ``eval`` says whether a row fulfils it."""

    def __init__(self, /, **params: Any) -> None:
        if not params:
            raise ValidationError("A condition needs at least one field")
        self.params = params

    @abstractmethod
    def eval(self, row: Row) -> bool: ...

    def check_fields(self, schema: Schema) -> None:  # noqa: B027  most need no check
        """ValidationError if this condition makes no sense for a table of this schema."""


class FieldCond(BaseCond):
    """A condition whose parameters are field names and what to compare each with."""

    def check_fields(self, schema: Schema) -> None:
        schema.check_names(self.params)

    def eval(self, row: Row) -> bool:
        return all(self.holds(name, row.get(name), value) for name, value in self.params.items())

    @abstractmethod
    def holds(self, name: str, stored: Any, value: Any) -> bool:
        """Whether it is true of one field, of which ``stored`` is in the row."""


class EQ(FieldCond):
    """Each field equals the value; None finds NULL."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return bool(stored == value)


class LT(FieldCond):
    """Each field is less than the value; NULL never is."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        return _less(name, stored, value, False)


class GT(FieldCond):
    """Each field is greater than the value; NULL never is."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        return _less(name, stored, value, True)


class _TextCond(FieldCond):
    def __init__(self, /, **params: Any) -> None:
        super().__init__(**params)
        for name, value in params.items():
            if not isinstance(value, str):
                raise ValidationError(f"'{name}': {mismatch(value, '`str`').message}")


class SUBSTR(_TextCond):
    """Each field, as text, contains the value; NULL never does."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return stored is not None and value in str(stored)


class ISUBSTR(_TextCond):
    """Like SUBSTR, ignoring case."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return stored is not None and value.lower() in str(stored).lower()


def _less(name: str, stored: Any, value: Any, swapped: bool) -> bool:
    if stored is None:
        return False
    try:
        return bool(stored > value if swapped else stored < value)
    except TypeError as error:
        message = (
            f"'{name}': Type mismatch: cannot compare `{type(stored).__name__}` with "
            f"`{shown_value(value)}`, which is `{type(value).__name__}`"
        )
        raise ValidationError(message) from error
