"""A system without descriptors, memory or room while a database lists its files.

Once, that gave a raw OSError from ``DB()``, which a program that catches DBError did not catch.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, DirectoryError, Field, Schema, Table
from seam import Seam


class Notes(Table):
    name = "notes"
    schema = Schema([Field("id", PK()), Field("text", CHAR(10))])


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("operation", ["open", "list", "create"])
def test_an_open_that_fails_anywhere_is_a_directory_error(
    tmp_path: Path, operation: str, number: int
) -> None:
    seam = Seam(steady=True)
    DB([Notes], tmp_path / "count", system=seam)
    steps = [n for n, call in enumerate(seam.calls) if call[0] == operation]
    assert steps
    for step in steps:
        path = tmp_path / f"{step}"
        seam = Seam(steady=True)
        failed = seam.fail_first(step, (operation,), number)
        with pytest.raises(DirectoryError, match=os.strerror(number)) as caught:
            DB([Notes], path, system=seam)
        assert isinstance(caught.value.__cause__, OSError), failed
        with DB([Notes], path, system=seam) as db:
            assert db.find_all("notes") == []
