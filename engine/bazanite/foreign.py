"""Foreign keys: whether the rows that new values refer to exist.

What was found to exist is remembered for one call: nothing is written before all is checked.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

from bazanite_wal.layer import View

from .errors import ValidationError, mismatch
from .files import TableFiles
from .index import RowIndex
from .schema import Schema

if TYPE_CHECKING:
    from .storage import Storage

_NO_ID = 10**18
"""No directory has ids of more digits."""


class ForeignKeys:
    """The foreign keys of one table, for one call that changes it, by the catalog that it found."""

    def __init__(self, storage: Storage, schema: Schema, table: str) -> None:
        self._storage = storage
        self._table = table
        self.relations = schema.foreign
        self._found: set[tuple[str, int]] = set()
        self._indexes: dict[str, RowIndex] = {}

    def check(self, view: View, values: Mapping[str, Any], new_ids: Container[int]) -> None:
        """ValueError unless every foreign key that is given exists.

        ``new_ids`` are ids about to be inserted into the table itself.
        """
        for name, target in self.relations:
            value = values.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                message = mismatch(value, "`int`").message
                raise ValidationError(f"'{name}': {message}")
            if target == self._table and value in new_ids:
                continue
            if (target, value) in self._found:
                continue
            if not 0 < value < _NO_ID or self._index(name, target).find(view, value) is None:
                shown = value if abs(value) < _NO_ID else "too big,"
                raise ValueError(f"Item id={shown} does not exist in '{target}'")
            self._found.add((target, int(value)))

    def exist(self, view: View, columns: Mapping[str, list[Any]], new_ids: Container[int]) -> bool:
        """Whether all that these columns refer to is there; False also for what is no id."""
        for name, target in self.relations:
            if not set(map(type, columns[name])) <= {int, type(None)}:
                return False
            wanted = {
                v for v in set(columns[name]) if v is not None and (target, v) not in self._found
            }
            if target == self._table:
                wanted = {value for value in wanted if value not in new_ids}
            if not wanted:
                continue
            if min(wanted) <= 0 or max(wanted) >= _NO_ID:
                return False
            if not self._index(name, target).has_all(view, sorted(wanted)):
                return False
            self._found.update((target, value) for value in wanted)
        return True

    def _index(self, field: str, target: str) -> RowIndex:
        found = self._indexes.get(target)
        if found is None:
            catalog = self._storage.rules.catalog
            if target not in catalog.tables:
                message = f"'{field}': refers to table '{target}', which does not exist"
                raise ValidationError(message)
            files = TableFiles(self._storage.base_dir, target)
            found = self._indexes[target] = RowIndex(files, catalog.int_width)
        return found
