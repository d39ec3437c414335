"""Room in the log for the next frame: a checkpoint empties it, and what is larger makes it grow.

A log that a backup holds is not emptied: then it grows, by more than is needed at once.
"""

from __future__ import annotations

from contextlib import suppress

from . import shared
from .checkpoint import checkpoint_locked
from .core import Core
from .errors import ArchiveError, CommittedNotApplied, CommitUncertain, DirectoryError
from .frame import HEADER_SIZE
from .group import GroupCommit
from .hold import log_is_held
from .telling import INFO, WARNING, tell

_HELD_BYTES = 1 << 20
"""So much more room is made at once where the log has to grow because a backup holds it."""


def make_room(core: Core, group: GroupCommit, payload_size: int) -> None:
    """See to it that a frame fits: by a checkpoint, and for a large one by a larger log.

    Caller holds the global lock.  OSError or DirectoryError: there is no room, and nothing is lost.
    """
    if fits(core, payload_size):
        return
    core.log_size = core.log.size()  # another process may have grown it
    if fits(core, payload_size):
        return
    spare = _HELD_BYTES if log_is_held(core) else 0  # then it grows
    try:
        if not spare:
            checkpoint_locked(core, group)
    except ArchiveError as error:
        tell(WARNING, "archive failed", "%s", error.message)  # the log keeps them, and grows
    except (CommittedNotApplied, CommitUncertain) as error:
        raise DirectoryError(
            f"{core.log.path}: the transaction is rolled back: the log is full, and earlier"
            f" transactions cannot be put into the table files ({error.__cause__ or error})"
        ) from (error.__cause__ or error)
    if fits(core, payload_size):
        return
    size, needed = core.log_size, core.header.file_offset(_end_of(core, payload_size))
    try:
        _grow(core, needed, spare)
    except OSError as error:
        with suppress(OSError):
            core.log.shrink(size)  # give back what there was not enough of
        raise DirectoryError(
            f"{core.log.path}: cannot grow the log for a transaction of {payload_size} bytes, it is"
            f" rolled back: {error}"
        ) from error
    if not core.unsafe:
        group.sync_held()  # else a lost size could hand the same LSNs out twice
    core.log_size = core.log.size()
    grown = (core.log.path, core.log_size, payload_size)
    tell(INFO, "log grown", "%s: grew to %d bytes for a transaction of %d", *grown)


def _grow(core: Core, needed: int, spare: int) -> None:
    """Make the log so long, and by ``spare`` longer if there is room for that."""
    try:
        core.log.grow(needed + spare)
    except OSError:
        if not spare:
            raise
        if core.log.size() > needed:
            core.log.shrink(needed)  # others need the rest of what is left
        else:
            core.log.grow(needed)


def fits(core: Core, payload_size: int) -> bool:
    """Whether a frame with so many bytes of payload has its place in the log as it is."""
    return core.header.file_offset(_end_of(core, payload_size)) <= core.log_size


def _end_of(core: Core, payload_size: int) -> int:
    return core.header.align(core.words[shared.END]) + HEADER_SIZE + payload_size
