"""A failed sync at the close of an "off" directory, and the next opener redid older frames.

With durability="off" frames reach the table files before they are durable.  When the last close
synced the log and the sync failed, the kernel could drop the newest frames, and keep older ones
that they had overtaken.  The close said PoisonedError; but the next process on the same boot
trusted the log, redid the older frames over the newer rows, and acknowledged rows went back without
a word, or the check found a mixture.  Now it is refused as after a power cut, until somebody takes
the files as they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.errors import ErrorLimits, Errors
from bazanite_stress.explore.faults import faults_of
from bazanite_wal.errors import PoisonedError, UnsafeShutdownError
from seam import Seam
from store_support import LOG, get, opened, put

EIO = OSError(5, "Input/output error")


def test_no_sector_that_a_failed_sync_loses_takes_an_acknowledged_row_back() -> None:
    workload = replace(WORKLOADS["two tables"], durability="off")
    errors = Errors(workload, limits=ErrorLimits(cuts=3))
    closing = [call for call in errors.calls() if call.operation == "sync_data"][-2:]
    assert any(len(call.dirty) > 1 for call in closing)
    for call in closing:
        for fault in faults_of(call):
            if fault.kind == "EIO":
                errors.replay(fault)
    assert errors.tally.violations == []


def failed_close(path: Path) -> None:
    seam = Seam()
    store = opened(path, seam, durability="off")
    put(store, b"row")
    seam.fail("sync_data", LOG, EIO)
    with pytest.raises(PoisonedError):
        store.close()


@pytest.mark.parametrize("durability", ["off", "full"])
def test_an_off_directory_whose_sync_failed_is_refused_until_it_is_accepted(
    tmp_path: Path, durability: str
) -> None:
    failed_close(tmp_path)
    before = (tmp_path / LOG).read_bytes()
    for _ in range(3):
        with pytest.raises(UnsafeShutdownError, match=r"when a sync failed.*accept_unsafe=True"):
            opened(tmp_path, Seam(), durability=durability)
    assert (tmp_path / LOG).read_bytes() == before
    store = opened(tmp_path, Seam(), durability=durability, accept_unsafe=True)
    assert get(store) == b"row"
    store.close()
    assert get(opened(tmp_path, Seam(), durability=durability)) == b"row"


def test_an_off_directory_that_was_only_killed_opens_as_before(tmp_path: Path) -> None:
    seam = Seam()
    put(opened(tmp_path, seam, durability="off"), b"row")
    seam.kill()
    assert get(opened(tmp_path, Seam(), durability="off")) == b"row"
