"""Making very many objects at once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def made_at_once(make: Callable[[], _T]) -> _T:
    """What ``make`` returns, made while Python's cyclic garbage collector rests.

    It would look at all the new objects again and again, none of which can be garbage: a third of
    the time that a bulk load takes.  For all threads, so ``make`` takes some seconds at the most.
    """
    if not gc.isenabled():
        return make()
    try:
        gc.disable()
        return make()
    finally:
        gc.enable()
