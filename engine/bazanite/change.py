"""Changing and deleting one row.

An update keeps the row's slot and the bytes of every column that it does not name; a long value
keeps its place in the text file if it stays the same or if there is room for the new one.
Everything is checked before the first write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from bazanite_wal.layer import View, WriteSet

from . import textfile
from .codec import Layout
from .encoder import PLAIN
from .errors import NotFoundError, TransactionError, ValidationError, mismatch, shown_value
from .fields import Field, LongType
from .foreign import ForeignKeys
from .freestack import FreeStack
from .insert import check_text_offset, checked_id
from .row import Row
from .textfile import TextReader

if TYPE_CHECKING:
    from .keyed import TableKeys
    from .rules import TableRules


def stored_row(view: View, layout: Layout, pk: int) -> tuple[int, Row, bytes]:
    """(slot, row with TEXT as offsets, its bytes) of the row with this id, or NotFoundError."""
    slot = find_slot(view, layout, pk)
    if slot is None:
        raise NotFoundError(f"Row with ID={shown_value(int(pk))} does not exist")
    row, data = layout.codec.row_at(view, slot, pk)
    return slot, row, data


def find_slot(view: View, layout: Layout, pk: int) -> int | None:
    """The slot of the row with this id; None if there is none, or if no row could have it."""
    if type(pk) is not int and (isinstance(pk, bool) or not isinstance(pk, int)):
        raise ValidationError(f"'id': {mismatch(pk, '`int`').message}")
    if pk <= 0:
        raise ValidationError("IDs must be greater than 0")
    return layout.index.find(view, pk) if pk < layout.id_limit else None


def delete_stored(tx: WriteSet, layout: Layout, slot: int, row: Row) -> None:
    """Delete this row, TEXT given as offsets and no longer in any index, from its slot."""
    files, pk = layout.files, row["id"]
    for name in layout.codec.text_fields:
        if row[name] is not None:
            textfile.erase(tx, files, row[name])
    tx.write(files.rows, slot * layout.row_size, b"*" * (layout.row_size - 1) + b"\n")
    layout.index.erase(tx, pk)
    FreeStack(tx, files, layout.int_width).push(tx, slot)


def full(view: View, layout: Layout, row: Row) -> Row:
    """A copy of a stored row with its TEXT values."""
    return layout.codec.with_text(Row(row), TextReader(view, layout.files))


def clear_fields(
    tx: WriteSet, layout: Layout, keys: TableKeys, pk: int, names: Collection[str]
) -> None:
    """Store NULL in these fields, none of them a TEXT, of the row with this id."""
    slot, old, data = stored_row(tx, layout, pk)
    changed = bytearray(data)
    for field in layout.schema.schema:
        if field.name in names:
            start = layout.codec.offsets[field.name]
            changed[start : start + field.type.size] = field.type.serialize(None)
    if keys:
        before = full(tx, layout, old)
        keys.change(tx, slot, before, {**before, **dict.fromkeys(names)})
    tx.write(layout.files.rows, slot * layout.row_size, bytes(changed))


def update_row(
    tx: WriteSet,
    layout: Layout,
    pk: int,
    values: Mapping[str, Any],
    foreign: ForeignKeys,
    rules: TableRules,
) -> Row:
    """Change the named fields of the row with this id, and return the whole row."""
    schema = layout.schema
    plain = type(values) in PLAIN
    if not (plain and values.keys() <= schema.names):
        schema.check_names(values)
    if foreign.relations:
        foreign.check(tx, values, ())
    slot, old, data = stored_row(tx, layout, pk)
    new_pk = _checked_id_change(tx, layout, pk, values, rules) if "id" in values else pk
    quick = texts = None
    changes = tx.changes
    if plain and schema.encoder is not None:
        quick = schema.encoder.changed(values, new_pk, old, data)
    if quick is not None:
        changed, row = quick
    else:
        changed, row, texts = _change_carefully(tx, layout, values, slot, old, data)
    if schema.checks:
        schema.ask_checks(row if texts is None else {**row, **texts.new}, values)
    if tx.changes != changes:
        raise TransactionError("a field's type or check changed the database during an update")
    keys = rules.keys
    if keys:
        before = full(tx, layout, old)
        after = {**row, **{name: before[name] for name in layout.codec.text_fields}}
        after |= texts.new if texts is not None else {}
        keys.refuse_twin(tx, slot, before, after)
        keys.change(tx, slot, before, after)
    if texts is not None:
        texts.save()
    if new_pk != pk:
        _write_texts_again(tx, layout, row)
    if changed != data or (texts is not None and texts.in_place):
        tx.write(layout.files.rows, slot * layout.row_size, changed)
    if new_pk != pk:
        layout.index.erase(tx, pk)
        layout.index.put(tx, new_pk, [slot])
    return layout.codec.with_text(row, TextReader(tx, layout.files)) if layout.has_text else row


def _change_carefully(
    tx: WriteSet, layout: Layout, values: Mapping[str, Any], slot: int, old: Row, data: bytes
) -> tuple[bytes, Row, _TextChanges]:
    """The row's new bytes, the row, long values as offsets, and what the text file is to become."""
    schema = layout.schema
    texts = _TextChanges(tx, layout)
    columns: list[bytes] = []
    for field in schema.schema:
        if field.name in values:
            value = values[field.name]
            field.validate(value)
            if isinstance(field.type, LongType):
                value = texts.replace(field, field.type, old[field.name], value)
            columns.append(schema.column(field, value))
        else:
            start = layout.codec.offsets[field.name]
            columns.append(data[start : start + field.type.size])
    changed = schema.join_columns(columns)
    row = layout.codec.decode(changed, slot)
    return changed, row, texts


