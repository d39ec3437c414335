"""I: damage to a killed directory's log must be named, or change nothing.

What no log can tell is allowed: damage to the very last frame looks like a torn one.
"""

from __future__ import annotations

from collections.abc import Iterator

from bazanite_stress.explore.model import Content
from bazanite_stress.simulation.disk import Image
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.header import SLOT_SPACING
from bazanite_wal.log import LOG_NAME
from bazanite_wal.scan import Scan, scan_log

from .looking import Looking
from .scene import Scene
from .session import Session
from .workloads import ALL

_WORKLOADS = ("two tables", "rows", "stale frames", "long frames")
_PAYLOAD_STEP = 13
_READ = "the log that was written is not what is read"
_NAMED = "damage is named, or changes nothing"
_HEADER_PLACES = (20, 60, 100, 150)


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """The log of each workload, its process killed before the close."""
    for name in dict.fromkeys([*workloads, *_WORKLOADS]):
        workload = ALL[name]
        if workload.durability == "full" and all(step[0] != "lock" for step in workload.steps):
            yield Scene("I", workload, "journal")


def look(scene: Scene, looking: Looking) -> None:
    """Caught if some damage goes unnoticed and does harm."""
    session = Session(scene, looking)
    process = session.process("writer")
    for number in range(len(scene.workload.steps)):
        session.step(process, number)
    image = session.machine.image()
    scan = scan_log(image[LOG_NAME])
    if session.moment("the log read"):
        wrong = _misread(image[LOG_NAME], scan)
        session.verdict("the log read", wrong, _READ if wrong else "")
    if scan is None:
        return
    _flip_each(session, image, scan)
    _open_damaged(session, image, scan, session.newest()[0].content())


def _misread(log: bytes, scan: Scan | None) -> str:
    """What is wrong with how the log is read as it is."""
    if scan is None or scan.tail != "clean":
        return f"{scan}"
    start = scan.header.file_offset(scan.end)
    return "" if log[start - HEADER_SIZE : start].strip(b"\0") else "a frame of zeros"


def _flip_each(session: Session, image: Image, scan: Scan) -> None:
    """Every byte of a frame is covered by some check."""
    log = bytearray(image[LOG_NAME])
    for number, frame in enumerate(scan.frames, 1):
        start = scan.header.file_offset(frame.lsn)
        stop = scan.header.file_offset(frame.end)
        for offset in (
            *range(start, start + HEADER_SIZE),
            *range(start + HEADER_SIZE, stop, _PAYLOAD_STEP),
        ):
            what = f"a bit of frame {number} flipped, byte {offset - start}"
            if not session.moment(what):
                continue
            session.looking.spend()
            log[offset] ^= 1
            found = scan_log(bytes(log))
            log[offset] ^= 1
            clean = found is not None and found.tail == "clean"
            unseen = clean and found is not None and len(found.frames) == len(scan.frames)
            text = f"{LOG_NAME}, offset {offset}: a flipped bit is not noticed"
            session.verdict(what, text, _NAMED if unseen else "")


def _open_damaged(session: Session, image: Image, scan: Scan, content: Content) -> None:
    for what, log in _damaged(image[LOG_NAME], scan):
        if not session.moment(what):
            continue
        session.looking.spend()
        outcome = session.judge.outcome(image | {LOG_NAME: log})
        unseen = not outcome.refused and (outcome.wrong or outcome.content != content)
        session.verdict(what, outcome.describe(), _NAMED if unseen else "")


def _damaged(log: bytes, scan: Scan) -> Iterator[tuple[str, bytes]]:
    """Everything but damage to the last frame, which nothing can tell from a torn one."""
    header = scan.header
    for offset in _HEADER_PLACES:
        place = header.slot_offset + offset
        yield f"newest header damaged, byte {offset}", _flipped(log, place)
    other = SLOT_SPACING - header.slot_offset
    yield "other header damaged", _flipped(log, other + 20)
    for number, frame in enumerate(scan.frames[:-1], 1):
        start, stop = header.file_offset(frame.lsn), header.file_offset(frame.end)
        zeros = bytes(stop - start)
        yield f"frame {number} zeroed", log[:start] + zeros + log[stop:]
        middle = (start + HEADER_SIZE + stop) // 2
        yield f"frame {number} damaged in its payload", _flipped(log, middle)
        yield f"frame {number} damaged in its line", _flipped(log, start + 50)
        for sector in range(start + -start % 512, stop - 511, 512):
            lost = log[:sector] + bytes(512) + log[sector + 512 :]
            yield f"frame {number} without a sector", lost


def _flipped(log: bytes, offset: int) -> bytes:
    return log[:offset] + bytes((log[offset] ^ 1,)) + log[offset + 1 :]
