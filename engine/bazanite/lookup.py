"""Finding rows by an index instead of reading the whole table.

Pure over a view.  The index gives candidates, whose own values decide, so the result is that of the
search without it, in the same order; None whenever the index is of no use.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from bazanite_wal.layer import View

from .cond import EQ, GT, LT, BaseCond, FieldCond
from .errors import ValidationError
from .keyed import TableIndex, TableKeys
from .row import Row

_SHARE = 16
"""Of more rows than one in so many, reading all of them costs less than each by itself."""
_FEW = 64
"""So many are found before it is asked how many rows there are."""


def by_index(view: View, keys: TableKeys, cond: BaseCond) -> list[Row] | None:
    """The rows that fulfil the condition, in slot order; None: search without an index."""
    if type(cond) not in (EQ, LT, GT):
        return None
    assert isinstance(cond, FieldCond)
    index = _best(keys, cond)
    if index is None:
        return None
    try:
        low, high = _bounds(index, cond)
    except ValidationError:
        return None  # values that cannot be compared: the search says what that means
    codec = index.layout.codec
    found = _slots(view, index, low, high)
    slots = list(islice(found, _FEW))
    if len(slots) == _FEW:
        most = codec.slot_count(view) // _SHARE
        slots += islice(found, max(most - _FEW, 0))
        if next(found, None) is not None:
            return None
    rows = [codec.live_row_at(view, slot) for slot in sorted(slots)]
    return [row for row in rows if cond.eval(row)]


def _best(keys: TableKeys, cond: FieldCond) -> TableIndex | None:
    """The ready index of which most leading columns are in the condition."""
    best, most = None, 0
    for index in keys.all:
        if index.spec.ready:
            used = _leading(index, cond)
            if used > most:
                best, most = index, used
    return best


def _leading(index: TableIndex, cond: FieldCond) -> int:
    """How many of its first columns the condition can use: of a range the first one."""
    used = 0
    for name in index.spec.columns:
        if name not in cond.params:
            break
        used += 1
    return used if type(cond) is EQ else min(used, 1)


def _bounds(index: TableIndex, cond: FieldCond) -> tuple[bytes, bytes]:
    names = index.spec.columns[: _leading(index, cond)]
    if type(cond) is EQ:
        return index.maker.bounds([cond.params[name] for name in names])
    value = cond.params[names[0]]
    if value is None:
        raise ValidationError("nothing is less or greater than NULL")
    return index.maker.bounds([], high=value) if type(cond) is LT else index.maker.bounds([], value)


def _slots(view: View, index: TableIndex, low: bytes, high: bytes) -> Iterator[int]:
    if low == high:
        return iter(index.tree.find(view, low))
    return (slot for _, slot in index.tree.range(view, low, high))
