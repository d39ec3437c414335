"""The frame codec: how one transaction, or a mark, becomes bytes of the log and back.

Pure: no I/O.  docs/format.md specifies the bytes.  A frame is one fixed-width text line followed
by its payload; the payload lists after-images of byte ranges, so replaying it twice is harmless.

Invariants: the checksum is keyed with the generation's random salt and covers the header line and
the payload, so neither an older generation's bytes nor a value that merely looks like a frame
validates; each frame names its predecessor's checksum (the first one: the salt), so a frame never
follows one that it did not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

FRAME = b"FRAME"
MARK = b"MARK "
HEADER_SIZE = 95
"""Kind 5, LSN 20, length 12, watermark 20, previous 16, checksum 16, five spaces, newline."""

_CHECKED_SIZE = HEADER_SIZE - 17  # all but the checksum and the newline

_FILE_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*\.dat|schema\.json)\Z")
LARGEST_FILE = 1 << 43
"""8 TiB: what every local file system takes, so that a durable frame can always be applied."""
LARGEST_FILL = 1 << 30
_LONGEST_LINE = 400
"""An operation's line: a file name of at most 255 bytes and three numbers."""


@dataclass(frozen=True, slots=True)
class Write:
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


@dataclass(frozen=True, slots=True)
class Truncate:
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

    @property
    def end(self) -> int:
        """The commit LSN: the log position just after this frame, without any padding."""
        return self.lsn + HEADER_SIZE + len(self.payload)

    def operations(self) -> list[Operation]:
        """Decode the payload; FrameError if it is not a list of operations."""
        return decode_operations(self.payload)


class FrameError(ValueError):
    """These bytes are not a valid frame; the text says what is wrong."""


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
    digest.update(payload)
    checksum = digest.hexdigest()
    return b"%s%s\n%s" % (checked, checksum.encode(), payload), checksum


def decode_frame(data: bytes | memoryview, position: int, lsn: int, salt: bytes) -> Frame:
    """The frame at ``data[position:]``, which must say that it starts at log position ``lsn``.

    FrameError if it is incomplete, is another position's or generation's, or fails its checksum.
    The chain to its predecessor is the caller's to check.
    """
    header = bytes(data[position : position + HEADER_SIZE])
    if len(header) < HEADER_SIZE:
        raise FrameError("incomplete header line")
    kind = header[:5]
    if kind not in (FRAME, MARK) or header[5:27] != b" %020d " % lsn:
        raise FrameError("no frame of this position")
    length = _number(header[27:39])
    start = position + HEADER_SIZE
    payload = bytes(data[start : start + length])
    if len(payload) < length:
        raise FrameError("incomplete payload")
    digest = blake2b(header[:_CHECKED_SIZE], digest_size=8, key=salt)
    digest.update(payload)
    checksum = digest.hexdigest()
    if header[_CHECKED_SIZE:] != checksum.encode() + b"\n":
        raise FrameError("checksum differs")
    previous = header[61:77].decode("ascii", "replace")
    watermark = header[40:60]
    if not watermark.isdigit():
        raise FrameError(f"not a number: {watermark!r}")
    return Frame(kind, lsn, int(watermark), previous, checksum, payload)


def claims_position(data: bytes | memoryview, position: int, lsn: int, previous: str) -> bool:
    """Whether a header line of exactly this place in the chain stands here, whole or damaged.

    It tells a torn frame from the leftovers of an older generation; it proves nothing.
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
        newline = payload.find(b"\n", position, position + _LONGEST_LINE)
        if newline < 0:
            raise FrameError(f"payload offset {position}: no operation line")
        words = payload[position:newline].split(b" ")
        position = newline + 1
        if words[0] == b"write" and len(words) == 4:
            offset, count = _number(words[2]), _number(words[3])
            data = payload[position : position + count]
            if len(data) < count or payload[position + count : position + count + 1] != b"\n":
                raise FrameError(f"payload offset {position}: write is cut short")
            operations.append(Write(_name(words[1]), offset, data))
            position += count + 1
        elif words[0] == b"fill" and len(words) == 5:
            byte, count = _byte(words[3]), _number(words[4])
            if count > LARGEST_FILL:
                raise FrameError(f"fill of {count} bytes is longer than any that is written")
            operations.append(Fill(_name(words[1]), _number(words[2]), byte, count))
        elif words[0] == b"truncate" and len(words) == 3:
            operations.append(Truncate(_name(words[1]), _number(words[2])))
        else:
            raise FrameError(f"payload offset {position}: unknown operation {words[0][:20]!r}")
    return operations


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise FrameError(f"not a number: {text[:24]!r}")
    number = int(text)
    if number > LARGEST_FILE:
        raise FrameError(f"number {number} is larger than any file")
    return number


def _byte(text: bytes) -> int:
    if not re.fullmatch(rb"[0-9a-f]{2}", text):
        raise FrameError(f"not a byte: {text[:24]!r}")
    return int(text, 16)


def _name(text: bytes) -> str:
    name = text.decode("ascii", "replace")
    if not is_data_file_name(name):
        raise FrameError(f"not a data file's name: {name[:40]!r}")
    return name
