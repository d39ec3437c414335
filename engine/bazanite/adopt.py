"""Taking over a Bazoola directory: recognise how wide its integers are, and verify every table.

Bazoola keeps no catalog.  A table whose files hold something is adopted if, under the declared
schema, every row parses, the index names exactly the live rows, every freed slot is deleted and
every TEXT is whole; otherwise the first thing found wrong is an error naming file and offset, and
nothing is changed.  Two leftovers of Bazoola are known and harmless: freed slots of a table that
its ``truncate`` emptied, and a sequence with too many digits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from bazanite_wal.layer import View, WriteSet

from . import sequence
from .codec import Layout
from .errors import CorruptionError, DirectoryError, ValidationError
from .files import TableFiles
from .freestack import FreeStack
from .schema import Schema
from .textfile import TextReader

KNOWN_WIDTHS = (9, 6)
"""Bazoola's newest integers, and those of its releases up to 0.0.7."""


def recognise(
    view: View, tables: Sequence[tuple[TableFiles, Schema]], present: Collection[str]
) -> int:
    """The integer width under which all these tables verify; KNOWN_WIDTHS[0] if they are empty.

    CorruptionError, the one of the width that fits furthest, if there is none; ValidationError if
    there are two.
    """
    filled = [(files, schema) for files, schema in tables if view.size(files.rows)]
    fitting: list[int] = []
    furthest: CorruptionError | None = None
    for width in KNOWN_WIDTHS:
        try:
            for files, schema in filled:
                verify(view, Layout(files, schema.bind(width), width), present)
        except CorruptionError as error:
            if furthest is None or error.offset > furthest.offset:
                furthest = error
        else:
            fitting.append(width)
    if furthest is not None and not fitting:
        raise furthest
    if filled and len(fitting) > 1:
        names = ", ".join(f"'{files.table}'" for files, _ in filled)
        raise ValidationError(f"The integers of {names} fit several widths: give int_width= 6 or 9")
    return fitting[0]


def verify(view: View, layout: Layout, present: Collection[str]) -> None:
    """DirectoryError or CorruptionError unless the table's files can be taken as they are."""
    files = layout.files
    if view.size(files.rows):
        require_files(files, files.names(has_text=layout.has_text), present)
        sequence.read(view, files)
    elif view.size(files.sequence):
        sequence.read(view, files)
    live, slot_count = _verified_rows(view, layout)
    _verify_index(view, layout, live)
    if slot_count:
        _verify_free(view, layout, set(live.values()), slot_count)


def settle(tx: WriteSet, layout: Layout) -> None:
    """Bring a new or verified table's files into the form that we keep them in."""
    files = layout.files
    if not tx.size(files.sequence):
        sequence.write(tx, files, 0)
    if not tx.size(files.rows) and tx.size(files.free):
        tx.truncate(files.free, 0)


def require_files(files: TableFiles, names: Iterable[str], present: Collection[str]) -> None:
    """DirectoryError naming the first of these files of the table that is missing."""
    for name in names:
        if name not in present:
            raise DirectoryError(
                f"{files.directory}/{name}: this file of table '{files.table}' is missing. Restore "
                f"the directory from a backup; its other tables can still be opened"
            )


def _verified_rows(view: View, layout: Layout) -> tuple[dict[int, int], int]:
    """(slot by id, number of slots); all rows and texts are read."""
    texts = TextReader(view, layout.files)
    live: dict[int, int] = {}
    count = 0
    for slot, row in layout.codec.scan(view):
        count = slot + 1
        if row is None:
            _verify_deleted(view, layout, slot)
            continue
        layout.codec.with_text(row, texts)
        pk = row["id"]
        if pk <= 0 or pk in live:
            expected = "an id that no other row has" if pk > 0 else "an id greater than 0"
            offset = slot * layout.row_size + layout.codec.offsets["id"]
            raise layout.files.damaged(layout.files.rows, offset, expected, str(pk))
        live[pk] = slot
    return live, count


def _verify_deleted(view: View, layout: Layout, slot: int) -> None:
    data = layout.codec.read_slot(view, slot)
    if data[:-1] != b"*" * (layout.row_size - 1):
        offset = slot * layout.row_size
        raise layout.files.damaged(layout.files.rows, offset, "a deleted slot, all '*'", data)


def _verify_index(view: View, layout: Layout, live: dict[int, int]) -> None:
    """The index names every live row and nothing else."""
    files, width = layout.files, layout.int_width
    seen = 0
    for pk, slot in layout.index.entries(view):
        if live.get(pk) != slot:
            expected = f"the slot of the row with id {pk}: {live.get(pk, 'none')}"
            raise files.damaged(files.index, (pk - 1) * width, expected, str(slot))
        seen += 1
    if seen != len(live):
        pk, slot = next(item for item in live.items() if layout.index.find(view, item[0]) is None)
        expected = f"the slot of the row with id {pk}: {slot}"
        raise files.damaged(files.index, (pk - 1) * width, expected, "none")


def _verify_free(view: View, layout: Layout, live_slots: set[int], slot_count: int) -> None:
    """Every freed slot is deleted, and freed once."""
    files, width = layout.files, layout.int_width
    stack = FreeStack(view, files, width)
    seen: set[int] = set()
    for entry in range(stack.count):
        slot = stack.entry(entry)
        if slot >= slot_count or slot in live_slots or slot in seen:
            expected = "the number of a deleted slot"
            raise files.damaged(files.free, entry * width, expected, str(slot))
        seen.add(slot)
