"""A backup to `data/wal.archive` was made, and from then on no checkpoint could be.

To a directory the file `wal.archive` says that its log is archived; a directory of that name could
not be read as one.  In the way of `wal.log.new` it failed the next recovery.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal.errors import DirectoryError
from bazanite_wal.restore import restore
from seam import Seam
from store_support import LOG, get, opened, put


@pytest.mark.parametrize(
    "name", ["wal.archive", "wal.log.new", "wal.archive.new/deeper", ".shared.x", f"x/../{LOG}.new"]
)
def test_no_directory_comes_where_the_log_has_its_files(tmp_path: Path, name: str) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam)
    put(store, b"x")
    store.backup(str(tmp_path / "backup"))
    (tmp_path / "data" / "x").mkdir()
    for work in (
        lambda: store.backup(f"{tmp_path}/data/{name}"),
        lambda: restore(str(tmp_path / "backup"), f"{tmp_path}/data/{name}", f"{tmp_path}/data"),
    ):
        with pytest.raises(DirectoryError, match="is that of a file of its log"):
            work()
    store.archive(1 << 20)
    put(store, b"y")
    store.checkpoint()
    seam.kill()
    assert get(opened(tmp_path / "data", Seam())) == b"y"


def test_nor_by_way_of_a_directory_that_is_missing(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x")
    with pytest.raises(DirectoryError, match="is that of a file of its log"):
        store.backup(f"{tmp_path}/data/x/../wal.archive")
    assert not (tmp_path / "data" / "x").exists()
