"""What the id index and the free stack say of a table's rows, as second witnesses.

A row's id stands in its slot, and in the index its slot; a deleted slot is on the free stack.  None
of these is believed against the others where it can be damaged itself: a row that can be read is
saved, whatever contradicts it is told.  Only where two slots claim one id, or two witnesses say
that a row was deleted, one is left out.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from bazanite_wal.layer import View

from ..check_layout import is_no_entry, parse_number
from ..check_reader import BitSet
from ..files import CHUNK_SIZE_BYTES
from ..index import FILLED_GAP_BYTES
from .slots import SlotReader


@dataclass(slots=True)
class Stray:
    """An entry of the id index whose slot does not hold a row of this id."""

    id: int
    slot: int


@dataclass(slots=True)
class Witnesses:
    """What the index and the stack say.

    ``named`` are slots whose row the index has there, ``freed`` those on the stack.  ``whole`` if
    every entry can be read and all ids given out are covered; ``told`` what is wrong.
    """

    named: BitSet
    freed: BitSet
    strays: list[Stray] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    whole: bool = True
    entries: int = 0

    def damage(self, what: str) -> None:
        """Something in the index is not as it should be."""
        self.told.append(what)
        self.whole = False


def hear(reader: SlotReader, ids: array[int], sequence: int | None) -> Witnesses:
    """Read the index and the stack of a table in whose slots these ids stand (0: none)."""
    view, files, width = reader.source.view, reader.files, reader.layout.int_width
    found = Witnesses(BitSet(len(ids)), BitSet(len(ids)))
    _hear_index(view, reader, ids, found)
    missing = files.index not in reader.source.files.names()
    if sequence is not None and found.entries < sequence and not missing:
        found.damage(
            f"{files.index} ends at id {found.entries}, and ids up to {sequence} were given out"
        )
    for _, entry in _entries(view, files.free, width):
        slot = parse_number(entry)
        if slot is None or slot >= len(ids):
            found.told.append(f"{files.free} has entries that are no deleted slots")
        else:
            found.freed.add(slot)
    if view.size(files.free) % width:
        found.told.append(f"{files.free} is not whole entries")
    found.told = list(dict.fromkeys(found.told))
    return found


def _hear_index(view: View, reader: SlotReader, ids: array[int], found: Witnesses) -> None:
    name, width = reader.files.index, reader.layout.int_width
    size = view.size(name)
    found.entries = size // width
    if name not in reader.source.files.names() and len(ids):
        found.damage(f"{name} is missing")
    if size % width:
        found.damage(f"{name} is not whole entries")
    broken = last = 0
    for row_id, entry in _entries(view, name, width):
        if entry[:1] == b"\0" and is_no_entry(entry):
            continue
        broken += _unwritten(row_id - last - 1, width)
        last = row_id
        slot = parse_number(entry)
        if slot is not None and slot >= 0:
            if slot < len(ids) and ids[slot] == row_id:
                found.named.add(slot)
            else:
                found.strays.append(Stray(row_id, slot))
        elif not is_no_entry(entry):
            broken += 1
    broken += _unwritten(found.entries - last, width)
    if broken:
        found.damage(f"{name} has {broken} entries that cannot be read or were never written")


def _unwritten(zeros: int, width: int) -> int:
    """How many of so many entries that are zeros are damage: all, unless it is a gap of ids."""
    return zeros if zeros * width < FILLED_GAP_BYTES else 0


def _entries(view: View, name: str, width: int) -> Iterator[tuple[int, bytes]]:
    """(number, counted from 1, bytes) of each whole entry; long holes are passed over."""
    end = view.size(name) // width * width
    step = CHUNK_SIZE_BYTES // width * width
    start = 0
    while start < end:
        data = view.read(name, start, min(step, end - start))
        if len(data) == step and not data.strip(b"\0"):
            following = view.next_data(name, start + step)
            start = end if following is None else following // width * width
            continue
        for place in range(0, len(data) // width * width, width):
            yield (start + place) // width + 1, data[place : place + width]
        start += step


def entry_of(reader: SlotReader, row_id: int) -> bytes:
    """The index entry of an id, empty behind the end."""
    width = reader.layout.int_width
    return reader.source.view.read(reader.files.index, (row_id - 1) * width, width)


def claims(ids: array[int]) -> dict[int, list[int]]:
    """The slots of each id that several slots claim."""
    seen: set[int] = set()
    twice: set[int] = set()
    for row_id in ids:
        if row_id > 0:
            (twice if row_id in seen else seen).add(row_id)
    found: dict[int, list[int]] = defaultdict(list)
    if twice:
        for slot, row_id in enumerate(ids):
            if row_id in twice:
                found[row_id].append(slot)
    return dict(found)


def in_order(ids: array[int], slot: int, twice: dict[int, list[int]]) -> bool:
    """Whether a slot's id fits between those of its neighbours, as where rows were only added."""
    before = next((ids[s] for s in range(slot - 1, max(slot - 5, -1), -1)
                   if ids[s] > 0 and ids[s] not in twice), None)  # fmt: skip
    after = next((ids[s] for s in range(slot + 1, min(slot + 5, len(ids)))
                  if ids[s] > 0 and ids[s] not in twice), None)  # fmt: skip
    return (before is None or before < ids[slot]) and (after is None or ids[slot] < after)
