"""Checkpoint: make the data files durable, then let the log forget them.

Order, each before the next: log sync, apply to the end, data sync, archive (where there is one),
header write, header sync, first new frame (or shrinking the file).  With ``durability="off"`` there
are no syncs and the header says that only this boot may trust the files.
"""

from __future__ import annotations

from collections.abc import Callable

from . import shared
from .apply import apply_up_to, redo_generation
from .archive import Ending, archive_generation, kept_bytes, turn_off, turn_on
from .context import once_more
from .core import Core
from .errors import (
    CommittedNotApplied,
    CommitUncertain,
    DirectoryError,
    ValidationError,
    shown_value,
)
from .frame import LARGEST_FILE, initial_chain
from .group import GroupCommit
from .hold import log_is_held
from .lock import let_go
from .log import LogSettings, next_generation
from .system import Directory, File
from .telling import DEBUG, SLOW_SECONDS, WARNING, tell

NOT_DONE = (CommittedNotApplied, CommitUncertain, OSError)
"""What a checkpoint that could not be made raises, besides DBErrors that are told as they are: of
transactions that were told of long ago, and that the log keeps."""
_SHORT_REDO_BYTES = 256 << 10
"""So much of the log is redone within some 20 ms."""


def checkpoint_is_due(core: Core) -> bool:
    """Whether the log is fuller than its threshold; a hint unless the global lock is held.

    Who must redo the whole generation first keeps everybody waiting for as long as that takes.  So
    it does that while the log is short, and else leaves the checkpoint to others for a while.
    """
    if core.words[shared.HOLD]:
        return False  # whoever needs more room than the log has looks whether that is so
    threshold = core.options.checkpoint_bytes or core.options.log_size_bytes // 2
    filled = core.words[shared.END] - core.header.base
    if filled < _SHORT_REDO_BYTES or threshold < 2 * _SHORT_REDO_BYTES or not core.needs_redo():
        return filled >= threshold
    return filled < 2 * _SHORT_REDO_BYTES or 2 * filled >= 3 * threshold


def sync_ahead(core: Core) -> None:
    """Sync all data files without the global lock: most of a checkpoint's work.

    The mark stays until ``unmark`` or the checkpoint itself: were another one to begin meanwhile,
    nobody could tell it from one that died in its sync.
    """
    if core.unsafe or core.words[shared.CHECKPOINTING] not in (0, core.pid):
        return  # the mark may be a dead process's: then the log's end forces a checkpoint
    core.words[shared.CHECKPOINTING] = core.pid
    sync_data_files(core)


def unmark(core: Core) -> None:
    """Nobody syncs ahead here any more, and no sync went unheard: then the mark stays."""
    if core.words[shared.CHECKPOINTING] == core.pid and not core.unheard:
        core.words[shared.CHECKPOINTING] = 0


def sync_data_files(core: Core, *, redo: bool = False) -> None:
    """Sync every data file; one thread of the process at a time, the first failure poisons.

    Two threads share each descriptor, and the kernel reports a failure to one sync only.  With
    ``redo`` (caller holds the global lock) pages whose failed write-back nobody heard of are
    written again first; without it such a failure stays known for the next checkpoint.
    """
    try:
        core.data_sync_lock.acquire(None)
        core.check_poisoned()
        core.files.open_all()
        if redo and core.needs_redo():
            redo_generation(core)
        unheard, core.unheard = core.unheard, True
        began = core.system.monotonic()
        try:
            core.files.sync_all()
        except OSError as error:
            raise core.poison() from error
        core.unheard = unheard and not redo
        core.counts["data_syncs"] += len(core.files.names())
        seconds = core.system.monotonic() - began
        if seconds >= SLOW_SECONDS:
            what = (core.directory.path, seconds)
            tell(WARNING, "slow sync", "%s: a sync of its table files took %.1f s", *what)
    finally:
        try:
            let_go(core.data_sync_lock)
        except BaseException:
            once_more(lambda: let_go(core.data_sync_lock))  # else no thread could sync any more
            raise


