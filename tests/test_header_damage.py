"""Damage to the newest log header.

Once, a single damaged byte in the newest header slot made recovery fall back to the generation
before, find none of its frames (newer ones had overwritten them), and call the log clean and
empty: acknowledged transactions vanished without a word.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bazanite_wal.errors import CorruptionError
from bazanite_wal.header import LINE_SIZE, newest_header
from bazanite_wal.store import open_store
from seam import Seam
from test_store_kill import options, put, value_of


def killed_directory(path: Path) -> bytes:
    """A directory with acknowledged frames that only the log of its newest generation has."""
    seam = Seam()
    store = open_store(str(path), options("full"), seam)
    for value in range(1, 5):
        put(store, value)
    seam.kill()
    for name in ("a.dat", "b.dat"):
        (path / name).write_bytes(b"")  # as if the power had gone before the files were synced
    return (path / "wal.log").read_bytes()


def test_any_flipped_byte_of_the_newest_header_is_refused_and_changes_nothing(
    tmp_path: Path,
) -> None:
    log = killed_directory(tmp_path / "killed")
    header = newest_header(log)
    assert header is not None
    for position in range(0, LINE_SIZE, 3):
        path = tmp_path / f"{position}"
        shutil.copytree(tmp_path / "killed", path)
        damaged = bytearray(log)
        damaged[header.slot_offset + position] ^= 1
        (path / "wal.log").write_bytes(damaged)
        with pytest.raises(CorruptionError, match="later generation") as caught:
            open_store(str(path), options("full"))
        assert caught.value.offset == header.slot_offset
        assert (path / "wal.log").read_bytes() == damaged


def test_a_torn_header_of_a_generation_without_frames_is_passed_over(tmp_path: Path) -> None:
    log = killed_directory(tmp_path / "killed")
    header = newest_header(log)
    assert header is not None
    torn = bytearray(log)
    other = 4096 - header.slot_offset
    torn[other : other + 100] = b"x" * 100  # what a power cut in a checkpoint can leave
    (tmp_path / "killed" / "wal.log").write_bytes(torn)
    store = open_store(str(tmp_path / "killed"), options("full"))
    assert value_of(store) == 4
    store.close()
