"""Quantiles, and how evenly something was shared.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TypeVar

Number = TypeVar("Number", int, float)


def at(ordered: Sequence[Number], share: float) -> Number:
    """The smallest of these values in order that so large a share does not exceed; 0 of none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0


def quantile(values: Sequence[Number], share: float) -> Number:
    """The same of values in any order."""
    return at(sorted(values), share)


def fairness(counts: Sequence[int]) -> float:
    """The fewest of a process (or thread) through the most; 0 if somebody had none."""
    return min(counts) / max(counts) if min(counts, default=0) else 0.0
