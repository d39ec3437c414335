"""The state that acknowledged operations add up to: plain dictionaries, no database.

The supervisor's model holds all rows; a writer gets a copy of its own ones (`share`) and keeps it
up to date itself, so planning and judging use the same rules. Rows stand without their id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from bazanite_stress.torture.effects import Add, Ban, Change, Delete, Insert, Operation, slot_of
from bazanite_stress.torture.schema import Key, Row, Table

# How many rows of each loaded table one writer gets to work on between two kills.
SAMPLE = 24


@dataclass(slots=True)
class Model:
    """Rows and ids by table and key. `cause` tells of each row the last operation and the row
    before it (None: absent); `gone` which operation is to blame for a row's absence, and whether it
    deleted the row or never happened; `removed` keeps deleted rows of loaded tables, so that they
    can be inserted again.
    """

    keys: dict[str, str]
    still: frozenset[str]
    rows: dict[str, dict[Key, Row]]
    ids: dict[str, dict[Key, int]]
    removed: dict[str, dict[Key, Row]] = field(default_factory=dict)
    gone: dict[tuple[str, Key], tuple[str, bool]] = field(default_factory=dict)
    cause: dict[tuple[str, Key], tuple[str, Row | None]] = field(default_factory=dict)

    @classmethod
    def starting(cls, tables: Iterable[Table], rows: Mapping[str, Sequence[Row]]) -> Model:
        """The model of a new directory: rows in insertion order, automatic ids from 1."""
        tables = tuple(tables)
        still = frozenset(table.name for table in tables if table.still)
        model = cls({table.name: table.key for table in tables}, still, {}, {})
        for name, key in model.keys.items():
            model.rows[name], model.ids[name], model.removed[name] = {}, {}, {}
            for number, row in enumerate(rows.get(name, ()), 1):
                own = number if key == "id" else row[key]
                if own is None:
                    raise ValueError(f"{name}: row {number} has no {key}")
                model.rows[name][own] = dict(row)
                model.ids[name][own] = number
        return model

    def apply(self, operation: Operation, ids: Sequence[int] = ()) -> None:
        """Carry out one operation; `ids` of its Inserts in their order, as far as known."""
        new_ids = iter(ids)
        for effect in operation.effects:
            rows, where = self.rows[effect.table], (effect.table, effect.key)
            match effect:
                case Insert(table, key, row):
                    rows[key] = dict(row)
                    self.removed[table].pop(key, None)
                    self.gone.pop(where, None)
                    self.cause[where] = (operation.token, None)
                    new_id = next(new_ids, None)
                    if self.keys[table] == "id":
                        self.ids[table][key] = int(key)
                    elif new_id is not None:
                        self.ids[table][key] = new_id
                case Change(_, key, changes):
                    self.cause[where] = (operation.token, rows[key])
                    rows[key] = rows[key] | changes
                case Delete(table, key):
                    before = rows.pop(key)
                    self.ids[table].pop(key, None)
                    self.cause.pop(where, None)
                    self.gone[where] = (operation.token, True)
                    if self.keys[table] == "id":
                        self.removed[table][key] = before
                case Add(_, key, column, amount):
                    row = rows[key]
                    rows[key] = row | {column: number(row[column]) + amount}
                case Ban():
                    self.gone[where] = (operation.token, False)

    def never_happened(self, operation: Operation) -> None:
        """The operation was in flight at a kill and is not there: it must not appear later."""
        for effect in operation.effects:
            if effect.key not in self.rows[effect.table]:
                self.gone[effect.table, effect.key] = (operation.token, False)

    def share(self, slot: int, writers: int, frozen: set[tuple[str, Key]], rng: Random) -> Model:
        """What a writer in this slot may touch: its rows, except the frozen ones, whose last
        operation nobody has judged yet; of loaded tables a sample.
        """
        mine = Model(self.keys, self.still, {}, {})
        for table, key_column in self.keys.items():
            rows, removed = self.rows[table], self.removed[table]
            keys: list[Key]
            back: list[Key] = []
            if table == "accounts" or table in self.still:
                keys = []
            elif table == "counters":
                keys = [slot + 1]
            elif key_column == "token":
                keys = [key for key in rows if slot_of(str(key)) == slot]
            else:
                keys = [key for key in rows if int(key) % writers == slot]
                keys = rng.sample(keys, min(SAMPLE, len(keys)))
                back = [key for key in removed if int(key) % writers == slot][:SAMPLE]
            keys = [key for key in keys if (table, key) not in frozen]
            mine.rows[table] = {key: rows[key] for key in keys}
            mine.ids[table] = {key: self.ids[table][key] for key in keys}
            mine.removed[table] = {key: removed[key] for key in back if (table, key) not in frozen}
        return mine


def number(value: object) -> int:
    """A value that must be a number; anything else is a mistake of the harness."""
    if not isinstance(value, int):
        raise TypeError(f"expected a number, found {value!r}")
    return value