def checkpoint_locked(core: Core, group: GroupCommit, settings: LogSettings | None = None) -> None:
    """Start the next generation with an empty log.  Caller holds the global lock.

    On return everything is in the data files, durable (unless "off"), and the log is empty, but for
    a log that is held: that keeps its frames.  An empty log is left as it is, so that no two
    generations begin at the same position.
    PoisonedError if a sync failed; any other error leaves the old generation in use: one of
    NOT_DONE, or ArchiveError if the log is archived, and that failed.
    """
    words, header = core.words, core.header
    settings = settings or core.settings
    if words[shared.END] == header.base and settings == LogSettings(header.sector, header.boot):
        return  # its header is durable, so the data files were when it was written
    durable = not (core.unsafe and settings == core.settings)
    began, filled = core.system.monotonic(), words[shared.END] - header.base
    if durable:
        group.sync_held()  # else applying could put on disk what the log may still lose
    if words[shared.APPLIED] < words[shared.END] or words[shared.SEQUENCE] & 1:
        apply_up_to(core, words[shared.END])
    if durable:
        sync_data_files(core, redo=True)  # else the log would forget what no file has yet
    if log_is_held(core):
        return
    _refuse_replaced(core)
    _archive_log(core, durable=durable)  # else a change would be in the files and nowhere told
    core.critical = True
    header = next_generation(core.system, header, words[shared.END], settings)
    group.write_header(header, durable=durable)
    words[shared.TAIL] = int(initial_chain(header.salt), 16)
    words[shared.GENERATION] = header.generation
    words[shared.CHECKPOINTING] = 0
    words[shared.CHECKPOINTED_AT] = int(core.system.monotonic() * 1000)
    core.files.joined = False
    core.adopt_header(header)
    core.critical = False
    core.counts["checkpoints"] += 1
    if durable and core.log_size > words[shared.LOG_SIZE]:
        core.log.shrink(words[shared.LOG_SIZE])  # the header is durable: nobody needs the rest
        core.log_size = core.log.size()
    seconds = core.system.monotonic() - began
    done = (core.directory.path, filled, seconds)
    level = WARNING if seconds >= SLOW_SECONDS else DEBUG
    tell(level, "checkpoint", "%s: checkpoint of %d bytes of log took %.3f s", *done)


def _refuse_replaced(core: Core) -> None:
    """DirectoryError if a table's file has other bytes than it should, as it is another file now.

    What was written into the old one is nowhere else then but in the log.
    """
    if not core.files.are_current():
        raise DirectoryError(
            f"{core.directory.path}: a table's file was removed or replaced while the database is"
            " in use, so the log keeps what it has. Put the file back, or close the database in"
            " every process that has it open; then open it again"
        )


def _archive_log(core: Core, *, durable: bool) -> None:
    """Put this generation into the log archive, if the directory has one.

    Caller holds the global lock, and has applied all of it.  A failed sync poisons.
    """
    keep = kept_bytes(core.directory)
    if keep is None:
        return
    header, end = core.header, core.words[shared.END]
    if end == header.base:
        return  # it had no frames, and the next one begins where it did
    area = core.log.read(header, header.base, end)
    ending = Ending(header, area, end, end, core.files.catalog())
    sync = _archive_sync(core) if durable else _no_sync
    core.archived = archive_generation(core.directory, keep, ending, sync, core.archived)


def set_archive_locked(core: Core, group: GroupCommit, keep_bytes: int | None) -> None:
    """Archive the log from now on, or (None) no more.  Caller holds the global lock.

    ValidationError, or DirectoryError, leaves it as it was.
    """
    right = type(keep_bytes) is int and 0 < keep_bytes <= LARGEST_FILE
    if keep_bytes is not None and not right:
        raise ValidationError(
            f"keep_bytes={shown_value(keep_bytes)}: must be from 1 to {LARGEST_FILE}, or None"
        )
    directory = core.directory
    try:
        if keep_bytes is None:
            turn_off(directory)
        else:
            checkpoint_locked(core, group)  # so that the catalog is as it is where this begins
            if log_is_held(core):
                raise DirectoryError(
                    f"{directory.path}: its archive stays as it was while a backup is made, which"
                    " needs the log; try again when that is done"
                )
            turn_on(directory, keep_bytes, core.header, core.files.catalog(), _archive_sync(core))
    except NOT_DONE as error:
        raise DirectoryError(f"{directory.path}: its archive stays as it was: {error}") from error


def _archive_sync(core: Core) -> Callable[[File | Directory], None]:
    """Syncs a file of the archive, or the directory; if that fails nobody goes on."""

    def sync(what: File | Directory) -> None:
        try:
            what.sync()
        except OSError as error:
            raise (core.poison_names() if what is core.directory else core.poison()) from error

    return sync


def _no_sync(_what: File | Directory) -> None:
    """With ``durability="off"`` nothing is promised."""
