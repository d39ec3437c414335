"""`checkpoint`, `archive` and `close` said that a transaction was durable, though they made none.

With "normal" and "off" they may be the first to put frames into the table files.  On a full disk
what a commit says then (CommittedNotApplied) came out of them, too, instead of the DirectoryError
that they promise; so did CommitUncertain out of the first two.  A `close` says that on purpose: its
sync may be the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite_wal.errors import DirectoryError
from bazanite_wal.store import Store
from seam import Seam
from store_support import core, get, opened, put

CALLS: dict[str, Callable[[Store], object]] = {
    "checkpoint": lambda store: store.checkpoint(),
    "archive": lambda store: store.archive(1 << 20),
    "close": lambda store: store.close(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_full_disk_is_a_directory_error(tmp_path: Path, call: str) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal")
    put(store, b"old")
    put(store, b"new")
    seam.fail("write_at", "a.dat", OSError(28, "No space left on device"), times=20)
    with pytest.raises(DirectoryError, match="No space left"):
        CALLS[call](store)
    seam.rules.clear()
    assert store.closed == (call == "close")
    again = opened(tmp_path, Seam(), durability="normal") if store.closed else store
    assert get(again) == b"new"
    again.checkpoint()


@pytest.mark.parametrize("call", ["checkpoint", "archive"])
def test_so_is_a_sync_that_somebody_else_does_not_end(tmp_path: Path, call: str) -> None:
    options = {"durability": "normal", "commit_timeout": 0.05}
    store = opened(tmp_path, Seam(), **options)
    put(store, b"old")
    other = opened(tmp_path, Seam(), durability="normal")
    put(store, b"new")
    assert core(other).sync_file.try_lock()
    with pytest.raises(DirectoryError):
        CALLS[call](store)
    core(other).sync_file.unlock()
    assert get(other) == b"new"
    other.checkpoint()
