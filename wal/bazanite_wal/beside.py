"""What a process sees of a directory that it is not attached to: one consistent state at a time.

Nothing is made, written, recovered or removed, and nobody attached notices but by waiting for the
global lock, which the kernel grants on a file that is open for reading only, too.  Under it nothing
is appended, applied or checkpointed, and nobody attaches.

What is shown under the lock: while anyone is attached the data files, as those see them who read
them without the lock.  Where these are kept away (always with "normal"), also the log's frames of
(APPLIED, DURABLE] over them ("full"; else up to END), whatever a holder left that died:
after-images may be laid over files that have some of them.  While nobody is attached the shared
words prove little, and what is shown is what recovery would make of the log; with "full" none of it
that no process of this boot knew to be durable.
"""

from __future__ import annotations

from contextlib import suppress

from . import shared
from .attach import ATTACHED_NAME, LOCK_NAME, SHARED_NAME
from .datafiles import DataFiles
from .errors import CorruptionError, DirectoryError, Holder, LockTimeout, PoisonedError
from .header import Header
from .layer import PageLayer, View
from .lock import GlobalLock, lock_holder
from .log import LOG_NAME, Log
from .options import StoreOptions
from .prospect import UNKNOWN_LAYOUT, prospect, what_words_prove
from .recovery import refuse_lost_log
from .sight import Shown, Sight
from .system import Directory, LockFile, SharedWords, System, Words

_FULL, _NORMAL = (shared.LEVELS.index(level) + 1 for level in ("full", "normal"))
_LOST = 1 << 64
"""As ``floor``: above every position."""


class _NoLockFile:
    """Stands for the lock of a directory that nobody has ever used, such as a backup."""

    def try_lock(self, *, shared: bool = False) -> bool:
        del shared
        return True

    def lock(self) -> None: ...
    def unlock(self) -> None: ...
    def identity(self) -> int:
        return 0

    def read_text(self) -> str:
        return ""

    def write_text(self, text: str) -> None:
        del text
        raise AssertionError("nobody signs what is not there")

    def close(self) -> None: ...


