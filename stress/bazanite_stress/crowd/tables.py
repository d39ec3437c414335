"""Which tables a room has: plain ones, with indexes, with rules for their rows, or with both.

Or plain ones that migrations change, to all of that and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from bazanite_stress.explore.schema_model import Change
from bazanite_stress.explore.workload import Columns, more


@dataclass(frozen=True, slots=True)
class Design:
    """The tables of a room.  ``ruled``: rows may be refused, and a delete reaches others.

    ``migrations``: what changes them meanwhile, in this order, and behind the last one anew.
    """

    name: str
    tables: Mapping[str, Columns]
    ruled: bool = False
    migrations: tuple[list[Change], ...] = ()

    @property
    def migrates(self) -> bool:
        """Whether these are its tables at the start only."""
        return bool(self.migrations)

    def changes(self, version: int) -> list[Change]:
        """What the migration of this number, from 1, does."""
        return self.migrations[(version - 1) % len(self.migrations)]


def _indexed(tables: Mapping[str, Columns]) -> dict[str, Columns]:
    """The same with an index of each column that is not unique: it changes no answer, and the check
    at the end compares it with the rows.
    """
    return {
        name: {
            column: kind
            if more(kind).get("unique")
            else [*kind[: len(kind) - bool(more(kind))], {**more(kind), "index": True}]
            for column, kind in columns.items()
        }
        for name, columns in tables.items()
    }


_PLAIN: dict[str, Columns] = {
    "a": {"v": ["char", 12], "n": ["int"]},
    "t": {"a": ["fk", "a"], "v": ["text"]},
}
_RULED: dict[str, Columns] = {
    "a": {"v": ["char", 12], "n": ["int", {"unique": True}]},
    "t": {"a": ["fk", "a", {"on_delete": "cascade"}], "v": ["text"]},
    "s": {
        "a": ["fk", "a", {"on_delete": "restrict"}],
        "t": ["fk", "t", {"on_delete": "set_null"}],
        "u": ["char", 4, {"unique": True}],
    },
}
"""Deleting a row of "a" takes those of "t" with it, and clears what refers to these."""
_MIGRATED: dict[str, Columns] = {
    "a": {"v": ["char", 12], "n": ["int"]},
    "t": {"a": ["fk", "a", {"on_delete": "set_null"}], "v": ["text"]},
    "s": {
        "a": ["fk", "a", {"on_delete": "set_null"}],
        "t": ["fk", "t", {"on_delete": "set_null"}],
        "u": ["char", 4],
    },
}
_ROUND_TRIPS: tuple[tuple[list[Change], ...], ...] = (
    (
        [["add_column", "a", "w", ["char", 12], "new"], ["set_on_delete", "t", "a", "cascade"]],
        [["rename_column", "a", "w", "x"], ["add_index", "t", ["a"]]],
        [["change_column", "a", "x", ["text"]], ["drop_index", "t", ["a"]]],
        [["drop_column", "a", "x"], ["set_on_delete", "t", "a", "set_null"]],
    ),
    (
        [["add_unique", "a", ["n"]]],
        [["add_index", "a", ["v"]], ["add_column", "t", "w", ["char", 12], "new"]],
        [["drop_unique", "a", ["n"]], ["drop_index", "a", ["v"]], ["drop_column", "t", "w"]],
    ),
    (
        [["add_column", "s", "b", ["fk", "a", {"on_delete": "cascade"}]]],
        [["set_on_delete", "s", "a", "restrict"]],
        [["drop_column", "s", "b"], ["set_on_delete", "s", "a", "set_null"]],
    ),
    (
        [["rename_column", "s", "u", "y"], ["add_unique", "s", ["y"]]],
        [["set_on_delete", "t", "a", "keep"], ["drop_unique", "s", ["y"]]],
        [["set_on_delete", "t", "a", "set_null"], ["rename_column", "s", "y", "u"]],
    ),
)
"""Each leads back to where it began."""

PLAIN = Design("plain", _PLAIN)
INDEXED = Design("indexed", _indexed(_PLAIN))
RULED = Design("with rules", _RULED, ruled=True)
RULED_INDEXED = Design("with rules, indexed", _indexed(_RULED), ruled=True)
MIGRATING = Design("migrating", _MIGRATED, ruled=True, migrations=sum(_ROUND_TRIPS, ()))

DESIGNS = (PLAIN, INDEXED, RULED, RULED_INDEXED, MIGRATING)
"""Of so many rooms each has another one."""


def design_of(seed: str, number: int) -> Design:
    """Of this room, counted from 1; one that migrates begins with another round trip each time."""
    group, place = divmod(number - 1, len(DESIGNS))
    order, random = list(DESIGNS), Random(f"{seed}/tables {group}")
    random.shuffle(order)
    if not order[place].migrates:
        return order[place]
    trips = random.sample(_ROUND_TRIPS, len(_ROUND_TRIPS))
    return replace(order[place], migrations=sum(trips, ()))
