"""The indexes of one table: kept with its rows, and asked whether a value is there already.

Pure over a View; the catalog says which indexes there are, whatever a program declared.

Invariants: an index has one entry for each live row (while it is being built: for those of the
slots below ``built``), under the key of the row's values; so whoever changes a row changes the
entries in the same frame.  Different values may have the same key: the rows decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    def twin(self, view: View, row: Mapping[str, Any], slot: int) -> Row | None:
        """Another stored row with the same values; NULL is like nothing else."""
        values = self.values(row)
        if None in values:
            return None
        for found in self.tree.find(view, self.maker.key(row)):
            if found != slot:
                other = self.layout.codec.live_row_at(view, found)
                if self.values(other) == values:
                    return other
        return None

    def duplicate(self, row: Mapping[str, Any], other: Mapping[str, Any]) -> IntegrityError:
        """The error for a row that must not be stored beside this other one."""
        columns = ", ".join(self.spec.columns)
        values = ", ".join(shown_value(value) for value in self.values(row))
        return IntegrityError(
            f"'{columns}': row with {columns} {values} already exists (id {other['id']})",
            self.layout.files.table,
            self.spec.columns,
            [other["id"]],
        )


class TableKeys:
    """All indexes of one table; false if there are none."""

    def __init__(self, layout: Layout, specs: Iterable[IndexSpec]) -> None:
        self.all = [TableIndex(layout, spec) for spec in specs]
        self.unique = [index for index in self.all if index.spec.unique]

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

    def build(self, tx: WriteSet) -> None:
        """Let them have all rows that are stored; IntegrityError if some are not unique."""
        self.clear(tx)
        if self.all and tx.size(self.all[0].layout.files.rows):
            new = NewKeys(self, tx)
            for slot, row in self.all[0].layout.codec.slot_rows(tx):
                new.add(slot, row)
            new.save(tx)

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

    def refuse_twin(
        self, view: View, slot: int, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        """IntegrityError if a row's new values are another one's where they must be unique.

        Those that stay are not looked at: while an index is being built, the builder tells of them.
        """
        for index in self.unique:
            if index.values(old) != index.values(new):
                other = index.twin(view, new, slot)
                if other is not None:
                    raise index.duplicate(new, other)


class NewKeys:
    """Rows about to be stored by one call: unique among each other and among those stored."""

    def __init__(self, keys: TableKeys, view: View) -> None:
        self._keys = keys
        self._view = view
        self._rows: list[SlotRow] = []
        self._seen: list[dict[tuple[Any, ...], Mapping[str, Any]]] = [{} for _ in keys.unique]
        self._wanted = bool(keys)

    def __bool__(self) -> bool:
        return self._wanted

    def add(self, slot: int, row: Mapping[str, Any]) -> None:
        """One more; IntegrityError if it may not be stored."""
        for index, seen in zip(self._keys.unique, self._seen, strict=True):
            values = index.values(row)
            if None in values:
                continue
            other = seen.get(values) or index.twin(self._view, row, slot)
            if other is not None:
                raise index.duplicate(row, other)
            seen[values] = row
        self._rows.append((slot, row))

    def save(self, tx: WriteSet) -> None:
        """Put all of them into the indexes."""
        if self._rows:
            self._keys.add(tx, self._rows)
            self._rows = []
