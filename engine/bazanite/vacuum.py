"""Giving back the room of deleted rows and of deleted or outgrown long values.

One table in one transaction: rows move to the front of their file, in their order, and the values
of the text file close up.  Whoever reads or writes meanwhile sees the table before or after.
"""

from __future__ import annotations

from bazanite_wal.layer import View, WriteSet

from . import textfile
from .codec import Layout
from .fields import TEXT_WIDTH, LongType
from .keyed import TableKeys
from .rules import TableRules
from .schema import DELETED
from .textfile import TextReader


def vacuum(tx: WriteSet, rules: TableRules) -> int:
    """Close the holes of a table's files; returns by how many bytes they became shorter."""
    layout, files = rules.layout, rules.layout.files
    names = rules.spec.files(files.directory, files.table)
    before = sum(tx.size(name) for name in names)
    rows, texts = _closed_up(tx, layout)
    if len(rows) == tx.size(files.rows) and len(texts) == tx.size(files.text):
        return 0
    moved = _moves(tx, layout)
    tx.write(files.rows, 0, rows)
    tx.truncate(files.rows, len(rows))
    if layout.has_text:
        tx.write(files.text, 0, texts)
        tx.truncate(files.text, len(texts))
    if moved or tx.size(files.free):
        tx.truncate(files.free, 0)
        for pk, slot in moved:
            layout.index.put(tx, pk, [slot])
        _build_keys(tx, rules)
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


def _moves(view: View, layout: Layout) -> list[tuple[int, int]]:
    """(id, new slot) of each row that another slot will have."""
    result: list[tuple[int, int]] = []
    for new, (slot, row) in enumerate(layout.codec.slot_rows(view)):
        if new != slot:
            result.append((row["id"], new))
    return result


def _build_keys(tx: WriteSet, rules: TableRules) -> None:
    """Make the indexes anew, with the rows where they are now.

    IntegrityError if rows came into one that is being built which are not unique.
    """
    TableKeys(rules.layout, [i for i in rules.spec.indexes if not i.ready]).build(tx)
    for index in rules.keys.all:
        if not index.spec.ready:
            continue
        entries = [index.entry(slot, row) for slot, row in rules.layout.codec.slot_rows(tx)]
        index.tree.build(tx, sorted(entries))
