"""A column as it is asked for on the command line: ``DECIMAL(8,2) null unique``.

Pure.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from bazanite.fields import FieldType

from ..output import CommandError
from ..type_text import parse_type


@dataclass(frozen=True, slots=True)
class Wish:
    """A column as it is asked for; ``null`` is None if the values are to decide."""

    type: FieldType
    null: bool | None

    @property
    def unique(self) -> bool:
        """Whether no two rows may have the same value."""
        return bool(self.type.unique)

    @property
    def index(self) -> bool:
        """Whether it is to be found quickly."""
        return bool(self.type.index)

    def kind(self, null: bool) -> FieldType:
        """The type; ``null`` is what the values say."""
        made = copy.copy(self.type)
        made.null = null if self.null is None else self.null
        return made


def parse(text: str) -> Wish:
    """The column that is meant: a type, then null, not null, unique, index; CommandError."""
    words = text.split()
    not_null = [word.lower() for word in words[-2:]] == ["not", "null"]
    kind, rest = parse_type(" ".join(words[:-2] if not_null else words))
    if rest.strip():
        raise CommandError(f"{text!r}: {rest.strip()!r} is not null, not null, unique or index")
    return Wish(kind, True if kind.null else False if not_null else None)
