"""Checking the indexes of a table: each is whole in itself, and has what the rows say, no more.

Entries and rows are compared by the sum of their hashes, which takes no memory; only if that
differs are they compared one by one, some thousand slots at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

from bazanite_wal.errors import DBError
from bazanite_wal.layer import View

from .btree_node import NODE_SIZE
from .check_reader import Findings
from .keyed import TableIndex
from .rules import Rules
from .specs import Catalog

_MODULUS = 1 << 64
_WINDOW_SLOTS = 1 << 17


class KeyCheck:
    """The check of one table's indexes; ``run`` once, after the rows were found to be right."""

    def __init__(self, catalog: Catalog, table: str, view: View, findings: Findings) -> None:
        self._rules = Rules("", catalog, {}).table(table)
        self._view = view
        self._findings = findings

    def run(self) -> None:
        """Report every finding; raises nothing."""
        try:
            for index in self._rules.keys.all:
                self._check(index)
        except (DBError, OSError, ValueError) as error:
            name = self._rules.layout.files.rows
            self._findings.problem(name, 0, None, f"its indexes cannot be checked: {error}")

    def _check(self, index: TableIndex) -> None:
        sound = True
        for node, what in index.tree.check(self._view):
            self._findings.problem(index.file, node * NODE_SIZE, None, what)
            sound = False
        if not sound:
            return
        if self._sum(index.tree.entries(self._view)) != self._sum(self._wanted(index, 0, None)):
            self._compare(index)
        if index.spec.unique:
            self._find_twins(index)

    def _wanted(
        self, index: TableIndex, begin: int, end: int | None
    ) -> Iterator[tuple[bytes, int]]:
        for slot, row in self._rules.layout.codec.slot_rows(self._view, begin, end):
            if index.has(slot):
                yield index.entry(slot, row)

    def _sum(self, entries: Iterator[tuple[bytes, int]]) -> tuple[int, int]:
        count = total = 0
        for entry in entries:
            count += 1
            total = (total + hash(entry)) % _MODULUS
        return count, total

    def _compare(self, index: TableIndex) -> None:
        """Tell which entries are missing, and which are nobody's."""
        count = self._rules.layout.codec.slot_count(self._view)
        for begin in range(0, count, _WINDOW_SLOTS):
            end = begin + _WINDOW_SLOTS
            wanted = set(self._wanted(index, begin, end))
            for entry in index.tree.entries(self._view):
                if begin <= entry[1] < end:
                    if entry in wanted:
                        wanted.remove(entry)
                    else:
                        self._tell(index, f"an entry {entry[0]!r} for slot {entry[1]} is nobody's")
            for key, slot in sorted(wanted):
                self._tell(index, f"no entry {key!r} for the row in slot {slot}")
        for key, slot in index.tree.entries(self._view):
            if slot >= count:
                self._tell(index, f"an entry {key!r} for slot {slot}, which the table has not")

    def _find_twins(self, index: TableIndex) -> None:
        last: tuple[bytes, int] | None = None
        for key, slot in index.tree.entries(self._view):
            if last is not None and last[0] == key:
                row = self._rules.layout.codec.live_row_at(self._view, slot)
                other = index.twin(self._view, row, slot)
                if other is not None:
                    self._tell(index, str(index.duplicate(row, other).message))
            last = key, slot

    def _tell(self, index: TableIndex, what: str) -> None:
        self._findings.problem(index.file, 0, None, what)
