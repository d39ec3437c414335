"""A transaction read pages that another process's failed sync had lost, and committed what it made.

A process that checkpoints syncs the table files without the global lock.  That sync failed, the
directory was poisoned and the pages that had not reached the disk were dropped, while another
process was within a transaction: it read a sector without an acknowledged row, and wrote the sector
into its frame (as frames with ``powersafe_overwrite=False`` do; a counter that is read back does as
much without).  Its commit said PoisonedError, but the frame was in the log, and the next opener
redid it over the row.  A refusal told of the dropped pages too.  Reads looked again whether the
directory was poisoned before they returned; a transaction did so only on its way in.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.concurrency.faults import Failing
from bazanite_stress.concurrency.plans import Odds
from bazanite_stress.concurrency.trial import Court
from bazanite_wal.errors import PoisonedError
from bazanite_wal.store import Store
from seam import Seam
from store_support import LOG, get, opened, put

EIO = OSError(5, "Input/output error")


def two_stores(path: Path) -> tuple[Store, Store, Seam]:
    """Two processes, and what the second one's calls go through; ``a.dat`` holds a row."""
    seam = Seam()
    first, second = opened(path, Seam()), opened(path, seam)
    put(first, b"row")
    return first, second, seam


def lose_pages(path: Path, store: Store, seam: Seam) -> None:
    """Its checkpoint's sync fails, and the kernel drops what that one was to write."""
    seam.fail("sync", "a.dat", EIO)
    with pytest.raises(PoisonedError):
        store.checkpoint()
    (path / "a.dat").write_bytes(b"\0\0\0")


def test_what_was_made_from_lost_pages_is_not_in_the_log(tmp_path: Path) -> None:
    first, second, seam = two_stores(tmp_path)
    before = (tmp_path / LOG).read_bytes()
    with pytest.raises(PoisonedError), first.transaction() as tx:
        lose_pages(tmp_path, second, seam)
        tx.write("a.dat", 0, tx.read("a.dat", 0, 3) + b"!")
    assert (tmp_path / LOG).read_bytes() == before
    for store in (first, second):
        with pytest.raises(PoisonedError):
            get(store)
        store.close()
    assert get(opened(tmp_path, Seam())) == b"row"


def test_a_transaction_that_only_read_lost_pages_tells_nothing(tmp_path: Path) -> None:
    first, second, seam = two_stores(tmp_path)
    with pytest.raises(PoisonedError), first.transaction() as tx:
        lose_pages(tmp_path, second, seam)
        tx.read("a.dat", 0, 3)


def test_a_refusal_because_of_lost_pages_is_no_answer(tmp_path: Path) -> None:
    first, second, seam = two_stores(tmp_path)
    with pytest.raises(PoisonedError) as caught, first.transaction():
        lose_pages(tmp_path, second, seam)
        raise LookupError("no such row")
    assert isinstance(caught.value.__cause__, LookupError)


def test_schedules_in_which_syncs_fail_lose_no_row() -> None:
    court = Court(PROGRAMS["no power-safe overwrite"])
    for number in range(60):
        trial = court.run(Failing(f"pages {number}", Odds(0.1, faults=1, within=230)))
        assert trial.broken is None, (trial.broken, trial.told)