def _write_texts_again(tx: WriteSet, layout: Layout, row: Row) -> None:
    """Write the long values of a row that gets another id, where they stand.

    So the frame has the whole row, as it has of one that is inserted.
    """
    reader = TextReader(tx, layout.files)
    for name in layout.codec.text_fields:
        if row[name] is not None:
            data = textfile.encode(reader.get(row[name], bytes))
            tx.write(layout.files.text, row[name], data)


class _TextChanges:
    """What an update does to the text file: values replaced, old ones erased, new ones appended."""

    def __init__(self, tx: WriteSet, layout: Layout) -> None:
        self._tx = tx
        self._files = layout.files
        self._reader = TextReader(tx, layout.files)
        self._start = self._end = tx.size(layout.files.text) if layout.has_text else 0
        self._erased: list[int] = []
        self._replaced: list[tuple[int, bytes]] = []
        self._added: list[bytes] = []
        self.new: dict[str, Any] = {}
        """The values of the fields that were given, as they will read."""

    def replace(self, field: Field, kind: LongType, old: int | None, value: Any) -> int | None:
        """The offset for the new value: the old one if it stays the same or there is room."""
        data = None if value is None else kind.to_text(value)
        self.new[field.name] = None if data is None else kind.from_text(data)
        if old is not None:
            if data is not None:
                if kind.to_text(self._reader.get(old, kind.from_text)) == data:
                    return old
                piece = textfile.encode(data)
                if textfile.has_room(self._tx, self._files, old, piece):
                    self._replaced.append((old, piece))
                    return old
            self._erased.append(old)
        if data is None:
            return None
        offset = self._end
        check_text_offset(field.name, offset)
        self._added.append(textfile.encode(data))
        self._end += len(self._added[-1])
        return offset

    @property
    def in_place(self) -> bool:
        """Whether a value is replaced where it stands: then the frame must tell whose it is."""
        return bool(self._replaced)

    def save(self) -> None:
        """Write it into the transaction."""
        for offset, value in self._replaced:
            textfile.replace(self._tx, self._files, offset, value)
        for offset in self._erased:
            textfile.erase(self._tx, self._files, offset)
        if self._added:
            self._tx.write(self._files.text, self._start, b"".join(self._added))


def _checked_id_change(
    tx: WriteSet, layout: Layout, pk: int, values: Mapping[str, Any], rules: TableRules
) -> int:
    """The id that the row will have, which is given among the values."""
    new_pk = checked_id(layout, values["id"])
    if new_pk != pk:
        if layout.index.find(tx, new_pk) is not None:
            raise ValidationError(f"'id': row with id {new_pk} already exists")
        rules.refuse_referred(tx, pk)
    return new_pk
