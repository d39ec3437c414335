"""The log file: ``wal.log``, preallocated, recycled generation by generation.

Knows where bytes stand, not when they may be written or synced; ``commit.py`` shows that order.

Invariants: the file is created under another name and renamed when durable, so a log without a
valid header is damaged, always; a header slot is written only while the other one is durable.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from .errors import CorruptionError
from .frame import Frame, FrameError
from .header import (
    COPY_SPACING,
    FRAMES_START,
    NO_BOOT,
    SALT_SIZE,
    SLOT_SPACING,
    Header,
    encode_header,
    newest_header,
)
from .io import read_up_to, read_whole, write_all, write_zeros
from .scan import frame_at
from .system import Directory, File, System

LOG_NAME = "wal.log"
NEW_LOG_NAME = "wal.log.new"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What a new generation records: frame alignment, and the boot if it is unsafe."""

    sector: int = 1
    boot: str = NO_BOOT


class Log:
    """An open log file.  Callers hold the locks that ``commit.py`` names."""

    def __init__(self, directory: Directory, file: File) -> None:
        self._directory = directory
        self._file = file
        self.path = f"{directory.path}/{LOG_NAME}"

    @classmethod
    def open(cls, directory: Directory, *, write: bool = True) -> Log:
        """Open the log for reading and writing; FileNotFoundError if there is none."""
        return cls(directory, directory.open(LOG_NAME, write=write))

    def read_header(self) -> Header:
        """The newest valid header; CorruptionError if there is none."""
        header = newest_header(self.read_start())
        if header is None:
            raise no_header(self.path)
        return header

    def write_header(self, header: Header) -> None:
        """Put the header into its slot; not durable until the next sync."""
        write_all(self._file, encode_header(header), header.slot_offset)

    def write_header_again(self, header: Header) -> None:
        """Put a copy of the newest header beside it; not durable until the next sync.

        Not over itself: if the power goes in the middle, the first one is still what it was.
        """
        write_all(self._file, encode_header(header), header.slot_offset + COPY_SPACING)

    def identity(self) -> int:
        """Tells the file from one that takes its place."""
        return self._file.identity()

    def read_start(self) -> bytes:
        """The bytes of the header slots."""
        return read_up_to(self._file, FRAMES_START, 0)

    def read_whole(self) -> bytes:
        """All bytes of the file."""
        return read_whole(self._file, self.path)

    def read(self, header: Header, start: int, end: int) -> bytes:
        """The bytes of log positions [start, end)."""
        return read_up_to(self._file, end - start, header.file_offset(start))

    def frames(self, header: Header, start: int, end: int) -> list[Frame]:
        """The frames of [start, end), all of which are known to be whole.

        CorruptionError if they are not: in a running system that is never a torn tail.
        """
        data = self.read(header, start, end)
        frames: list[Frame] = []
        position = start
        try:
            while position < end:
                previous = frames[-1].checksum if frames else None
                frame = frame_at(data, start, header, position, previous)
                frames.append(frame)
                position = frame.end
        except FrameError as error:
            offset = header.file_offset(position)
            raise CorruptionError(
                self.path, offset, f"the frame of LSN {position}", str(error)
            ) from error
        return frames

    def write(self, header: Header, lsn: int, data: bytes) -> None:
        """Put bytes at log position ``lsn``; not durable until the next sync."""
        write_all(self._file, data, header.file_offset(lsn))

    def size(self) -> int:
        """The file's length in bytes, header slots included."""
        return self._file.size()

    def grow(self, size: int) -> None:
        """Preallocate up to ``size`` bytes of file; not durable until the next sync."""
        write_zeros(self._file, self._file.size(), size)

    def shrink(self, size: int) -> None:
        """Cut the file to ``size`` bytes; only after the next generation's header is durable."""
        self._file.truncate(size)

    def sync(self) -> None:
        """Make all that was written durable (bytes and growth)."""
        self._file.sync_data()

    def close(self) -> None:
        self._file.close()


def no_header(path: str) -> CorruptionError:
    """The error for a log in which neither header slot is valid."""
    return CorruptionError(
        path, 0, "a log header in one of its two slots", "none",
        "Restore the directory from a backup; run `bazanite check` to see what the tables hold, and"
        " `bazanite repair DIR --output NEW` to save it",
    )  # fmt: skip


def next_generation(system: System, header: Header, base: int, settings: LogSettings) -> Header:
    """The header of the generation after ``header``, with a salt of its own."""
    return replace(
        header,
        generation=header.generation + 1,
        salt=system.random_bytes(SALT_SIZE),
        base=base,
        sector=settings.sector,
        boot=settings.boot,
    )


def write_new_log(
    directory: Directory, header: Header, area: bytes, size: int, *, successor: bool = False
) -> None:
    """A new log under another name: zeros, header and ``area`` behind it, durable on return.

    A ``successor`` has the owner and the mode of the old one.  Any error leaves the old log alone.
    """
    if directory.exists(NEW_LOG_NAME):
        directory.remove(NEW_LOG_NAME)
    if successor:
        file = directory.create_successor(NEW_LOG_NAME, LOG_NAME)
    else:
        file = directory.create(NEW_LOG_NAME)
    try:
        write_zeros(file, 0, size)
        write_all(file, area, FRAMES_START)
        write_all(file, encode_header(header), header.slot_offset)
        file.sync()  # else the rename could survive and these bytes not
    except BaseException:
        with suppress(OSError):
            directory.remove(NEW_LOG_NAME)  # give back what there was not enough of
        raise
    finally:
        file.close()


def name_new_log(directory: Directory) -> None:
    """Put the new log in the old one's place, if there is one; durable on return.

    Interrupted anywhere, either the old file (or none) or the new one stands under the name.
    """
    directory.rename(NEW_LOG_NAME, LOG_NAME)
    directory.sync()  # else the name could be lost while acknowledged frames are in the file


def create_log(directory: Directory, system: System, size: int) -> None:
    """Make an empty log of ``size`` bytes, first generation; durable on return."""
    directory.sync_name()  # whoever made the directory may have died since
    write_new_log(directory, Header(1, system.random_bytes(SALT_SIZE), 0), b"", size)
    name_new_log(directory)


__all__ = [
    "LOG_NAME",
    "NEW_LOG_NAME",
    "SLOT_SPACING",
    "Log",
    "LogSettings",
    "create_log",
    "name_new_log",
    "next_generation",
    "no_header",
    "write_new_log",
]
