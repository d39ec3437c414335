"""Counting rows by a column without making rows: one pass, and a number for each distinct value.

A table of a million rows seldom has as many parents, so the column's bytes are counted as they are,
and only what is different from each other is decoded.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bazanite_wal.layer import View

from .codec import RowCodec
from .columns import stars_agree
from .kinds import NUMBERS
from .row import Row
from .schema import DELETED
from .textfile import TextReader


def count_by(view: View, codec: RowCodec, name: str) -> Counter[Any]:
    """How many rows have each value of this field; NULL is not counted.

    TypeError if its values cannot be told apart by hash: lists and dicts of a JSON, or those of a
    type of a program's own.
    """
    kind = codec.schema.type_of(name)
    if type(kind) not in NUMBERS:
        return Counter(row[name] for row in _rows(view, codec, name) if row[name] is not None)
    start = codec.offsets[name]
    rest = codec.row_size - start - kind.size
    column = struct.Struct(f"{start}x{kind.size}s{rest}x")
    counts: Counter[Any] = Counter()
    for first, data in codec.chunks(view):
        if not stars_agree(data, codec.row_size, start):
            counts.update(row[name] for row in codec.live_rows(first, data))
            continue
        found = Counter(column.iter_unpack(data))
        try:
            decoded = [
                (kind.deserialize(value, 0)[0], count)
                for (value,), count in found.items()
                if value[0] != DELETED
            ]
        except ValueError:
            codec.explain(first, data)
            raise
        for value, count in decoded:
            counts[value] += count
    del counts[None]
    return counts


def links(view: View, codec: RowCodec, name: str) -> dict[int, Any]:
    """For each row's id its value of this field, NULL left out."""
    return {row["id"]: row[name] for row in _rows(view, codec, name) if row[name] is not None}


def _rows(view: View, codec: RowCodec, name: str) -> Iterator[Row]:
    """Every row; of its TEXT values only this one if it is one, the others as offsets."""
    texts = TextReader(view, codec.files)
    read = codec.text_fields.get(name)
    for first, data in codec.chunks(view):
        for row in codec.live_rows(first, data):
            if read is not None and row[name] is not None:
                row[name] = texts.get(row[name], read)
            yield row
