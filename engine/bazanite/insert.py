"""Inserting rows: one batch is prepared in memory, then written as few contiguous pieces.

Everything is checked before the first write, and the writes go into a transaction's write set, so a
batch is stored whole or not at all.  Time and bytes are linear in the number of rows.

Order of the checks of one row: known field names, foreign keys, the id, an existing row of this id,
then the other fields in schema order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from bazanite_wal.layer import WriteSet

from . import sequence, textfile
from .codec import Layout
from .errors import TransactionError, ValidationError
from .fields import TEXT, TEXT_WIDTH, utf8
from .freestack import FreeStack
from .row import Row

_T = TypeVar("_T")

ForeignCheck = Callable[[WriteSet, Mapping[str, Any], Mapping[int, int]], None]
"""Raises unless the foreign keys among the values exist; also given ids about to be inserted."""


def checked_id(layout: Layout, value: Any) -> int:
    """The value as an id that a row may have; ValidationError if it cannot be one."""
    for field in layout.schema.schema:
        if field.name == "id":
            field.validate(value)
    if value <= 0:
        raise ValidationError("'id': IDs must be greater than 0")
    return int(value)


class RowBatch:
    """Rows about to be inserted by one transaction."""

    def __init__(self, tx: WriteSet, layout: Layout, check_foreign: ForeignCheck) -> None:
        self._tx = tx
        self._layout = layout
        self._check_foreign = check_foreign
        self._changes = tx.changes
        self._stored_sequence = self._sequence = sequence.read(tx, layout.files)
        self._free = FreeStack(tx, layout.files, layout.int_width)
        self._end_slot = layout.codec.slot_count(tx)
        self._text_start = self._text_end = tx.size(layout.files.text) if layout.has_text else 0
        self._texts: list[bytes] = []
        self._slots: dict[int, int] = {}
        self._rows: dict[int, bytes] = {}

    def add(self, values: Mapping[str, Any]) -> Row:
        """Check one row and prepare it; returns it as it will read."""
        layout = self._layout
        layout.schema.check_names(values)
        self._check_foreign(self._tx, values, self._slots)
        pk = self._checked_new_id(values["id"]) if "id" in values else self._next_id()
        columns, texts = self._columns({**values, "id": pk})
        data = layout.schema.join_columns(columns)
        slot = self._free.pop(layout.row_size)
        if slot is None:
            slot = self._end_slot
            self._end_slot += 1
        self._slots[pk] = slot
        self._rows[slot] = data
        row = layout.codec.decode(data, slot)
        row.update(texts)
        return row

    def save(self) -> None:
        """Write the batch into the transaction."""
        tx, files = self._tx, self._layout.files
        if tx.changes != self._changes:
            raise TransactionError(
                "a field type used the database while it converted values for an insert"
            )
        if self._texts:
            tx.write(files.text, self._text_start, b"".join(self._texts))
        for slot, pieces in _runs(self._rows):
            tx.write(files.rows, slot * self._layout.row_size, b"".join(pieces))
        for pk, slots in _runs(self._slots):
            self._layout.index.put(tx, pk, slots)
        self._free.save(tx)
        if self._sequence != self._stored_sequence:
            sequence.write(tx, files, self._sequence)

    def _checked_new_id(self, value: Any) -> int:
        pk = checked_id(self._layout, value)
        if self._exists(pk):
            raise ValidationError(f"'id': row with id {pk} already exists")
        return pk

    def _next_id(self) -> int:
        pk = self._sequence + 1
        while self._exists(pk):
            pk += 1
        checked_id(self._layout, pk)
        self._sequence = pk
        return pk

    def _exists(self, pk: int) -> bool:
        return pk in self._slots or self._layout.index.find(self._tx, pk) is not None

    def _columns(self, values: Mapping[str, Any]) -> tuple[list[bytes], dict[str, str]]:
        """The row's columns, and its TEXT values, which are queued for the text file."""
        schema = self._layout.schema
        columns: list[bytes] = []
        texts: dict[str, str] = {}
        for field in schema.schema:
            value = values.get(field.name)
            field.validate(value)
            if isinstance(field.type, TEXT) and value is not None:
                data = utf8(value)
                texts[field.name] = data.decode()
                value = self._text_end
                check_text_offset(field.name, value)
                piece = textfile.encode(data)
                self._texts.append(piece)
                self._text_end += len(piece)
            columns.append(schema.column(field, value))
        return columns, texts


def check_text_offset(name: str, offset: int) -> None:
    """ValidationError if the row cannot hold this offset: the text file is full."""
    if offset >= 10**TEXT_WIDTH:
        raise ValidationError(f"'{name}': The text file is full, {offset} bytes")


def _runs(items: Mapping[int, _T]) -> Iterator[tuple[int, list[_T]]]:
    """(first key, values) of each run of consecutive keys, in key order."""
    keys = sorted(items)
    start = 0
    for position in range(1, len(keys) + 1):
        if position == len(keys) or keys[position] != keys[position - 1] + 1:
            yield keys[start], [items[key] for key in keys[start:position]]
            start = position
