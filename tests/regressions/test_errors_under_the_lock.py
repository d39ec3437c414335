"""An error at the flock of ``.sync``, met under a held lock, came out as a bare OSError.

Outside a lock a commit whose log cannot be synced says CommitUncertain; under ``storage.lock()``
the same failure had no type, so that a program which catches DBError did not see that its
transaction may be committed.  Taking the lock, which syncs what others left, had the same hole, and
called frames that could not be applied "committed" although the call had committed nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.errors import ErrorLimits, Errors
from bazanite_stress.explore.faults import faults_of
from bazanite_wal.errors import CommitUncertain, DirectoryError
from seam import Seam
from store_support import get, opened, put, unsynced

EIO = OSError(5, "Input/output error")


def test_no_error_of_a_lock_file_comes_out_of_a_held_lock_untyped() -> None:
    errors = Errors(WORKLOADS["under the lock"], limits=ErrorLimits(cuts=2))
    for call in errors.calls():
        for fault in faults_of(call) if call.operation == "try_lock" else ():
            if fault.kind == "EIO":
                errors.replay(fault)
    assert errors.tally.violations == []


def test_a_commit_under_the_lock_whose_log_cannot_be_synced_is_uncertain(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    with store.lock():
        seam.fail("try_lock", ".sync", EIO)
        with pytest.raises(CommitUncertain) as caught:
            put(store, b"new")
        assert caught.value.__cause__ is EIO
        put(store, b"!", offset=3)
    assert get(store) == b"new!"


@pytest.mark.parametrize("call", [("try_lock", ".sync"), ("write_at", "a.dat")])
def test_a_lock_that_cannot_show_the_latest_is_not_given(
    tmp_path: Path, call: tuple[str, str]
) -> None:
    dying, seam = Seam(), Seam()
    first, store = opened(tmp_path, dying), opened(tmp_path, seam)
    put(store, b"old")
    unsynced(first, b"new")
    seam.fail(*call, EIO)
    with pytest.raises(DirectoryError, match="nothing was done"), store.lock():
        pytest.fail("the lock was given")
    with store.lock():
        assert get(store) == b"new"
