"""Giving back the room of deleted rows and of deleted or outgrown long values.

One table in one transaction: rows move to the front of their file, in their order, and the values
of the text file close up.  Whoever reads or writes meanwhile sees the table before or after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from bazanite_wal.layer import View, WriteSet

from . import textfile
from .catalog_file import write_catalog
from .codec import Layout
from .fields import TEXT_WIDTH
from .keyed import TableKeys
from .rules import TableRules
from .specs import Catalog, IndexSpec
from .textfile import TextReader


class _Move(NamedTuple):
    """A row's id, the slot that it has and the one that it will have."""

    pk: int
    old: int
    new: int


def vacuum(tx: WriteSet, rules: TableRules, catalog: Catalog) -> int:
    """Close the holes of a table's files; returns by how many bytes they became shorter.

    An index that is being built has the same rows as before, and the catalog says where they end.
    """
    layout, files = rules.layout, rules.layout.files
    names = rules.spec.files(files.directory, files.table)
    before = sum(tx.size(name) for name in names)
    closed_up = _ClosedUp(tx, layout)
    rows, texts, moved = closed_up.rows, closed_up.texts, closed_up.moved
    if len(rows) == tx.size(files.rows) and len(texts) == tx.size(files.text):
        return 0
    tx.truncate(files.rows, 0)  # a frame that cuts the rows twice says that no row was changed
    tx.write(files.rows, 0, rows)
    tx.truncate(files.rows, len(rows))
    if layout.has_text:
        tx.write(files.text, 0, texts)
        tx.truncate(files.text, len(texts))
    if moved or tx.size(files.free):
        tx.truncate(files.free, 0)
        tx.truncate(files.index, tx.size(files.index))  # no write of before takes these over
        for move in moved:
            layout.index.put(tx, move.pk, [move.new])
        _build_keys(tx, rules, catalog, moved)
    return before - sum(tx.size(name) for name in names)


class _ClosedUp:
    """The live rows one behind the other, their long values likewise, and which rows have moved.

    CorruptionError for any row or value that is damaged.
    """

    def __init__(self, view: View, layout: Layout) -> None:
        self.moved: list[_Move] = []
        rows: list[bytes] = []
        texts: list[bytes] = []
        codec, size = layout.codec, layout.row_size
        reader = TextReader(view, layout.files)
        long_fields = [
            (name, codec.offsets[name], _as_it_is(read)) for name, read in codec.text_fields.items()
        ]
        end = 0
        for first, data in codec.chunks(view):
            for place, row in codec.placed_rows(first, data):
                line = data[place * size : (place + 1) * size]
                for name, start, read in long_fields:
                    if row[name] is None:
                        continue
                    texts.append(textfile.encode(reader.get(row[name], read)))
                    offset = str(end).encode().ljust(TEXT_WIDTH)
                    line = line[:start] + offset + line[start + TEXT_WIDTH :]
                    end += len(texts[-1])
                if first + place != len(rows):
                    self.moved.append(_Move(row["id"], first + place, len(rows)))
                rows.append(line)
        self.rows = b"".join(rows)
        self.texts = b"".join(texts)


def _as_it_is(read: Callable[[bytes], object]) -> Callable[[bytes], bytes]:
    """What gives a value's bytes if ``read`` can make a value of them, and else its error."""

    def verified(data: bytes) -> bytes:
        read(data)
        return data

    return verified


def _build_keys(tx: WriteSet, rules: TableRules, catalog: Catalog, moved: list[_Move]) -> None:
    """Make the indexes anew, with the rows where they are now.

    A row that the builder of an index has not come to yet was not looked at: it must not come to
    stand among those that were.
    """
    layout = rules.layout
    indexes = [_closed_up_index(index, moved) for index in rules.spec.indexes]
    TableKeys(layout, indexes).build(tx, sure=True)
    spec = replace(rules.spec, indexes=tuple(indexes))
    if spec != rules.spec:
        changed = replace(catalog, tables={**catalog.tables, rules.name: spec})
        write_catalog(tx, changed, copy=False)


def _closed_up_index(index: IndexSpec, moved: list[_Move]) -> IndexSpec:
    """What the catalog says of an index behind these moves."""
    if index.built is None:
        return index
    first = next((move.new for move in moved if move.old >= index.built), index.built)
    return replace(index, built=first)
