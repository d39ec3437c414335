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
from .specs import Catalog, IndexSpec

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
        for index in self._rules.keys.all:
            if not index.spec.ready:
                self._findings.notes.append(self._half_built(index.spec))
        try:
            sound = [index for index in self._rules.keys.all if self._is_sound(index)]
            for index, wanted in zip(sound, self._wanted_sums(sound), strict=True):
                if self._sum(index) != wanted:
                    self._compare(index)
                if index.spec.unique:
                    self._find_twins(index)
        except (DBError, OSError, ValueError) as error:
            name = self._rules.layout.files.rows
            self._findings.problem(name, 0, None, f"its indexes cannot be checked: {error}")

    def _half_built(self, spec: IndexSpec) -> str:
        alike = " and only these are compared with new values" if spec.unique else ""
        return (
            f"table '{self._rules.name}': {spec} is half built, it has the rows of the first "
            f"{spec.built} slots{alike}; unless that goes on, migrate again: it ends what was begun"
        )

    def _is_sound(self, index: TableIndex) -> bool:
        found = list(index.tree.check(self._view))
        for node, what in found:
            self._findings.problem(index.file, node * NODE_SIZE, None, what)
        return not found

    def _wanted_sums(self, indexes: list[TableIndex]) -> list[tuple[int, int]]:
        """What each of these should have, from one reading of the rows."""
        if not indexes:
            return []
        sums = [(0, 0)] * len(indexes)
        for slot, row in self._rules.layout.codec.slot_rows(self._view):
            for place, index in enumerate(indexes):
                if index.has(slot):
                    sums[place] = _added(sums[place], index.entry(slot, row))
        return sums

    def _sum(self, index: TableIndex) -> tuple[int, int]:
        result = (0, 0)
        for entry in index.tree.entries(self._view):
            result = _added(result, entry)
        return result

    def _wanted(self, index: TableIndex, begin: int, end: int) -> Iterator[tuple[bytes, int]]:
        for slot, row in self._rules.layout.codec.slot_rows(self._view, begin, end):
            if index.has(slot):
                yield index.entry(slot, row)

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
                values = index.values(row)
                other = index.twin(self._view, row, values, slot)
                if other is not None:
                    self._tell(index, index.stored_twice(values, [other["id"], row["id"]]).message)
            last = key, slot

    def _tell(self, index: TableIndex, what: str) -> None:
        self._findings.problem(index.file, 0, None, what)


def _added(so_far: tuple[int, int], entry: tuple[bytes, int]) -> tuple[int, int]:
    """The count and the sum of hashes with one more entry."""
    count, total = so_far
    return count + 1, (total + hash(entry)) % _MODULUS
