"""The header codec of the log: what a generation is, in one checksummed text line.

Pure: no I/O.  The log has two header slots, ``SLOT_SPACING`` bytes apart; generation g lives in
slot g mod 2, so that starting a generation never overwrites the header of the one before.  A header
that must be written again (nobody knows whether it is durable) is not written over itself, where a
torn write could destroy it: its copy goes to a place of its own in the same slot.

Invariant: a slot is rewritten only after the other one, which is newer, is durable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

SLOT_SPACING = 4096
COPY_SPACING = 2048
FRAMES_START = 2 * SLOT_SPACING
SALT_SIZE = 8
NO_BOOT = "-" * 36
"""Stands where a boot id would: the generation is not tied to one."""

_LINE = re.compile(
    rb"BAZANITE-LOG 1 generation=(\d{20}) salt=([0-9a-f]{16}) base=(\d{20}) sector=(\d{4})"
    rb" state=(safe|off_) boot=([0-9a-f-]{36}) check=([0-9a-f]{16})\n"
)
LINE_SIZE = 183
_LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class Header:
    """One generation of the log.

    ``base`` is the LSN of its first frame; ``sector`` the alignment of frames in bytes (1: none);
    ``boot`` names the boot in which data files may hold bytes that were never synced
    (``durability="off"``), and is NO_BOOT where they may not.
    """

    generation: int
    salt: bytes
    base: int
    sector: int = 1
    boot: str = NO_BOOT

    @property
    def unsafe(self) -> bool:
        """Whether only the boot named here may trust the data files."""
        return self.boot != NO_BOOT

    @property
    def slot_offset(self) -> int:
        """Where in the file this header stands."""
        return self.generation % 2 * SLOT_SPACING

    def file_offset(self, lsn: int) -> int:
        """Where in the file the log position ``lsn`` of this generation lies."""
        return FRAMES_START + lsn - self.base

    def align(self, lsn: int) -> int:
        """The first position at or after ``lsn`` at which a frame may start."""
        return lsn + -(lsn - self.base) % self.sector


def encode_header(header: Header) -> bytes:
    """The header's line; what follows it in the slot is zeros."""
    state = b"off_" if header.unsafe else b"safe"
    checked = b"BAZANITE-LOG 1 generation=%020d salt=%s base=%020d sector=%04d state=%s boot=%s" % (
        header.generation,
        header.salt.hex().encode(),
        header.base,
        header.sector,
        state,
        header.boot.encode(),
    )
    return checked + b" check=" + _checksum(checked) + b"\n"


def decode_header(slot: bytes) -> Header | None:
    """The header at the start of ``slot``, or None if no valid one is there."""
    match = _LINE.match(slot)
    if match is None or _checksum(slot[: match.start(7) - 7]) != match[7]:
        return None
    if int(match[1]) > _LARGEST or int(match[3]) > _LARGEST:
        return None
    sector = int(match[4])
    if sector not in (1, 512, 4096) or (match[5] == b"off_") != (match[6] != NO_BOOT.encode()):
        return None
    return Header(
        int(match[1]), bytes.fromhex(match[2].decode()), int(match[3]), sector, match[6].decode()
    )


def headers_in(slots: bytes) -> list[Header]:
    """The valid headers in a log's first FRAMES_START bytes; equal ones (copies) only once."""
    found: list[Header] = []
    for index in range(2):
        start = index * SLOT_SPACING
        for offset in (start, start + COPY_SPACING):
            header = decode_header(slots[offset : offset + LINE_SIZE])
            if header is not None and header.generation % 2 == index and header not in found:
                found.append(header)
    return found


def newest_header(slots: bytes) -> Header | None:
    """The valid header of the highest generation in the first FRAMES_START bytes of a log."""
    return max(headers_in(slots), key=lambda header: header.generation, default=None)


def _checksum(checked: bytes) -> bytes:
    return blake2b(checked, digest_size=8).hexdigest().encode()
