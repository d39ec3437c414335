"""While a backup was made, a small transaction was refused although the disk had room for it.

The log cannot be emptied then, and grows by a mebibyte more than is needed.  Where there was no
mebibyte left, it did not grow at all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal.errors import DirectoryError
from seam import Seam
from store_support import FORK, LOG, SMALL, get, in_child, opened, put
from test_mounts import disk, mount, own_mounts

__all__ = ["disk"]
pytestmark = pytest.mark.filterwarnings(FORK)


def test_the_log_grows_by_what_is_needed_if_there_is_no_more(tmp_path: Path) -> None:
    seam, seam_2 = Seam(), Seam()
    store = opened(tmp_path / "data", seam, log_size_bytes=SMALL)
    other = opened(tmp_path / "data", seam_2, log_size_bytes=SMALL)
    put(store, b"x")

    def fill() -> None:
        put(other, b"y" * 7000)
        seam_2.fail("write_at", LOG, OSError(28, "No space left on device"))
        put(other, b"z" * 3000)  # does not fit into what is left, so its first write is a growth
        assert (tmp_path / "data" / LOG).stat().st_size < 3 * SMALL

    seam.when("create", "a.dat", fill)
    store.backup(str(tmp_path / "copy"))
    assert get(other) == b"z" * 3000 + b"y" * 4000


def test_a_really_full_disk_takes_what_fits_while_a_backup_is_made(disk: Path) -> None:
    def work() -> None:
        own_mounts()
        mount(disk, "tmpfs", data="size=1m")
        seam, seam_2 = Seam(), Seam()
        store = opened(disk / "data", seam, log_size_bytes=SMALL)
        other = opened(disk / "data", seam_2, log_size_bytes=SMALL)
        put(store, b"x")
        written: list[int] = []

        def fill() -> None:
            with pytest.raises(DirectoryError, match="cannot grow the log"):
                for number in range(1000):
                    put(other, b"%03d" % number * 1000)
                    written.append(number)

        seam.when("create", "a.dat", fill)
        store.backup(str(disk.with_name("copy")))
        assert len(written) > 250  # of 3 KB each: most of the mebibyte
        last = b"%03d" % written[-1] * 1000
        assert get(other) == last
        put(other, b"there is space")
        assert (disk / "data" / LOG).stat().st_size == 2 * SMALL
        copy = opened(disk.with_name("copy"), Seam())
        assert get(copy) == last

    assert in_child(work) == 0
