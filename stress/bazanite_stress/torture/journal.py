"""A writer's journal: what it is about to do, and what was acknowledged; outlives its SIGKILL.

A file mapped and shared, written with plain stores, no system call: what the writer stored is there
for the supervisor whatever happens to the writer. Three aligned 64-bit words lead it: bytes of
whole records, intents, answers. A record counts from the moment the first word covers it, so a
record cut by a kill was never written. (The power stays on: nothing is synced here.)

A record is a line: a letter, a space, JSON. O opened, I intent, A acknowledged, V a violation seen
by the writer, X an exception.
"""

from __future__ import annotations

import json
import mmap
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SIZE_BYTES = 8 << 20
HEADER_BYTES = 24
# No record is longer: a writer stops before its journal could overflow.
RESERVE_BYTES = 256 << 10

WRITTEN, INTENTS, ANSWERS = 0, 1, 2


class Journal:
    """One journal, as its writer or as its reader."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            if create:
                os.ftruncate(descriptor, SIZE_BYTES)
            self._map = mmap.mmap(descriptor, SIZE_BYTES)
        finally:
            os.close(descriptor)
        self._view = memoryview(self._map)
        self._words = self._view[:HEADER_BYTES].cast("Q")
        self.path = path

    def close(self) -> None:
        """Unmap it; the file stays."""
        self._words.release()
        self._view.release()
        self._map.close()

    @property
    def intents(self) -> int:
        """How many intents it holds; may be asked while the writer lives."""
        return self._words[INTENTS]

    @property
    def answers(self) -> int:
        """How many answers; smaller than `intents` while an operation is in flight."""
        return self._words[ANSWERS]

    @property
    def written(self) -> int:
        """Bytes of whole records: grows as long as the writer makes progress."""
        return self._words[WRITTEN]

    @property
    def full(self) -> bool:
        """Whether there is room for no more operation."""
        return HEADER_BYTES + self.written > SIZE_BYTES - RESERVE_BYTES

    def opened(self) -> None:
        """The database is open."""
        self._append("O", {})

    def intent(self, intent: dict[str, Any]) -> None:
        """An operation is about to start."""
        self._append("I", intent)
        self._words[INTENTS] += 1

    def acknowledged(self, token: str, ids: list[int], lsn: int | None) -> None:
        """The operation's call has returned."""
        self.answered(token, {"ids": ids, "lsn": lsn})

    def answered(self, token: str, result: dict[str, Any]) -> None:
        """The same, with whatever the reader of this journal asks for."""
        self._append("A", {"token": token, **result})
        self._words[ANSWERS] += 1

    def violation(self, what: str, expected: object, found: object) -> None:
        """The writer itself saw what must not be."""
        self._append("V", {"what": what, "expected": str(expected), "found": str(found)})

    def failed(self, error: Exception) -> None:
        """The operation's call raised what it must not raise."""
        trace = "".join(traceback.format_exception(error))
        summary = f"{type(error).__name__}: {error}\n{trace}"
        self._append("X", {"error": summary[: RESERVE_BYTES // 16]})

    def _append(self, letter: str, data: dict[str, Any]) -> None:
        record = f"{letter} {json.dumps(data)}\n".encode()
        written = self._words[WRITTEN]
        start = HEADER_BYTES + written
        if start + len(record) > SIZE_BYTES:
            raise ValueError(f"{self.path}: a record of {len(record)} bytes does not fit")
        self._view[start : start + len(record)] = record
        self._words[WRITTEN] = written + len(record)

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All whole records, in order."""
        end = HEADER_BYTES + self.written
        for line in bytes(self._view[HEADER_BYTES:end]).splitlines():
            yield chr(line[0]), json.loads(line[2:])
