"""Putting durable frames into the data files, in place; and catching up with frames not there yet.

Invariants: only frames below the durable mark are applied (``durability="off"``: below the end);
``SEQUENCE`` is odd from before the first changed byte until after the last, so a reader without a
lock never believes a state in between; it stays odd when the applier dies, and the next holder of
the global lock finishes.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import shared
from .core import Core, Remembered
from .errors import CommittedNotApplied, CorruptionError, DirectoryError
from .frame import Operation


def finish_apply(core: Core) -> None:
    """Apply what may be applied and is not yet.  Caller holds the global lock."""
    target = core.applicable()  # once: it may move on while the frames are read
    words = core.words
    if words[shared.APPLIED] < target or words[shared.SEQUENCE] & 1:
        apply_up_to(core, target)


def apply_up_to(core: Core, target: int) -> None:
    """Put the log's frames of (applied, target] into the data files, in order.

    CommittedNotApplied if the system refuses a write: the frames stay durable, ``SEQUENCE`` stays
    odd, and the next holder of the global lock tries again.
    """
    words = core.words
    core.critical = True
    words[shared.SEQUENCE] |= 1  # not += 1: the last applier may have died odd
    start = words[shared.APPLIED]
    try:
        if start < target:
            frames: Iterable[list[Operation]] | None = core.remembered(start, target)
            if frames is None:
                read = core.log.frames(core.header, start, target)
                frames = (frame.operations() for frame in read)
            for operations in frames:
                core.files.apply(operations)
            words[shared.APPLIED] = target
            core.forget_applied()
    except CorruptionError as error:
        raise core.poison() from error
    except OSError as error:
        core.critical = False
        raise CommittedNotApplied(
            f"{core.directory.path}: the transaction is durable in the log, but could not be"
            f" written to its table files yet ({error}); the next use of the database tries again"
        ) from error
    words[shared.SEQUENCE] = (words[shared.SEQUENCE] | 1) + 1
    core.critical = False


def redo_generation(core: Core) -> None:
    """Apply every frame of this generation once more, so that all its pages are dirty again.

    A process that died may have swallowed the only report of a failed write-back.
    """
    target = core.words[shared.APPLIED]
    core.critical = True
    core.words[shared.SEQUENCE] |= 1
    core.words[shared.APPLIED] = core.header.base  # or a death half-way would leave old rows behind
    apply_up_to(core, target)


def catch_up(core: Core) -> int:
    """Bring the overlay up to the end of the log.  Caller holds the global lock.

    What it says of frames that the files have by now is true until others apply one that it does
    not know: till then it stays, if it is small, as a cache.
    Returns that end if the overlay tells of frames that are not applied yet (a result computed
    from it must not be revealed before they are), else 0.
    """
    words = core.words
    applied, end = words[shared.APPLIED], words[shared.END]
    if applied > core.position or (applied == core.position and core.overlay.is_large()):
        core.drop_overlay()
    if end == applied:
        return 0
    if core.position < end:
        try:
            frames = core.log.frames(core.header, core.position, end)
            if int(frames[-1].checksum, 16) != words[shared.TAIL]:
                last = frames[-1]
                offset = core.header.file_offset(last.lsn)
                raise CorruptionError(core.log.path, offset, "the last frame", "another one")
        except CorruptionError as error:
            raise core.poison() from error
        except OSError as error:
            raise DirectoryError(f"{core.log.path}: cannot read the log: {error}") from error
        for frame in frames:
            operations = frame.operations()
            core.overlay.apply(operations)
            core.tail.append(Remembered(core.position, frame.lsn, frame.data, operations))
            core.position = frame.end
    return end
