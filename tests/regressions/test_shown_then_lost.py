"""A reader went back to a state before the one that it had shown.

With durability "normal" the last writer's sync failed as it left, and took the newest commits with
it, as that level allows.  Attached processes are refused then.  A handle that only reads was not
attached, found nobody there, and showed what was left on disk as if nothing had happened.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bazanite_wal.errors import PoisonedError
from read_only_support import looking
from seam import Seam
from store_support import LOG, get, opened, put


def test_who_showed_what_a_failed_sync_lost_shows_nothing_any_more(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal", sync_seconds=1000)
    put(store, b"old")
    store.checkpoint()
    on_disk = {file: file.read_bytes() for file in tmp_path.glob("*a*")} | {
        tmp_path / LOG: (tmp_path / LOG).read_bytes()
    }
    put(store, b"new")
    reader = looking(tmp_path, Seam())
    assert get(reader) == b"new"
    seam.fail("sync_data", LOG, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(PoisonedError):
        store.close()
    for file, data in on_disk.items():  # as the page cache lets go of what it could not write
        with file.open("r+b") as changed:
            changed.write(data)
    for _ in range(2):
        with pytest.raises(PoisonedError, match="a state that was shown here is not on disk"):
            get(reader)
    assert get(looking(tmp_path, Seam())) == b"old"
