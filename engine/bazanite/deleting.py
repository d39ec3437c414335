"""Deleting rows that others refer to: refused, carried on to those, or their reference cleared.

As SQL has it: what a delete does to others is decided for the whole call, after all that goes with
it is known; so a row that refers to a deleted one and is deleted itself is in nobody's way.
Nothing is written before everything is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from bazanite_wal.layer import WriteSet

from .change import clear_fields, delete_stored, full, stored_row
from .counting import links
from .fields import CASCADE, RESTRICT
from .referrers import Reference, referring, refused
from .row import Row
from .rules import Rules, TableRules

SlotRow = tuple[int, Row]
"""A slot, and the row that stands there, TEXT as offsets."""
_BATCH = 1000
"""So many rows with their long values are in memory at a time."""


class Deletion:
    """One delete and all that follows from it; ``run`` once."""

    def __init__(self, tx: WriteSet, rules: Rules) -> None:
        self._tx = tx
        self._rules = rules
        self._doomed: dict[str, dict[int, tuple[int, Row]]] = {}
        self._cleared: dict[str, dict[int, set[str]]] = {}
        self._in_the_way: list[tuple[Reference, int, int]] = []
        self._links: dict[Reference, dict[int, list[int]] | None] = {}

    def run(self, table: str, ids: Sequence[int]) -> None:
        """Delete the rows with these ids; NotFoundError if there is none.

        IntegrityError if rows that refer to them are in the way.
        """
        rules = self._rules.table(table)
        self._doomed[table] = {pk: stored_row(self._tx, rules.layout, pk)[:2] for pk in ids}
        waiting: list[tuple[str, list[int]]] = [(table, list(ids))]
        while waiting:
            name, ids = waiting.pop()
            for reference in self._rules.table(name).referrers:
                fresh = self._follow(reference, ids)
                if fresh:
                    waiting.append((reference.table, fresh))
        self._refuse()
        for name, rows in self._cleared.items():
            self._clear(self._rules.table(name), rows)
        for name, doomed in self._doomed.items():
            self._delete(self._rules.table(name), doomed.values())

    def _delete(self, rules: TableRules, doomed: Iterable[SlotRow]) -> None:
        """Delete these rows.  Many leave an index together, a leaf of it at a time."""
        rows = iter(doomed)
        while batch := list(islice(rows, _BATCH)):
            if rules.keys:
                whole = [(slot, full(self._tx, rules.layout, row)) for slot, row in batch]
                rules.keys.remove(self._tx, whole)
            for slot, row in batch:
                delete_stored(self._tx, rules.layout, slot, row)

    def _follow(self, reference: Reference, ids: list[int]) -> list[int]:
        """What becomes of rows that refer to these; returns the ids of those that go with them."""
        rules = self._rules.table(reference.table)
        doomed = self._doomed.setdefault(reference.table, {})
        fresh: list[int] = []
        for pk, target in self._referring(reference, rules, ids):
            if reference.on_delete == CASCADE:
                if pk not in doomed:
                    doomed[pk] = stored_row(self._tx, rules.layout, pk)[:2]
                    fresh.append(pk)
            elif reference.on_delete == RESTRICT:
                self._in_the_way.append((reference, pk, target))
            else:
                cleared = self._cleared.setdefault(reference.table, {})
                cleared.setdefault(pk, set()).add(reference.field)
        return fresh

    def _referring(
        self, reference: Reference, rules: TableRules, ids: list[int]
    ) -> Iterator[tuple[int, int]]:
        """(id, id referred to) of the rows that refer to these.

        A table without an index is read twice at the most, however long a chain of rows is.
        """
        if rules.keys.leading(reference.field) is not None or reference not in self._links:
            self._links[reference] = None
            for row in referring(self._tx, rules, reference.field, ids):
                yield row["id"], row[reference.field]
            return
        known = self._links[reference]
        if known is None:
            known = self._links[reference] = {}
            for pk, target in links(self._tx, rules.layout.codec, reference.field).items():
                known.setdefault(target, []).append(pk)
        for target in ids:
            for pk in known.get(target, ()):
                yield pk, target

    def _refuse(self) -> None:
        left = [
            (reference, pk, target)
            for reference, pk, target in self._in_the_way
            if pk not in self._doomed.get(reference.table, {})
        ]
        if left:
            reference, _, target = left[0]
            ids = [pk for other, pk, _ in left if other == reference]
            raise refused(reference, target, ids)

    def _clear(self, rules: TableRules, rows: dict[int, set[str]]) -> None:
        for pk, names in rows.items():
            if pk not in self._doomed.get(rules.name, {}):
                clear_fields(self._tx, rules.layout, rules.keys, pk, names)