class Beside:
    """One process's look at one directory, under the lock file that it has now.

    ``shown`` is what the lock's holder sees; nobody else looks at it.  ``floor`` is the position of
    the newest state that was shown, so that none before it is: should a failed sync have lost that,
    nothing is shown any more.
    """

    def __init__(self, system: System, directory: Directory, options: StoreOptions) -> None:
        self.system = system
        self.directory = directory
        self._options = options
        self._token = shared.boot_token(system.boot_id())
        self._mine = system.incarnation()
        file: LockFile
        try:
            file = directory.open_lock(LOCK_NAME, create=False)
        except FileNotFoundError:
            file = _NoLockFile()
        self.lock = GlobalLock(system, file, directory.path)
        self._lock_file = file.identity()
        self._mapping: SharedWords | None = None
        self._words_file: int | None = None
        self._files = DataFiles(directory, write=False)
        self._log: Log | None = None
        self._header: Header | None = None
        self._scanned: tuple[object, Shown] | None = None
        self._generation = -1
        self._overlay = PageLayer(self._files)
        self._from = self._position = 0
        self.shown: Shown | None = None
        self.sight: Sight | None = None
        self.floor = self._floor_log = 0

    def forked(self) -> bool:
        """Whether this is a child's copy of its parent's, closed at the fork."""
        return self._mine != self.system.incarnation()

    # ---- under the lock

    def acquire(self) -> None:
        """Take the global lock; LockTimeout, naming its holder.  ``leave`` gives it back."""
        timeout = self._options.lock_timeout
        try:
            self.lock.acquire(timeout)
        except LockTimeout as error:
            holder = error.holder or self._holder()
            raise LockTimeout(
                f"{self.directory.path}: the global lock was not free within {timeout} seconds:"
                f" held by {holder or 'another process'}",
                holder,
            ) from error

    def _holder(self) -> Holder | None:
        """Who says of itself that it holds the lock."""
        with suppress(OSError):
            mapping = self.directory.open_words(
                SHARED_NAME, shared.WORD_COUNT, create=False, write=False
            )
            try:
                if mapping.words[shared.READY] == self._token:
                    return lock_holder(self.system, mapping.words)
            finally:
                mapping.close()
        return None

    def leave(self) -> None:
        """Free the lock if this thread holds it."""
        if not self.forked() and self.lock.owned():
            self.shown = None
            self.lock.release()

    def has_right_lock(self) -> bool:
        """Whether the lock file is still the one that others use."""
        return (self.directory.identity_of(LOCK_NAME) or 0) == self._lock_file

    def look(self) -> bool:
        """Find out what is to be shown; False if a dying process is in the way.

        Caller holds the lock.  PoisonedError, CorruptionError, UnsafeShutdownError, DirectoryError
        or an OSError: nothing can be shown.
        """
        words = self._words()
        if self._nobody_attached():
            self.shown = self._as_recovery_would(words)
        elif words is None or words[shared.READY] != self._token:
            if words is None and self._lock_file:
                raise DirectoryError(f"{self.directory.path}/{SHARED_NAME} was removed or damaged")
            return False
        else:
            self.shown = self._as_attached_do(words)
        self._refuse_older(self.shown)
        return True

    def _refuse_older(self, shown: Shown) -> None:
        """PoisonedError from when this state is before one that was shown, of the same log.

        With another file as its log it is another directory that was put in the place of this one:
        a recovery makes a new log too, but goes on behind all positions of the old one.
        """
        log = self._log.identity() if self._log else 0
        if self.floor == _LOST or (shown.lsn < self.floor and log == self._floor_log):
            self.floor = _LOST  # for good, however far others get behind what is left
            raise PoisonedError(
                f"{self.directory.path}: a sync must have failed, or older files were written over"
                " these: a state that was shown here is not on disk. Close this handle and open"
                " another one to read what there is"
            )
        self.floor, self._floor_log = shown.lsn, log

    def refuse_poisoned(self, shown: Shown) -> None:
        """PoisonedError if a sync failed for anyone attached.  Caller holds the lock."""
        if shown.attached and self._mapping is not None:
            self._refuse_poisoned(self._mapping.words)

    def refuse_other_lock(self) -> None:
        """DirectoryError if the lock that this thread holds keeps others out no longer."""
        if not self.has_right_lock():
            raise DirectoryError(
                f"{self.directory.path}: others began to use the directory, which had no lock or"
                " another one, while it was read: what was read does not count. Read again"
            )

    def file_names(self, view: View) -> list[str]:
        """The data files that this view has, sorted.  Caller holds the lock."""
        self._files.open_all()
        touched = view.touched_files() if isinstance(view, PageLayer) else []
        return sorted({*self._files.names(), *touched})

    def log_extent(self) -> tuple[int, int]:
        """The log position with which the log begins, and its length in bytes; 0 if there is none.

        Caller holds the lock.
        """
        log = self._log
        return (0, 0) if log is None else (log.read_header().base, log.size())

    # ---- what there is

    def _words(self) -> Words | None:
        """The shared words under their name; None if there are none that could be read."""
        found = self.directory.identity_of(SHARED_NAME)
        if found != self._words_file or self._mapping is None:
            self.sight = self.lock.words = self._mapping = None
            self._generation = -1
            self._words_file = found
            if found is not None:
                try:
                    self._mapping = self.directory.open_words(
                        SHARED_NAME, shared.WORD_COUNT, create=False, write=False
                    )
                except PermissionError:
                    raise
                except OSError:
                    return None  # its maker died before it was whole
        words = None if self._mapping is None else self._mapping.words
        believed = words is not None and words[shared.READY] == self._token
        self.lock.words = words if believed else None  # others' waiting marks: they go first
        return words

    def _nobody_attached(self) -> bool:
        """Whether the kernel says that no process is attached."""
        try:
            attached = self.directory.open_lock(ATTACHED_NAME, create=False)
        except FileNotFoundError:
            return True
        try:
            return attached.try_lock()
        finally:
            attached.close()

    def _refuse_poisoned(self, words: Words) -> None:
        if words[shared.POISONED]:
            pids = [pid for _, pid in shared.attached_pids(words)]
            alive = ", ".join(str(pid) for pid in pids if self.system.process_command(pid))
            raise PoisonedError(
                f"{self.directory.path}: a sync has failed, or the log is damaged: nobody knows"
                " what is on disk. Close every process that has it open for writing (pids"
                f" {alive}); the next one to open it so recovers"
            )

    def _open_current(self) -> None:
        """Have the files open that have their names now."""
        if not self._files.are_current():
            self._files = DataFiles(self.directory, write=False)
            self._drop_overlay(0)
            self._scanned = None
        self._files.open_all()
        if self._log is None or self.directory.identity_of(LOG_NAME) != self._log.identity():
            self._log = self._header = None
            try:
                self._log = Log.open(self.directory, write=False)
            except FileNotFoundError:
                return

    def _drop_overlay(self, position: int) -> None:
        self._overlay = PageLayer(self._files)
        self._from = self._position = position

    def _look_anew(self, words: Words | None, log: Log | None) -> None:
        """Let reads without the lock go by what is open now, if these words speak of it."""
        sight = None
        if words is not None and log is not None and self._lock_file:
            assert self._mapping is not None
            assert self._words_file is not None
            generation = words[shared.GENERATION]
            sight = Sight(
                self.directory, self._token, self._mapping, words, self._files, generation,
                self._words_file, log.identity(),
            )  # fmt: skip
        if sight != self.sight:
            self.sight = sight

    # ---- while others are attached

    def _as_attached_do(self, words: Words) -> Shown:
        if words[shared.LOCK_FILE] != self._lock_file:
            raise DirectoryError(
                f"{self.directory.path}/{LOCK_NAME} was removed or replaced while the database is"
                " in use, so that its lock keeps nobody out. Close the database in every process"
                " that has it open, then open it again"
            )
        self._refuse_poisoned(words)
        end, generation = words[shared.END], words[shared.GENERATION]
        durable, applied = words[shared.DURABLE], words[shared.APPLIED]
        limit = durable if words[shared.DURABILITY] == _FULL else end
        if words[shared.DURABILITY] != _NORMAL and not (
            words[shared.SEQUENCE] & 1 or words[shared.TOLD_AHEAD]
        ):
            limit = applied  # not ahead of those who read the files without the lock
        if generation != self._generation:
            self._open_current()
            self._header = None
            self._drop_overlay(applied)
            self._generation = generation
            self._look_anew(words, self._log)
        if self._log is None:
            raise FileNotFoundError(2, "the log is missing", f"{self.directory.path}/{LOG_NAME}")
        tail = words[shared.TAIL] if limit == end and not words[shared.BUSY] else None
        self._catch_up(self._log, generation, applied, limit, tail)
        if limit == end and words[shared.BUSY]:
            end += 1  # its holder died, and may have left a whole frame there
        count = max(1, len(list(shared.attached_pids(words))))
        layout, view = words[shared.LAYOUT], self._overlay.beneath()
        return Shown(view, limit, end, layout, generation, count)

    def _catch_up(
        self, log: Log, generation: int, applied: int, limit: int, tail: int | None
    ) -> None:
        """Bring the overlay up to ``limit``; see ``apply.catch_up``.

        It must begin at or before APPLIED, which goes back when a generation is applied once more.
        """
        stale = applied > self._position or applied < self._from
        if stale or (applied == self._position and self._overlay.is_large()):
            self._drop_overlay(applied)
        if self._position >= limit:
            return
        if self._header is None:
            self._header = log.read_header()
        header = self._header
        if header.generation != generation:  # one ahead: then everything was applied before
            self._header = None
            found = f"generation {header.generation}"
            raise CorruptionError(log.path, header.slot_offset, f"generation {generation}", found)
        frames = log.frames(header, self._position, limit)
        if tail is not None and int(frames[-1].checksum, 16) != tail:
            offset = header.file_offset(frames[-1].lsn)
            raise CorruptionError(log.path, offset, "the last frame", "another one")
        for frame in frames:
            self._overlay.apply(frame.operations())
            self._position = frame.end

    # ---- while nobody is

    def _as_recovery_would(self, words: Words | None) -> Shown:
        self._generation = -1
        self._open_current()
        log = self._log
        witness, limit = what_words_prove(words, self._token, self.directory, self._options)
        if log is None:
            refuse_lost_log(self.directory, self._options)
            self._look_anew(None, None)
            return Shown(self._files, 0, 0, UNKNOWN_LAYOUT, 0, 0)
        start, size = log.read_start(), log.size()
        key = (log.identity(), start, size, witness, limit)
        if self._scanned is None or self._scanned[0] != key:
            self._scanned = None
            self._scanned = (
                key,
                prospect(
                    self.system, self.directory, self._options, self._files, log, witness, limit
                ),
            )
        shown = self._scanned[1]
        knows = words is not None and words[shared.READY] == self._token
        if words is not None and knows and words[shared.GENERATION] == shown.generation:
            self._look_anew(words, log)
            shown = shown._replace(layout=words[shared.LAYOUT])
        else:
            self._look_anew(None, None)
        return shown
