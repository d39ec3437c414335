"""I: damage to a killed directory's log must be named, or change nothing.

What no log can tell is allowed: damage to the very last frame looks like a torn one.
"""

from __future__ import annotations

from collections.abc import Iterator

from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.model import Content
from bazanite_stress.simulation.disk import Image
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.header import SLOT_SPACING
from bazanite_wal.log import LOG_NAME
from bazanite_wal.scan import Scan, scan_log

from .session import Count, Session
from .workloads import ALL

_WORKLOADS = ("two tables", "rows", "stale frames", "long frames")
_PAYLOAD_STEP = 13
_HEADER_PLACES = (20, 60, 100, 150)


def look(count: Count, workloads: tuple[str, ...]) -> None:
    """Caught if some damage goes unnoticed and does harm."""
    for name in dict.fromkeys([*workloads, *_WORKLOADS]):
        workload = ALL[name]
        if workload.durability != "full" or any(step[0] == "lock" for step in workload.steps):
            continue
        session = Session(workload, "journal", Judge(workload, "journal", 512), count)
        process = session.process("writer")
        for step in workload.steps:
            session.step(process, step)
        image = session.machine.image()
        scan = scan_log(image[LOG_NAME])
        if scan is None or scan.tail != "clean":
            raise session.caught(f"{scan}", "the log that was written is not what is read")
        start = scan.header.file_offset(scan.end)
        if not image[LOG_NAME][start - HEADER_SIZE : start].strip(b"\0"):
            raise session.caught("a frame of zeros", "the log that was written is not what is read")
        _flip_each(session, image, scan)
        _open_damaged(session, image, scan, session.newest()[0].content())


def _flip_each(session: Session, image: Image, scan: Scan) -> None:
    """Every byte of a frame is covered by some check."""
    log = bytearray(image[LOG_NAME])
    whole = len(scan.frames)
    for frame in scan.frames:
        start = scan.header.file_offset(frame.lsn)
        stop = scan.header.file_offset(frame.end)
        for offset in (
            *range(start, start + HEADER_SIZE),
            *range(start + HEADER_SIZE, stop, _PAYLOAD_STEP),
        ):
            session.count.spend()
            log[offset] ^= 1
            found = scan_log(bytes(log))
            log[offset] ^= 1
            if found is not None and found.tail == "clean" and len(found.frames) == whole:
                text = f"{LOG_NAME}, offset {offset}: a flipped bit is not noticed"
                raise session.caught(text, "damage is named, or changes nothing")


def _open_damaged(session: Session, image: Image, scan: Scan, content: Content) -> None:
    for what, log in _damaged(image[LOG_NAME], scan):
        session.count.spend()
        outcome = session.judge.outcome(image | {LOG_NAME: log})
        if outcome.refused:
            continue
        if outcome.wrong or outcome.content != content:
            raise session.caught(outcome.describe(), "damage is named, or changes nothing", what)


def _damaged(log: bytes, scan: Scan) -> Iterator[tuple[str, bytes]]:
    """Everything but damage to the last frame, which nothing can tell from a torn one."""
    header = scan.header
    for offset in _HEADER_PLACES:
        place = header.slot_offset + offset
        yield f"newest header, offset {offset}", _flipped(log, place)
    other = SLOT_SPACING - header.slot_offset
    yield "other header", _flipped(log, other + 20)
    for frame in scan.frames[:-1]:
        start, stop = header.file_offset(frame.lsn), header.file_offset(frame.end)
        zeros = bytes(stop - start)
        yield f"frame {frame.lsn} zeroed", log[:start] + zeros + log[stop:]
        yield f"frame {frame.lsn}, payload", _flipped(log, (start + HEADER_SIZE + stop) // 2)
        yield f"frame {frame.lsn}, line", _flipped(log, start + 50)
        for sector in range(start + -start % 512, stop - 511, 512):
            lost = log[:sector] + bytes(512) + log[sector + 512 :]
            yield f"frame {frame.lsn}, a sector lost", lost


def _flipped(log: bytes, offset: int) -> bytes:
    return log[:offset] + bytes((log[offset] ^ 1,)) + log[offset + 1 :]
