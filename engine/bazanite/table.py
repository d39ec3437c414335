"""``Table``: subclass it with a name and a schema; a database opens it and gives you the rows.

Each call that changes something is one transaction, or takes part in the one that this thread has
open; a call that fails changes no byte.  Each call that reads sees one state of all tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from bazanite_wal.glance import Glance, Indexed
from bazanite_wal.layer import View
from bazanite_wal.transaction import Transaction

from .change import find_slot, update_row
from .codec import Layout
from .cond import BaseCond
from .counting import count_by, links
from .decoder import DecodeOne
from .deleting import Deletion
from .encoder import PLAIN
from .errors import CorruptionError, ValidationError, listed, shown_value
from .insert import RowBatch
from .known import LayoutChanged
from .query.ask import Query, check_where
from .query.select import stored
from .row import Row
from .schema import Schema
from .verified import finish

if TYPE_CHECKING:
    from .storage import Storage

T = TypeVar("T")


class Table:
    """A table of an open database; ``db.tables`` has them by name.  Any thread may use it."""

    name: str
    schema: Schema

    def __init__(self, storage: Storage, layout: Layout) -> None:
        self._storage = storage
        self.layout = layout
        self.schema = layout.schema
        self.row_size = layout.row_size
        files = layout.files
        self._where = Indexed(files.index, layout.int_width, files.rows, layout.row_size)
        self._glance: Glance | None = None
        self._one: DecodeOne

    def insert(self, values: Mapping[str, Any]) -> Row:
        """Store a row and return it as it will read; without an "id" it gets the next free one.

        ValidationError for values that do not fit and for an id that is taken, ValueError for a
        foreign key that does not exist.
        """
        given = _checked_values(values)
        return self._write_batch(lambda batch: batch.add(given))

    def insert_many(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Store all these rows, or none if one of them is refused; returns them in order."""
        given = _checked_rows(rows)
        return self._write_batch(lambda batch: batch.add_all(given))

    def insert_ids(self, rows: Iterable[Mapping[str, Any]]) -> list[int]:
        """The same, returning their ids only: half the time, and less memory."""
        given = _checked_rows(rows)
        return self._write_batch(lambda batch: batch.add_ids(given))

    def _write_batch(self, add: Callable[[RowBatch], T]) -> T:
        """What ``add`` returns, whose rows are stored in one transaction."""
        storage = self._storage

        def write(tx: Transaction) -> T:
            writes = storage.writes(tx, self)
            keys = storage.rules.table(self.name).keys
            batch = RowBatch(writes, self.layout, storage.foreign_keys(self), keys)
            result = add(batch)
            batch.save()
            finish(writes)
            return result

        return storage.store.run(write)

    def update_by_id(self, pk: int, values: Mapping[str, Any]) -> Row:
        """Change these fields of the row and return all of it; NotFoundError if there is none.

        The row keeps its slot.  With an "id" among the values its id changes.
        """
        storage = self._storage

        def write(tx: Transaction) -> Row:
            writes = storage.writes(tx, self)
            foreign, rules = storage.foreign_keys(self), storage.rules.table(self.name)
            row = update_row(writes, self.layout, pk, _checked_values(values), foreign, rules)
            finish(writes)
            return row

        return storage.store.run(write)

    def delete_by_id(self, pk: int) -> None:
        """Delete the row; NotFoundError if there is none.

        What becomes of rows that refer to it is what their FK says (``on_delete``); IntegrityError
        if one of them is in the way.
        """
        storage = self._storage

        def write(tx: Transaction) -> None:
            writes = storage.writes(tx, self)
            Deletion(writes, storage.rules).run(self.name, [pk])
            finish(writes)

        storage.store.run(write)

    def find_by_id(self, pk: int) -> Row | None:
        """The row with this id, None if there is none; mostly without taking the lock."""
        glance = self._glance
        if glance is not None and type(pk) is int and not self._storage.covered:
            data = glance.record(pk - 1)
            if data is not None:
                try:
                    row = self._one(data)
                    if row["id"] == pk:
                        return row
                except Exception:  # noqa: BLE001, S110  who reads with care tells what it means
                    pass
        return self._find_with_care(pk)

    def _find_with_care(self, pk: int) -> Row | None:
        """The same, whatever the id, the bytes and the state of the handle are."""
        layout, storage = self.layout, self._storage

        def read(view: View) -> Row | None:
            slot = find_slot(view, layout, pk)
            return None if slot is None else layout.codec.full_row_at(view, slot, pk)

        known = storage.known
        try:
            if storage.has_checksums:
                return storage.quick_read(
                    self, known, lambda view: read(storage.quickly_verified(view))
                )
            row = storage.quick_read(self, known, read)
        except (CorruptionError, LayoutChanged) as error:
            if isinstance(error, CorruptionError) and not storage.has_checksums:
                raise
            # an error counts only if the table still has the checksums that this handle knew of
            with storage.store.reading() as view:
                return read(storage.verified(view, self))
        if not layout.has_text and (self._glance is None or self._glance.is_stale):
            self._one = layout.codec.compiled.one()
            self._glance = storage.store.glance(self._where, known.epoch)
        return row

    def find_all(self) -> list[Row]:
        """Every row, in slot order."""
        with self._storage.store.reading() as view:
            return self.layout.codec.all_rows(self._storage.verified(view, self))

    def find_by_cond(self, cond: BaseCond) -> list[Row]:
        """The rows for which the condition's ``eval`` is true, in slot order.

        An index is used as by ``DB.find``.
        """
        if cond is None:
            raise ValidationError("None is not a condition")
        check_where(self.schema, cond)
        return stored(self._storage, self, Query(cond))

    def iterate(self) -> Iterator[Row]:
        """Every row, in slot order, as they are now: later changes do not show.

        Takes as much memory as the table's file has bytes, and makes each row when it is asked for,
        without the lock; damage is told when it is come to.  With a TEXT it is ``find_all``.
        """
        codec = self.layout.codec
        if codec.text_fields:
            return iter(self.find_all())
        with self._storage.store.reading() as view:
            chunks = list(codec.chunks(self._storage.verified(view, self)))
        return codec.rows_of(chunks)

    def count_by(self, name: str) -> Counter[Any]:
        """How many rows have each value of this field, NULL left out; reads the table once."""
        self.schema.check_names([name])
        with self._storage.store.reading() as view:
            return count_by(self._storage.verified(view, self), self.layout.codec, name)

    def links(self, name: str) -> dict[int, Any]:
        """For each row's id its value of this field, NULL left out; reads the table once."""
        self.schema.check_names([name])
        with self._storage.store.reading() as view:
            return links(self._storage.verified(view, self), self.layout.codec, name)

    def sibling(self, name: str) -> Table:
        """Another open table of the same database; ValidationError if there is none."""
        return self._storage.table(name)

    def slot_count(self) -> int:
        """How many rows the table has room for without growing, deleted ones included."""
        with self._storage.store.reading() as view:
            return self.layout.codec.slot_count(self._storage.verified(view, self))


def _checked_rows(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A list of its own of these rows, taken first: an iterator may use this database itself."""
    given = listed(rows, "a list of rows")
    if not set(map(type, given)) <= PLAIN:
        given = [_checked_values(values) for values in given]
    return given


def _checked_values(values: object) -> Mapping[str, Any]:
    if type(values) is not dict and not isinstance(values, Mapping):
        raise ValidationError(f"Type mismatch: `{shown_value(values)}` does not map field names")
    return values
