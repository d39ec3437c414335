"""The log was damaged under those who had it open, and they were told of a failed sync.

The log's generation is looked at by whoever comes next, and if it is not the one that all attached
processes know, everyone is refused, as after a sync that failed: nobody knows what is on disk.  But
the error named only the sync, so that an operator looked for a broken disk, and only the logger's
record said what it was.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, Field, PoisonedError, Schema, Table

TOLD = "a sync has failed, or the log is damaged: nobody knows what is on disk"


class Numbers(Table):
    name = "numbers"
    schema = Schema([Field("id", PK()), Field("n", INT(4))])


def test_an_error_of_a_damaged_log_does_not_name_a_sync_alone(tmp_path: Path) -> None:
    path = tmp_path / "d"
    with pytest.raises(PoisonedError, match=TOLD), DB([Numbers], path) as db:
        db.insert("numbers", {"n": 1})
        with (path / "wal.log").open("r+b") as log:
            log.write(b"ZZZZ")
        code = f"from bazanite import DB; DB.open({str(path)!r})"
        command = [sys.executable, "-c", code]
        other = subprocess.run(command, check=False, capture_output=True, text=True)
        assert other.returncode == 1
        assert TOLD in other.stderr
        with pytest.raises(PoisonedError, match=TOLD):
            DB.open(path, read_only=True)
        db.find("numbers")
