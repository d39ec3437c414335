"""The codec of the log archive: what a segment says of itself, and of each generation in it.

Pure: no I/O.  docs/format.md specifies the bytes.  A segment is a head (a text line, and the
catalog as it was at the segment's first log position), then sections, one for each generation of
the log: a text line, and the generation's frames, byte for byte as they stood in the log.

Invariants: within a segment a section begins at the log position at which the one before it says
that the next generation begins, so nothing is missing inside; a segment is named after its first
position, so that what is missing between two of them shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

from .header import SALT_SIZE, Header

ARCHIVE_NAME = "wal.archive"
"""The file that says that the log is archived, for every process, and how much of it is kept."""
NEW_ARCHIVE_NAME = "wal.archive.new"

_SEGMENT_NAME = re.compile(r"wal\.(\d{20})\.archive")
_SETTINGS = re.compile(rb"BAZANITE-KEEP 1 bytes=(\d{20}) check=([0-9a-f]{16})\n")
_HEAD = re.compile(
    rb"BAZANITE-ARCHIVE 1 first=(\d{20}) catalog=(\d{12}) content=([0-9a-f]{16})"
    rb" check=([0-9a-f]{16})\n"
)
_SECTION = re.compile(
    rb"GENERATION (\d{20}) salt=([0-9a-f]{16}) base=(\d{20}) end=(\d{20}) next=(\d{20})"
    rb" sector=(\d{4}) check=([0-9a-f]{16})\n"
)
SETTINGS_SIZE = 66
HEAD_SIZE = 115
SECTION_SIZE = 166
_CHECK_SIZE = 24
"""What ends each line: a space, ``check=``, 16 digits and a newline."""


@dataclass(frozen=True, slots=True)
class Head:
    """A segment begins at log position ``first``, where the catalog had ``catalog_size`` bytes."""

    first: int
    catalog_size: int
    content: bytes

    @property
    def size(self) -> int:
        """How many bytes of the file come before the first section."""
        return HEAD_SIZE + self.catalog_size

    def holds(self, catalog: bytes) -> bool:
        """Whether these are the catalog's bytes."""
        return len(catalog) == self.catalog_size and _digest(catalog) == self.content


@dataclass(frozen=True, slots=True)
class Section:
    """One generation of the log: its frames from its base up to ``end``.

    The next generation begins at ``following``; between ``end`` and that there is no frame.
    """

    header: Header
    end: int
    following: int

    @property
    def size(self) -> int:
        """How many bytes of the file it has, its line included."""
        return SECTION_SIZE + self.end - self.header.base


def segment_name(first: int) -> str:
    """What a segment that begins at this log position is called."""
    return f"wal.{first:020d}.archive"


def segments_in(names: list[str]) -> list[int]:
    """The first log position of each segment among these files, ascending."""
    found = (_SEGMENT_NAME.fullmatch(name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def encode_settings(keep_bytes: int) -> bytes:
    """The line of ``wal.archive``."""
    return _checked(b"BAZANITE-KEEP 1 bytes=%020d" % keep_bytes)


def decode_settings(data: bytes) -> int | None:
    """How many bytes are to be kept; None if this is no such line."""
    match = _SETTINGS.fullmatch(data)
    return int(match[1]) if match and _is_right(data) else None


def encode_head(first: int, catalog: bytes) -> bytes:
    """The beginning of a segment, the catalog included."""
    line = b"BAZANITE-ARCHIVE 1 first=%020d catalog=%012d content=%s"
    return _checked(line % (first, len(catalog), _digest(catalog))) + catalog


def decode_head(data: bytes) -> Head | None:
    """The head whose line these HEAD_SIZE bytes are; None if they are none."""
    match = _HEAD.fullmatch(data)
    return Head(int(match[1]), int(match[2]), match[3]) if match and _is_right(data) else None


def encode_section(section: Section) -> bytes:
    """The line before a generation's frames."""
    header = section.header
    return _checked(
        b"GENERATION %020d salt=%s base=%020d end=%020d next=%020d sector=%04d"
        % (
            header.generation,
            header.salt.hex().encode(),
            header.base,
            section.end,
            section.following,
            header.sector,
        )
    )


def decode_section(data: bytes) -> Section | None:
    """The section whose line these SECTION_SIZE bytes are; None if they are none."""
    match = _SECTION.fullmatch(data)
    if match is None or not _is_right(data):
        return None
    generation, base, end, following, sector = (int(match[i]) for i in (1, 3, 4, 5, 6))
    if not base <= end <= following or sector not in (1, 512, 4096):
        return None
    salt = bytes.fromhex(match[2].decode())
    assert len(salt) == SALT_SIZE
    return Section(Header(generation, salt, base, sector), end, following)


def _checked(text: bytes) -> bytes:
    return text + b" check=" + _digest(text) + b"\n"


def _is_right(line: bytes) -> bool:
    return _checked(line[:-_CHECK_SIZE]) == line


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=8).hexdigest().encode()
