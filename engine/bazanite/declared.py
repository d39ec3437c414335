"""What a program declares of a field beside its type: uniqueness, an index, a default, a check.

Pure.  Every type takes these as keyword-only arguments and shows them as attributes.

Invariant: a type of a program's own that gives another meaning to one of these names, as a method
or an attribute, keeps it, and what was declared is still what ``declared`` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from .errors import ValidationError, shown_value

_KEY = "declared of the field"
"""Where a type keeps it, in its ``__dict__``: no identifier, so no attribute of anyone's."""


class _Nothing:
    """The default of a field that has none; None would be NULL."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()


class Options(TypedDict, total=False):
    """The arguments, for signatures."""

    unique: bool
    index: bool
    default: Any
    check: Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Declared:
    """The arguments' values; ``default`` is NOTHING or a value or a callable that gives one."""

    unique: bool = False
    index: bool = False
    default: Any = NOTHING
    check: Callable[[Any], Any] | None = None

    def default_value(self) -> Any:
        """The value for one row that has none; there is a default."""
        return self.default() if callable(self.default) else self.default


class Told:
    """An attribute that shows an argument, unless a subclass or an instance has one of the name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, kind: object, owner: type | None = None) -> Any:
        return self if kind is None else getattr(declared(kind), self._name)


def declare(kind: object, arguments: Declared) -> None:
    """Keep the arguments; ValidationError if one cannot be what it is to be."""
    for name in ("unique", "index"):
        value = getattr(arguments, name)
        if type(value) is not bool:
            raise ValidationError(f"{name}={shown_value(value)}: must be True or False")
    check: object = arguments.check
    if check is not None and not callable(check):
        shown = shown_value(check)
        raise ValidationError(f"check={shown}: must be a function of the value")
    kind.__dict__[_KEY] = arguments


def declared(kind: object) -> Declared:
    """What was declared of the field of this type; nothing if it never said."""
    found: Declared = kind.__dict__.get(_KEY, _NOTHING_DECLARED)
    return found


def ask(name: str, check: Callable[[Any], Any], value: Any) -> None:
    """ValidationError naming the field if its check refuses the value."""
    try:
        fine = check(value)
    except (ValueError, ValidationError) as error:
        reason = str(error) or f"The check refuses `{shown_value(value)}`"
        raise ValidationError(f"'{name}': {reason}") from error
    if not fine:
        raise ValidationError(f"'{name}': The check refuses `{shown_value(value)}`")


_NOTHING_DECLARED = Declared()
