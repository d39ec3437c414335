"""Conditions: which rows a search returns.

Pure.  Subclass ``BaseCond`` and write ``eval(row)`` for your own; the built-in ones refuse names
that are not fields of the table, and values that cannot be compared, instead of finding nothing.

A condition is true or false of a row, never unknown as in SQL: ``c & d``, ``c | d`` and ``~c`` are
what they are in Python, and a row that ``c`` does not find is found by ``~c``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from operator import ge, gt, le, lt
from typing import Any

from .errors import ValidationError, listed, mismatch, shown_value
from .row import Row
from .schema import Schema

MOST_LEVELS = 100
"""So deep conditions may be nested: each level takes some of the frames that Python has."""


class BaseCond(ABC):
    """A condition with named parameters; ``eval`` says whether a row fulfils it."""

    _levels = 0

    def __init__(self, /, **params: Any) -> None:
        if not params:
            raise ValidationError("A condition needs at least one field")
        self.params = params

    @abstractmethod
    def eval(self, row: Row) -> bool:
        """Whether this row fulfils it; it may read the database, but not change it."""

    def check_fields(self, schema: Schema) -> None:  # noqa: B027  most need no check
        """ValidationError if this condition makes no sense for a table of this schema."""

    def __and__(self, other: BaseCond) -> BaseCond:
        return And(self, other)

    def __or__(self, other: BaseCond) -> BaseCond:
        return Or(self, other)

    def __invert__(self) -> BaseCond:
        return Not(self)

    def __bool__(self) -> bool:
        raise ValidationError("A condition is combined by & | ~, not by `and`, `or`, `not`")

    def __repr__(self) -> str:
        return shown(self)


class And(BaseCond):
    """Each of these conditions is true; what ``&`` makes."""

    def __init__(self, /, *parts: BaseCond) -> None:
        self.params = {}
        self.parts = _parts(And, parts)
        self._levels = _nested(self.parts)

    def eval(self, row: Row) -> bool:
        return all(part.eval(row) for part in self.parts)

    def check_fields(self, schema: Schema) -> None:
        for part in self.parts:
            part.check_fields(schema)


class Or(BaseCond):
    """One of these conditions is true; what ``|`` makes."""

    def __init__(self, /, *parts: BaseCond) -> None:
        self.params = {}
        self.parts = _parts(Or, parts)
        self._levels = _nested(self.parts)

    def eval(self, row: Row) -> bool:
        return any(part.eval(row) for part in self.parts)

    def check_fields(self, schema: Schema) -> None:
        for part in self.parts:
            part.check_fields(schema)


class Not(BaseCond):
    """The condition is false; what ``~`` makes."""

    def __init__(self, part: BaseCond, /) -> None:
        self.params = {}
        (self.part,) = parts = _parts(Not, (part,))
        self._levels = _nested(parts)

    def eval(self, row: Row) -> bool:
        return not self.part.eval(row)

    def check_fields(self, schema: Schema) -> None:
        self.part.check_fields(schema)


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


class NE(FieldCond):
    """Each field differs from the value: NULL too, unless the value is None."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return not stored == value  # noqa: SIM201  what EQ finds, and a type's own == decides


class LT(FieldCond):
    """Each field is less than the value; NULL never is."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        return _compared(lt, name, stored, value)


class LE(FieldCond):
    """Each field is at most the value; NULL never is."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        return _compared(le, name, stored, value)


class GT(FieldCond):
    """Each field is greater than the value; NULL never is."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        return _compared(gt, name, stored, value)


class GE(FieldCond):
    """Each field is at least the value; NULL never is."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        return _compared(ge, name, stored, value)


class BETWEEN(FieldCond):
    """Each field is within a pair of bounds, both included; NULL never is."""

    def __init__(self, /, **params: Any) -> None:
        super().__init__(**params)
        for name, pair in params.items():
            if not isinstance(pair, (tuple, list)) or len(pair) != 2 or None in pair:
                raise ValidationError(f"'{name}': {shown_value(pair)} is no pair of bounds")

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        low, high = value
        return _compared(ge, name, stored, low) and _compared(le, name, stored, high)


class IN(FieldCond):
    """Each field equals one of the values; None among them finds NULL."""

    def __init__(self, /, **params: Iterable[Any]) -> None:
        given = {}
        for name, values in params.items():
            if isinstance(values, (str, bytes)):
                raise ValidationError(f"'{name}': {shown_value(values)} is no list of values")
            given[name] = listed(values, "a list of values")
        super().__init__(**given)
        self._sets = {name: _hashed(values) for name, values in given.items()}

    def holds(self, name: str, stored: Any, value: Any) -> bool:
        known = self._sets[name]
        try:
            return stored in (value if known is None else known)
        except TypeError:  # a JSON, which has no hash
            return stored in value


