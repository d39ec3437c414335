"""Inserting rows: one batch is prepared in memory, then written as few contiguous pieces.

Everything is checked before the first write, and the writes go into a transaction's write set, so a
batch is stored whole or not at all.  Time and bytes are linear in the number of rows.

Order of the checks of one row: known field names, foreign keys, the id, an existing row of this id,
then the other fields in schema order.  Rows of plain values take a quick path, many of them column
by column; it decides nothing but that all is well.  Whatever else it meets, it leaves to the
careful path, from the first row of the chunk on, so that errors and their order are its alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from bazanite_wal.layer import WriteSet

from . import sequence, textfile
from .codec import Layout
from .encoder import PLAIN, RowEncoder
from .errors import DBError, TransactionError, ValidationError
from .fields import TEXT_WIDTH, LongType
from .foreign import ForeignKeys
from .freestack import FreeStack
from .keyed import NewKeys, TableKeys
from .many import made_at_once
from .newrows import NewIds, Piece, merged
from .row import Row

_CHUNK_ROWS = 2048
"""So many rows at once stay in the processor's caches while they are encoded."""
_FEW_ROWS = 16
"""Below this, columns cost more than they spare."""


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

    def __init__(self, tx: WriteSet, layout: Layout, foreign: ForeignKeys, keys: TableKeys) -> None:
        files = layout.files
        self._keys = NewKeys(keys, tx)
        self._tx = tx
        self._layout = layout
        self._foreign = foreign
        self._encoder = layout.schema.encoder
        self._changes = tx.changes
        self._stored_sequence = self._sequence = sequence.read(tx, files)
        self._free = FreeStack(tx, files, layout.int_width)
        self._end_slot = layout.codec.slot_count(tx)
        self._text_start = self._text_end = tx.size(files.text) if layout.has_text else 0
        self._texts: list[bytes] = []
        self._slots = NewIds()
        self._rows: list[Piece] = []

    def add(self, values: Mapping[str, Any]) -> Row:
        """Check one row and prepare it; returns it as it will read."""
        schema = self._layout.schema
        return self._add(schema.with_defaults(values) if schema.defaults else values)

    def _add(self, values: Mapping[str, Any]) -> Row:
        """The same for a row to which the defaults of what it left out were added."""
        layout = self._layout
        schema = layout.schema
        plain = type(values) in PLAIN
        if not (plain and values.keys() <= schema.names):
            schema.check_names(values)
        if self._foreign.relations:
            self._foreign.check(self._tx, values, self._slots)
        pk = self._checked_new_id(values["id"]) if "id" in values else self._next_id()
        made = self._encoder.one(values, pk, self._text_end) if plain and self._encoder else None
        if made is None:
            data, shown, texts = self._carefully({**values, "id": pk})
        else:
            data, row, texts = made
        slot = self._free.pop(layout.row_size)
        if slot is None:
            slot = self._end_slot
            self._end_slot += 1
        if made is None:
            row = layout.codec.decode(data, slot)
            row.update(shown)
        if schema.checks:
            schema.ask_checks(row)
        for piece in texts:
            self._texts.append(piece)
            self._text_end += len(piece)
        if self._keys:
            self._keys.add(slot, row)
        self._slots.add(pk, slot)
        self._rows.append((slot, 1, data))
        return row

    def add_all(self, given: list[Any]) -> list[Row]:
        """Check these rows and prepare them; returns them as they will read, in order.

        They are put into the very list, so that an iterator's values need not live beside them.
        """
        return self._add_chunks(given, ids_only=False)

    def add_ids(self, given: list[Any]) -> list[int]:
        """The same, returning their ids only."""
        return self._add_chunks(given, ids_only=True)

    def save(self) -> None:
        """Write the batch into the transaction."""
        tx, files = self._tx, self._layout.files
        if tx.changes != self._changes:
            raise TransactionError(
                "a field's type, default or check changed the database during an insert"
            )
        if self._texts:
            tx.write(files.text, self._text_start, b"".join(self._texts))
        runs = merged(self._rows)
        self._rows.clear()  # of a bulk load these are many bytes
        for slot, data in runs:
            tx.write(files.rows, slot * self._layout.row_size, data)
        for pk, entries in merged(self._slots.pieces(self._layout.int_width)):
            self._layout.index.put_entries(tx, pk, entries)
        self._keys.save(tx)
        self._free.save(tx)
        if self._sequence != self._stored_sequence:
            sequence.write(tx, files, self._sequence)

    def _add_chunks(self, given: list[Any], *, ids_only: bool) -> list[Any]:
        """``given``, with each row's values replaced by the row or by its id."""
        encoder = self._encoder
        if encoder is not None and len(given) >= _FEW_ROWS:
            made_at_once(lambda: self._replace(given, encoder, ids_only=ids_only))
        else:
            self._replace(given, None, ids_only=ids_only)
        return given

    def _replace(self, given: list[Any], encoder: RowEncoder | None, *, ids_only: bool) -> None:
        schema = self._layout.schema
        for start in range(0, len(given), _CHUNK_ROWS):
            chunk = given[start : start + _CHUNK_ROWS]
            if schema.defaults:  # before either path: each is made once
                chunk = [schema.with_defaults(values) for values in chunk]
            made: list[Any] | None = None
            if encoder is not None:
                made = self._add_columns(encoder, chunk, ids_only=ids_only)
            if made is None:
                made = [self._add(values) for values in chunk]
                if ids_only:
                    made = [row["id"] for row in made]
            given[start : start + _CHUNK_ROWS] = made

    def _add_columns(
        self, encoder: RowEncoder, given: Sequence[Mapping[str, Any]], *, ids_only: bool
    ) -> list[Any] | None:
        """Prepare all these rows; None, and nothing is changed, if there is anything unusual."""
        count = len(given)
        columns = encoder.columns(given)
        if columns is None or self._end_slot + count > 10**self._layout.int_width:
            return None
        try:
            if not self._foreign.exist(self._tx, columns, self._slots):
                return None
            ids = self._new_ids(columns.get("id"), count)
        except DBError:
            return None  # a damaged file, which may matter to a later row only
        if ids is None:
            return None
        wanted = bool(self._keys) or bool(self._layout.schema.checks) or not ids_only
        made = encoder.many(ids, columns, self._text_end, rows=wanted)
        if made is None:
            return None
        data, rows, texts, self._text_end = made
        if self._layout.schema.checks:
            for row in rows:
                self._layout.schema.ask_checks(row)
        self._texts += texts
        if "id" not in columns:
            self._sequence = ids[-1]
        size = self._layout.row_size
        reused = [self._free.take(size) for _ in range(min(count, self._free.count))]
        for place, slot in enumerate(reused):
            self._rows.append((slot, 1, data[place * size : (place + 1) * size]))
        fresh = range(self._end_slot, self._end_slot + count - len(reused))
        if fresh:
            self._rows.append((fresh.start, len(fresh), data[len(reused) * size :]))
            self._end_slot = fresh.stop
        self._slots.add_all(ids[: len(reused)], reused)
        self._slots.add_all(ids[len(reused) :], fresh)
        if self._keys:
            for slot, row in zip(chain(reused, fresh), rows, strict=True):
                self._keys.add(slot, row)
        return list(ids) if ids_only else rows

    def _new_ids(self, given: list[Any] | None, count: int) -> Sequence[int] | None:
        """The ids of so many rows, none of which exists; None if that cannot be said so quickly."""
        ids: Sequence[int]
        if given is None:
            first = self._sequence + 1
            ids = range(first, first + count)
        else:
            if set(map(type, given)) != {int}:
                return None
            ids = range(given[0], given[0] + count)
            if list(ids) != given:
                ids = given
        ascending = ids if isinstance(ids, range) else sorted(set(ids))
        if len(ascending) < count or ascending[0] <= 0 or ascending[-1] >= self._layout.id_limit:
            return None
        if self._slots.meets(ids) or not self._layout.index.has_none(self._tx, ascending):
            return None
        return ids

    def _checked_new_id(self, value: Any) -> int:
        pk = checked_id(self._layout, value)
        if self._exists(pk):
            raise ValidationError(f"'id': row with id {pk} already exists")
        return pk

    def _next_id(self) -> int:
        pk = self._sequence + 1
        while self._exists(pk):
            pk += 1
        if self._encoder is None or pk >= self._layout.id_limit:
            checked_id(self._layout, pk)
        self._sequence = pk
        return pk

    def _exists(self, pk: int) -> bool:
        return pk in self._slots or self._layout.index.find(self._tx, pk) is not None

    def _carefully(self, values: Mapping[str, Any]) -> tuple[bytes, dict[str, Any], list[bytes]]:
        """The row's bytes, its long values, and what it appends to the text file."""
        schema = self._layout.schema
        columns: list[bytes] = []
        texts: dict[str, Any] = {}
        pieces: list[bytes] = []
        offset = self._text_end
        for field in schema.schema:
            value = values.get(field.name)
            field.validate(value)
            if isinstance(field.type, LongType) and value is not None:
                data = field.type.to_text(value)
                texts[field.name] = field.type.from_text(data)
                value = offset
                check_text_offset(field.name, value)
                pieces.append(textfile.encode(data))
                offset += len(pieces[-1])
            columns.append(schema.column(field, value))
        return schema.join_columns(columns), texts, pieces


def check_text_offset(name: str, offset: int) -> None:
    """ValidationError if the row cannot hold this offset: the text file is full."""
    if offset >= 10**TEXT_WIDTH:
        raise ValidationError(f"'{name}': The text file is full, {offset} bytes")
