"""The stack of freed slots: the last one freed is the first one used again.

A vacuum takes all of it as a list: ``free_slots`` and ``write_free_slots``.

Invariant: every entry names a slot that is deleted, and no slot twice; a pop that finds otherwise
is an error, because the insert would overwrite a live row.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import compress, pairwise
from operator import ne

from bazanite_wal.layer import View, WriteSet

from .files import TableFiles
from .index import encode

_MANY_RUNS = 16


class FreeStack:
    """The stack as it is when made, in a transaction; pops are written by ``save``."""

    def __init__(self, view: View, files: TableFiles, width: int) -> None:
        self._view = view
        self._files = files
        self._width = width
        size = view.size(files.free)
        self.count, rest = divmod(size, width)
        self._stored_count = self.count
        if rest:
            raise files.damaged(
                files.free, size - rest, f"slot numbers of {width} bytes", f"{rest} bytes more"
            )

    def pop(self, row_size: int) -> int | None:
        """The slot to use next, None if there is none; CorruptionError unless it is deleted."""
        return self.take(row_size) if self.count else None

    def take(self, row_size: int) -> int:
        """The slot to use next, of a stack that is not empty; CorruptionError as above."""
        self.count -= 1
        offset = self.count * self._width
        slot = self.entry(self.count)
        stars = b"*" * (row_size - 1) + b"\n"
        if self._view.read(self._files.rows, slot * row_size, row_size) != stars:
            expected = "the number of a deleted slot"
            raise self._files.damaged(self._files.free, offset, expected, str(slot))
        return slot

    def entry(self, index: int) -> int:
        """The slot at this place of the stack, counted from the bottom."""
        offset = index * self._width
        data = self._view.read(self._files.free, offset, self._width)
        digits = data.rstrip(b" ")
        if len(data) != self._width or not digits.isdigit():
            expected = f"a slot number in {self._width} bytes"
            raise self._files.damaged(self._files.free, offset, expected, data)
        return int(digits)

    def save(self, tx: WriteSet) -> None:
        """Take the popped entries off the file."""
        if self.count != self._stored_count:
            tx.truncate(self._files.free, self.count * self._width)
            self._stored_count = self.count

    def push(self, tx: WriteSet, slot: int) -> None:
        """Put a freed slot on top."""
        tx.write(self._files.free, self.count * self._width, encode(slot, self._width))
        self.count += 1
        self._stored_count = self.count


def free_slots(view: View, files: TableFiles, width: int, slot_count: int) -> list[int]:
    """The whole stack, from the bottom; CorruptionError unless each is another one of the slots."""
    stack = FreeStack(view, files, width)
    data = view.read(files.free, 0, stack.count * width)
    slots: list[int] = []
    if len(data) == stack.count * width and not data.translate(None, b"0123456789 "):
        entries = [data[start : start + width] for start in range(0, len(data), width)]
        with suppress(ValueError):
            slots = list(map(int, entries))
    if len(slots) != stack.count or b" " in data[::width]:  # the look at each tells what it is
        slots = [stack.entry(place) for place in range(stack.count)]
    if slots and (max(slots) >= slot_count or len(set(slots)) != len(slots)):
        seen: set[int] = set()
        for place, slot in enumerate(slots):
            if slot >= slot_count or slot in seen:
                expected = f"another one of {slot_count} slots"
                raise files.damaged(files.free, place * width, expected, str(slot))
            seen.add(slot)
    return slots


def replaced(slots: list[int], old: list[int], new: list[int]) -> list[int]:
    """The stack with other slots in the places of these; mostly they are side by side."""
    if not old:
        return slots
    start = slots.index(old[0])
    if slots[start : start + len(old)] == old:
        return [*slots[:start], *new, *slots[start + len(old) :]]
    instead = dict(zip(old, new, strict=True))
    return [instead.get(slot, slot) for slot in slots]


def write_free_slots(
    tx: WriteSet, files: TableFiles, width: int, before: list[int], after: list[int]
) -> None:
    """Let the stack be another one, no longer than before, or another order of the same slots.

    Written where it differs.  If that is in many places it is sorted, so that the next time those
    that a vacuum takes stand side by side.
    """
    changed = map(ne, after, before)
    places = list(compress(range(len(after)), changed))
    starts = [n for n, place in enumerate(places) if not n or places[n - 1] + 1 != place]
    if len(starts) > _MANY_RUNS:
        tx.write(files.free, 0, b"".join([encode(slot, width) for slot in sorted(after)]))
    else:
        for start, end in pairwise([*starts, len(places)]):
            run = after[places[start] : places[end - 1] + 1]
            data = b"".join([encode(slot, width) for slot in run])
            tx.write(files.free, places[start] * width, data)
    if len(after) < len(before):
        tx.truncate(files.free, len(after) * width)
