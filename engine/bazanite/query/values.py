"""The values of some columns of many rows, without making the rows."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from bazanite_wal.layer import View

from .. import columns
from ..codec import RowCodec
from ..cond import BaseCond
from ..fields import CHAR
from ..kinds import NUMBERS
from ..moments import BOOL, DATE, DATETIME
from ..search import found, pieces_found, split

Columns = list[list[Any]]
"""For each of some fields its values in a batch of rows."""
_MOST_KNOWN = 50_000
_SORTABLE = (CHAR, BOOL, DATE, DATETIME)
"""Types whose bytes are in the order of their values, NULL first."""
_CONTROL = re.compile(rb"[\0-\x1f]")


def column_values(
    view: View, codec: RowCodec, where: BaseCond | None, names: Sequence[str]
) -> Iterator[tuple[int, Columns]]:
    """How many rows a batch has for which the condition is true, and their values of these fields.

    In slot order, chunk by chunk.
    """
    test, rest = split(codec, where)
    if rest is not None or any(name in codec.text_fields for name in names):
        for found_slots, rows in found(view, codec, where):
            yield len(found_slots), [[row[name] for row in rows] for name in names]
        return
    readers = [ColumnReader(codec, name) for name in names]
    for slots, data in pieces_found(view, codec, test):
        try:
            yield len(slots), [reader.values(data) for reader in readers]
        except Exception:  # noqa: BLE001  whatever it was, the look at each row tells it
            rows = codec.rows_of_slots(slots, data)
            yield len(slots), [[row[name] for row in rows] for name in names]


class ColumnReader:
    """Reads one column, whose values are in the row, of live rows."""

    def __init__(self, codec: RowCodec, name: str) -> None:
        self._codec = codec
        kind = codec.schema.type_of(name)
        start = codec.offsets[name]
        self._place = columns.Place(codec.row_size, start, kind.size)
        rest = codec.row_size - start - kind.size
        self._unpack = struct.Struct(f"{start}x{kind.size}s{rest}x").iter_unpack
        self._kind = kind
        self._known: dict[bytes, Any] = _Known(kind)

    def pieces(self, data: bytes) -> list[bytes]:
        """The column's bytes in each row."""
        return list(chain.from_iterable(self._unpack(data)))

    def in_order(self, data: bytes, np: Any) -> Any:
        """The column's bytes in each row, if these stand in the order of their values.

        A list, or with NumPy an array.  None if that is not so, or not certain: a character below
        the space sorts before the end.
        """
        if type(self._kind) not in _SORTABLE:
            return None
        if np is not None:
            size, start, width = self._place
            column = np.frombuffer(data, "u1").reshape(-1, size)[:, start : start + width]
            if type(self._kind) is CHAR and (column < ord(" ")).any():
                return None
            return np.ascontiguousarray(column).view(f"S{width}").ravel()
        pieces = self.pieces(data)
        if type(self._kind) is CHAR and _CONTROL.search(b"".join(pieces)):
            return None
        return pieces

    def values(self, data: bytes) -> list[Any]:
        """Its values; any error if bytes are none."""
        if type(self._kind) in NUMBERS:
            np = columns.numpy(wanted=False)
            if np is not None:
                found = columns.values(data, self._place, self._kind.null, np)
                if found is not None:
                    return found
            if self._codec.is_plain(data) and not (self._kind.null and b"#" in data):
                return list(map(int, chain.from_iterable(self._unpack(data))))
        return list(map(self._known.__getitem__, chain.from_iterable(self._unpack(data))))


class _Known(dict[bytes, Any]):
    """Values by their bytes."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self._deserialize = kind.deserialize

    def __missing__(self, data: bytes) -> Any:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        value = self[data] = self._deserialize(data, 0)[0]
        return value
