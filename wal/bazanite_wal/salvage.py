"""What can still be read of a damaged directory: its files, and its log frame by frame.

Reads only.  Where recovery stops at the first frame that is not whole, this goes on: each frame
proves itself by checks that are keyed with the generation's salt and cover its place.  What the
frames between them said is lost, so redoing those that are left may take back what a lost one wrote
into the files long ago.  A directory whose processes were killed has a prefix of the frames in its
files; how long that prefix is, the files tell: what a frame wrote and no later frame wrote over
stands there, or does not.

Invariant: frames are told to be redone only if no later one was seen to be applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .archive import read_head
from .archive_format import segment_name, segments_in
from .errors import DBError
from .frame import (
    FRAME,
    HEADER_SIZE,
    LARGEST_FILE,
    Frame,
    FrameError,
    claims_position,
    decode_first_lsn,
    decode_frame,
    initial_chain,
    is_data_file_name,
)
from .header import FRAMES_START, SLOT_SPACING, Header, headers_in
from .io import read_up_to
from .layer import PageLayer, View
from .log import LOG_NAME
from .salvage_evidence import applied_of
from .scan import LEAST_FILE_SIZE
from .system import Directory, File

_FRAME_LINE = re.compile(rb"(?:FRAME|MARK ) (\d{20}) ")
_WHOLE_LINE = re.compile(rb"(?:FRAME|MARK ) (\d{20}) \d{12} \d{20}(?: [0-9a-f]{16}){3}\n")
_SECTOR = 512


class Readable:
    """The data files as they are, a View that raises nothing: what cannot be read is zeros.

    ``unreadable`` says which files those are, and why.
    """

    def __init__(self, directory: Directory) -> None:
        self.unreadable: dict[str, str] = {}
        self._files: dict[str, File] = {}
        for name in filter(is_data_file_name, directory.list()):
            try:
                self._files[name] = directory.open(name, write=False)
            except OSError as error:
                self.unreadable[name] = str(error)

    def names(self) -> list[str]:
        """The files that are there and can be opened, sorted."""
        return sorted(self._files)

    def size(self, name: str) -> int:
        file = self._files.get(name)
        try:
            return 0 if file is None else file.size()
        except OSError as error:
            self.unreadable[name] = str(error)
            return 0

    def read(self, name: str, offset: int, size: int) -> bytes:
        file = self._files.get(name)
        if file is None or offset > LARGEST_FILE:
            return b""
        try:
            return read_up_to(file, size, offset)
        except OSError as error:
            self.unreadable[name] = str(error)
        end = min(offset + size, self.size(name))
        return b"".join(
            self._sector(file, start, min(end, start + _SECTOR - start % _SECTOR))
            for start in [offset, *range(offset - offset % _SECTOR + _SECTOR, end, _SECTOR)]
            if start < end
        )

    def _sector(self, file: File, start: int, end: int) -> bytes:
        try:
            return read_up_to(file, end - start, start).ljust(end - start, b"\0")
        except OSError:
            return bytes(end - start)

    def next_data(self, name: str, offset: int) -> int | None:
        file = self._files.get(name)
        try:
            return None if file is None or offset > LARGEST_FILE else file.next_data(offset)
        except OSError:
            return offset

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()


@dataclass(frozen=True, slots=True)
class SalvagedLog:
    """The frames of a log that are whole, in order, and how many of them the files have already.

    ``lost`` tells that others are known to be missing between, before or behind them; ``detail``
    says what is damaged to a person.  ``unsafe`` tells of durability "off".
    """

    frames: tuple[Frame, ...] = ()
    applied: int = 0
    lost: bool = False
    detail: str = ""
    unsafe: bool = False
    pending: tuple[Frame, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pending", self.frames[self.applied :])

    def view(self, files: View, *, all_frames: bool = False) -> PageLayer:
        """The files with the frames that they do not have yet; or with all frames made anew."""
        layer = PageLayer(files)
        for frame in self.frames if all_frames else self.pending:
            layer.apply(frame.operations())
        return layer


def read_log(directory: Directory) -> bytes | None:
    """The bytes of the log as far as they can be read; None if there is none."""
    try:
        file = directory.open(LOG_NAME, write=False)
    except OSError:
        return None
    try:
        size = file.size()
        try:
            return read_up_to(file, size, 0)
        except OSError:
            parts = []
            for start in range(0, size, _SECTOR):
                try:
                    parts.append(read_up_to(file, _SECTOR, start).ljust(_SECTOR, b"\0"))
                except OSError:
                    parts.append(bytes(_SECTOR))
            return b"".join(parts)[:size]
    except OSError:
        return None
    finally:
        file.close()


def salvage_log(log: bytes | None, files: View) -> SalvagedLog:
    """What is left of a log, and what the files have of it; raises nothing."""
    if log is None:
        return SalvagedLog(lost=True, detail="the log is missing")
    header, certain, problem = _generation(log)
    if header is None:
        return SalvagedLog(lost=True, detail=problem)
    area = log[FRAMES_START:]
    frames = list(_whole_frames(area, header))
    told = _what_is_missing(area, header, frames)
    if len(log) < LEAST_FILE_SIZE:
        told.append(f"the log ends after {len(log)} bytes")
    changing = tuple(frame for frame in frames if frame.kind == FRAME)
    applied = len(changing)
    if certain:
        applied, newer = applied_of(changing, files, sure=not told)
        if newer:
            told.append("the files have changes that the log does not tell of")
            applied, _ = applied_of(changing, files, sure=False)
    if not certain and _shows_later_generation(area, header):
        told.append("a later generation was in the log, and what would prove its frames is lost")
    detail = "; ".join([*([problem] if problem else []), *told])
    return SalvagedLog(changing, applied, bool(told), detail, header.unsafe)


def _generation(log: bytes) -> tuple[Header | None, bool, str]:
    """The generation in the log, whether none is newer for sure, and what is wrong with that."""
    headers = headers_in(log[:FRAMES_START])
    newest = max(headers, key=lambda header: header.generation, default=None)
    try:
        first = decode_first_lsn(log, FRAMES_START)
    except FrameError:
        first = None
    if first is not None and (newest is None or first > newest.base):
        salt = bytes.fromhex(log[FRAMES_START + 61 : FRAMES_START + 77].decode())
        generation = 1 if newest is None else newest.generation + 1
        what = "the newest header is damaged; the first frame names what proves the frames"
        return Header(generation, salt, first), True, what
    if newest is None:
        return None, False, "no header of the log is whole, so its frames cannot be proven"
    other = log[(newest.generation + 1) % 2 * SLOT_SPACING :][:SLOT_SPACING]
    alone = len({header.generation for header in headers}) == 1 and newest.generation > 1
    damaged = alone or (newest.generation == 1 and bool(other.strip(b"\0")))
    return newest, first == newest.base or not damaged, ""


def _whole_frames(area: bytes, header: Header) -> Iterator[Frame]:
    """Every frame of this generation that is whole, wherever it stands."""
    position = 0
    while (match := _FRAME_LINE.search(area, position)) is not None:
        position = match.start() + 1
        lsn = header.base + match.start()
        if int(match[1]) != lsn:
            continue
        try:
            frame = decode_frame(area, match.start(), lsn, header.salt)
            frame.operations()
        except FrameError:
            continue
        yield frame
        position = frame.end - header.base


def _what_is_missing(area: bytes, header: Header, frames: list[Frame]) -> list[str]:
    """Where frames are missing that were written, for a person."""
    told: list[str] = []
    chain, end = initial_chain(header.salt), header.base
    for frame in frames:
        if frame.previous != chain:
            told.append(f"the log is damaged between LSN {end} and {frame.lsn}")
        chain, end = frame.checksum, frame.end
    start = header.align(end) - header.base
    behind = (match for match in _FRAME_LINE.finditer(area, start))
    if claims_position(area, start, header.base + start, chain) or any(
        int(match[1]) == header.base + match.start() for match in behind
    ):
        told.append(f"the log is torn or damaged behind LSN {end}")
    elif end - header.base != len(area) < start + HEADER_SIZE:
        told.append(f"the log's file was cut behind LSN {end}")
    return told


def _shows_later_generation(area: bytes, header: Header) -> bool:
    """Whether lines stand there that look like frames of a generation after this one."""
    return any(int(match[1]) - match.start() > header.base for match in _WHOLE_LINE.finditer(area))


def archived_catalogs(directory: Directory) -> Iterator[bytes]:
    """The catalogs in the heads of the archive's segments, the newest first."""
    for first in reversed(segments_in(directory.list())):
        try:
            file = directory.open(segment_name(first), write=False)
        except OSError:
            continue
        try:
            yield read_head(directory, file, first)[1]
        except (DBError, OSError):
            continue
        finally:
            file.close()
