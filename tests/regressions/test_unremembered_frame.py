"""An insert was refused with "nothing was done", and its row was there after the next start.

The frame was written and counted; then the overlay took it in, and for that asked the system how
long a file was.  When that failed, the error was told as if the transaction had been rolled back.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bazanite_wal import shared
from seam import Seam
from store_support import core, get, opened, put


@pytest.mark.parametrize("alone", [True, False])
def test_a_frame_that_the_overlay_cannot_take_in_is_committed_all_the_same(
    tmp_path: Path, alone: bool
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    if not alone:
        opened(tmp_path, Seam())
    put(store, b"old")
    core(store).drop_overlay()
    failed: list[str] = []

    def fail_behind_the_end() -> None:
        seam.after_rules.clear()
        seam.fail("size", "a.dat", OSError(errno.EIO, "no answer"))
        failed.append("armed")

    def watch(operation: str, name: str, _index: int) -> None:
        if (operation, name) == ("store", str(shared.END)):
            fail_behind_the_end()

    seam.after_rules.append(watch)
    put(store, b"new")
    assert failed == ["armed"]
    seam.rules.clear()
    assert get(store) == b"new"
    put(store, b"newer")
    assert get(store) == b"newer"
