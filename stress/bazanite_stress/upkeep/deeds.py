"""What a writer does: its k-th call follows from the seed, so its state follows from their number.

Six calls repeat: three notes are stored, an older one is changed, one is deleted, and an amount is
moved between two accounts together with a note.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from bazanite import DB, EQ

from .tables import accounts

Note = tuple[int, str | None]
"""Package and body."""


@dataclass(slots=True)
class State:
    """What one writer's first so many calls lead to: its notes by number, and amounts it moved."""

    calls: int = 0
    notes: dict[int, Note] = field(default_factory=dict)
    moved: Counter[int] = field(default_factory=Counter)


class Deeds:
    """The calls of one writer on a list of so many packages."""

    def __init__(self, seed: str, writer: int, packages: int) -> None:
        self._seed = f"{seed}/{writer}"
        self._writer = writer
        self._packages = packages

    def do(self, db: DB, number: int) -> int:
        """Make the call of this number, from 1; returns its log position."""
        random, kind = self._random(number), number % 6
        mine = EQ(writer=self._writer)
        with db.transaction() as tx:
            if kind == 4:
                db.update_where("notes", mine & EQ(n=number - 2), {"body": self._body(random)})
            elif kind == 5:
                db.delete_where("notes", mine & EQ(n=number - 4))
            else:
                package, body = self._note(random)
                values = {"writer": self._writer, "n": number, "package": package, "body": body}
                db.insert("notes", values)
                if kind == 0:
                    for account, amount in self._move(random).items():
                        row = db.find_by_id("accounts", account)
                        assert row is not None
                        db.update_by_id("accounts", account, {"balance": row["balance"] + amount})
            db.update_by_id("progress", self._writer, {"calls": number})
        return tx.lsn

    def follow(self, state: State) -> None:
        """The same on a state: one call more."""
        number = state.calls + 1
        random, kind = self._random(number), number % 6
        if kind == 4:
            package, _ = state.notes[number - 2]
            state.notes[number - 2] = package, self._body(random)
        elif kind == 5:
            del state.notes[number - 4]
        else:
            state.notes[number] = self._note(random)
            if kind == 0:
                state.moved.update(self._move(random))
        state.calls = number

    def _random(self, number: int) -> Random:
        return Random(f"{self._seed}/{number}")

    def _note(self, random: Random) -> Note:
        return random.randint(1, self._packages), self._body(random)

    def _body(self, random: Random) -> str | None:
        if random.random() < 0.1:
            return None
        return f"{random.getrandbits(32):08x}" * random.choice((1, 5, 60))

    def _move(self, random: Random) -> dict[int, int]:
        one, other = random.sample(accounts(), 2)
        amount = random.randint(1, 9)
        return {one: -amount, other: amount}
