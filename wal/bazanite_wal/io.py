"""Whole reads and writes over a seam whose calls may be short or interrupted."""

from __future__ import annotations

import errno

from .errors import CorruptionError
from .system import File

_ZEROS = bytes(1 << 20)
_MOST_TO_READ = 1 << 30


def read_up_to(file: File, size: int, offset: int) -> bytes:
    """``size`` bytes from ``offset``, fewer only where the file ends.

    CorruptionError if these are so many that nobody can have meant it, and no memory holds them.
    """
    parts: list[bytes] = []
    while size > 0:
        try:
            data = file.read_at(size, offset)
        except InterruptedError:  # nothing was transferred
            continue
        except (MemoryError, OverflowError) as error:
            if isinstance(error, MemoryError) and size <= _MOST_TO_READ:
                raise  # another time there may be more, and nothing is damaged
            path, found = str(getattr(file, "path", "a file")), f"{size} bytes"
            raise CorruptionError(path, offset, "what fits in memory", found) from error
        if len(data) == size and not parts:
            return data
        if not data:
            break
        parts.append(data)
        size -= len(data)
        offset += len(data)
    return b"".join(parts)


def read_whole(file: File, path: str) -> bytes:
    """All bytes of a file; CorruptionError if it is larger than any memory."""
    size = file.size()
    try:
        return read_up_to(file, size, 0)
    except (CorruptionError, MemoryError) as error:
        raise CorruptionError(path, 0, "a file that fits in memory", f"{size} bytes") from error


def write_all(file: File, data: bytes, offset: int) -> None:
    """Write every byte of ``data`` at ``offset``; on an error a prefix may have been written."""
    rest: bytes | memoryview = data
    while rest:
        try:
            count = file.write_at(rest, offset)
        except InterruptedError:  # nothing was transferred
            continue
        if count == len(rest):
            return
        if count == 0:
            raise OSError(errno.ENOSPC, "the system wrote nothing and gave no reason")
        rest = memoryview(rest)[count:]
        offset += count


def write_zeros(file: File, start: int, end: int) -> None:
    """Put zeros at [start, end), really written, so that later overwrites need no new space."""
    for offset in range(start, end, len(_ZEROS)):
        write_all(file, _ZEROS[: min(len(_ZEROS), end - offset)], offset)
