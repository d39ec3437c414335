"""The frame codec: how one transaction, or a mark, becomes bytes of the log and back.

Pure: no I/O.  docs/format.md specifies the bytes.  A frame is one fixed-width text line followed
by its payload; the payload lists after-images of byte ranges, so replaying it twice is harmless.

Invariants: both checksums are keyed with the generation's random salt, so neither an older
generation's bytes nor a value that merely looks like a frame validates.  The header check covers
the line alone: a line that passes was written by the engine, at this very place (its LSN), so its
length and its watermark may be believed even if the payload is torn.  The frame checksum covers
the line and the payload.  Each frame names its predecessor's checksum (the first one: the salt), so
a frame never follows one that it did not know.

The salt stands in the log in clear: the checks are against accidents and innocent content, not
against someone who reads and writes the directory's files, who owns the database anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

FRAME = b"FRAME"
MARK = b"MARK "
HEADER_SIZE = 112
"""Kind 5, LSN 20, length 12, watermark 20, previous, header check and checksum 16 each, newline."""

# The header check covers the first 78 bytes, the checksum the first 95 and the payload: texts of
# different lengths, so that neither can be the other's, and one hash state serves both.
_CHECKED_SIZE = HEADER_SIZE - 34
_COVERED_SIZE = HEADER_SIZE - 17

_FILE_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*\.dat|schema\.json)\Z")
_FIRST_LINE = re.compile(rb"(?:FRAME|MARK ) \d{20} \d{12} \d{20} [0-9a-f]{16} ")
LARGEST_FILE = 1 << 43
"""8 TiB: what every local file system takes, so that a durable frame can always be applied."""
LARGEST_FILL = 1 << 30
_WRITE_LINE = re.compile(rb"write ([A-Za-z0-9_.-]{1,255}) (\d{1,12}) (\d{1,12})\n")
"""A write as almost all are: with numbers that are below LARGEST_FILE for sure."""
_LONGEST_LINE = 400
"""An operation's line: a file name of at most 255 bytes and three numbers."""


class Write(NamedTuple):
    """Bytes ``data`` stand at ``offset`` of file ``name``."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fill:
    """``count`` bytes of value ``byte`` stand at ``offset`` of file ``name``."""

    name: str
    offset: int
    byte: int
    count: int


class Truncate(NamedTuple):
    """File ``name`` is ``size`` bytes long: cut, or grown with zeros."""

    name: str
    size: int


Operation = Write | Fill | Truncate


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame.  ``lsn`` is the log position of its first byte, ``end`` of the next."""

    kind: bytes
    lsn: int
    watermark: int
    previous: str
    checksum: str
    payload: bytes
    line: bytes = b""

    @property
    def end(self) -> int:
        """The commit LSN: the log position just after this frame, without any padding."""
        return self.lsn + HEADER_SIZE + len(self.payload)

    @property
    def data(self) -> bytes:
        """All of it as it stands in the log."""
        return self.line + self.payload

    def operations(self) -> list[Operation]:
        """Decode the payload; FrameError if it is not a list of operations."""
        return decode_operations(self.payload)


class FrameError(ValueError):
    """These bytes are not a valid frame; the text says what is wrong."""


@lru_cache(maxsize=256)  # each change and each frame names a file, and mostly the same few
def is_data_file_name(name: str) -> bool:
    """Whether a frame may name this file: a plain name inside the directory, ours by its ending."""
    return len(name) <= 255 and _FILE_NAME.match(name) is not None


def initial_chain(salt: bytes) -> str:
    """What the first frame of a generation names as its predecessor: the salt, in hexadecimal."""
    return salt.hex()


def encode_frame(
    kind: bytes, lsn: int, watermark: int, previous: str, salt: bytes, payload: bytes
) -> tuple[bytes, str]:
    """The whole frame's bytes, and its checksum (16 hexadecimal digits) for the next one."""
    checked = b"%s %020d %012d %020d %s " % (kind, lsn, len(payload), watermark, previous.encode())
    digest = blake2b(checked, digest_size=8, key=salt)
    header_check = b"%s " % digest.hexdigest().encode()
    digest.update(header_check)
    digest.update(payload)
    checksum = digest.hexdigest()
    return b"%s%s%s\n%s" % (checked, header_check, checksum.encode(), payload), checksum


def decode_frame(data: bytes | memoryview, position: int, lsn: int, salt: bytes) -> Frame:
    """The frame at ``data[position:]``, which must say that it starts at log position ``lsn``.

    FrameError if it is incomplete, is another position's or generation's, or fails a checksum.
    The chain to its predecessor is the caller's to check.
    """
    line, digest = _checked_line(data, position, lsn, salt)
    length = _number(line[27:39])
    start = position + HEADER_SIZE
    payload = bytes(data[start : start + length])
    if len(payload) < length:
        raise FrameError("incomplete payload")
    digest.update(line[_CHECKED_SIZE:_COVERED_SIZE])
    digest.update(payload)
    checksum = digest.hexdigest()
    if line[_COVERED_SIZE:] != checksum.encode() + b"\n":
        raise FrameError("checksum differs")
    previous = line[61:77].decode("ascii", "replace")
    return Frame(line[:5], lsn, _watermark(line), previous, checksum, payload, line)


