"""Copying a directory into a new one while others write: a backup.

The data files are copied as they change, so that the copy is of no one moment.  Meanwhile the log
is held (``hold``), and every change since its generation began is in it: replaying those frames
over the copy, whatever moments that is made of, leads to the state of the last one.  It is the
power cut that recovery knows, and the log's after-images are as absolute here as there.

Order: sync and apply what is in the log, hold it; copy the data files; read how far the log counts
now, which is no less than any change that the copy can have; replay the frames up to there; sync
the copy; put the frames into its log; name that.  The log comes last and the catalog first, so that
a copy which was interrupted is refused as one whose log is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace

from . import shared
from .commit import append, settle_held
from .context import once_more
from .core import Core
from .datafiles import CATALOG_NAME, DataFiles, FewFiles
from .errors import CorruptionError, DBError, DirectoryError
from .frame import MARK, Frame, initial_chain
from .group import GroupCommit
from .header import NO_BOOT, Header, encode_header
from .hold import BACKUP_NAME, hold_log, log_is_held
from .io import write_all, write_zeros
from .layer import View
from .log import LOG_NAME, NEW_LOG_NAME, Log, name_new_log
from .scan import walk
from .system import File, LockFile, System
from .target import refuse_file_name

_CHUNK = 1 << 16
"""Less than any gap that was left sparse: all zeros of such a gap are at an end of some chunk."""
_BLOCK = 4096
_WINDOW = 1 << 22
"""So much of a log is in memory at a time, or as much as its longest frame takes."""

Progress = Callable[[int, int], None]
"""Told how many bytes were copied, and of about how many."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a directory, durable, at ``path``.

    It has every transaction up to log position ``lsn`` and no later one; the backup began when the
    log ended at ``start_lsn``.  ``files`` and ``size_bytes`` count its data files.
    """

    path: str
    start_lsn: int
    lsn: int
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Held:
    """The log as it was when it began to be held, and what holds it until it is closed."""

    file: LockFile
    header: Header
    start: int


def back_up(
    core: Core,
    group: GroupCommit,
    exclusive: Callable[[], AbstractContextManager[object]],
    target: str,
    progress: Progress | None = None,
) -> Backup:
    """Copy one state of the directory to ``target``, durable on return; others go on writing.

    ``exclusive`` takes the global lock, which is held at the beginning and shortly at the end.
    DirectoryError, and nothing is left in ``target``, if that cannot be written or is not empty;
    CorruptionError if the log is damaged; LockTimeout or PoisonedError as of any call.
    """
    held: Held | None = None
    try:
        with exclusive():
            held = _begin(core, group)
        refuse_file_name(core.system, target, core.directory)
        copy = Copy(core.system, target)
        try:
            copy.take(core.files, progress)
            with exclusive():
                end = _end(core, held)
                core.files.open_all()
            copy.complete(core.files.names())
            header = replace(held.header, boot=NO_BOOT)  # all of the copy is synced
            size = max(core.options.file_size, header.file_offset(end))
            frames = log_frames(core.log, held.header, end)
            copy.finish(frames, lambda: header, size, kept_by=header)
        except BaseException:
            once_more(copy.remove)
            raise
        finally:
            copy.close()
    except OSError as error:
        raise DirectoryError(
            f"cannot back {core.directory.path} up to {target}: {error}"
        ) from error
    finally:
        if held is not None:  # also if it was the end of that block that failed
            held.file.close()
    with suppress(DBError), exclusive():  # the copy is whole; whoever needs room finds out
        log_is_held(core)  # so that checkpoints are due again
    return Backup(copy.directory.path, held.start, end, copy.files, copy.size)


def _begin(core: Core, group: GroupCommit) -> Held:
    """Hold the log, with all that is in it durable and applied.  Caller holds the global lock.

    There is a frame in it at least: by its checksum the copy can be told from others later.
    """
    settle_held(core, group)
    if core.words[shared.END] == core.header.base:
        append(core, group, MARK, [])
        settle_held(core, group)
    core.files.open_all()  # other processes may have made some
    return Held(hold_log(core), core.header, core.words[shared.END])


def _end(core: Core, held: Held) -> int:
    """The log position up to which frames count now.  Caller holds the global lock.

    No frame behind it can be in the data files yet.  DirectoryError if the log was not kept.
    """
    if core.header != held.header:
        raise DirectoryError(
            f"{core.directory.path}: the log was emptied while the backup needed it: another"
            f" program removed {BACKUP_NAME}"
        )
    return core.applicable()


class Copy:
    """A directory in the making; nobody takes it for a database before ``finish``.

    DirectoryError if there is anything at ``target`` but an empty directory.  Of two that are made
    in the same one at once, one ends at its first file, and leaves alone what is not its own.
    """

    def __init__(self, system: System, target: str) -> None:
        self.directory = system.directory(target, create=True)
        try:
            if self.directory.list():
                raise DirectoryError(f"{target}: a backup needs an empty or a new directory")
            self.directory.sync_name()  # else a power cut could take all of it
        except BaseException:
            self.directory.close()
            raise
        self._data = FewFiles(self.directory)
        self._made: set[str] = set()
        self.files = self.size = 0

    def take(self, files: DataFiles, progress: Progress | None = None) -> None:
        """Copy all data files; they may change meanwhile."""
        names = files.names()
        sizes = {name: files.size(name) for name in names}
        total = sum(sizes.values())
        done = 0
        for name in sorted(names, key=lambda name: name != CATALOG_NAME):
            file = self._create(name)
            try:
                for size in copy_pieces(files, name, file):
                    if progress is not None:
                        progress(done + min(size, sizes[name]), total)
                file.sync()
            finally:
                file.close()
            if name == CATALOG_NAME:
                self.directory.sync()  # else a power cut could take its name and leave the tables
            done += sizes[name]
        self._data.open_all()

    def complete(self, names: Iterable[str]) -> None:
        """Make those of these files that are missing, empty; an OSError or DirectoryError."""
        missing = set(names).difference(self._data.names())
        if missing:  # what is in one that came meanwhile is in frames, but nothing need be in it
            self._made |= missing
            self._data.create(sorted(missing))

    def finish(
        self,
        frames: Iterable[Frame],
        header: Callable[[], Header],
        log_size: int,
        *,
        kept_by: Header | None = None,
        needed: Callable[[View], Iterable[str]] | None = None,
    ) -> None:
        """Replay the frames over the files, and give the directory its log; durable on return.

        ``header`` is what the log begins with; it is asked when all frames were replayed.
        ``kept_by``: the log has these frames, too, in the places that this header gives them.
        ``needed`` is asked then which files there must be: those that are missing are made, empty.
        """
        log = self._create(NEW_LOG_NAME)
        try:
            write_zeros(log, 0, log_size)
            for frame in frames:
                self._apply(frame)
                if kept_by is not None:
                    write_all(log, frame.data, kept_by.file_offset(frame.lsn))
            if needed is not None:
                self.complete(needed(self._data))
            self._data.sync_all()
            self.directory.sync()
            first = header()
            write_all(log, encode_header(first), first.slot_offset)
            log.sync()
        finally:
            log.close()
        names = self._data.names()
        self.files, self.size = len(names), sum(map(self._data.size, names))
        self._made.add(LOG_NAME)
        name_new_log(self.directory)

    def _create(self, name: str) -> File:
        self._made.add(name)  # before the call: an interrupt behind it finds a file to be removed
        try:
            return self.directory.create(name, new=True)
        except FileExistsError as error:
            self._made.discard(name)
            raise DirectoryError(
                f"{self.directory.path}: somebody else writes into it: there is a {name} now, and"
                " a backup needs a directory of its own"
            ) from error

    def _apply(self, frame: Frame) -> None:
        operations = frame.operations()
        self.complete({operation.name for operation in operations})
        self._data.apply(operations)

    def remove(self) -> None:
        """Take away what was made, the log first, as far as the system lets; may be repeated."""
        with suppress(OSError):
            self._data.close()
            made = self._made.intersection(self.directory.list())
            for name in sorted(made, key=lambda name: (name != LOG_NAME, name == CATALOG_NAME)):
                self.directory.remove(name)

    def close(self) -> None:
        """Let go of the directory."""
        self._data.close()
        self.directory.close()


def log_frames(log: Log, header: Header, end: int) -> Iterator[Frame]:
    """The frames of a generation up to ``end``, in order; CorruptionError if one is not whole."""
    position, chain, window = header.base, initial_chain(header.salt), _WINDOW
    while position < end:
        stop = min(end, position + window)
        walked = walk(log.read(header, position, stop), header, position, chain)
        yield from walked.frames
        if not walked.frames:
            if stop == end:
                offset, expected = header.file_offset(position), f"the frame of LSN {position}"
                raise CorruptionError(log.path, offset, expected, walked.detail)
            window *= 2
        position, chain = walked.end, walked.chain


def copy_content(files: DataFiles, name: str, file: File) -> None:
    """Put all bytes of the data file of that name into ``file``, which is empty; durable on return.

    Its name is not.  What was a hole stays one.
    """
    for _ in copy_pieces(files, name, file):
        pass
    file.sync()


def copy_pieces(files: DataFiles, name: str, file: File) -> Iterator[int]:
    """The same piece by piece, not durable: gives how many bytes were done, again and again.

    Only those that are there at first: others may make the file longer faster than it is copied.
    """
    size = files.size(name)
    offset: int | None = 0
    while offset is not None and (data := files.read(name, offset, min(_CHUNK, size - offset))):
        start, end = _blocks_in_use(data)
        if start < end:
            write_all(file, data[start:end], offset + start)
        offset += len(data)
        yield offset
        if start == end:  # asked only where zeros were read: a dense file is read as it is
            offset = files.next_data(name, offset)
    file.truncate(size)


def _blocks_in_use(data: bytes) -> tuple[int, int]:
    """From where to where ``data`` is more than zeros, in whole blocks: holes stay holes."""
    end = len(data.rstrip(b"\0"))
    if not end:
        return 0, 0
    start = len(data) - len(data.lstrip(b"\0"))
    return start - start % _BLOCK, min(len(data), end + -end % _BLOCK)
