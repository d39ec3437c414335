"""The indexes of one table: kept with its rows, and asked whether a value is there already.

Pure over a View; the catalog says which indexes there are, whatever a program declared.

Invariants: an index has one entry for each live row (while it is being built: for those of the
slots below ``built``), under the key of the row's values; so whoever changes a row changes the
entries in the same frame.  Different values may have the same key: the rows decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bazanite_wal.layer import View, WriteSet

from .btree import BTree
from .codec import Layout
from .errors import IntegrityError, shown_value
from .keys import KeyMaker
from .row import Row
from .specs import IndexSpec

SlotRow = tuple[int, Mapping[str, Any]]
"""A slot, and the row that stands there, TEXT as text."""


class TableIndex:
    """One index of a table."""

    def __init__(self, layout: Layout, spec: IndexSpec) -> None:
        self.spec = spec
        self.layout = layout
        fields = {field.name: field for field in layout.schema.schema}
        self.maker = KeyMaker([fields[name] for name in spec.columns])
        self.file = layout.files.keyed(spec.name)
        self.tree = BTree(layout.files, self.file, self.maker.size, layout.int_width)

    def has(self, slot: int) -> bool:
        """Whether it has the row of this slot: not all while it is being built."""
        return self.spec.built is None or slot < self.spec.built

    def entry(self, slot: int, row: Mapping[str, Any]) -> tuple[bytes, int]:
        """What stands in the index for this row."""
        return self.maker.key(row), slot

    def values(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The row's values in the columns of the index."""
        return tuple(row[name] for name in self.spec.columns)

    def twin(
        self, view: View, row: Mapping[str, Any], values: tuple[Any, ...], slot: int
    ) -> Row | None:
        """Another stored row that has this row's values too; NULL is like nothing else."""
        if None in values:
            return None
        for found in self.tree.find(view, self.maker.key(row)):
            if found != slot:
                other = self.layout.codec.live_row_at(view, found)
                if self.values(other) == values:
                    return other
        return None

    def taken(self, values: tuple[Any, ...], pk: int) -> IntegrityError:
        """The error for values that the stored row of this id has."""
        columns = ", ".join(self.spec.columns)
        what = f"row with {columns} {_shown(values)} already exists (id {pk})"
        return self._error(f"'{columns}': {what}", [pk])

    def given_twice(self, values: tuple[Any, ...], first: int, second: int) -> IntegrityError:
        """The error for two rows of one call, at these places in it, of which none is stored."""
        columns = ", ".join(self.spec.columns)
        what = f"rows {first} and {second} of those given, counted from 0, have the same"
        return self._error(f"'{columns}': {what} {columns} {_shown(values)}", [])

    def stored_twice(self, values: tuple[Any, ...], ids: Sequence[int]) -> IntegrityError:
        """The error for stored rows, which were allowed to have the same values so far."""
        columns = ", ".join(self.spec.columns)
        what = f"rows with id {' and '.join(map(str, ids))} have the same {columns}"
        table = self.layout.files.table
        return self._error(
            f"table '{table}': ({columns}) cannot be unique: {what} {_shown(values)}", ids
        )

    def _error(self, message: str, ids: Iterable[int]) -> IntegrityError:
        return IntegrityError(message, self.layout.files.table, self.spec.columns, ids)


def _shown(values: tuple[Any, ...]) -> str:
    return ", ".join(map(shown_value, values))