def decode_watermark(data: bytes | memoryview, position: int, lsn: int, salt: bytes) -> int:
    """What the header line at ``data[position:]`` says was durable; its payload is not looked at.

    FrameError if no header line that the engine wrote at log position ``lsn`` stands there.
    """
    return _watermark(_checked_line(data, position, lsn, salt)[0])


def decode_first_lsn(data: bytes | memoryview, position: int) -> int:
    """The LSN in a genuine header line of any generation's first frame at ``data[position:]``.

    Such a line names its generation's salt as its predecessor, so it proves itself.  FrameError if
    there is none, which includes a mixture of the lines of two generations.
    """
    line = bytes(data[position : position + HEADER_SIZE])
    if not _FIRST_LINE.match(line):
        raise FrameError("no header line of a first frame")
    lsn = _number(line[6:26])
    _checked_line(line, 0, lsn, bytes.fromhex(line[61:77].decode()))
    return lsn


def _checked_line(
    data: bytes | memoryview, position: int, lsn: int, salt: bytes
) -> tuple[bytes, blake2b]:
    """The header line of log position ``lsn``, and the hash of what its own check covers."""
    line = bytes(data[position : position + HEADER_SIZE])
    if len(line) < HEADER_SIZE:
        raise FrameError("incomplete header line")
    if line[:5] not in (FRAME, MARK) or line[5:27] != b" %020d " % lsn:
        raise FrameError("no frame of this position")
    digest = blake2b(line[:_CHECKED_SIZE], digest_size=8, key=salt)
    if line[_CHECKED_SIZE:_COVERED_SIZE] != b"%s " % digest.hexdigest().encode():
        raise FrameError("header check differs")
    return line, digest


def claims_position(data: bytes | memoryview, position: int, lsn: int, previous: str) -> bool:
    """Whether a damaged header line of exactly this place in the chain seems to stand here.

    It tells a torn line from the leftovers of an older generation; it proves nothing.
    """
    header = bytes(data[position : position + HEADER_SIZE])
    return header[6:26] == b"%020d" % lsn or header[61:77] == previous.encode()


def encode_operations(operations: Iterable[Operation]) -> bytes:
    """The payload that lists these operations in order."""
    parts: list[bytes] = []
    for operation in operations:
        name = operation.name.encode()
        if isinstance(operation, Write):
            parts.append(b"write %s %d %d\n" % (name, operation.offset, len(operation.data)))
            parts.append(operation.data)
            parts.append(b"\n")
        elif isinstance(operation, Fill):
            line = b"fill %s %d %02x %d\n"
            parts.append(line % (name, operation.offset, operation.byte, operation.count))
        else:
            parts.append(b"truncate %s %d\n" % (name, operation.size))
    return b"".join(parts)


def decode_operations(payload: bytes) -> list[Operation]:
    """The operations of a payload, in order; FrameError on anything else."""
    operations: list[Operation] = []
    position = 0
    while position < len(payload):
        simple = _WRITE_LINE.match(payload, position)
        if simple is not None:
            name, offset, count = simple.groups()
            start, end = simple.end(), simple.end() + int(count)
            known = _name(name)
            if payload[end : end + 1] == b"\n":
                operations.append(Write(known, int(offset), payload[start:end]))
                position = end + 1
                continue
        newline = payload.find(b"\n", position, position + _LONGEST_LINE)
        if newline < 0:
            raise FrameError(f"payload offset {position}: no operation line")
        words = payload[position:newline].split(b" ")
        position = newline + 1
        if words[0] == b"write" and len(words) == 4:
            offset, count = _number(words[2]), _number(words[3])
            _refuse_beyond(offset + count)
            data = payload[position : position + count]
            if len(data) < count or payload[position + count : position + count + 1] != b"\n":
                raise FrameError(f"payload offset {position}: write is cut short")
            operations.append(Write(_name(words[1]), offset, data))
            position += count + 1
        elif words[0] == b"fill" and len(words) == 5:
            byte, count = _byte(words[3]), _number(words[4])
            if count > LARGEST_FILL:
                raise FrameError(f"fill of {count} bytes is longer than any that is written")
            offset = _number(words[2])
            _refuse_beyond(offset + count)
            operations.append(Fill(_name(words[1]), offset, byte, count))
        elif words[0] == b"truncate" and len(words) == 3:
            operations.append(Truncate(_name(words[1]), _number(words[2])))
        else:
            raise FrameError(f"payload offset {position}: unknown operation {words[0][:20]!r}")
    return operations


def _watermark(line: bytes) -> int:
    if not line[40:60].isdigit():
        raise FrameError(f"not a number: {line[40:60]!r}")
    return int(line[40:60])


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise FrameError(f"not a number: {text[:24]!r}")
    number = int(text)
    if number > LARGEST_FILE:
        raise FrameError(f"number {number} is larger than any file")
    return number


def _refuse_beyond(end: int) -> None:
    if end > LARGEST_FILE:
        raise FrameError(f"a change up to {end} is beyond the end of any file")


def _byte(text: bytes) -> int:
    if not re.fullmatch(rb"[0-9a-f]{2}", text):
        raise FrameError(f"not a byte: {text[:24]!r}")
    return int(text, 16)


@lru_cache(maxsize=256)  # as above
def _name(text: bytes) -> str:
    name = text.decode("ascii", "replace")
    if not is_data_file_name(name):
        raise FrameError(f"not a data file's name: {name[:40]!r}")
    return name
