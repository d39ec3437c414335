"""Behind its own migration a handle let go of the lock before it had noted what it had read.

Meanwhile another of its threads could learn of a later catalog, begin to write by that one, and be
handed the older one halfway: an index or a checksum less to keep.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, Field, LockTimeout, Schema, Table, storage
from bazanite.catalog import decode
from bazanite.specs import Catalog
from seam import Seam


class Words(Table):
    """Anything."""

    name = "words"
    schema = Schema([Field("id", PK()), Field("word", CHAR(8))])


def test_nobody_changes_the_catalog_while_a_handle_takes_it_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[LockTimeout] = []

    def in_between(data: bytes, directory: str) -> Catalog:
        with pytest.raises(LockTimeout) as caught:
            other.insert("words", {"word": "late"})
        refused.append(caught.value)
        return decode(data, directory)

    with (
        DB([Words], tmp_path, system=Seam()) as db,
        DB([Words], tmp_path, system=Seam(), lock_timeout=0.01) as other,
    ):
        monkeypatch.setattr(storage, "decode", in_between)
        db.storage.reload()
    assert refused
