"""The store: one handle's access to a directory of byte files that change by transactions.

Knows bytes, not tables.  All methods are thread-safe, and a handle works in a forked child too: it
attaches again by itself.  Errors leave either nothing or a whole transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from . import backup, commit, registry, shared
from .apply import catch_up
from .checkpoint import checkpoint_is_due, checkpoint_locked, sync_ahead
from .errors import DBError, DirectoryError, TransactionError
from .layer import View
from .options import StoreOptions
from .posix import POSIX
from .recovery import RecoveryReport
from .section import exclusive
from .system import System
from .transaction import Transaction

T = TypeVar("T")
_logger = logging.getLogger("bazanite")
_OPTIMISTIC_TRIES = 3


def open_store(path: str, options: StoreOptions, system: System | None = None) -> Store:
    """Open a directory, made if it is missing; the first opener recovers it.

    On return everything that was ever acknowledged (under the durability it was promised) is in
    the files.  Raises DirectoryError, CorruptionError, UnsafeShutdownError, DurabilityMismatch,
    NetworkFileSystemError, LockTimeout or PoisonedError; nothing is open then.
    """
    return Store(system or POSIX, path, options)


class Store:
    """See the module's text.  ``path`` is the directory as the caller named it."""

    def __init__(self, system: System, path: str, options: StoreOptions) -> None:
        self.path = path
        self._system = system
        self._options = options
        self._read_lsn: ContextVar[int] = ContextVar("read_lsn", default=0)
        self._attachment: registry.Attachment | None = registry.acquire(system, path, options)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction over all files; in an open one of this thread, a savepoint.

        On return it is durable and applied (as the durability level says) and ``lsn`` is set; any
        exception from the body rolls back all of it.  Other threads and processes wait meanwhile.
        """
        used = self._use()
        core, outer = used.core, used.transaction
        if core.lock.owned() and outer is not None:
            with self._innermost(used, Transaction(outer)) as savepoint:
                yield savepoint
                savepoint.close()
                outer.apply(savepoint.operations)
            return
        with (
            commit.transaction(core, used.group, self._options.lock_timeout) as tx,
            self._innermost(used, tx),
        ):
            yield tx
        self._read_lsn.set(tx.lsn)
        if not core.lock.owned() and checkpoint_is_due(core):
            try:
                self._checkpoint(used, only_if_due=True)
            except (DBError, OSError) as error:  # this transaction is committed all the same
                _logger.warning("%s: checkpoint put off: %s", self.path, error)

    @contextmanager
    def reading(self) -> Iterator[View]:
        """A consistent view of all files, this thread's uncommitted changes included.

        Holds the global lock.  Outside a transaction it shows only what is durable and applied
        (``durability="normal"``: all that was committed).
        """
        used = self._use()
        core = used.core
        with exclusive(core, used.group, self._options.lock_timeout):
            if used.transaction is not None:
                yield used.transaction
            elif core.words[shared.DURABILITY] == 2:
                catch_up(core)
                self._read_lsn.set(core.position)
                yield core.overlay
            else:
                self._read_lsn.set(core.words[shared.APPLIED])
                yield core.files
                if core.words[shared.DURABILITY] == 1:
                    commit.mark_if_idle(core, used.group)

    def quick_read(self, read: Callable[[View], T]) -> T:
        """``read`` of a consistent view, without the global lock where that is possible.

        ``read`` may be called several times, on bytes that are just being changed; what it returns
        or raises counts only if nothing changed meanwhile.
        """
        core = self._use().core
        words = core.words
        if words[shared.DURABILITY] != 2 and core.system.ordered_memory() and not core.lock.owned():
            for _ in range(_OPTIMISTIC_TRIES):
                before, lsn = words[shared.SEQUENCE], words[shared.APPLIED]
                if before & 1 or words[shared.POISONED]:
                    break
                failure: Exception | None = None
                try:
                    result = read(core.files)
                except Exception as error:  # noqa: BLE001  raised below if the view was consistent
                    failure = error
                if words[shared.SEQUENCE] == before and not words[shared.POISONED]:
                    self._read_lsn.set(lsn)
                    if failure is not None:
                        raise failure
                    return result
        with self.reading() as view:
            return read(view)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the global lock over several calls; what they read is the latest, and durable."""
        used = self._use()
        if used.core.lock.owned():
            yield
            return
        with exclusive(used.core, used.group, self._options.lock_timeout):
            commit.sync_and_apply_locked(used.core, used.group)
            yield

    def create_files(self, names: Iterable[str]) -> None:
        """Make the missing files, empty and durable; within a transaction, before naming them."""
        core = self._use().core
        if not core.lock.owned():
            raise TransactionError("files are created within a transaction")
        core.files.create(names)

    def file_names(self) -> list[str]:
        """The data files that are there now, sorted."""
        core = self._use().core
        core.files.open_all()
        return core.files.names()

    def in_transaction(self) -> bool:
        """Whether the calling thread has a transaction open."""
        used = self._use()
        return used.core.lock.owned() and used.transaction is not None

    @property
    def read_lsn(self) -> int:
        """The log position that this thread's last read or transaction through this handle saw."""
        return self._read_lsn.get()

    @property
    def recovery(self) -> RecoveryReport | None:
        """What recovery found when this process attached; None if others had it open."""
        return self._use().report

    def checkpoint(self) -> None:
        """Put everything into the table files, durable, and empty the log."""
        used = self._use()
        if used.core.lock.owned() and used.transaction is not None:
            raise TransactionError("a checkpoint cannot run inside a transaction")
        try:
            self._checkpoint(used, only_if_due=False)
        except OSError as error:
            raise DirectoryError(f"{self.path}: the checkpoint failed: {error}") from error

    def stats(self) -> dict[str, int]:
        """Counts of this process, and positions of the log that all processes share."""
        core = self._use().core
        words = core.words
        names = ("commits", "log_syncs", "log_bytes", "data_syncs", "checkpoints", "repairs")
        counts = {name: core.counts[name] for name in names}
        return counts | {
            "generation": words[shared.GENERATION],
            "end_lsn": words[shared.END],
            "durable_lsn": words[shared.DURABLE],
            "applied_lsn": words[shared.APPLIED],
            "log_used_bytes": words[shared.END] - core.header.base,
            "log_file_bytes": core.log.size(),
            "attached_processes": len(list(shared.attached_pids(words))),
        }

    def backup(self, target: str) -> None:
        """Copy a consistent state of the directory to ``target``, durable on return.

        ``target`` must be missing or empty.  Writers wait meanwhile.
        """
        with self.lock():
            core = self._use().core
            backup.copy_to(self._system, core.directory.path, core.files, target, self._options)

    def close(self) -> None:
        """Leave the directory; the last one to leave checkpoints.  Closing twice is fine.

        TransactionError if this is the process's last handle to the directory, and this thread has
        a transaction open or holds the lock.
        """
        used = self._attachment
        if used is None:
            return
        if not used.core.forked() and used.users == 1 and used.core.lock.owned():
            raise TransactionError(
                "the database cannot be closed while a transaction or its lock is open"
            )
        self._attachment = None
        registry.release(self._system, used)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._attachment is None

    def _use(self) -> registry.Attachment:
        used = self._attachment
        if used is None:
            raise TransactionError("the database is closed")
        if used.core.forked():
            used = registry.acquire(self._system, self.path, self._options)
            self._attachment = used
        return used

    @contextmanager
    def _innermost(self, used: registry.Attachment, tx: Transaction) -> Iterator[Transaction]:
        outer = used.transaction
        used.transaction = tx
        try:
            yield tx
        finally:
            used.transaction = outer

    def _checkpoint(self, used: registry.Attachment, *, only_if_due: bool) -> None:
        core = used.core
        if not core.lock.owned():
            if only_if_due and core.words[shared.CHECKPOINTING]:
                return
            sync_ahead(core)
        with exclusive(core, used.group, self._options.lock_timeout):
            if not only_if_due or checkpoint_is_due(core):
                checkpoint_locked(core, used.group)
