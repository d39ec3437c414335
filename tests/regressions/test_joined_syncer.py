"""A process opened the log beside another one, while a frame in it was not durable.  Before that,
the kernel had failed to write the frame back, and would tell only those who had the log open then.
The newcomer's sync said that all is well, so it moved DURABLE over a frame that was on no disk; its
own acknowledged transaction stood behind it, and went with it when the power did.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import DirectoryError
from seam import Killed, Seam
from store_support import LOG, get, opened, put, unsynced, word


def log_calls(seam: Seam, start: int) -> list[str]:
    """What was done to the log from that call on: writes and syncs."""
    calls = [call for call in seam.calls[start:] if call[1] == LOG]
    return [call[0] for call in calls if call[0] in ("write_at", "sync_data")]


def test_who_joined_writes_the_frames_that_are_not_durable_again_before_its_first_sync(
    tmp_path: Path,
) -> None:
    first, seam = opened(tmp_path, Seam()), Seam()
    put(first, b"old")
    unsynced(first, b"new")
    second = opened(tmp_path, seam)
    assert word(second, shared.DURABLE) < word(second, shared.END)
    start = len(seam.calls)
    put(second, b"!", offset=3)
    # own frame; all frames that are not durable, the newest header; sync
    assert log_calls(seam, start) == ["write_at"] * 3 + ["sync_data"]
    start = len(seam.calls)
    put(second, b"?", offset=4)
    assert log_calls(seam, start) == ["write_at", "sync_data"]  # its own errors it hears
    assert get(second) == b"new!?"


def test_a_frame_that_repair_adopts_is_written_again_too(tmp_path: Path) -> None:
    dying, seam = Seam(), Seam()
    witness, first = opened(tmp_path, Seam()), opened(tmp_path, dying)
    put(witness, b"old")
    dying.kill_before("store", str(shared.END))
    with pytest.raises(Killed):
        put(first, b"new")
    assert word(witness, shared.DURABLE) == word(witness, shared.END)
    second = opened(tmp_path, seam)
    start = len(seam.calls)
    with second.lock():
        pass
    assert log_calls(seam, start) == ["write_at", "write_at", "sync_data"]
    assert get(second) == b"new"


def test_who_joined_a_durable_log_writes_nothing_again(tmp_path: Path) -> None:
    first, seam = opened(tmp_path, Seam()), Seam()
    put(first, b"old")
    second = opened(tmp_path, seam)
    start = len(seam.calls)
    put(second, b"!", offset=3)
    assert log_calls(seam, start) == ["write_at", "sync_data"]
    assert get(first) == b"old!"


def test_what_could_not_be_written_again_stays_to_be_done(tmp_path: Path) -> None:
    first, seam = opened(tmp_path, Seam()), Seam()
    put(first, b"old")
    unsynced(first, b"new")
    second = opened(tmp_path, seam)
    seam.fail("write_at", LOG, OSError(5, "no"))
    with pytest.raises(DirectoryError), second.lock():
        pass
    start = len(seam.calls)
    with second.lock():
        pass
    assert log_calls(seam, start) == ["write_at", "write_at", "sync_data"]
    assert get(second) == b"new"
