"""Giving back the room of deleted rows and of deleted or outgrown long values.

One table in one transaction: rows move to the front of their file, in their order, and the values
of the text file close up.  Whoever reads or writes meanwhile sees the table before or after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bazanite_wal.layer import View, WriteSet

from . import textfile
from .catalog_file import write_catalog
from .codec import Layout
from .fields import TEXT_WIDTH, LongType
from .keyed import TableKeys
from .rules import TableRules
from .schema import DELETED
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
    moved = _moves(tx, layout)  # first: it tells of every row that is damaged
    rows, texts = _closed_up(tx, layout)
    if len(rows) == tx.size(files.rows) and len(texts) == tx.size(files.text):
        return 0
    tx.write(files.rows, 0, rows)
    tx.truncate(files.rows, len(rows))
    if layout.has_text:
        tx.write(files.text, 0, texts)
        tx.truncate(files.text, len(texts))
    if moved or tx.size(files.free):
        tx.truncate(files.free, 0)
        for move in moved:
            layout.index.put(tx, move.pk, [move.new])
        _build_keys(tx, rules, catalog, moved)
    return before - sum(tx.size(name) for name in names)


def _closed_up(view: View, layout: Layout) -> tuple[bytes, bytes]:
    """The live rows one behind the other, and their long values likewise."""
    reader = TextReader(view, layout.files)
    size = layout.row_size
    places = [
        layout.codec.offsets[field.name]
        for field in layout.schema.schema
        if isinstance(field.type, LongType)
    ]
    rows: list[bytes] = []
    texts: list[bytes] = []
    end = 0
    for _, data in layout.codec.chunks(view):
        for start in range(0, len(data), size):
            row = data[start : start + size]
            if row[0] == DELETED:
                continue
            for place in places:
                column = row[place : place + TEXT_WIDTH]
                if column[:1] == b"#":
                    continue
                text = textfile.encode(reader.get(int(column), bytes))
                new = str(end).encode().ljust(TEXT_WIDTH)
                row = row[:place] + new + row[place + TEXT_WIDTH :]
                texts.append(text)
                end += len(text)
            rows.append(row)
    return b"".join(rows), b"".join(texts)


def _moves(view: View, layout: Layout) -> list[_Move]:
    """Each row that another slot will have."""
    result: list[_Move] = []
    for new, (old, row) in enumerate(layout.codec.slot_rows(view)):
        if new != old:
            result.append(_Move(row["id"], old, new))
    return result


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
        write_catalog(tx, replace(catalog, tables={**catalog.tables, rules.name: spec}))


def _closed_up_index(index: IndexSpec, moved: list[_Move]) -> IndexSpec:
    """What the catalog says of an index behind these moves."""
    if index.built is None:
        return index
    first = next((move.new for move in moved if move.old >= index.built), index.built)
    return replace(index, built=first)
