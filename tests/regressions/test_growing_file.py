"""A backup whose progress told somebody who wrote never ended.

Each file was copied until nothing more could be read.  Whoever appended a row between one piece and
the next, another process while a slow terminal was told, or the callback itself, kept it going, the
log held and growing, for as long as that went on.  What came behind the file's first end was cut
off again anyway, as it is in frames: it is not read any more.
"""

from __future__ import annotations

from pathlib import Path

from bazanite_wal.backup import Progress
from bazanite_wal.store import Store
from seam import Seam
from store_support import opened, put
from test_hot_backup import state_of

MANY = 50


def appending(store: Store, told: list[int]) -> Progress:
    """A progress that makes the file longer each time, MANY times at the most."""

    def append(done: int, _of: int) -> None:
        told.append(done)
        if len(told) < MANY:
            put(store, b"x" * 10, "a.dat", 100 + 10 * (len(told) - 1))

    return append


def test_a_file_that_grows_with_every_piece_is_copied_to_its_first_end(tmp_path: Path) -> None:
    store, other = opened(tmp_path / "data", Seam()), opened(tmp_path / "data", Seam())
    put(store, b"x" * 100, "a.dat")
    told: list[int] = []
    made = store.backup(str(tmp_path / "copy"), appending(other, told))
    assert told == [100]
    assert made.size_bytes == 110
    assert state_of(tmp_path / "copy") == {"a.dat": b"x" * 110}


def test_so_is_one_that_the_callback_itself_lets_grow(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x" * 100_000, "a.dat")
    put(store, b"y", "b.dat")
    told: list[int] = []

    def append(done: int, _of: int) -> None:
        told.append(done)
        if len(told) < MANY:
            with store.transaction() as tx:
                tx.write("a.dat", tx.size("a.dat"), b"x" * 10)

    store.backup(str(tmp_path / "copy"), append)
    assert told == [1 << 16, 100_000, 100_001]
    assert state_of(tmp_path / "copy") == {"a.dat": b"x" * 100_030, "b.dat": b"y"}
