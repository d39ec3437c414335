"""Which rows are asked for: the distributions of YCSB.  Pure; the caller has the generator.

The method is Gray et al., "Quickly generating billion-record synthetic databases" (SIGMOD 1994),
which YCSB uses: a rank is drawn in constant time, rank 0 the most frequent.
"""

from __future__ import annotations

from functools import lru_cache
from math import fsum
from random import Random

THETA = 0.99
"""YCSB's skew: of 10,000 rows the most frequent one gets about a tenth of all requests."""

_SUMMED = 10_000
_FNV_OFFSET, _FNV_PRIME, _WORD = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


@lru_cache(maxsize=64)
def zeta(count: int, theta: float = THETA) -> float:
    """The sum of ``i ** -theta`` for i from 1 to ``count``; from 10,000 on by Euler-Maclaurin."""
    head = fsum(i**-theta for i in range(1, min(count, _SUMMED) + 1))
    if count <= _SUMMED:
        return head
    power = 1 - theta
    integral: float = (float(count) ** power - float(_SUMMED) ** power) / power
    ends: float = (float(count) ** -theta - float(_SUMMED) ** -theta) / 2
    return head + integral + ends


class Zipfian:
    """Ranks from 0 to ``count - 1``; rank i is as likely as ``(i + 1) ** -theta`` says."""

    def __init__(self, count: int, random: Random, theta: float = THETA) -> None:
        self._count = count
        self._random = random.random
        self._zeta = zeta(count, theta)
        self._alpha = 1 / (1 - theta)
        self._second = 1 + 0.5**theta
        rest = 1 - zeta(2, theta) / self._zeta if count > 2 else 1.0
        self._eta = (1 - (2 / count) ** (1 - theta)) / rest

    def rank(self) -> int:
        """Draw one."""
        share = self._random()
        scaled = share * self._zeta
        if scaled < 1:
            return 0
        if scaled < self._second:
            return min(1, self._count - 1)
        place = int(self._count * (self._eta * share - self._eta + 1) ** self._alpha)
        return min(place, self._count - 1)


def scrambled(rank: int, count: int) -> int:
    """The row, from 0 on, that has this rank: frequent rows do not stand side by side.

    FNV-1a of the rank's eight bytes, as YCSB; two ranks may be one row.
    """
    value = _FNV_OFFSET
    for byte in rank.to_bytes(8, "little"):
        value = ((value ^ byte) * _FNV_PRIME) & _WORD
    return value % count
