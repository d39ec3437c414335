"""What an operation does to rows: the one language of writers, model and judge.

Insert, Change, Delete and Ban name rows that only the operation's writer touches. Add changes a
row that all share and must commute. Values are absolute except in Add.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bazanite_stress.torture.schema import Key, Row


@dataclass(frozen=True, slots=True)
class Insert:
    """The row is there, with exactly these values; it was not there before."""

    table: str
    key: Key
    row: Row


@dataclass(frozen=True, slots=True)
class Change:
    """The row has these values in these columns, all others as before."""

    table: str
    key: Key
    changes: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """The row is gone."""

    table: str
    key: Key


@dataclass(frozen=True, slots=True)
class Add:
    """A shared row's column has grown by this amount."""

    table: str
    key: Key
    column: str
    amount: int


@dataclass(frozen=True, slots=True)
class Ban:
    """The row was rolled back or refused: it must never be seen."""

    table: str
    key: Key


Effect = Insert | Change | Delete | Add | Ban


@dataclass(frozen=True, slots=True)
class Operation:
    """One call or one transaction. `token` is unique in a run: slot.start.number."""

    token: str
    kind: str
    effects: tuple[Effect, ...]

    @property
    def worker(self) -> int:
        """The slot of the writer that did it."""
        return slot_of(self.token)

    def owned(self) -> Operation:
        """The part of it that its writer needs to remember: its own rows."""
        own = tuple(e for e in self.effects if isinstance(e, Insert | Change | Delete))
        return Operation(self.token, self.kind, own)

    def touched(self) -> Iterator[tuple[str, Key]]:
        """The owned rows that tell whether the operation happened."""
        for effect in self.effects:
            if isinstance(effect, Insert | Change | Delete):
                yield effect.table, effect.key


def slot_of(token: str) -> int:
    """The writer slot that a token names."""
    return int(token.partition(".")[0])
