"""Rows came twice, or not at all, if a stream began while a vacuum waited in the log.

A vacuum moves the layout number within its transaction, and rows only when its frame is applied.  A
stream that read its first rows between the two took the new number for that of the files as they
were; when the rows had moved, it saw the same number again, and went on as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bazanite import DB, Row
from bazanite.query import stream
from engine_support import TableA
from seam import Seam


@pytest.mark.parametrize("read_only", [False, True])
def test_each_row_comes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    monkeypatch.setattr(stream, "_FIRST", 5)
    seam = Seam()
    db = DB([TableA], tmp_path, system=seam)
    db.insert_many("a", [{"text": f"{n}"} for n in range(40)])
    for pk in range(1, 40, 2):
        db.delete_by_id("a", pk)
    expected = [row["id"] for row in db.find_all("a")]
    beside = DB([TableA], tmp_path, system=Seam())  # else the vacuum syncs under the lock
    reader = DB.open(tmp_path, system=Seam(), read_only=read_only)
    streams: list[Iterator[Row]] = []
    found: list[int] = []

    def begin() -> None:
        streams.append(reader.iterate("a"))
        found.extend(next(streams[0])["id"] for _ in range(2))

    seam.when("sync_data", "wal.log", begin)
    assert db.vacuum("a") > 0
    assert found == expected[:2]
    assert [*found, *(row["id"] for row in streams[0])] == expected
    beside.close()
