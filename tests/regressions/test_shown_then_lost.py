"""A reader went back to a state before the one that it had shown.

With durability "normal" the last writer's sync failed as it left, and took the newest commits with
it, as that level allows.  Attached processes are refused then.  A handle that only reads was not
attached, found nobody there, and showed what was left on disk as if nothing had happened.  Then it
was refused, but only until others had written more; and it was refused for no reason where somebody
had put an older copy in the directory's place and opened that several times.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from bazanite_wal.errors import PoisonedError
from read_only_support import looking, quick
from seam import Seam
from store_support import LOG, SMALL, get, opened, put


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
    put(opened(tmp_path, Seam()), b"newer")  # recovered: the log goes on behind all that was shown
    for read in (get, quick):
        with pytest.raises(PoisonedError, match="a state that was shown here is not on disk"):
            read(reader)


def test_an_older_copy_in_its_place_is_read_however_often_it_was_opened(tmp_path: Path) -> None:
    path, copy, kept = (tmp_path / name for name in ("data", "copy", "kept"))
    store = opened(path, Seam(), log_size_bytes=SMALL)
    put(store, b"old")
    store.backup(str(copy))
    put(store, b"new" * 100_000)
    reader = looking(path, Seam())
    assert get(reader).startswith(b"new")
    store.close()
    kept.mkdir()
    for file in [*path.glob("[!.]*")]:  # the lock stays
        file.rename(kept / file.name)
    for file in copy.iterdir():
        shutil.copy(file, path)
    for _ in range(6):
        opened(path, Seam(), log_size_bytes=SMALL).close()
    assert get(reader) == quick(reader) == b"old"
