"""Recovery: what the first process to open a directory does, alone, before anyone else may.

Order: read and verify the log in memory; write those very bytes into a new log and rename it (if
there is no frame, only a copy of the newest header) before trusting them, because a killed process
leaves frames that only the page cache holds, and a failed sync leaves clean pages that never
reached the disk; redo every frame from that memory; sync all data files and the directory; archive
the generation, where the directory has an archive; start a new one, and sync its header.

Invariant: interrupted anywhere, any number of times, by a kill or a power cut, it starts over from
the same log and ends in the same bytes.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from .archive import Ending, archive_generation, kept_bytes
from .datafiles import DataFiles
from .errors import CorruptionError, DirectoryError, UnsafeShutdownError
from .header import FRAMES_START, NO_BOOT, Header
from .io import read_whole
from .log import (
    LOG_NAME,
    NEW_LOG_NAME,
    Log,
    LogSettings,
    create_log,
    name_new_log,
    next_generation,
    no_header,
    write_new_log,
)
from .names import cannot_make_anew, make_names_anew
from .options import StoreOptions
from .scan import NO_WITNESS, Scan, scan_log, with_size, with_witness
from .shared import Witness
from .system import Directory, System
from .telling import INFO, WARNING, tell

CATALOG_NAME = "schema.json"
_NO_SECOND_LOG = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPERM, errno.EMLINK})
"""No room for a second log, or none that could take the first one's place unnoticed."""


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What recovery found: frames redone, and what it dropped as a torn tail.

    ``torn`` tells that a transaction was being written when its writer or the machine stopped; it
    was never acknowledged.  ``dropped_frames`` counts frames behind it, whole or torn, never
    acknowledged either.
    """

    frames: int
    torn: bool
    dropped_frames: int


def recover(
    directory: Directory,
    system: System,
    options: StoreOptions,
    witness: Witness = NO_WITNESS,
    *,
    names_unsure: bool = False,
) -> tuple[Log, DataFiles, Header, RecoveryReport]:
    """Bring the directory to its newest consistent state, all of it durable on return.

    Caller holds ``.lock`` and holds ``.attached`` exclusively.  ``witness`` says up to where the
    log is known to have been durable, and written; ``names_unsure`` that a sync of the directory
    failed.  CorruptionError, DirectoryError or UnsafeShutdownError leave every frame in the log: a
    later attempt starts over.
    """
    _see_to_the_log(directory, system, options)
    data = _read_log(directory)
    scan = scan_log(data)
    if scan is None:
        raise no_header(f"{directory.path}/{LOG_NAME}")
    scan = with_witness(with_size(scan, len(data)), witness)
    refuse_what_cannot_be_trusted(directory, system, options, scan)
    files = DataFiles(directory)
    log: Log | None = None
    try:
        files.open_all()
        for name in sorted({o.name for frame in scan.frames for o in frame.operations()}):
            files.require(name)
        if names_unsure:
            make_names_anew(directory, files)
            tell(INFO, "names made anew", "%s: after a failed sync of it", directory.path)
        _make_verified_bytes_durable(directory, options, data, scan, names_unsure=names_unsure)
        archive = _archiving(directory, files, data, scan)
        log = Log.open(directory)
        for frame in scan.frames:
            files.apply(frame.operations())
        files.sync_all()  # else the new generation would forget what no file has
        directory.sync()
        header = _start_generation(log, system, options, scan, len(data), archive)
    except BaseException:
        if log is not None:
            log.close()
        files.close()
        raise
    report = RecoveryReport(len(scan.frames), scan.tail == "torn", scan.dropped_frames)
    return log, files, header, report


def _see_to_the_log(directory: Directory, system: System, options: StoreOptions) -> None:
    """Make the log of a directory that has none; refuse one that must have had one."""
    if directory.exists(LOG_NAME):
        if directory.exists(NEW_LOG_NAME):
            directory.remove(NEW_LOG_NAME)  # a recovery was interrupted before its rename
        return
    refuse_lost_log(directory, options)
    if directory.exists(CATALOG_NAME):
        _tell_unsafe(directory, "without the log, which is missing")
    create_log(directory, system, options.file_size)


def refuse_lost_log(directory: Directory, options: StoreOptions) -> None:
    """DirectoryError for a directory without a log, if it must have had one."""
    if directory.exists(CATALOG_NAME) and not options.accept_unsafe:
        raise DirectoryError(
            f"{directory.path}/{LOG_NAME} is missing, although {CATALOG_NAME} is there, which only"
            " a log can have brought. It may have held acknowledged transactions: put it back, or"
            " restore a backup, or take the table files as they are with accept_unsafe=True"
        )


def _tell_unsafe(directory: Directory, why: str) -> None:
    tell(WARNING, "unsafe accepted", "%s: its files are taken as they are, %s", directory.path, why)


def _read_log(directory: Directory) -> bytes:
    file = directory.open(LOG_NAME)
    try:
        return read_whole(file, f"{directory.path}/{LOG_NAME}")
    finally:
        file.close()


def refuse_what_cannot_be_trusted(
    directory: Directory, system: System, options: StoreOptions, scan: Scan
) -> None:
    """UnsafeShutdownError or CorruptionError if recovery may not go by what this log holds."""
    header = scan.header
    if header.unsafe and header.boot != system.boot_id():
        if options.accept_unsafe:
            # the caller takes the files as they are, and what of the log is whole
            _tell_unsafe(directory, "after the machine stopped with durability='off'")
            return
        raise _unsafe(directory, "the machine stopped")
    if scan.tail == "corrupt":
        raise CorruptionError(
            f"{directory.path}/{LOG_NAME}",
            scan.bad_offset,
            "a whole frame or the newest header",
            scan.detail,
            "Nothing was changed. Run `bazanite wal show` to see the log, and restore a backup,"
            " or save what is whole with `bazanite repair DIR --output NEW`",
        )


def refuse_after_failed_sync(directory: Directory, options: StoreOptions) -> None:
    """UnsafeShutdownError if the last ones to use the directory had "off" and a sync failed.

    With "off" frames reach the table files before they are durable, so the log that the failed sync
    left may be older than they are: redoing it would take acknowledged rows back.
    """
    if options.accept_unsafe or not directory.exists(LOG_NAME):
        return
    log = Log.open(directory, write=False)
    try:
        unsafe = log.read_header().unsafe
    finally:
        log.close()
    if unsafe:
        raise _unsafe(directory, "a sync failed")


def _unsafe(directory: Directory, event: str) -> UnsafeShutdownError:
    return UnsafeShutdownError(
        f"{directory.path} was in use with durability='off' when {event}: its table files may hold"
        " any mixture of old and new rows. Restore a backup, or see what `bazanite check` says and"
        " take the files as they are with accept_unsafe=True"
    )


def _make_verified_bytes_durable(
    directory: Directory, options: StoreOptions, data: bytes, scan: Scan, *, names_unsure: bool
) -> None:
    header = scan.header
    area = data[FRAMES_START : FRAMES_START + scan.end - header.base]
    aligned = header.sector > 1 or options.sector > 1
    # never over themselves: a torn write would damage what was durable all along
    if area or aligned or names_unsure:
        try:
            write_new_log(directory, header, area, len(data), successor=True)
        except OSError as error:
            _may_rewrite(directory, error, aligned=aligned, names_unsure=names_unsure)
        else:
            name_new_log(directory)  # its failure is none of the room: nothing may go on
            return
    log = Log.open(directory)
    try:
        log.write(header, header.base, area)
        log.write_header_again(header)
        log.sync()  # else recovery would build on bytes that a power cut takes back
    finally:
        log.close()


def _may_rewrite(
    directory: Directory, error: OSError, *, aligned: bool, names_unsure: bool
) -> None:
    """Return if the old log may be rewritten where it stands, as no new one can be made."""
    if names_unsure:
        raise cannot_make_anew(directory, LOG_NAME, error) from error
    if error.errno not in _NO_SECOND_LOG:
        raise error
    if aligned:
        raise DirectoryError(
            f"{directory.path}/{LOG_NAME}: recovery may not write over a log that was made with"
            f" powersafe_overwrite=False, and cannot put a new one in its place: {error}."
            " Nothing was changed"
        ) from error
    # rather this risk, of two faults at once, than no recovery
    tell(
        WARNING, "log rewritten",
        "%s/%s: recovery writes it where it stands, as no second one can be made (%s): a torn write"
        " would damage it", directory.path, LOG_NAME, error,
    )  # fmt: skip


def _archiving(
    directory: Directory, files: DataFiles, data: bytes, scan: Scan
) -> Callable[[Header, int], None]:
    """What puts a generation into the log archive, before one begins at this log position.

    It does nothing where the directory has no archive.  The files have all changes.
    """
    keep = kept_bytes(directory)

    def archive(header: Header, following: int) -> None:
        if keep is None:
            return
        end = scan.end if header == scan.header else header.base  # another one has no frames yet
        area = data[FRAMES_START : FRAMES_START + end - header.base]
        ending = Ending(header, area, end, following, files.catalog())
        archive_generation(directory, keep, ending, lambda what: what.sync())

    return archive


def _start_generation(
    log: Log,
    system: System,
    options: StoreOptions,
    scan: Scan,
    log_size: int,
    archive: Callable[[Header, int], None],
) -> Header:
    """A new generation, above every LSN that the old one can have handed out."""
    if log_size < options.file_size:
        log.grow(options.file_size)
        log.sync()
    boot = system.boot_id() if options.durability == "off" else NO_BOOT
    base = scan.header.base + max(log_size, FRAMES_START) - FRAMES_START
    settings = LogSettings(options.sector, boot)
    archive(scan.header, max(base, scan.end))  # else frames would be forgotten that nobody was told
    header = next_generation(system, scan.header, max(base, scan.end), settings)
    log.write_header(header)
    log.sync()  # else dropped frames, or frames applied long ago, could come back
    if header.unsafe:
        archive(header, header.base + 1)
        header = _leave_no_safe_header(log, system, header, settings)
    if log_size > options.file_size:
        log.shrink(options.file_size)
    return header


def _leave_no_safe_header(
    log: Log, system: System, header: Header, settings: LogSettings
) -> Header:
    """Put unsafe headers into both slots, each with a copy that nobody writes over.

    With "off" no later header is synced, so a power cut may tear both that are in use: what is left
    then must not say that the table files can be trusted.
    """
    log.write_header_again(header)
    second = next_generation(system, header, header.base + 1, settings)
    log.write_header(second)
    log.write_header_again(second)
    log.sync()  # else the torn header of a checkpoint could bring an older, safe one back
    return second
