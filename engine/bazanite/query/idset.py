"""A set of ids in little memory: a bit for each, where they lie close to each other.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

_BITS = 8
_SIZE = 1 << _BITS


class IdSet:
    """Ids, which are positive numbers; a block of bits for each stretch in which some are."""

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def __contains__(self, pk: int) -> bool:
        return bool(self._blocks.get(pk >> _BITS, 0) >> (pk & (_SIZE - 1)) & 1)

    def add(self, ids: Sequence[int]) -> None:
        """Put these in."""
        if not ids:
            return
        first, last = ids[0], ids[-1]
        blocks = self._blocks
        if last - first == len(ids) - 1 and list(ids) == list(range(first, last + 1)):
            for number in range(first >> _BITS, (last >> _BITS) + 1):
                low = max(first - (number << _BITS), 0)
                high = min(last - (number << _BITS) + 1, _SIZE)
                blocks[number] = blocks.get(number, 0) | ((1 << high) - (1 << low))
            return
        for pk in ids:
            number = pk >> _BITS
            blocks[number] = blocks.get(number, 0) | 1 << (pk & (_SIZE - 1))
