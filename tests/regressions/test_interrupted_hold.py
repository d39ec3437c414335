"""An interrupt at the end of a backup's first step held the log for as long as it was remembered.

The log was held already, and the lock just being freed: what frees the log again stood behind that.
The file was closed when the exception was forgotten, which an interactive session, or a program
that keeps its last error to show it, does not do: no checkpoint emptied the log meanwhile.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal import shared
from seam import Seam
from store_support import opened, put, word


def test_a_backup_that_was_interrupted_while_it_freed_the_lock_holds_no_log(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"x")
    error = KeyboardInterrupt()
    seam.when(
        "store", str(shared.HOLD), lambda: seam.fail("store", str(shared.BUSY), error), after=True
    )
    with pytest.raises(KeyboardInterrupt):
        store.backup(str(tmp_path / "copy"))
    assert error.__traceback__ is not None  # kept, and with it all that its frames name
    generation = word(other, shared.GENERATION)
    put(other, b"y")
    other.checkpoint()
    assert word(other, shared.GENERATION) > generation
    assert not word(other, shared.HOLD)
