"""What one process holds of one attached directory: the context that the protocol works on.

The steps of the protocol are functions over this context, one module a step: ``commit`` (the order
of a commit), ``group`` (syncs), ``apply``, ``repair``, ``checkpoint``.

``critical`` is true while an interruption would leave work that the next holder of the global lock
must finish; the lock's ``BUSY`` word then stays set, and the next holder repairs.  ``entered`` is
true while that word is this process's to clear: who waits for the lock in vain must not clear it.
``inside`` is true unless the lock's holder is in a block of the program's: code that runs in that
thread nevertheless (a signal handler, a finalizer) must not use the directory.
``tail`` holds frames that this process wrote or verified while they were not applied: who applies
them looks whether the log has the same bytes, and need not decode and verify them again.
``known`` is the last place in the log that this process wrote or verified: the generation, the end
of a frame, and its checksum.
``archived`` is the last place in the log archive that this process wrote up to.
``unheard`` is true from before a sync of the data files until its answer was heard: an interrupt
may swallow the only report of a failed write-back.
``joined_log`` is true if the log held frames that were not durable when this process opened it
beside others (or one that a dead holder left), until its first sync of the log: a write-back of
them may have failed before.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from typing import NamedTuple

from . import shared
from .archive import Place
from .datafiles import DataFiles
from .errors import CorruptionError, PoisonedError
from .frame import Operation
from .header import Header
from .layer import PageLayer
from .lock import GlobalLock
from .log import Log, LogSettings
from .options import StoreOptions
from .system import Directory, LockFile, SharedWords, System
from .telling import ERROR, WARNING, tell

_OFF = shared.LEVELS.index("off") + 1


class Remembered(NamedTuple):
    """A frame: the log's end before it, its place, its bytes and what they say."""

    before: int
    lsn: int
    data: bytes
    operations: list[Operation]

    @property
    def end(self) -> int:
        """The log's end behind it."""
        return self.lsn + len(self.data)


