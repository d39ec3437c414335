"""A log that was cut off where a frame begins lost what was committed, and nobody heard of it.

What stands behind the last frame decides whether the log's end is torn.  If nothing stood there,
because the file was cut, or a sector of zeros came back from the disk, just where a frame should
begin, the end was clean: frames that had been acknowledged were gone, and replaying those before
them took the table files back to an earlier row.  Damage that was explored by whole files, not only
by bits and sectors, showed it.  In the boot in which it was written, the shared words know how far
the log was durable; and no log is shorter than the shortest that is made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import CorruptionError
from bazanite_wal import shared
from bazanite_wal.offline import open_offline
from bazanite_wal.scan import LEAST_FILE_SIZE
from seam import Seam
from store_support import LOG, core, get, opened, put


def killed(path: Path) -> list[int]:
    """Three transactions on one row, all applied; where their frames stand."""
    seam = Seam()
    store = opened(path, seam)
    places: list[int] = []
    for value in (b"10", b"11", b"12"):
        places.append(core(store).header.file_offset(core(store).words[shared.END]))
        put(store, value, "a.dat")
    seam.kill()
    return places


def zeroed(log: bytes, place: int) -> bytes:
    return log[:place] + bytes(len(log) - place)


def cut(log: bytes, place: int) -> bytes:
    return log[:place]


@pytest.mark.parametrize("change", [zeroed, cut])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_in_the_same_boot_it_is_refused_every_time(
    tmp_path: Path, number: int, change: Callable[[bytes, int], bytes]
) -> None:
    place = killed(tmp_path)[number]
    log = (tmp_path / LOG).read_bytes()
    (tmp_path / LOG).write_bytes(change(log, place))
    rows = (tmp_path / "a.dat").read_bytes()
    for _ in range(2):
        with pytest.raises(CorruptionError) as caught:
            opened(tmp_path, Seam())
        assert caught.value.offset == place
    assert (tmp_path / "a.dat").read_bytes() == rows
    with open_offline(str(tmp_path)) as found:
        assert found.scan is not None
        assert found.scan.tail == "corrupt"
    (tmp_path / LOG).write_bytes(log)
    assert get(opened(tmp_path, Seam())) == b"12"


@pytest.mark.parametrize("size", [0, 183, 4096, 8192, LEAST_FILE_SIZE - 1])
def test_in_any_boot_a_log_that_is_too_short_is_refused(tmp_path: Path, size: int) -> None:
    killed(tmp_path)
    (tmp_path / ".shared").unlink()
    log = (tmp_path / LOG).read_bytes()
    (tmp_path / LOG).write_bytes(log[:size])
    for _ in range(2):
        with pytest.raises(CorruptionError):
            opened(tmp_path, Seam())
    (tmp_path / LOG).write_bytes(log)
    assert get(opened(tmp_path, Seam())) == b"12"


def test_an_older_log_that_was_put_back_is_no_damage(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"10", "a.dat")
    store.close()
    kept = {name: (tmp_path / name).read_bytes() for name in (LOG, "a.dat")}
    again = opened(tmp_path, Seam())
    put(again, b"11", "a.dat")
    again.close()
    for name, data in kept.items():
        (tmp_path / name).write_bytes(data)
    assert get(opened(tmp_path, Seam())) == b"10"
