"""Making very many objects at once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

from bazanite_wal import posix

_T = TypeVar("_T")
_resting: list[object] = []
"""One entry for each call that lets the collector rest."""


def _go_on_in_child() -> None:
    """A forked child has none of the threads that would wake the collector."""
    if _resting:
        _resting.clear()
        gc.enable()


posix.in_child.append(_go_on_in_child)


def made_at_once(make: Callable[[], _T]) -> _T:
    """What ``make`` returns, made while Python's cyclic garbage collector rests.

    It would look at all the new objects again and again, none of which can be garbage: a third of
    the time that a bulk load takes.  For all threads, so ``make`` takes some seconds at the most.
    """
    if not gc.isenabled():
        return make()
    mine = object()
    try:
        _resting.append(mine)
        gc.disable()
        return make()
    finally:
        gc.enable()
        if mine in _resting:  # else this thread forked
            _resting.remove(mine)
