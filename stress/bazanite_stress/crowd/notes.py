"""What a process of the crowd did, noted in memory that it shares with whoever started it.

Plain stores, no system call: what was stored is there whatever happens to the process.  Two words
lead: bytes of whole notes, and calls that were answered.  A note counts from the moment the first
word covers it, so one that a kill cut short was never made.
"""

from __future__ import annotations

import marshal
import mmap
from collections.abc import Iterator
from time import monotonic_ns
from typing import Any, Literal

SIZE_BYTES = 1 << 20
_HEADER_BYTES = 16
_RESERVE_BYTES = 128 << 10
_LENGTH_BYTES = 4
_WRITTEN, _ANSWERS = 0, 1

Kind = Literal["open", "opened", "begin", "end", "moment", "failed", "checked", "over"]
"""``begin`` and ``end`` belong to a call; ``moment``: the process is about to kill itself there;
``over``: it ends by itself.
"""

Note = tuple[Kind, int, Any]
"""Its kind, the moment (``time.monotonic_ns``, one clock for all processes), what it says."""


class Notes:
    """Of one process at a time; made by whoever starts it, before the fork."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, SIZE_BYTES)
        self._view = memoryview(self._map)
        self._words = self._view[:_HEADER_BYTES].cast("Q")

    def clear(self) -> None:
        """Forget everything: another process will use it."""
        self._words[_WRITTEN] = self._words[_ANSWERS] = 0

    def close(self) -> None:
        """Give the memory back."""
        self._words.release()
        self._view.release()
        self._map.close()

    @property
    def written(self) -> int:
        """Bytes of whole notes; may be asked while the process lives."""
        return self._words[_WRITTEN]

    @property
    def answers(self) -> int:
        """How many calls have an answer; may be asked while the process lives."""
        return self._words[_ANSWERS]

    @property
    def full(self) -> bool:
        """Whether there is no room for many more."""
        return self.written > SIZE_BYTES - _RESERVE_BYTES

    def add(self, kind: Kind, content: Any = None) -> None:
        """Note it; ValueError if there is no room for it."""
        data = marshal.dumps((kind, monotonic_ns(), content))
        start = _HEADER_BYTES + self._words[_WRITTEN]
        end = start + _LENGTH_BYTES + len(data)
        if end > SIZE_BYTES:
            raise ValueError(f"no room for a note of {len(data)} bytes")
        self._view[start : start + _LENGTH_BYTES] = len(data).to_bytes(_LENGTH_BYTES, "little")
        self._view[start + _LENGTH_BYTES : end] = data
        self._words[_WRITTEN] = end - _HEADER_BYTES
        self._words[_ANSWERS] += kind == "end"

    def __iter__(self) -> Iterator[Note]:
        """All whole notes, in order."""
        place, end = _HEADER_BYTES, _HEADER_BYTES + self.written
        while place < end:
            start = place + _LENGTH_BYTES
            size = int.from_bytes(self._view[place:start], "little")
            place = start + size
            yield marshal.loads(self._view[start:place])  # noqa: S302  our own process made it