class Core:
    """Open files, locks, shared words and caches of one process for one directory.

    ``header`` is the newest generation this process knows; ``overlay`` holds the frames up to
    ``position`` that may not be in the data files yet.  Both are valid only under the global lock.
    """

    def __init__(
        self,
        system: System,
        options: StoreOptions,
        directory: Directory,
        lock: GlobalLock,
        sync_file: LockFile,
        attached: LockFile,
        mapping: SharedWords,
        log: Log,
        files: DataFiles,
        header: Header,
    ) -> None:
        self.system = system
        self.options = options
        self.directory = directory
        self.lock = lock
        self.sync_file = sync_file
        self.attached = attached
        self.mapping = mapping
        self.words = mapping.words
        self.log = log
        self.files = files
        self.header = header
        self.log_size = log.size()
        self.overlay = PageLayer(files)
        self.position = self.words[shared.APPLIED]
        self.joined_generation = header.generation
        self.tail: deque[Remembered] = deque()
        self.known: tuple[int, int, str] | None = None
        self.archived: Place | None = None
        self.critical = False
        self.inside = True
        self.entered = False
        self.unheard = False
        self.joined_log = False
        self.pid = system.process_id()
        self._incarnation = system.incarnation
        self._mine = system.incarnation()
        self.data_sync_lock = system.thread_lock()
        self.counts: Counter[str] = Counter()

    @property
    def unsafe(self) -> bool:
        """Whether this directory is in use with durability="off"."""
        return self.words[shared.DURABILITY] == _OFF

    @property
    def settings(self) -> LogSettings:
        """What the next generation's header records."""
        if self.unsafe:
            return LogSettings(self.header.sector, self.system.boot_id())
        return LogSettings(self.header.sector)

    def forked(self) -> bool:
        """Whether this is a child's copy of its parent's attachment, closed at the fork."""
        return self._mine != self._incarnation()

    def applicable(self) -> int:
        """The log position up to which frames may go into the data files; read it once."""
        return self.words[shared.END if self.unsafe else shared.DURABLE]

    def load_generation(self) -> None:
        """Take over the newest generation of the log; all that was derived is dropped.

        PoisonedError if the log's header is not the one that was published.
        """
        generation = self.words[shared.GENERATION]
        try:
            header = self.log.read_header()
            if header.generation != generation:
                found = f"generation {header.generation}"
                raise CorruptionError(
                    self.log.path, header.slot_offset, f"generation {generation}", found
                )
        except CorruptionError as error:
            raise self.poison() from error
        self.adopt_header(header)

    def adopt_header(self, header: Header) -> None:
        self.header = header
        self.log_size = self.log.size()
        self.drop_overlay()

    def drop_overlay(self) -> None:
        """Forget the cached frames; they are read again when they are needed."""
        self.tail.clear()
        self.overlay.clear()
        self.position = self.words[shared.APPLIED]

    def remember(self, frame: Remembered) -> None:
        """Take a frame just written into the overlay, if that is up to date but for it.

        An interrupt half-way leaves ``position`` where it was: the frame is read again then.  So it
        is after an error, which is none of the frame's author, whose transaction stands.
        """
        if self.position == frame.before:
            try:
                self.overlay.apply(frame.operations)
            except Exception as error:  # noqa: BLE001  whoever needs the overlay meets it again
                again = (self.directory.path, error)
                tell(WARNING, "frame dropped", "%s: a frame must be read again: %s", *again)
                self.drop_overlay()
                return
            self.tail.append(frame)
            self.position = frame.end

    def forget_applied(self) -> None:
        """Let go of what is in the data files; a small overlay stays as a cache of them."""
        applied, tail = self.words[shared.APPLIED], self.tail
        while tail and tail[0].before < applied:
            tail.popleft()

    def remembered(self, start: int, target: int) -> list[list[Operation]] | None:
        """The operations of each frame of (start, target].

        None if one of them is not known, or is not what the log holds.
        """
        found: list[list[Operation]] = []
        for frame in self.tail:
            if start == target:
                break
            data = frame.data
            if frame.before != start or self.log.read(self.header, frame.lsn, frame.end) != data:
                return None
            found.append(frame.operations)
            start = frame.end
        return found if start == target else None

    def needs_redo(self) -> bool:
        """Whether data files may hold pages whose failed write-back nobody here was told of."""
        generation = self.header.generation
        if self.unheard or self.files.joined:
            return True
        if self.words[shared.CHECKPOINTING] not in (0, self.pid):
            return True  # it may have died in its sync
        return generation in (self.joined_generation, self.words[shared.REDO])

    def living_pids(self) -> str:
        """The processes that have the directory open, for a message."""
        pids = [pid for _, pid in shared.attached_pids(self.words)]
        return ", ".join(str(pid) for pid in pids if self.system.process_command(pid))

    def check_poisoned(self) -> None:
        """PoisonedError if a sync failed for anyone attached."""
        if self.words[shared.POISONED]:
            raise self.poisoned()

    def poison(self) -> PoisonedError:
        """Refuse this directory to everyone attached, from now on; returns the error to raise."""
        self.words[shared.POISONED] = self.pid
        self._tell_poisoned()
        return self.poisoned()

    def poison_names(self) -> PoisonedError:
        """The same after a sync of the directory: nothing that is in the log can be lost by it."""
        if not self.words[shared.POISONED]:
            self.words[shared.POISONED] = shared.NAMES_FAILED
        self._tell_poisoned()
        return self.poisoned()

    def _tell_poisoned(self) -> None:
        """Caller handles the error that is the reason."""
        why = (self.directory.path, str(sys.exc_info()[1] or "found damaged"))
        tell(ERROR, "poisoned", "%s: refused to everyone until all have closed it: %s", *why)

    def poisoned(self) -> PoisonedError:
        then = "recovers every acknowledged transaction"
        if self.unsafe:
            then = "may be refused, as after a power cut, because durability='off'"
        return PoisonedError(
            f"{self.directory.path}: a sync has failed, or the log is damaged: nobody knows what is"
            f" on disk. Close every process that has it open (pids {self.living_pids()}); the next"
            f" one to open it {then}"
        )
