"""Which tables a room has: plain ones, with indexes, with rules for their rows, or with both.

Or plain ones that migrations change, to all of that and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from bazanite_stress.explore.workload import Columns, more


@dataclass(frozen=True, slots=True)
class Design:
    """The tables of a room.  ``ruled``: rows may be refused, and a delete reaches others.

    ``migrates``: so they are at the start; see ``migrating``.
    """

    name: str
    tables: Mapping[str, Columns]
    ruled: bool = False
    migrates: bool = False


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

PLAIN = Design("plain", _PLAIN)
INDEXED = Design("indexed", _indexed(_PLAIN))
RULED = Design("with rules", _RULED, ruled=True)
RULED_INDEXED = Design("with rules, indexed", _indexed(_RULED), ruled=True)
MIGRATING = Design("migrating", _MIGRATED, ruled=True, migrates=True)

DESIGNS = (PLAIN, INDEXED, RULED, RULED_INDEXED, MIGRATING)
"""Of so many rooms each has another one."""


def design_of(seed: str, number: int) -> Design:
    """Of this room, counted from 1."""
    group, place = divmod(number - 1, len(DESIGNS))
    order = list(DESIGNS)
    Random(f"{seed}/tables {group}").shuffle(order)
    return order[place]
