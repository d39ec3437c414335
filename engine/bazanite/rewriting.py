"""Rewriting a table under another layout: every row keeps its slot and its id.

All in the caller's transaction, so it happens whole or not at all.  It takes as much log as the
table has bytes, and a few times that in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bazanite_wal.layer import WriteSet

from . import textfile
from .codec import Layout
from .errors import CorruptionError, DBError, MigrationError, ValidationError, shown_ids
from .fields import Field, LongType
from .insert import check_text_offset
from .row import Row

Make = Callable[[Row], Any]
"""A column's new value, of a row with its TEXT values."""

_CHUNK_SLOTS = 4096


class Rewriting:
    """The rows of a table in another layout.

    ``source`` says which column's bytes a column keeps; of all others ``make`` gives the value.
    """

    def __init__(
        self,
        tx: WriteSet,
        old: Layout,
        new: Layout,
        source: dict[str, str],
        make: dict[str, Make],
    ) -> None:
        self._tx, self._old, self._new = tx, old, new
        self._source, self._make = source, make
        self._texts: list[bytes] = []
        self._text_end = tx.size(new.files.text)
        self._refused: list[int] = []
        self._reason: Exception | None = None
        """Why the first of them was refused."""
        self._pieces: list[bytes] = []

    def prepare(self) -> None:
        """Make the new rows; MigrationError naming those whose values do not fit.

        It also names a row of which a function of the program's raised anything else.
        """
        old_size, new_size = self._old.row_size, self._new.row_size
        deleted = b"*" * (new_size - 1) + b"\n"
        count = self._old.codec.slot_count(self._tx)
        for begin in range(0, count, _CHUNK_SLOTS):
            end = min(begin + _CHUNK_SLOTS, count)
            data = self._tx.read(self._old.files.rows, begin * old_size, (end - begin) * old_size)
            made = dict(self._rows(begin, end, data))
            self._pieces += [made.get(slot, deleted) for slot in range(begin, end)]
        if self._refused:
            ids = self._refused
            rows = "row" if len(ids) == 1 else "rows"
            raise MigrationError(
                f"table '{self._old.files.table}': {len(ids)} {rows} would not fit, with id "
                f"{shown_ids(ids)}: {self._reason}",
                ids,
            ) from self._reason

    def save(self) -> None:
        """Write them."""
        files = self._new.files
        if self._pieces:
            self._tx.truncate(files.rows, 0)
            self._tx.write(files.rows, 0, b"".join(self._pieces))
        if self._texts:
            self._tx.write(files.text, self._tx.size(files.text), b"".join(self._texts))

    def _rows(self, begin: int, end: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        size, offsets = self._old.row_size, self._old.codec.offsets
        sizes = {field.name: field.type.size for field in self._old.schema.schema}
        for slot, row in self._old.codec.slot_rows(self._tx, begin, end):
            start = (slot - begin) * size
            columns: list[bytes] = []
            try:
                for field in self._new.schema.schema:
                    name = self._source.get(field.name)
                    if name is not None:
                        place = start + offsets[name]
                        columns.append(data[place : place + sizes[name]])
                    else:
                        columns.append(self._column(field, row))
                yield slot, self._new.schema.join_columns(columns)
            except CorruptionError:
                raise
            except (ValidationError, ValueError, TypeError, ArithmeticError) as error:
                self._refused.append(row["id"])
                self._reason = self._reason or error
            except DBError:
                raise
            except Exception as error:
                shown = f"{type(error).__name__}: {error}"
                raise MigrationError(
                    f"table '{self._old.files.table}': a function or type of the program raised "
                    f"an error for the row with id {row['id']}: {shown}",
                    [row["id"]],
                ) from error

    def _column(self, field: Field, row: Row) -> bytes:
        value = self._make[field.name](row)
        field.validate(value)
        if isinstance(field.type, LongType) and value is not None:
            data = field.type.to_text(value)
            self._ask(field, field.type.from_text(data))
            piece = textfile.encode(data)
            offset = self._text_end
            check_text_offset(field.name, offset)
            self._texts.append(piece)
            self._text_end += len(piece)
            return self._new.schema.column(field, offset)
        column = self._new.schema.column(field, value)
        if value is not None:
            self._ask(field, field.type.deserialize(column, 0)[0])
        return column

    def _ask(self, field: Field, value: Any) -> None:
        """Ask the field's check about a value as it will be read."""
        self._new.schema.ask_checks({field.name: value}, (field.name,))


def erase_texts(tx: WriteSet, layout: Layout, name: str) -> None:
    """Overwrite every value of a TEXT column that is about to go."""
    for _, row in layout.codec.scan(tx):
        if row is not None and row[name] is not None:
            textfile.erase(tx, layout.files, row[name])
