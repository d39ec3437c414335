"""A store that only reads: of a directory that others write, or that nobody may write.

It has ``Store``'s methods; those that would change something raise ReadOnlyError.  All are
thread-safe, and a handle works in a forked child too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NoReturn

from . import shared
from .attach import refuse_network
from .backup import Backup, Progress
from .beside import Beside
from .context import T, closing_contextmanager, finish_interrupted, once_more
from .errors import DirectoryError, LockTimeout, ReadOnlyError, TransactionError
from .glance import Glance, Indexed
from .layer import View
from .lock import nap_lengths
from .options import StoreOptions
from .posix import POSIX, PerThread
from .recovery import RecoveryReport
from .sight import Shown
from .stats import COUNTED, Figures, around_the_log
from .store import Store
from .system import System
from .transaction import Transaction

_OPTIMISTIC_TRIES = 3


def open_read_only(path: str, options: StoreOptions, system: System | None = None) -> Store:
    """Look at a directory, of which nothing is changed, recovered or made.

    Of the options only ``lock_timeout``, ``allow_network_fs`` and ``accept_unsafe`` matter.
    DirectoryError if there is no such directory, NetworkFileSystemError; all else is found out by
    reading.
    """
    return ReadOnlyStore(system or POSIX, path, options)


class ReadOnlyStore(Store):
    """See the module's text.  Nothing of ``Store`` is used but its type."""

    def __init__(self, system: System, path: str, options: StoreOptions) -> None:
        self.path, self.read_only = path, True
        self.system = system
        self._options = options
        self._seen = PerThread()
        self._beside: Beside | None = self._opened(path, None)
        self._forked: dict[int, Beside] = {}

    # ---- reading

    @closing_contextmanager
    def reading(self) -> Iterator[View]:
        """A consistent view of all files, under the global lock.

        With durability "full" it shows only what is durable; once a thread saw a state it never
        sees an older one.  Raises what opening the directory for writing would, but for want of
        rights; PoisonedError; DirectoryError also if what was read does not count.
        """
        with self._held() as (_, shown):
            self._seen.lsn = shown.lsn
            yield shown.view

    def quick_read(self, read: Callable[[View], T]) -> T:
        """``read`` of a consistent view, without the global lock where that is possible."""
        beside = self._used()
        if self.system.ordered_memory() and not beside.lock.owned():
            for _ in range(_OPTIMISTIC_TRIES):
                sight = beside.sight
                before = None if sight is None else sight.quiet(beside.floor)
                if sight is None or before is None:
                    break
                failure: Exception | None = None
                try:
                    result = read(sight.files)
                except Exception as error:  # noqa: BLE001  raised below if it counts
                    failure = error
                if not sight.unchanged(before[0]) or beside.sight is not sight:
                    continue
                if self._beside is not beside:
                    continue
                self._seen.lsn = before[1]
                if failure is not None:
                    raise failure
                return result
        with self.reading() as view:
            return read(view)

    def glance(self, where: Indexed, layout: int) -> Glance:
        """No shorter way than ``quick_read``: this one always declines."""
        return _NoGlance(where, layout)

    def word(self, index: int) -> int:
        """One of the shared words, as the view has it that this thread holds.

        Without a view it is the word as it is now; 0, which is never one, where none counts.
        """
        beside = self._used()
        shown, sight = beside.shown if beside.lock.owned() else None, beside.sight
        if shown is None:
            return 0 if sight is None else sight.words[index]
        words = sight.words if shown.attached and sight is not None else None
        known = {
            shared.APPLIED: shown.lsn,
            shared.END: shown.end,
            shared.LAYOUT: shown.layout,
            shared.LAYOUT_AT: shared.LAYOUT_PENDING if words is None else words[shared.LAYOUT_AT],
            shared.DURABILITY: 1,  # the others say whether the view has all that was committed
        }
        return known[index]

    def file_names(self) -> list[str]:
        """The data files that are there now, sorted."""
        with self._held() as (beside, shown):
            return beside.file_names(shown.view)

    def in_transaction(self) -> bool:
        """Never."""
        self._used()
        return False

    def lock(self) -> AbstractContextManager[None]:
        """Hold the global lock over several calls; all of them read one state."""
        return self._locked()

    @closing_contextmanager
    def _locked(self) -> Iterator[None]:
        with self._held():
            yield

    def stats(self) -> Figures:
        """What ``Store.stats`` tells; counts of changes are 0, as none were made here.

        Of one moment, so that it waits for the lock.
        """
        with self._held() as (beside, shown):
            words = beside.sight.words if shown.attached and beside.sight else None
            end = shown.end if words is None else words[shared.END]
            base, size = beside.log_extent()
            sizes = {name: shown.view.size(name) for name in beside.file_names(shown.view)}
            return dict.fromkeys(COUNTED, 0) | {
                "longest_lock_wait_seconds": beside.lock.longest_wait,
                "recovery": None,
                "generation": shown.generation,
                "end_lsn": end,
                "durable_lsn": shown.lsn if words is None else words[shared.DURABLE],
                "applied_lsn": shown.lsn if words is None else words[shared.APPLIED],
                "log_used_bytes": end - base,
                "log_file_bytes": size,
                "attached_processes": shown.attached,
                **around_the_log(self.system, beside.directory, words, sizes),
            }

    @property
    def recovery(self) -> RecoveryReport | None:
        """None: nothing is ever recovered here."""
        self._used()
        return None

    # ---- what would change something

    def transaction(self, *, private: bool = False) -> AbstractContextManager[Transaction]:
        """Refused, as a transaction is begun to change something."""
        del private
        self._refuse()

    def run(self, body: Callable[[Transaction], T]) -> T:
        """Refused."""
        del body
        self._refuse()

    def create_files(self, names: Iterable[str]) -> None:
        """Refused."""
        del names
        self._refuse()

    def layout_changed(self) -> None:
        """Refused."""
        self._refuse()

    def checkpoint(self) -> None:
        """Refused."""
        self._refuse()

    def archive(self, keep_bytes: int | None) -> None:
        """Refused."""
        del keep_bytes
        self._refuse()

    def backup(self, target: str, progress: Progress | None = None) -> Backup:
        """Refused: it is made by who may also empty the log.  ``restore`` copies what is closed."""
        del target, progress
        self._refuse()

    def _refuse(self) -> NoReturn:
        self._used()
        raise ReadOnlyError(f"{self.path}: nothing was done: the directory is open read-only")

    # ---- the handle

    def close(self) -> None:
        """Let go of the directory; closing twice is fine.

        TransactionError while this thread holds the lock.  Its files are closed when the last call
        under way in another thread has ended.
        """
        used = self._beside
        if used is not None and not used.forked() and used.lock.owned():
            raise TransactionError("the database cannot be closed while its lock is held")
        self.abandon()

    def abandon(self) -> None:
        """Close a handle that nobody got to see."""
        self._beside = None  # a descriptor goes with the last one who reads through it
        self._forked.clear()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._beside is None

    def _used(self) -> Beside:
        used = self._beside
        if used is None:
            raise TransactionError("the database is closed")
        if used.forked():
            # not by self.path, which may be relative to a directory that was left since
            directory = used.directory
            fresh = self._opened(directory.path, directory.identity)
            used = self._forked.setdefault(self.system.incarnation(), fresh)
            self._beside = used
        return used

    def _opened(self, path: str, expected: tuple[int, int] | None) -> Beside:
        try:
            directory = self.system.directory(path, create=False)
            if expected not in (None, directory.identity):
                raise DirectoryError(
                    f"{path}: the directory that was open here before the fork was moved or"
                    " removed. Open it where it is now"
                )
            refuse_network(directory, self._options)
            return Beside(self.system, directory, self._options)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> DirectoryError:
        return DirectoryError(f"{self.path}: cannot read the database directory: {error}")

    @closing_contextmanager
    def _held(self) -> Iterator[tuple[Beside, Shown]]:
        """Hold the global lock; what this thread holds already stays as it is."""
        beside = self._used()
        if beside.lock.owned():
            finish_interrupted()
        if beside.lock.owned():
            if beside.shown is None:
                raise TransactionError(
                    "the database was used by a signal handler or a finalizer inside one of its"
                    " own calls; nothing was done"
                )
            yield beside, beside.shown
            return
        try:
            try:
                beside = self._look(beside)
                shown = beside.shown
                assert shown is not None
            except OSError as error:
                raise self._unreadable(error) from error
            try:
                yield beside, shown
            except Exception:
                self._check_after(beside, shown, ended=False)  # an error may not count either
                raise
            self._check_after(beside, shown, ended=True)
        finally:
            try:
                beside.leave()
            except BaseException:
                once_more(beside.leave)  # an interrupt struck at its door or inside
                raise

    def _look(self, beside: Beside) -> Beside:
        """Take the lock, with something to show; all else is freed, also when this raises."""
        deadline = None
        if self._options.lock_timeout is not None:
            deadline = self.system.monotonic() + self._options.lock_timeout
        nap = nap_lengths()
        while True:
            done = False
            try:
                beside.acquire()
                if not beside.has_right_lock():
                    # its holder alone does this: nobody is left behind who holds the old one
                    fresh = Beside(self.system, beside.directory, self._options)
                    if self._beside is beside:
                        self._beside = fresh
                    beside.sight = None
                elif beside.look():
                    done = True
                    return beside
            finally:
                if not done:
                    try:
                        beside.leave()
                    except BaseException:
                        once_more(beside.leave)
                        raise
            if (now := self._used()) is not beside:
                beside = now
                continue
            if deadline is not None and self.system.monotonic() > deadline:
                raise LockTimeout(f"{self.path}: a process that is dying still holds the directory")
            self.system.sleep(nap())

    def _check_after(self, beside: Beside, shown: Shown, *, ended: bool) -> None:
        """Raise if what was read does not count."""
        if beside.forked():
            return
        if not beside.lock.owned():
            raise TransactionError("a lock must be left in the thread that entered it")
        try:
            if ended:
                beside.refuse_poisoned(shown)
            beside.refuse_other_lock()
        except OSError as error:
            raise self._unreadable(error) from error


class _NoGlance(Glance):
    """Declines: who is not attached has more to look at than a glance does."""

    __slots__ = ()

    def __init__(self, where: Indexed, layout: int) -> None:
        del where
        self._layout = layout

    @property
    def is_stale(self) -> bool:
        return False

    def record(self, number: int) -> bytes | None:
        del number
        return None
