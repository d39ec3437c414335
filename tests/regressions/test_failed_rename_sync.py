"""A directory sync that failed in recovery was taken for a full disk, and believed the second time.

Recovery puts its verified frames into a new log; where there is no room for one it rewrites the old
log in place.  The check for that also saw the sync of the directory behind the rename: an ENOSPC
there let recovery go on over a name that may not be durable, and the next sync of the directory,
which answers for nothing older, was believed.  An acknowledged commit could go with the name.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bazanite_wal.errors import DirectoryError
from seam import Seam
from store_support import LOG, NEW, frames_in, get, opened, put


def killed(path: Path) -> None:
    seam = Seam()
    put(opened(path, seam), b"kept")
    seam.kill()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failed_sync_behind_the_rename_ends_recovery(tmp_path: Path, code: int) -> None:
    killed(tmp_path)
    frames, seam = frames_in(tmp_path), Seam()
    seam.fail("sync", ".", OSError(code, os.strerror(code)))
    with pytest.raises(DirectoryError):
        opened(tmp_path, seam)
    assert frames_in(tmp_path) == frames
    assert get(opened(tmp_path)) == b"kept"


@pytest.mark.parametrize("operation", ["create_successor", "write_at", "sync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_a_second_log_lets_recovery_write_in_place(
    tmp_path: Path, operation: str, code: int
) -> None:
    killed(tmp_path)
    seam = Seam()
    seam.fail(operation, NEW, OSError(code, os.strerror(code)))
    store = opened(tmp_path, seam)
    assert get(store) == b"kept"
    assert not (tmp_path / NEW).exists()
    written = [name for call, name in seam.calls if call == "write_at"]
    assert LOG in written
    put(store, b"more")
    store.close()
    assert get(opened(tmp_path)) == b"more"