class TableKeys:
    """All indexes of one table; false if there are none."""

    def __init__(self, layout: Layout, specs: Iterable[IndexSpec]) -> None:
        self.all = [TableIndex(layout, spec) for spec in specs]
        self.unique = [index for index in self.all if index.spec.unique]
        self.alone = {
            index.spec.columns[0]: index
            for index in self.all
            if index.spec.ready and len(index.spec.columns) == 1
        }
        """Those of one column, by its name, that can be asked."""

    def __bool__(self) -> bool:
        return bool(self.all)

    def leading(self, column: str) -> TableIndex | None:
        """An index that finds rows by this column; the narrowest one."""
        found = [i for i in self.all if i.spec.ready and i.spec.columns[0] == column]
        return min(found, key=lambda index: len(index.spec.columns), default=None)

    def clear(self, tx: WriteSet) -> None:
        """Let the indexes be empty, whatever is in their files."""
        for index in self.all:
            index.tree.clear(tx)

    def build(self, tx: WriteSet, *, sure: bool = False) -> None:
        """Let them have the rows that are stored, whatever is in their files.

        IntegrityError if some are not unique; ``sure`` if that needs no look.
        """
        self.clear(tx)
        if self.all and tx.size(self.all[0].layout.files.rows):
            StoredKeys(self, tx, self.all[0].layout.codec.slot_rows(tx), sure=sure).save(tx)

    def add(self, tx: WriteSet, rows: Sequence[SlotRow]) -> None:
        """Rows that were stored."""
        for index in self.all:
            index.tree.insert(tx, [index.entry(s, row) for s, row in rows if index.has(s)])

    def remove(self, tx: WriteSet, rows: Sequence[SlotRow]) -> None:
        """Rows that are no longer stored."""
        for index in self.all:
            index.tree.remove(tx, [index.entry(s, row) for s, row in rows if index.has(s)])

    def change(
        self, tx: WriteSet, slot: int, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        """A row that was changed in its slot."""
        for index in self.all:
            if index.has(slot):
                before, after = index.entry(slot, old), index.entry(slot, new)
                if before != after:
                    index.tree.remove(tx, [before])
                    index.tree.insert(tx, [after])

    def move(self, tx: WriteSet, moved: Sequence[tuple[Mapping[str, Any], int, int]]) -> None:
        """Rows that stand in other slots now: each row, its old slot and its new one.

        An index that is being built keeps the rows that it has.
        """
        for index in self.all:
            keys = [(index.maker.key(row), old, new) for row, old, new in moved if index.has(old)]
            before = {(key, old) for key, old, _ in keys}
            after = {(key, new) for key, _, new in keys}
            index.tree.remove(tx, list(before - after))
            index.tree.insert(tx, list(after - before))

    def refuse_twin(
        self, view: View, slot: int, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        """IntegrityError if a row's new values are another one's where they must be unique.

        Those that stay are not looked at: while an index is being built, the builder tells of them.
        """
        for index in self.unique:
            values = index.values(new)
            if index.values(old) != values:
                other = index.twin(view, new, values, slot)
                if other is not None:
                    raise index.taken(values, other["id"])


class NewKeys:
    """Rows about to be stored by one call: unique among each other and among those stored."""

    def __init__(self, keys: TableKeys, view: View) -> None:
        self._keys = keys
        self._view = view
        self._rows: list[SlotRow] = []
        self._seen: list[dict[tuple[Any, ...], int]] = [{} for _ in keys.unique]
        """By their values, which one it was."""
        self._wanted = bool(keys)

    def __bool__(self) -> bool:
        return self._wanted

    def add(self, slot: int, row: Mapping[str, Any]) -> None:
        """One more; IntegrityError if it may not be stored."""
        place = len(self._rows)
        for index, seen in zip(self._keys.unique, self._seen, strict=True):
            values = index.values(row)
            if None in values:
                continue
            first = seen.setdefault(values, place)
            if first != place:
                raise index.given_twice(values, first, place)
            other = index.twin(self._view, row, values, slot)
            if other is not None:
                raise index.taken(values, other["id"])
        self._rows.append((slot, row))

    def save(self, tx: WriteSet) -> None:
        """Put all of them into the indexes."""
        if self._rows:
            self._keys.add(tx, self._rows)
            self._rows = []


class StoredKeys:
    """Rows that are stored and are to come into indexes that do not have them.

    IntegrityError naming two stored rows that may not be beside each other, unless ``sure``.
    """

    def __init__(
        self, keys: TableKeys, view: View, rows: Iterable[SlotRow], *, sure: bool = False
    ) -> None:
        self._indexes = keys.all
        self._entries: list[list[tuple[bytes, int]]] = [[] for _ in keys.all]
        targets = list(zip(self._indexes, self._entries, strict=True))
        unique = [] if sure else keys.unique
        kept: list[SlotRow] = []
        for slot, row in rows:
            for index, entries in targets:
                if index.has(slot):
                    entries.append(index.entry(slot, row))
            if unique:
                kept.append((slot, row))
        for index, entries in targets:
            if index in unique:
                _refuse_doubles(index, view, entries, kept)

    def save(self, tx: WriteSet) -> None:
        """Put all of them into the indexes."""
        for index, entries in zip(self._indexes, self._entries, strict=True):
            index.tree.insert(tx, entries)
            entries.clear()


def _refuse_doubles(
    index: TableIndex, view: View, entries: list[tuple[bytes, int]], rows: list[SlotRow]
) -> None:
    """IntegrityError if these rows, with these entries, are not unique among all in the index.

    Rows are looked at where their keys are the same: those of most are not.
    """
    keys = sorted(key for key, _ in entries)
    doubled = {key for key, following in pairwise(keys) if key == following}
    doubled.update(index.tree.those_there(view, keys))
    if not doubled:
        return
    suspects = {slot for key, slot in entries if key in doubled}
    seen: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for slot, row in rows:
        values = index.values(row) if slot in suspects else (None,)
        if None in values:
            continue
        other = seen.setdefault(values, row)
        if other is row:
            other = index.twin(view, row, values, slot) or row
        if other is not row:
            raise index.stored_twice(values, [other["id"], row["id"]])
