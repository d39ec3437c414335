"""A database that was closed from within its own backup was not closed properly.

That is what a handler of SIGTERM does, or a function that is told the backup's progress; calls of
other threads are waited for.

The last to leave checkpoints, and a checkpoint leaves alone a log that is held.  So `close`
returned with the log as it was: with `durability="off"` its header went on to say that only this
boot may trust the files, and after a restart of the machine a directory that had been closed was
refused.  Whoever is alone attached need not ask: only a backup of its own can hold the log, or one
that is dying, and neither has a use for it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal.errors import DBError
from bazanite_wal.offline import open_offline
from seam import Seam
from store_support import get, opened, put


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
@pytest.mark.parametrize("moment", [("create", "a.dat"), ("create", "wal.log.new")])
def test_what_was_closed_in_a_backup_is_safe_in_the_next_boot(
    tmp_path: Path, durability: str, moment: tuple[str, str]
) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam, durability=durability)
    put(store, b"x" * 5000)
    seam.when(*moment, store.close)
    with pytest.raises(DBError):
        store.backup(str(tmp_path / "copy"))
    assert not list((tmp_path / "copy").iterdir())
    with open_offline(str(tmp_path / "data")) as offline:
        assert offline.scan is not None
        assert not offline.scan.header.unsafe
        assert not offline.scan.frames
    assert get(opened(tmp_path / "data", Seam(boot="f" * 36))) == b"x" * 5000
