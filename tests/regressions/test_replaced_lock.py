"""A lock file that was removed or replaced while the database was in use gave it two owners.

Who had the database open went on with the file that had lost its name, and whoever opened it later
made a new one and got its lock at once: both appended to one log.  The shared words now say which
files the locks are, and an opener that finds others is refused until everybody has left.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from bazanite_wal.errors import DirectoryError
from seam import Seam
from store_support import descriptors, get, opened, put


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("name", [".lock", ".sync"])
def test_an_opener_that_finds_another_lock_file_is_refused(
    tmp_path: Path, name: str, replaced: bool
) -> None:
    holder = opened(tmp_path, Seam())
    put(holder, b"acknowledged")
    if replaced:
        (tmp_path / "other").touch()
        os.replace(tmp_path / "other", tmp_path / name)
    else:
        (tmp_path / name).unlink()
    before = descriptors()
    with ExitStack() as held:
        if name == ".lock":
            held.enter_context(holder.lock())
        with pytest.raises(DirectoryError, match=f"{name} was removed or replaced"):
            opened(tmp_path, Seam(), lock_timeout=0)
    assert descriptors() == before
    put(holder, b"A")
    assert get(holder) == b"Acknowledged"
    holder.close()
    again = opened(tmp_path, Seam())  # all have left: the new file is as good as any
    assert get(again) == b"Acknowledged"
    second = opened(tmp_path, Seam())
    assert get(second) == b"Acknowledged"
    second.close()
    again.close()
