"""Making a new directory of a backup, brought forward by the log of the directory it is of.

The backup's log ends with the frame of its position, whose checksum follows from all the frames
before it and a random salt: a log that has the same one there is the same directory's, and the
frames behind it are what was committed since.  They are replayed up to where the caller wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from .backup import Copy, Progress
from .context import once_more
from .errors import CorruptionError, DirectoryError, ForgottenError, ValidationError, shown_value
from .frame import FRAME, LARGEST_FILE, Frame
from .header import SALT_SIZE, Header
from .layer import View
from .log import LOG_NAME, Log
from .log_reader import LogReader
from .offline import Offline, open_offline
from .options import StoreOptions
from .posix import POSIX
from .scan import Scan
from .system import System
from .target import refuse_file_name


@dataclass(frozen=True, slots=True)
class Restored:
    """A directory that was made of a backup, durable, at ``path``.

    It has every transaction up to log position ``lsn``: the backup's (``backup_lsn``), and
    ``transactions`` more from the log.  ``files`` and ``size_bytes`` count its data files.
    """

    path: str
    backup_lsn: int
    lsn: int
    transactions: int
    files: int
    size_bytes: int


def restore(
    source: str,
    target: str,
    log: str | None = None,
    to_lsn: int | None = None,
    *,
    needed: Callable[[View], Iterable[str]] | None = None,
    progress: Progress | None = None,
    system: System | None = None,
) -> Restored:
    """Make ``target``, which is missing or empty, of the backup ``source``; durable on return.

    ``log`` is the directory that was backed up, or one that has its archive (and its log); without
    it the state is the backup's.  ``to_lsn``: no transaction behind this log position is replayed.
    ``needed`` tells which files there must be in the state that is reached: no frame names one that
    came since and is empty.
    Nothing of ``source`` and ``log`` is changed; others may use ``log`` meanwhile.

    Errors leave nothing in ``target``: ValidationError for a position that backup and log do not
    have, or a log of another directory; ForgottenError if the log does not lead on from the backup;
    CorruptionError if something is damaged; DirectoryError, also if anyone opens the backup
    meanwhile.
    """
    system = system or POSIX
    if to_lsn is not None and not (type(to_lsn) is int and 0 <= to_lsn <= LARGEST_FILE):
        raise ValidationError(f"to_lsn={shown_value(to_lsn)}: must be a log position, or None")
    with open_offline(source, system=system) as offline:
        scan = _checked(offline)
        if to_lsn is not None and to_lsn < scan.end:
            raise ValidationError(
                f"{offline.path} is of LSN {scan.end}, behind {to_lsn}: a backup can be brought"
                " forward only; take an older one"
            )
        try:
            refuse_file_name(system, target, offline.directory)
            if log is not None:
                with closing(system.directory(log, create=False)) as directory:
                    refuse_file_name(system, target, directory)
            copy = Copy(system, target)
            try:
                replay = _Replay(scan, offline.path, log, to_lsn, system)
                copy.take(offline.files, progress)
                _refuse_used(offline, scan)
                copy.finish(
                    replay.frames(),
                    lambda: replay.header(system),
                    StoreOptions().file_size,
                    needed=needed,
                )
            except BaseException:
                once_more(copy.remove)
                raise
            finally:
                copy.close()
        except OSError as error:
            raise DirectoryError(f"cannot restore {source} to {target}: {error}") from error
    path = copy.directory.path
    return Restored(path, scan.end, replay.lsn, replay.transactions, copy.files, copy.size)


def _checked(offline: Offline) -> Scan:
    """What the log of a backup holds, all of which counts."""
    scan, path = offline.scan, offline.path
    if offline.live.attached:
        pids = ", ".join(map(str, offline.live.attached))
        raise DirectoryError(
            f"{path} is in use (by pids {pids}), so it is no backup: make one of it first"
        )
    if offline.log is None:
        raise DirectoryError(f"{path} is no whole backup: it has no {LOG_NAME}")
    if scan is None or scan.tail == "corrupt":
        offset, detail = (0, "no header") if scan is None else (scan.bad_offset, scan.detail)
        raise CorruptionError(f"{path}/{LOG_NAME}", offset, "a whole frame", detail)
    if scan.header.unsafe:
        raise DirectoryError(
            f'{path} was in use with durability="off" and not closed, so it is no backup: open it'
            " first, then back it up"
        )
    return scan


def _refuse_used(offline: Offline, scan: Scan) -> None:
    """DirectoryError if anyone opened the backup since, who may have changed what was copied.

    A first opener begins a new generation of its log before anybody changes anything.
    """
    log = Log.open(offline.directory, write=False)
    try:
        header = log.read_header()
    finally:
        log.close()
    if header != scan.header:
        raise DirectoryError(f"{offline.path} was opened while it was copied, so it is no backup")


class _Replay:
    """The frames that lead from the files of a backup to the state that is wanted.

    ``lsn`` is how far they led, and ``transactions`` counts those behind the backup.
    """

    def __init__(
        self, scan: Scan, path: str, log: str | None, to_lsn: int | None, system: System
    ) -> None:
        self._scan = scan
        self._path = path
        self._log = log
        self._to_lsn = to_lsn
        self._system = system
        self.lsn = scan.end
        self.transactions = 0
        if log is None and to_lsn not in (None, scan.end):
            raise ValidationError(
                f"{path} is of LSN {scan.end}: to bring it up to {to_lsn} takes the log of the"
                " directory that it is a backup of"
            )

    def frames(self) -> Iterator[Frame]:
        """Those of the backup itself, and those of the log behind it."""
        yield from self._scan.frames
        if self._log is None:
            return
        for frame in self._behind(self._log):
            yield frame
            self.lsn = frame.end
            self.transactions += frame.kind == FRAME

    def header(self, system: System) -> Header:
        """What the log of the new directory begins with; no other log has such a generation."""
        header = self._scan.header
        salt = system.random_bytes(SALT_SIZE)
        return Header(header.generation + 1, salt, self.lsn, header.sector)

    def _behind(self, log: str) -> Iterator[Frame]:
        scan = self._scan
        if not scan.frames:
            raise ValidationError(
                f"{self._path} has no frame in its log, by which to know the directory that it is"
                " a backup of: `backup` makes it with one, and whoever opens it takes that away"
            )
        last, met = scan.frames[-1], False
        wanted = LARGEST_FILE if self._to_lsn is None else self._to_lsn
        reader = self._reader(log)
        with closing(reader):
            for frame in reader.frames():
                if frame.end <= last.end:
                    met = met or frame.checksum == last.checksum
                elif not met or frame.end > wanted:
                    break
                else:
                    yield frame
                if met and frame.end >= wanted:
                    return  # what comes then may be damaged
            position = reader.position
        if not met:
            raise ValidationError(
                f"{log} is not the directory that {self._path} is a backup of, or one of both was"
                f" changed since: its log has no such frame before LSN {last.end}"
            )
        if self._to_lsn is not None and position < self._to_lsn:
            raise ValidationError(
                f"{log}: its log leads up to LSN {position}, and not to {self._to_lsn}"
            )

    def _reader(self, log: str) -> LogReader:
        try:
            return LogReader(log, self._scan.header.base, self._system, to_the_end=True)
        except ForgottenError as error:
            raise ForgottenError(
                log, self._scan.end, error.end,
                "the log and its archive do not lead on from the backup: take a later one, and keep"
                " more (`bazanite wal archive`)",
            ) from error  # fmt: skip
