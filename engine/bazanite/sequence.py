"""The last automatic id, as decimal text; the file is exactly its digits."""

from __future__ import annotations

from bazanite_wal.layer import View, WriteSet

from .files import TableFiles

_LONGEST = 32


def read(view: View, files: TableFiles) -> int:
    """The last automatic id, 0 before the first; CorruptionError if the file is not a number."""
    data = view.read(files.sequence, 0, _LONGEST + 1)
    digits = data[:_LONGEST].rstrip()
    if not digits.isdigit() or len(data) > _LONGEST:
        raise files.damaged(files.sequence, 0, "the last automatic id, in digits", digits)
    return int(digits)


def write(tx: WriteSet, files: TableFiles, value: int) -> None:
    """Make this the last automatic id."""
    digits = b"%d" % value
    tx.write(files.sequence, 0, digits)
    if tx.size(files.sequence) > len(digits):
        tx.truncate(files.sequence, len(digits))
