"""What the tests of the log archive share: a store that has one, and what it tells."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bazanite_wal.frame import FRAME, Write
from bazanite_wal.log_reader import LogReader
from bazanite_wal.store import Store
from seam import Seam
from store_support import SMALL, opened, put

KEEP = 1 << 20


def archived(path: Path, seam: Seam | None = None, keep: int = KEEP, **options: object) -> Store:
    """A store with a small log, which is archived."""
    store = opened(path, seam or Seam(), log_size_bytes=SMALL, **options)
    store.archive(keep)
    return store


def told(path: Path, start: int | None = None) -> dict[int, bytes]:
    """Log position and bytes of each write that archive and log have, in order."""
    reader = LogReader(str(path), start)
    found: dict[int, bytes] = {}
    for frame in reader.frames():
        if frame.kind == FRAME and (start is None or frame.end > start):
            [write] = frame.operations()
            assert isinstance(write, Write)
            assert not found or frame.end > max(found)
            found[frame.end] = write.data
    reader.close()
    return found


def segments(path: Path) -> list[str]:
    return sorted(name for name in os.listdir(path) if re.fullmatch(r"wal\.\d+\.archive", name))


def some(store: Store, first: int, count: int) -> dict[int, bytes]:
    """So many transactions, each of some 300 bytes."""
    values = [b"%05d" % number * 60 for number in range(first, first + count)]
    return {put(store, value): value for value in values}
