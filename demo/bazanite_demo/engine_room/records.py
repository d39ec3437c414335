"""What the logger ``bazanite`` told in the master and in all workers, a line of JSON each.

One file that all append to, each record by a single write; begun anew when the server starts, and
when it has grown long.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

_LONGEST_BYTES = 1 << 20
_TAIL_BYTES = 1 << 14
_PLAIN = frozenset({"opened", "closed"})


class Records(logging.Handler):
    """A handler for the logger; whoever reads remembers how far."""

    def __init__(self, path: Path, directory: str) -> None:
        super().__init__(logging.DEBUG)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._prefix = f"{os.path.realpath(directory)}: "

    def install(self) -> None:
        """Hear everything that the logger tells; warnings go to the standard error as before."""
        logger = logging.getLogger("bazanite")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)

    def uninstall(self) -> None:
        """Hear no more, and close the file."""
        logger = logging.getLogger("bazanite")
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(self)
        os.close(self._descriptor)

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", "")
        if event not in _PLAIN:
            entry = {
                "at": round(record.created, 4),
                "pid": os.getpid(),
                "level": record.levelname.lower(),
                "event": event,
                "text": record.getMessage().removeprefix(self._prefix),
            }
            if os.fstat(self._descriptor).st_size > _LONGEST_BYTES:
                os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, json.dumps(entry).encode() + b"\n")
        if record.levelno >= logging.WARNING and logging.lastResort is not None:
            logging.lastResort.handle(record)

    def end(self) -> int:
        """From where on to read what comes from now on."""
        return os.fstat(self._descriptor).st_size

    def read(self, start: int | None = None) -> tuple[list[dict[str, Any]], int]:
        """The records from there on (None: the newest few), and where the next ones will be."""
        end = self.end()
        if start is None or start > end:
            start = max(0, end - _TAIL_BYTES)
        data = os.pread(self._descriptor, end - start, start)
        whole = data[: data.rfind(b"\n") + 1]
        found = []
        for line in whole.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue  # the rest of a line, behind where reading began
        return found, start + len(whole)
