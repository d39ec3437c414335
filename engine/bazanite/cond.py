"""Conditions: which rows a search returns.

Pure.  Subclass ``BaseCond`` and write ``eval(row)`` for your own; the built-in ones refuse names
that are not fields of the table, and values that cannot be compared, instead of finding nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .errors import ValidationError, shown_value
from .row import Row
from .schema import Schema


class BaseCond(ABC):
    """A condition with named parameters; ``eval`` says whether a row fulfils it."""

    def __init__(self, **params: Any) -> None:
        if not params:
            raise ValidationError("A condition needs at least one field")
        self.params = params

    @abstractmethod
    def eval(self, row: Row) -> bool: ...

    def check_fields(self, schema: Schema) -> None:  # noqa: B027  most need no check
        """ValidationError if this condition makes no sense for a table of this schema."""


class _FieldCond(BaseCond):
    """A condition whose parameters are field names and what to compare each with."""

    def check_fields(self, schema: Schema) -> None:
        schema.check_names(self.params)


class EQ(_FieldCond):
    """Each field equals the value; None finds NULL."""

    def eval(self, row: Row) -> bool:
        return all(row.get(name) == value for name, value in self.params.items())


class LT(_FieldCond):
    """Each field is less than the value; NULL never is."""

    def eval(self, row: Row) -> bool:
        return all(_less(name, row.get(name), value, False) for name, value in self.params.items())


class GT(_FieldCond):
    """Each field is greater than the value; NULL never is."""

    def eval(self, row: Row) -> bool:
        return all(_less(name, row.get(name), value, True) for name, value in self.params.items())


class _TextCond(_FieldCond):
    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        for name, value in params.items():
            if not isinstance(value, str):
                shown = shown_value(value)
                raise ValidationError(f"'{name}': Type mismatch: `{shown}` is not `str`")


class SUBSTR(_TextCond):
    """Each field, as text, contains the value; NULL never does."""

    def eval(self, row: Row) -> bool:
        for name, value in self.params.items():
            stored = row.get(name)
            if stored is None or value not in str(stored):
                return False
        return True


class ISUBSTR(_TextCond):
    """Like SUBSTR, ignoring case."""

    def eval(self, row: Row) -> bool:
        for name, value in self.params.items():
            stored = row.get(name)
            if stored is None or value.lower() not in str(stored).lower():
                return False
        return True


def _less(name: str, stored: Any, value: Any, swapped: bool) -> bool:
    if stored is None:
        return False
    try:
        return bool(stored > value if swapped else stored < value)
    except TypeError as error:
        message = f"'{name}': Type mismatch: cannot compare with `{shown_value(value)}`"
        raise ValidationError(message) from error
