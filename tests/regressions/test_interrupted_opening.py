"""Ctrl-C while a database opens or closes.

Once, each interrupt at the wrong call left descriptors open for good, with the locks on them: the
process's list of open files held what nobody else knew any more.
"""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from bazanite_wal.posix import POSIX
from seam import Seam
from store_support import descriptors, get, opened, put


def _use(path: Path, seam: Seam) -> None:
    store = opened(path, seam, lock_timeout=0)
    put(store, b"x")
    store.close()


def _interrupted(path: Path, seam: Seam) -> bool:
    """Open and close; whether the interrupt came.  Nothing of it is referred to on return."""
    store = None
    try:
        store = opened(path, seam, lock_timeout=0)
        store.close()
    except KeyboardInterrupt as error:
        error.__traceback__ = None  # the rule that raised it is in there: a cycle
        seam.rules.clear()
        seam.after_rules.clear()
        return True
    return False


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupted_open_or_close_leaves_no_descriptor_and_no_lock(
    tmp_path: Path, after: bool
) -> None:
    _use(tmp_path, Seam())
    counting = Seam()
    _interrupted(tmp_path, counting)
    calls = counting.calls
    steps = [n for n, call in enumerate(calls) if call[0] != "store" or not n % 64]
    gc.collect()
    before = descriptors()
    for step in steps:
        seam = Seam()
        seam.interrupt_at(step, KeyboardInterrupt(), after=after)
        _interrupted(tmp_path, seam)
        assert descriptors() == before, (step, calls[step])
        _interrupted(tmp_path, seam)  # the same process opens it again
        other = opened(tmp_path, Seam(), lock_timeout=0)  # and another one
        assert get(other) == b"x"
        other.close()
        del other
        assert descriptors() == before, (step, calls[step])


def test_a_handle_that_is_dropped_is_closed(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=False)
    before = descriptors()
    directory.create("a.dat")
    directory.open_lock(".lock").try_lock()
    directory.open_words(".shared", 8, create=True)
    assert descriptors() == before
    directory.close()
