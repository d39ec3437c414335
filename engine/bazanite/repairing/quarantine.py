"""``quarantine.jsonl``: the bytes of all that was not saved, or has another version, for a person.

One JSON object a line.  It is no data file: the engine does not look at it, and it can be removed.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from bazanite_wal.io import write_all
from bazanite_wal.system import Directory

QUARANTINE_NAME = "quarantine.jsonl"
_BUFFERED = 1 << 18


class Quarantine:
    """Writes the file; it is made with its first line."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lines: list[bytes] = []
        self._waiting = 0
        self._end = 0
        self.count = 0

    def put(self, table: str, file: str, offset: int, data: bytes, why: str, **more: Any) -> None:
        """Keep these bytes, which stood at ``offset`` of ``file``."""
        document = {
            "table": table, "file": file, "offset": offset, "why": why, **more,
            "base64": base64.b64encode(data).decode(),
        }  # fmt: skip
        line = json.dumps(document, default=str).encode() + b"\n"
        self._lines.append(line)
        self._waiting += len(line)
        self.count += 1
        if self._waiting >= _BUFFERED:
            self._write()

    def finish(self) -> None:
        """Write what is left; durable on return, but for the file's name."""
        self._write(sync=True)

    def _write(self, *, sync: bool = False) -> None:
        if not self._lines and not self._end:
            return
        file = self._directory.create(QUARANTINE_NAME)
        try:
            data = b"".join(self._lines)
            write_all(file, data, self._end)
            self._end += len(data)
            self._lines.clear()
            self._waiting = 0
            if sync:
                file.sync()
        finally:
            file.close()
