"""Reading a log from its bytes: which frames are valid, and what the end of them means.

Pure: no I/O.  Walking stops at the first frame that is not whole, not of this generation, or does
not name its predecessor.  What stands there is one of:

- *clean*: nothing of this generation: zeros, or an older generation's bytes;
- *torn*: a frame that was being written when its writer or the machine stopped; nothing that
  follows proves that it was ever durable, so it was never acknowledged, and is dropped;
- *corrupt*: a later header line carries a durable watermark beyond this point, so what stood here
  was durable once and is damaged now; or the log begins with a frame of a generation above the
  newest valid header, so that header is damaged: nobody may guess.

A later line proves this by itself, even if its payload is torn: its own check says that the engine
wrote it here, in this generation, and the watermark was true when it was written.  That stays true,
because what is durable is never taken back nor overwritten within a generation.  Whatever part of
the unsynced bytes a power cut leaves, their watermarks lie at or below the first of them.

Damage to the very last group of frames looks like a torn tail: in a log that syncs once per commit
nothing in it can tell them apart.  As long as the machine runs the shared words can, see
``with_witness``.

The work is linear in the log's size: each payload is hashed once, in the walk; behind its end only
header lines are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from .frame import (
    Frame,
    FrameError,
    claims_position,
    decode_first_lsn,
    decode_frame,
    decode_watermark,
    initial_chain,
)
from .header import FRAMES_START, SLOT_SPACING, Header, newest_header
from .shared import Witness

LEAST_LOG_SIZE = 8 << 10
"""Room for frames that every log has."""
LEAST_FILE_SIZE = FRAMES_START + LEAST_LOG_SIZE
NO_WITNESS = Witness()

_ZEROS = bytes(1 << 16)
_FRAME_LINE = re.compile(rb"(?:FRAME|MARK ) (\d{20}) ")


@dataclass(frozen=True, slots=True)
class Scan:
    """What a log's bytes hold.

    ``end`` is the log position after the last valid frame; ``tail`` says what follows it;
    ``dropped_frames`` counts frames of this generation behind a torn one, by their header lines;
    ``detail`` is for a person; ``bad_lsn`` is the position of the first frame that is not valid,
    ``bad_offset`` the place in the file of what is wrong.
    """

    header: Header
    frames: tuple[Frame, ...]
    end: int
    chain: str
    tail: Literal["clean", "torn", "corrupt"]
    bad_lsn: int
    bad_offset: int
    dropped_frames: int
    detail: str


def frame_at(data: bytes, data_lsn: int, header: Header, lsn: int, previous: str | None) -> Frame:
    """The frame that starts at log position ``lsn`` or at the first place after it that may be one.

    ``data`` are the log's bytes from position ``data_lsn`` on; ``previous`` is the checksum that it
    must name, None if the caller does not know it.  FrameError says why there is none.
    """
    lsn = header.align(lsn)
    frame = decode_frame(data, lsn - data_lsn, lsn, header.salt)
    if previous is not None and frame.previous != previous:
        raise FrameError("it does not follow the frame before it")
    return frame


def scan_log(log: bytes) -> Scan | None:
    """Judge a whole log file; None if neither header slot is valid."""
    header = newest_header(log[:FRAMES_START])
    if header is None:
        return None
    scan = scan_generation(log[FRAMES_START:], header)
    try:
        first = decode_first_lsn(log, FRAMES_START)
    except FrameError:
        return scan
    if first > header.base:
        # Frames of a generation come only after its header is durable, and older ones lie below.
        detail = f"the log holds frames of a later generation, from LSN {first} on"
        slot = (header.generation + 1) % 2 * SLOT_SPACING
        return replace(scan, tail="corrupt", bad_offset=slot, detail=detail)
    return scan


def with_size(scan: Scan, size: int) -> Scan:
    """The same, but a log file of less than LEAST_FILE_SIZE bytes has lost its end."""
    if size >= LEAST_FILE_SIZE:
        return scan
    detail = f"the log ends after {size} bytes, and none has less than {LEAST_FILE_SIZE}"
    return replace(scan, tail="corrupt", bad_offset=size, detail=detail)


def with_witness(scan: Scan, witness: Witness) -> Scan:
    """The same, but nothing is missing at the end that a process knew to be there.

    What was durable may be in the table files, and replaying only what stands before it would mix
    two states: that is corruption.  What was only written may be gone after a failed write-back:
    the tail is torn, at the least.  That nothing at all stands there proves it only for the
    generation in which the witness was; an older log may be a backup's that was put back.
    """
    same = witness.generation == scan.header.generation
    if scan.tail == "corrupt" or witness.generation < scan.header.generation:
        return scan
    if scan.tail == "clean" and not same:
        return scan
    if witness.durable > scan.bad_lsn:
        told = f".shared says that the log was durable up to LSN {witness.durable}"
        return replace(scan, tail="corrupt", detail="; ".join(filter(None, [scan.detail, told])))
    if witness.end > scan.bad_lsn and scan.tail == "clean":
        told = f".shared says that the log was written up to LSN {witness.end}"
        return replace(scan, tail="torn", detail=told)
    return scan


class Walk(NamedTuple):
    """Whole frames that follow each other, where they end, and why there is no further one.

    ``unreadable``: the next one's checksum holds, but its payload says nothing.
    """

    frames: list[Frame]
    end: int
    chain: str
    detail: str
    unreadable: bool


def walk(area: bytes, header: Header, start: int, chain: str) -> Walk:
    """The frames from log position ``start`` on, where ``area`` begins; the first follows
    ``chain``.
    """
    frames: list[Frame] = []
    end, unreadable = start, False
    try:
        while True:
            frame = frame_at(area, start, header, end, chain)
            unreadable = True
            frame.operations()
            unreadable = False
            frames.append(frame)
            end, chain = frame.end, frame.checksum
    except FrameError as error:
        return Walk(frames, end, chain, str(error), unreadable)


def scan_generation(area: bytes, header: Header) -> Scan:
    """Judge the frames in ``area``, the log's bytes behind its header slots."""
    walked = walk(area, header, header.base, initial_chain(header.salt))
    frames, end, chain, detail, unreadable = walked
    bad_lsn = header.align(end)
    bad_offset = header.file_offset(bad_lsn)
    if unreadable:  # its checksum holds, so this is no torn frame: nobody may drop it
        return Scan(header, tuple(frames), end, chain, "corrupt", bad_lsn, bad_offset, 0, detail)
    lines = list(_genuine_lines(area, header, bad_lsn))
    later = [line for line in lines if line.lsn > bad_lsn]
    covering = [line for line in lines if line.watermark > bad_lsn]
    tail: Literal["clean", "torn", "corrupt"]
    if covering:
        tail = "corrupt"
        detail += (
            f"; the frame at LSN {covering[0].lsn} says that the log was durable up to LSN"
            f" {covering[0].watermark}"
        )
    elif lines or claims_position(area, bad_lsn - header.base, bad_lsn, chain):
        tail = "torn"
    else:
        tail, detail = "clean", ""
    return Scan(header, tuple(frames), end, chain, tail, bad_lsn, bad_offset, len(later), detail)


class _Line(NamedTuple):
    lsn: int
    watermark: int


def _length_without_zeros(area: bytes) -> int:
    """How long it is without the zeros at its end; whole pieces of them are compared at once."""
    end = len(area)
    while end >= len(_ZEROS) and area.startswith(_ZEROS, end - len(_ZEROS)):
        end -= len(_ZEROS)
    start = max(0, end - len(_ZEROS))
    return start + len(area[start:end].rstrip(b"\0"))


def _genuine_lines(area: bytes, header: Header, start: int) -> Iterator[_Line]:
    """Header lines that the engine wrote in this generation, from ``start`` on, wherever they are.

    A value may be full of lines that look right: each costs the hash of one line, no more.
    """
    written = _length_without_zeros(area)  # most of a log is zeros, which take long to search
    for match in _FRAME_LINE.finditer(area, start - header.base, written):
        lsn = header.base + match.start()
        if int(match[1]) == lsn:
            try:
                yield _Line(lsn, decode_watermark(area, match.start(), lsn, header.salt))
            except FrameError:
                continue
