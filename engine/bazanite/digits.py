"""Consecutive numbers as fixed-width text, a thousand at a time.

Pure.  Ids and slots mostly come in a row; their last three digits are always the same text, so a
table of a hundred thousand rows costs a hundred replacements instead of as many conversions.
"""

from __future__ import annotations

from functools import lru_cache

_BLOCK = 1000


def consecutive(first: int, count: int, width: int) -> bytes:
    """The numbers from ``first`` on, each padded with spaces; the last one must fit the width."""
    end = first + count
    pieces: list[bytes] = []
    while first < end:
        thousands, start = divmod(first, _BLOCK)
        stop = min(_BLOCK, start + end - first)
        if thousands:
            prefix = b"%d" % thousands
            size = width + 1 - len(prefix)
            block = _block(size)[start * size : stop * size]
            pieces.append(block.replace(b"\0", prefix))
        else:
            pieces.append((b"%%-%dd" % width * (stop - start)) % tuple(range(start, stop)))
        first += stop - start
    return b"".join(pieces)


@lru_cache(maxsize=32)
def _block(size: int) -> bytes:
    """A NUL for what stands in front, and three digits, for each number below 1000."""
    return b"".join((b"\0%03d" % number).ljust(size) for number in range(_BLOCK))
