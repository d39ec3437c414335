"""What stands in the files while a transaction stands still in mid-commit, read as `cat` would."""

from __future__ import annotations

from pathlib import Path

from bazanite import DB
from bazanite_wal.header import FRAMES_START
from bazanite_wal.log import LOG_NAME

from .moments import HALF_LOGGED, OPEN
from .tables import PARTS, Experiments

_SHOWN_ROWS = 2
"""Besides those of the transaction."""
_FRAME, _LONGEST_FRAME = b"FRAME ", 4096


def rows_file(db: DB) -> Path:
    """The file with the rows of experiments."""
    return Path(db.storage.base_dir, f"{Experiments.name}.dat")


def rows_behind(db: DB, before: int) -> str:
    """What stands in it from shortly before where it ended before."""
    size = db.tables[Experiments.name].schema.row_size()
    with rows_file(db).open("rb") as file:
        file.seek(max(0, before - _SHOWN_ROWS * size))
        return file.read((_SHOWN_ROWS + PARTS) * size).decode("utf-8", "replace")


def frame_in_log(db: DB, moment: str, used_bytes: int) -> str:
    """What the log, of which so much is used, has of a transaction that stands at ``moment``."""
    if moment == OPEN:
        return ""
    with Path(db.storage.base_dir, LOG_NAME).open("rb") as file:
        file.seek(FRAMES_START)
        data = file.read(used_bytes + _LONGEST_FRAME)
    if moment != HALF_LOGGED:
        start = data.rfind(_FRAME, 0, used_bytes)
        return data[start:used_bytes].decode("utf-8", "replace")
    half = data[used_bytes:]
    header = half.split(b"\n", 1)[0]
    size = len(header) + 1 + int(header.split()[2])
    return half[: size // 2].decode("utf-8", "replace")