class ISNULL(FieldCond):
    """Each of the named fields is NULL: ``ISNULL("note")``."""

    def __init__(self, /, *names: str) -> None:
        given: tuple[object, ...] = names
        for name in given:
            if not isinstance(name, str):
                raise ValidationError(f"{shown_value(name)}: no such field")
        super().__init__(**dict.fromkeys(names))

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return stored is None


class _TextCond(FieldCond):
    def __init__(self, /, **params: Any) -> None:
        super().__init__(**params)
        for name, value in params.items():
            if not isinstance(value, str):
                raise ValidationError(f"'{name}': {mismatch(value, '`str`').message}")


class PREFIX(_TextCond):
    """Each field, as text, begins with the value; NULL never does."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return stored is not None and str(stored).startswith(value)


class SUBSTR(_TextCond):
    """Each field, as text, contains the value; NULL never does."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return stored is not None and value in str(stored)


class ISUBSTR(_TextCond):
    """Like SUBSTR, ignoring case."""

    def holds(self, name: str, stored: Any, value: Any) -> bool:  # noqa: ARG002
        return stored is not None and value.lower() in str(stored).lower()


BUILT_IN = (EQ, NE, LT, LE, GT, GE, BETWEEN, IN, ISNULL, PREFIX, SUBSTR, ISUBSTR)


def is_built_in(cond: BaseCond | None) -> bool:
    """Whether nothing of a program's own is asked when this condition is."""
    if type(cond) in (And, Or) and isinstance(cond, (And, Or)):
        return all(map(is_built_in, cond.parts))
    if type(cond) is Not and isinstance(cond, Not):
        return is_built_in(cond.part)
    return cond is None or type(cond) in BUILT_IN


def shown(cond: BaseCond) -> str:
    """A condition as one writes it."""
    if type(cond) in (And, Or) and isinstance(cond, (And, Or)):
        sign = " & " if isinstance(cond, And) else " | "
        return sign.join(
            f"({shown(part)})" if isinstance(part, (And, Or)) else shown(part)
            for part in cond.parts
        )
    if type(cond) is Not and isinstance(cond, Not):
        inner = shown(cond.part)
        return f"~({inner})" if isinstance(cond.part, (And, Or)) else f"~{inner}"
    name = type(cond).__name__
    if isinstance(cond, ISNULL):
        return f"{name}({', '.join(repr(field) for field in cond.params)})"
    if isinstance(cond, (And, Or)):
        return f"{name}({', '.join(map(shown, cond.parts))})"
    if isinstance(cond, Not):
        return f"{name}({shown(cond.part)})"
    given = ", ".join(f"{field}={shown_value(value)}" for field, value in cond.params.items())
    return f"{name}({given})"


def _parts(kind: type[And | Or | Not], given: Iterable[object]) -> tuple[BaseCond, ...]:
    """The conditions, those of one of the same kind one by one."""
    result: list[BaseCond] = []
    for part in given:
        if not isinstance(part, BaseCond):
            raise ValidationError(f"{shown_value(part)} is not a condition")
        result += part.parts if type(part) is kind and isinstance(part, (And, Or)) else [part]
    if not result:
        raise ValidationError(f"{kind.__name__} needs at least one condition")
    return tuple(result)


def _nested(parts: Iterable[BaseCond]) -> int:
    """How deep these are nested in each other, one level more for who has them."""
    levels = 1 + max(part._levels for part in parts)
    if levels > MOST_LEVELS:
        raise ValidationError(f"A condition has at most {MOST_LEVELS} levels of & | ~")
    return levels


def _hashed(values: list[Any]) -> frozenset[Any] | None:
    try:
        return frozenset(values)
    except TypeError:
        return None


def _compared(compare: Callable[[Any, Any], Any], name: str, stored: Any, value: Any) -> bool:
    if stored is None:
        return False
    try:
        return bool(compare(stored, value))
    except (TypeError, ArithmeticError) as error:  # the latter of a Decimal that is not a number
        message = (
            f"'{name}': Type mismatch: cannot compare `{type(stored).__name__}` with "
            f"`{shown_value(value)}`, which is `{type(value).__name__}`"
        )
        raise ValidationError(message) from error
