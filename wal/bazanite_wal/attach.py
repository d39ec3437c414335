"""Attaching to a directory and detaching from it.

Everyone attached holds a shared flock on ``.attached``; the first opener is who gets it exclusive.
Attaching happens wholly under ``.lock``.  Only the first opener touches the shared words: it clears
READY before anything else and sets it to this boot's token after everything else.  An opener that
got the shared flock but finds READY wrong lets go and starts over, because a dying process frees
its locks one by one: ``.lock`` may be free before ``.attached`` is.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, suppress

from . import shared
from .checkpoint import checkpoint_locked
from .commit import mark_durable
from .core import Core
from .datafiles import DataFiles
from .errors import (
    CommittedNotApplied,
    DirectoryError,
    DurabilityMismatch,
    LockTimeout,
    NetworkFileSystemError,
)
from .frame import initial_chain
from .group import GroupCommit
from .header import Header
from .lock import GlobalLock, local_time, lock_holder, nap_lengths
from .log import Log, LogSettings
from .names import refuse_unsure_own_name, remembering
from .options import StoreOptions
from .recovery import RecoveryReport, recover, refuse_after_failed_sync
from .section import exclusive
from .system import Directory, LockFile, System, Words
from .telling import DEBUG, WARNING, tell

LOCK_NAME = ".lock"
SYNC_NAME = ".sync"
ATTACHED_NAME = ".attached"
SHARED_NAME = ".shared"

_NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ncpfs|(fuse\.)?(sshfs|rclone|s3fs|glusterfs|beegfs)|lustre"
)


def attach(
    system: System, directory: Directory, options: StoreOptions
) -> tuple[Core, RecoveryReport | None]:
    """Use the directory, as first opener with recovery, or beside those who have it open.

    Takes it over.  Returns the context and, for the first opener, what recovery found.  Any error
    leaves nothing open, the directory included, and nothing locked.
    """
    with ExitStack() as undo:
        undo.callback(directory.close)
        try:
            refuse_network(directory, options)
            file = directory.open_lock(LOCK_NAME)
            lock = GlobalLock(system, file, directory.path)
            undo.callback(lock.close)
            deadline = None
            if options.lock_timeout is not None:
                deadline = system.monotonic() + options.lock_timeout
            nap = nap_lengths()
            while True:
                with ExitStack() as attempt:
                    _lock(system, directory, lock, file, options)
                    attempt.callback(lock.release)
                    result = _attach_locked(system, directory, lock, options, attempt)
                    if result is not None:
                        _sign(system, file)
                        kept = attempt.pop_all()
                        try:
                            lock.release()
                        except BaseException:
                            kept.close()
                            raise
                        undo.pop_all()
                        return result
                if deadline is not None and system.monotonic() > deadline:
                    raise LockTimeout(
                        f"{directory.path}: a process that is dying still holds the directory"
                    )
                system.sleep(nap())
        except OSError as error:
            raise DirectoryError(
                f"{directory.path}: cannot open the database directory: {error}"
            ) from error


def _attach_locked(
    system: System,
    directory: Directory,
    lock: GlobalLock,
    options: StoreOptions,
    undo: ExitStack,
) -> tuple[Core, RecoveryReport | None] | None:
    """One attempt under ``.lock``; None if a dying process is in the way."""
    sync_file = directory.open_lock(SYNC_NAME)
    undo.callback(sync_file.close)
    attached = directory.open_lock(ATTACHED_NAME)
    undo.callback(attached.close)
    first = attached.try_lock()
    if not first and not attached.try_lock(shared=True):
        return None
    mapping = directory.open_words(SHARED_NAME, shared.WORD_COUNT, create=first)
    undo.callback(mapping.close)
    token = shared.boot_token(system.boot_id())
    directory = remembering(directory, mapping.words, token)
    report: RecoveryReport | None = None
    if first:
        words = mapping.words
        refuse_unsure_own_name(directory, words, token)
        poisoned = words[shared.POISONED] not in (0, shared.NAMES_FAILED)
        if token in (words[shared.READY], words[shared.WITNESS]) and poisoned:
            refuse_after_failed_sync(directory, options)
        words[shared.READY] = 0
        witness = shared.witness(words, token)
        unsure = token in (words[shared.NAMES], words[shared.NAMES_SYNCING])
        log, files, header, report = recover(
            directory, system, options, witness, names_unsure=unsure
        )
        undo.callback(log.close)
        undo.callback(files.close)
        shared.clear_words(mapping)  # not before: whoever is refused is refused again
        _initialise(mapping.words, header, options, int(system.monotonic() * 1000))
        mapping.words[shared.LOCK_FILE] = lock.identity()
        mapping.words[shared.SYNC_FILE] = sync_file.identity()
        mapping.words[shared.WITNESS] = mapping.words[shared.READY] = token
        if not attached.try_lock(shared=True):
            return None
    else:
        if mapping.words[shared.READY] != token:
            return None
        _refuse_other_lock_files(directory, mapping.words, lock, sync_file)
        log = Log.open(directory)
        undo.callback(log.close)
        files = DataFiles(directory)
        undo.callback(files.close)
        files.open_all()
        header = log.read_header()
    files.joined = False  # needs_redo knows that this process joined in this generation
    core = Core(system, options, directory, lock, sync_file, attached, mapping, log, files, header)
    if first:
        core.joined_generation = 0  # recovery synced everything it found
    else:
        words = core.words  # BUSY: repair may adopt a frame that END does not count yet
        core.joined_log = bool(words[shared.BUSY]) or words[shared.DURABLE] < words[shared.END]
    core.check_poisoned()
    _refuse_other_level(core)
    lock.words = mapping.words
    lock.slot = shared.claim_slot(
        mapping.words, core.pid, lambda pid: bool(system.process_command(pid))
    )
    return core, report


def _refuse_other_lock_files(
    directory: Directory, words: Words, lock: GlobalLock, sync_file: LockFile
) -> None:
    """DirectoryError if who is attached uses other locks than those that have these names now."""
    for name, index, found in (
        (LOCK_NAME, shared.LOCK_FILE, lock.identity()),
        (SYNC_NAME, shared.SYNC_FILE, sync_file.identity()),
    ):
        if words[index] != found:
            raise DirectoryError(
                f"{directory.path}/{name} was removed or replaced while the database is in use, so"
                " that its lock keeps nobody out; nothing was done. Close the database in every"
                " process that has it open, then open it again"
            )


def detach(core: Core, group: GroupCommit) -> None:
    """Leave the directory; whoever is last checkpoints, so that the table files say everything.

    Everything is closed on return, also when this raises.  PoisonedError: the last sync failed, and
    with durability="normal" the newest commits may be lost; CommitUncertain: nobody confirmed that
    sync in time, so the same holds for a power cut; LockTimeout and DirectoryError: the log
    keeps what the table files do not have yet.  Nothing is raised for a directory that was poisoned
    before: whoever used it was told.
    """
    try:
        if not core.words[shared.POISONED]:  # else whoever used it was told
            with exclusive(core, group, core.options.lock_timeout):
                _say_goodbye(core, group)
                core.attached.unlock()  # under the lock: of two who leave at once one is the last
    except LockTimeout as error:
        raise LockTimeout(
            f"{core.directory.path}: closed, but the log could not be emptied into the table files:"
            f" {error}. Nothing is lost: the next one to use the directory goes on",
            error.holder,
        ) from error
    except (CommittedNotApplied, OSError) as error:
        raise DirectoryError(
            f"{core.directory.path}: closed, but the log could not be emptied into the table files:"
            f" {error}. Nothing is lost: the next one to open the directory recovers"
        ) from error
    finally:
        if core.lock.slot is not None:
            shared.free_slot(core.words, core.lock.slot)
        core.lock.words = core.lock.slot = None
        # The words first: a reader without the lock must find them gone before a descriptor is
        # given to someone else's file.
        for resource in (
            core.mapping, core.log, core.files, core.attached, core.sync_file, core.lock,
            core.directory,
        ):  # fmt: skip
            with suppress(OSError):
                resource.close()
    tell(DEBUG, "closed", "%s: closed", core.directory.path)


def _say_goodbye(core: Core, group: GroupCommit) -> None:
    if core.attached.try_lock():
        # Whoever holds the log is attached: it is a backup that we end here, or one that is dying.
        core.words[shared.HOLD] = 0
        checkpoint_locked(core, group, LogSettings(core.header.sector))
        return
    core.attached.try_lock(shared=True)  # the failed conversion dropped it
    if not core.unsafe:
        group.sync_held()
        mark_durable(core, group)


def _initialise(words: Words, header: Header, options: StoreOptions, now: int) -> None:
    """What an empty log of a new generation means, and nobody at work."""
    for index in (shared.END, shared.DURABLE, shared.APPLIED, shared.WATERMARK, shared.LAYOUT):
        words[index] = header.base
    words[shared.GENERATION] = header.generation
    words[shared.TAIL] = int(initial_chain(header.salt), 16)
    words[shared.DURABILITY] = options.level
    words[shared.LOG_SIZE] = options.file_size
    words[shared.SYNCED_AT] = words[shared.CHECKPOINTED_AT] = now


def _lock(
    system: System, directory: Directory, lock: GlobalLock, file: LockFile, options: StoreOptions
) -> None:
    try:
        lock.acquire(options.lock_timeout)
    except LockTimeout as error:
        lock.release()
        holder = None
        with suppress(OSError):
            mapping = directory.open_words(
                SHARED_NAME, shared.WORD_COUNT, create=False, write=False
            )
            holder = lock_holder(system, mapping.words)
            mapping.close()
        by = (
            str(holder) if holder else f"another process; the last to attach was {file.read_text()}"
        )
        raise LockTimeout(
            f"{directory.path}: the global lock was not free within {options.lock_timeout} seconds:"
            f" held by {by}",
            holder,
        ) from error
    except BaseException:
        lock.release()
        raise


def _sign(system: System, file: LockFile) -> None:
    """Leave our name in ``.lock``: advice for a person who looks."""
    pid = system.process_id()
    since = local_time(system.wall_time())
    with suppress(OSError):  # a full disk keeps nobody out
        file.write_text(f"pid {pid} ({system.process_command(pid)[:300]}), attached since {since}")


def _refuse_other_level(core: Core) -> None:
    level = core.words[shared.DURABILITY]
    if level != core.options.level:
        raise DurabilityMismatch(
            f"{core.directory.path} is in use with durability={shared.LEVELS[level - 1]!r}; it"
            f" cannot be opened with {core.options.durability!r} until every process has closed it"
        )


def refuse_network(directory: Directory, options: StoreOptions) -> None:
    """NetworkFileSystemError if the directory lies on one, unless the caller allows that."""
    kind = directory.file_system()
    if not _NETWORK_FILE_SYSTEMS.fullmatch(kind):
        return
    if not options.allow_network_fs:
        raise NetworkFileSystemError(
            f"{directory.path} lies on a network file system ({kind}), whose locks and syncs may"
            " not keep their promises; use a local directory, or take the risk with"
            " allow_network_fs=True"
        )
    what = (directory.path, kind)
    tell(WARNING, "network file system", "%s: lies on %s, whose locks may not hold", *what)
