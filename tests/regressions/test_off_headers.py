"""Two torn headers of an "off" directory brought back an older one that said: these files are safe.

With durability="off" a checkpoint's header is not synced.  The second checkpoint since the opening
writes over the only durable header that says so, while the other slot may still hold, on disk, the
header of the time before, or a copy of it.  A power cut in which both writes were torn left that
one as the newest: the directory opened as if nothing had happened, with half-written rows.  Now an
opening with "off" leaves no safe header in either slot, and no write of its life touches the
copies.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_stress.explore.catalogue import TABLES
from bazanite_stress.explore.explorer import Explorer, Limits
from bazanite_stress.explore.tasks import TORN
from bazanite_stress.explore.workload import Workload
from bazanite_wal import recovery
from bazanite_wal.errors import UnsafeShutdownError
from bazanite_wal.header import FRAMES_START, LINE_SIZE, SLOT_SPACING, Header, headers_in
from seam import Seam
from store_support import LOG, opened, put

WORKLOAD = Workload(
    "two checkpoints with off",
    TABLES,
    [
        ["insert", "a", {"v": "one"}],
        ["checkpoint"],
        ["insert", "a", {"v": "two"}],
        ["checkpoint"],
        ["insert", "a", {"v": "three"}],
    ],
    durability="off",
)


def violations(seed: str) -> list[str]:
    limits = Limits(exhaustive=50, sample=400, seed=seed)
    explorer = Explorer(WORKLOAD, "hostile", limits=limits, tearing=TORN)
    return [violation.rule for violation in explorer.explore().violations]


def test_no_torn_disk_of_an_off_directory_opens_with_half_written_rows() -> None:
    assert violations("0") == []


def test_an_older_safe_header_beside_them_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_one(_log: object, _system: object, header: Header, _settings: object) -> Header:
        return header

    monkeypatch.setattr(recovery, "_leave_no_safe_header", only_one)
    assert violations("0")


@pytest.mark.parametrize("before", ["full", "off"])
def test_an_opening_with_off_leaves_no_safe_header_and_a_close_leaves_one(
    tmp_path: Path, before: str
) -> None:
    store = opened(tmp_path, Seam(), durability=before)
    put(store, b"row")
    store.close()
    seam = Seam(boot="a" * 36)
    store = opened(tmp_path, seam, durability="off")
    for _ in range(3):
        slots = (tmp_path / LOG).read_bytes()[:FRAMES_START]
        assert all(header.unsafe for header in headers_in(slots))
        put(store, b"more")
        store.checkpoint()
    with open(tmp_path / LOG, "r+b") as file:
        for slot in range(2):  # as a power cut may tear them
            file.seek(slot * SLOT_SPACING)
            file.write(b"?" * LINE_SIZE)
    seam.kill()
    with pytest.raises(UnsafeShutdownError):
        opened(tmp_path, Seam(boot="b" * 36))
