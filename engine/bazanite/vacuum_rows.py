"""One step of a vacuum over a table's rows: some of them move forward, in one transaction.

The slots are three stretches: dense rows, then free slots, then what was not looked at yet.  A step
takes the next rows behind the free slots and puts them in front of these, in their order.

Invariants, of what each step leaves: the order of the rows is the one from before, so whoever knows
a row that is there all the while knows which others are in front of it; the free stack has exactly
the free slots; every index says where a row is now.  Nothing that an earlier step found is believed
but how far it came, and that only spares looking: each step begins with the free stack as it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from bazanite_wal.layer import WriteSet

from .catalog_file import write_catalog
from .codec import Layout
from .freestack import free_slots, replaced, write_free_slots
from .index import encode
from .newrows import merged
from .rules import TableRules
from .specs import Catalog, IndexSpec
from .textfile import TextReader

_MOST_ROWS = 1500
_LEAST_ROWS = 64
_MOST_BYTES = 1 << 20
_FREE_SHARE = 64
"""Each step reads the whole free stack, so of a long one it moves more rows."""
_LOOK_FACTOR = 4
"""A step looks at so many times the slots that it may move rows of: most of them may be free."""


class Move(NamedTuple):
    """A row, TEXT as offsets, the slot that it had and the one that it has."""

    row: Mapping[str, Any]
    old: int
    new: int


class RowStep(NamedTuple):
    """How far a step came: slots below ``begin`` are dense; at ``end`` of ``slots`` it stopped."""

    begin: int
    end: int
    slots: int

    @property
    def finished(self) -> bool:
        """Whether no row is left to be moved."""
        return self.end >= self.slots


class _Window(NamedTuple):
    """What a step moves: free slots from ``dest`` on, and rows from ``source`` up to ``end``."""

    dest: int
    source: int
    end: int
    olds: list[int]
    rows: list[Mapping[str, Any]]
    lines: list[bytes]

    @property
    def stop(self) -> int:
        """Behind the last row, once they are moved."""
        return self.dest + len(self.rows)


def rows_at_once(rules: TableRules, free: int) -> int:
    """How many rows one step moves, so that others wait for a tenth of a second or so.

    An entry of an index takes longer than a row, and checksums as long.
    """
    cost = (1 + 2 * len(rules.spec.indexes)) * (1 + rules.spec.checksums)
    most = min(_MOST_BYTES // rules.layout.row_size, _MOST_ROWS // cost)
    return max(most, free // _FREE_SHARE, _LEAST_ROWS)


@contextmanager
def moving_rows(tx: WriteSet, layout: Layout, end: int | None = None) -> Iterator[None]:
    """What is written to the rows meanwhile changes none of them: the frame says so.

    It cuts the file to the length that it has, and once more behind that, to this many slots.
    """
    name, size = layout.files.rows, layout.row_size
    tx.truncate(name, tx.size(name))
    yield
    tx.truncate(name, tx.size(name) if end is None else end * size)


def move_rows(
    tx: WriteSet, rules: TableRules, catalog: Catalog, begin: int, most: int | None = None
) -> RowStep:
    """Move the next rows forward to the first free slot from ``begin`` on; None: all the rest.

    CorruptionError if rows, index and free stack do not agree.
    """
    layout = rules.layout
    files, width = layout.files, layout.int_width
    count = layout.codec.slot_count(tx)
    free = free_slots(tx, files, width, count)
    ordered = sorted(free)
    first = bisect_left(ordered, begin)
    if first == len(ordered):
        return RowStep(begin, count, count)
    most = count if most is None else most
    window = _window(tx, layout, ordered, first, most)
    moves = [
        Move(row, old, new)
        for new, (row, old) in enumerate(zip(window.rows, window.olds, strict=True), window.dest)
    ]
    _refuse_other_entries(tx, layout, moves)
    _write_rows(tx, layout, window, count)
    if window.end == count:
        after = [slot for slot in free if slot < window.dest]
    else:
        filled = ordered[first : bisect_left(ordered, window.stop, first)]
        vacated = [old for old in window.olds if old >= window.stop]
        after = replaced(free, filled, vacated)
    write_free_slots(tx, files, width, free, after)
    if moves:
        tx.truncate(files.index, tx.size(files.index))  # no write of before takes these over
        entries = [(move.row["id"], 1, encode(move.new, width)) for move in moves]
        for pk, data in merged(entries):
            layout.index.put_entries(tx, pk, data)
        _move_keys(tx, rules, catalog, moves)
    return RowStep(window.stop, window.end, count)


def _window(tx: WriteSet, layout: Layout, free: list[int], first: int, most: int) -> _Window:
    """The rows to move; ``free`` are all free slots, ascending, of which the first one is there."""
    codec, size, files = layout.codec, layout.row_size, layout.files
    count = codec.slot_count(tx)
    dest = free[first]
    block = range(first, len(free))
    behind = first + bisect_right(block, dest - first, key=lambda place: free[place] - place)
    source = free[behind - 1] + 1
    end = min(count, source + _LOOK_FACTOR * most)
    window = _Window(dest, source, end, [], [], [])
    for start, data in codec.chunks(tx, source, end):
        for place, row in codec.placed_rows(start, data):
            window.olds.append(start + place)
            window.rows.append(row)
            window.lines.append(data[place * size : (place + 1) * size])
        if len(window.rows) >= most:
            for part in (window.olds, window.rows, window.lines):
                del part[most:]
            window = window._replace(end=window.olds[-1] + 1)
            break
    there = set(free[behind : bisect_left(free, window.end, behind)])
    for old in window.olds:
        if old in there:
            raise files.damaged(
                files.rows, old * size, "a deleted slot, by the free stack", "a row"
            )
    if len(window.olds) + len(there) != window.end - source:
        unlisted = set(range(source, window.end)) - there - set(window.olds)
        raise files.damaged(
            files.rows, min(unlisted) * size, "a row, as it is not on the free stack", b"*"
        )
    _refuse_rows(tx, layout, dest, min(source, window.stop))
    return window


def _refuse_rows(tx: WriteSet, layout: Layout, begin: int, end: int) -> None:
    """CorruptionError if one of these slots, which the free stack has, is not a deleted one."""
    size, files = layout.row_size, layout.files
    data = tx.read(files.rows, begin * size, (end - begin) * size)
    blank = _blank(layout)
    if data == blank * (end - begin):
        return
    for slot in range(begin, end):
        found = data[(slot - begin) * size : (slot - begin + 1) * size]
        if found != blank:
            raise files.damaged(files.rows, slot * size, "a deleted slot, by the free stack", found)


def _blank(layout: Layout) -> bytes:
    return b"*" * (layout.row_size - 1) + b"\n"


def _refuse_other_entries(tx: WriteSet, layout: Layout, moves: list[Move]) -> None:
    """CorruptionError unless the index says of each of these rows where it stands."""
    slots = {move.row["id"]: move.old for move in moves}
    ids = sorted(slots)
    if len(ids) == len(moves) and layout.index.says(tx, ids, [slots[pk] for pk in ids]):
        return
    files = layout.files
    for move in moves:
        pk = move.row["id"]
        found = layout.index.find(tx, pk)
        if found != move.old:
            offset = (pk - 1) * layout.int_width
            raise files.damaged(files.index, offset, f"slot {move.old}", str(found))


def _write_rows(tx: WriteSet, layout: Layout, window: _Window, count: int) -> None:
    name, size = layout.files.rows, layout.row_size
    is_last = window.end == count
    with moving_rows(tx, layout, window.stop if is_last else None):
        tx.write(name, window.dest * size, b"".join(window.lines))
        if not is_last:
            vacated = max(window.stop, window.source)  # up to there they were free already
            tx.write(name, vacated * size, _blank(layout) * (window.end - vacated))


def _move_keys(tx: WriteSet, rules: TableRules, catalog: Catalog, moves: list[Move]) -> None:
    """Let the indexes say where these rows are now.

    A row that the builder of an index has not come to yet was not looked at: it must not come to
    stand among those that were.
    """
    spec, keys = rules.spec, rules.keys
    if not keys:
        return
    codec = rules.layout.codec
    wanted = {name for index in spec.indexes for name in index.columns} & codec.text_fields.keys()
    if wanted:
        texts = TextReader(tx, rules.layout.files)
        moves = [
            move._replace(
                row={
                    **move.row,
                    **{
                        name: texts.get(move.row[name], codec.text_fields[name])
                        for name in wanted
                        if move.row[name] is not None
                    },
                }
            )
            for move in moves
        ]
    keys.move(tx, moves)
    indexes = tuple(_as_far_as_before(index, moves) for index in spec.indexes)
    if indexes != spec.indexes:
        changed = replace(spec, indexes=indexes)
        tables = {**catalog.tables, rules.name: changed}
        write_catalog(tx, replace(catalog, tables=tables), copy=False)


def _as_far_as_before(index: IndexSpec, moves: list[Move]) -> IndexSpec:
    """What the catalog says of an index behind these moves."""
    if index.built is None:
        return index
    first = next((move.new for move in moves if move.old >= index.built), index.built)
    return replace(index, built=min(first, index.built))
