"""What a batch of inserts is about to write: rows by slot and slots by id, each in long runs.

Pure.  Rows come one by one or a chunk at a time; ``merged`` puts together what lies side by side,
so that a bulk load is one write of a file, however it came.
"""

from __future__ import annotations

from collections.abc import Sequence

from .digits import consecutive
from .index import encode

Piece = tuple[int, int, bytes]
"""First key, how many keys, their bytes."""


def merged(pieces: list[Piece]) -> list[tuple[int, bytes]]:
    """(first key, bytes) of each run of keys, in their order; every key is in one piece."""
    runs: list[tuple[int, list[bytes]]] = []
    end = -1
    for first, count, data in sorted(pieces):
        if first == end:
            runs[-1][1].append(data)
        else:
            runs.append((first, [data]))
        end = first + count
    return [(first, b"".join(parts)) for first, parts in runs]


class NewIds:
    """The ids of a batch, and their slots: ranges of both, and others one by one."""

    def __init__(self) -> None:
        self._ranges: list[tuple[range, int]] = []
        self._slots: dict[int, int] = {}

    def __contains__(self, pk: object) -> bool:
        return pk in self._slots or (bool(self._ranges) and self._in_range(pk))

    def _in_range(self, pk: object) -> bool:
        return any(pk in ids for ids, _ in self._ranges)

    def meets(self, ids: Sequence[int]) -> bool:
        """Whether one of these ids is there already."""
        if self._slots and not self._slots.keys().isdisjoint(ids):
            return True
        first, last = (ids[0], ids[-1]) if isinstance(ids, range) else (min(ids), max(ids))
        near = [known for known, _ in self._ranges if known.start <= last and first < known.stop]
        return bool(near) and (isinstance(ids, range) or any(pk in r for r in near for pk in ids))

    def add(self, pk: int, slot: int) -> None:
        """This id stands at this slot."""
        self._slots[pk] = slot

    def add_all(self, ids: Sequence[int], slots: Sequence[int]) -> None:
        """These ids stand at these slots."""
        if not (isinstance(ids, range) and isinstance(slots, range)):
            self._slots.update(zip(ids, slots, strict=True))
            return
        if self._ranges:
            known, slot = self._ranges[-1]
            if known.stop == ids.start and slot + len(known) == slots.start:
                self._ranges[-1] = (range(known.start, ids.stop), slot)
                return
        self._ranges.append((ids, slots.start))

    def pieces(self, width: int) -> list[Piece]:
        """Their index entries.

        ValidationError if a slot that came alone does not fit the width; ranges do.
        """
        pieces = [
            (ids.start, len(ids), consecutive(slot, len(ids), width)) for ids, slot in self._ranges
        ]
        pieces += [(pk, 1, encode(self._slots[pk], width)) for pk in sorted(self._slots)]
        return pieces
