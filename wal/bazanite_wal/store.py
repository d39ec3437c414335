"""The store: one handle's access to a directory of byte files that change by transactions.

Knows bytes, not tables.  All methods are thread-safe, and a handle works in a forked child too: it
attaches again by itself.  Errors leave either nothing or a whole transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from . import backup, commit, registry, shared
from .apply import catch_up
from .call import StoreCall, refuse_while_reading
from .checkpoint import (
    NOT_DONE,
    checkpoint_is_due,
    checkpoint_locked,
    set_archive_locked,
    sync_ahead,
    unmark,
)
from .context import T, closing_contextmanager
from .core import Core
from .errors import DBError, DirectoryError, TransactionError
from .glance import Glance, Indexed
from .layer import View
from .options import StoreOptions
from .posix import POSIX, PerThread
from .recovery import RecoveryReport
from .section import exclusive
from .stats import Figures, figures
from .system import System
from .telling import WARNING, tell
from .transaction import Transaction

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
        self.path, self.read_only = path, False
        self.system = system
        self._options = options
        self._seen = PerThread()
        self._attachment: registry.Attachment | None = registry.acquire(system, path, options)
        self._heirs: dict[int, object] = {}

    @closing_contextmanager
    def transaction(self, *, private: bool = False) -> Iterator[Transaction]:
        """One transaction over all files; in an open one of this thread, a savepoint.

        ``private``: the body uses nothing but this transaction; whatever else this thread does with
        the directory meanwhile (a signal handler, a program's own field type) is refused.

        On return it is durable and applied (as the durability level says) and ``lsn`` is set; any
        exception from the body rolls back all of it.  Other threads and processes wait meanwhile.
        """
        with StoreCall(self) as used:
            refuse_while_reading(used)
            outer = used.transaction
            if used.core.lock.owned() and outer is not None:
                with self._innermost(used, Transaction(outer), outer) as savepoint:
                    try:
                        used.core.inside = private
                        yield savepoint
                    finally:
                        used.core.inside = False
                    savepoint.close()
                    if used.core.forked():
                        raise commit.another_process()
                    try:
                        used.core.inside = True
                        outer.absorb(savepoint)
                    finally:
                        used.core.inside = False
                return
            tx = None
            try:
                with (
                    commit.transaction(used.core, used.group, self._options.lock_timeout) as tx,
                    self._innermost(used, tx, None),
                ):
                    used.reading = None  # as in _exclusive
                    used.core.inside = private
                    yield tx
            finally:
                self._remember_position(tx)
            self._checkpoint_if_due(used)

    def run(self, body: Callable[[Transaction], T]) -> T:
        """What ``body`` returns, run as one ``transaction(private=True)``, with less ado."""
        if self._use().core.lock.owned():
            with self.transaction(private=True) as savepoint:
                return body(savepoint)
        opened: Transaction | None = None

        def alone(tx: Transaction) -> T:
            nonlocal opened
            opened = used.transaction = tx
            used.reading = None  # as in _exclusive
            try:
                used.core.inside = True
                return body(tx)
            finally:
                if used.transaction is tx:  # as in _innermost
                    used.transaction = None

        with StoreCall(self) as used:
            try:
                result = commit.run(used.core, used.group, self._options.lock_timeout, alone)
            finally:
                self._remember_position(opened)
            self._checkpoint_if_due(used)
            return result

    def _remember_position(self, tx: Transaction | None) -> None:
        """What ``read_lsn`` tells behind this transaction, if one was begun."""
        if tx is not None:
            self._seen.lsn = tx.lsn or tx.refused_at or self._seen.lsn

    @closing_contextmanager
    def reading(self) -> Iterator[View]:
        """A consistent view of all files, this thread's uncommitted changes included.

        Holds the global lock.  Outside a transaction it shows only what is durable and applied
        (``durability="normal"``: all that was committed).
        """
        with StoreCall(self) as used:
            core = used.core
            outermost = not core.lock.owned()
            with self._exclusive(used) as inside:
                view: View
                if inside is not None:
                    view = inside
                elif core.words[shared.DURABILITY] == 2:
                    catch_up(core)
                    self._seen.lsn = core.position
                    view = core.overlay
                else:
                    self._seen.lsn = core.words[shared.APPLIED]
                    view = core.files
                outer = used.reading
                used.reading = reading = object()
                try:
                    yield view
                finally:
                    if used.reading is reading:  # else an interrupt kept us: another one's turn
                        used.reading = outer
                if core.forked():
                    return
                core.check_poisoned()  # what was read may be older than what was told before
                if outermost and core.words[shared.DURABILITY] == 1:
                    commit.mark_if_idle(core, used.group)
            if outermost and core.words[shared.DURABILITY] == 2:
                lsn, group = self._seen.lsn, used.group
                commit.or_explain(core, lambda: commit.settle(core, group, lsn), committed=False)

    def quick_read(self, read: Callable[[View], T]) -> T:
        """``read`` of a consistent view, without the global lock where that is possible.

        ``read`` may be called several times, on bytes that are just being changed; what it returns
        or raises counts only if nothing changed meanwhile.
        """
        core = self._use().core
        if core.system.ordered_memory() and not core.lock.owned():
            for _ in range(_OPTIMISTIC_TRIES):
                failure: Exception | None = None
                try:
                    before = _quiet_sequence(core)
                    if before is None:
                        break
                    lsn = core.words[shared.APPLIED]
                    try:
                        result = read(core.files)
                    except Exception as error:  # noqa: BLE001  raised below if it counts
                        failure = error
                    if _quiet_sequence(core) != before:
                        continue
                except ValueError:
                    break  # another thread closed the database: the words are gone
                self._seen.lsn = lsn
                if failure is not None:
                    raise failure
                return result
        with self.reading() as view:
            return read(view)

    def glance(self, where: Indexed, layout: int) -> Glance:
        """A reader of such records in fewer steps; it declines once the layout is another one."""
        return Glance(self, self._use(), where, layout)

    def word(self, index: int) -> int:
        """One of the words that attached processes share, as it is now: see ``shared``."""
        try:
            return self._use().core.words[index]
        except ValueError as error:  # another thread was faster, and the words are gone
            raise TransactionError("the database is closed") from error

    def layout_changed(self) -> None:
        """Within a transaction: after it the files are to be read in another way."""
        shared.move_layout(self._use().core.words)

    @closing_contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the global lock over several calls; what they read is the latest, and durable."""
        with StoreCall(self) as used:
            if used.core.lock.owned():
                yield
                return
            with self._exclusive(used):
                commit.settle_held(used.core, used.group)
                yield

    def create_files(self, names: Iterable[str]) -> None:
        """Make the missing files, empty and durable; within a transaction, before naming them."""
        core = self._use().core
        if not core.lock.owned():
            raise TransactionError("files are created within a transaction")
        names = list(names)
        if core.words[shared.NAMES] and not core.files.are_durable(names):
            raise core.poison_names()  # an interrupt may have swallowed that a sync of names failed
        try:
            core.files.create(names)
        except OSError as error:
            raise core.poison_names() from error

    def file_names(self) -> list[str]:
        """The data files that are there now, sorted."""
        with StoreCall(self) as used:
            try:
                used.core.files.open_all()
            except OSError as error:
                raise DirectoryError(f"{self.path}: cannot list its files: {error}") from error
            return used.core.files.names()

    def in_transaction(self) -> bool:
        """Whether the calling thread has a transaction open."""
        used = self._use()
        return used.core.lock.owned() and used.transaction is not None

    @property
    def read_lsn(self) -> int:
        """The log position that this thread's last read or transaction, refused or not, saw."""
        return self._seen.lsn

    @property
    def recovery(self) -> RecoveryReport | None:
        """What recovery found when this process attached; None if others had it open."""
        return self._use().report

    def checkpoint(self) -> None:
        """Put everything into the table files, durable, and empty the log."""
        with StoreCall(self) as used:
            refuse_while_reading(used)
            if used.core.lock.owned() and used.transaction is not None:
                raise TransactionError("a checkpoint cannot run inside a transaction")
            try:
                if used.core.lock.owned():
                    with self._exclusive(used):
                        checkpoint_locked(used.core, used.group)
                else:
                    self._checkpoint_ahead(used, even_if_not_due=True)
            except NOT_DONE as error:
                raise DirectoryError(f"{self.path}: the checkpoint failed: {error}") from error

    def stats(self) -> Figures:
        """What ``figures`` tells; waits for nobody."""
        with StoreCall(self) as used:
            return figures(used.core, used.report)

    def backup(self, target: str, progress: backup.Progress | None = None) -> backup.Backup:
        """Copy one state of the directory to ``target``, which is missing or empty; durable.

        Others go on writing.  Meanwhile the log grows, as no checkpoint may empty it.
        """
        with StoreCall(self) as used:
            refuse_while_reading(used)
            if self.in_transaction():
                raise TransactionError("a backup cannot run inside a transaction")
            made = backup.back_up(
                used.core, used.group, lambda: self._exclusive(used), target, progress
            )
            self._seen.lsn = made.lsn
            return made

    def archive(self, keep_bytes: int | None) -> None:
        """Archive the log from now on, keeping so many bytes of it; None: archive no more.

        It is so for every process; durable on return.  Segments stay until others need their room.
        """
        with StoreCall(self) as used:
            refuse_while_reading(used)
            if self.in_transaction():
                raise TransactionError("an archive cannot begin or end inside a transaction")
            with self._exclusive(used):
                set_archive_locked(used.core, used.group, keep_bytes)

    def close(self) -> None:
        """Leave the directory; the last one to leave checkpoints.  Closing twice is fine.

        TransactionError while this thread has a transaction open or holds the lock.
        """
        used = self._attachment
        if used is not None and not used.core.forked() and used.core.lock.owned():
            raise TransactionError(
                "the database cannot be closed while a transaction or its lock is open"
            )
        self.abandon()

    def abandon(self) -> None:
        """Close a handle that nobody got to see, also while another one's lock is held."""
        used, self._attachment = self._attachment, None
        if used is not None:
            registry.release(self.system, used)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._attachment is None

    def _use(self) -> registry.Attachment:
        used = self._attachment
        if used is None:
            raise TransactionError("the database is closed")
        if used.core.forked():
            # not by self.path, which may be relative to a directory that was left since
            directory = used.core.directory
            fresh = registry.acquire(self.system, directory.path, self._options, directory.identity)
            used, mine = fresh, object()
            if self._heirs.setdefault(self.system.incarnation(), mine) is not mine:
                registry.release(self.system, fresh)  # another thread of this child was faster
            self._attachment = used
        return used

    @closing_contextmanager
    def _innermost(
        self, used: registry.Attachment, tx: Transaction, outer: Transaction | None
    ) -> Iterator[Transaction]:
        used.transaction = tx
        try:
            yield tx
        finally:
            if used.transaction is tx:  # else an interrupt kept us, and it is another thread's turn
                used.transaction = outer

    @closing_contextmanager
    def _exclusive(self, used: registry.Attachment) -> Iterator[Transaction | None]:
        """Hold the global lock; gives the transaction that this thread has open, if any."""
        nested = used.core.lock.owned()
        inside = used.transaction if nested else None
        with exclusive(used.core, used.group, self._options.lock_timeout):
            if not nested:  # what is set was left by an interrupt: nobody else has the lock
                used.transaction = used.reading = None
            yield inside

    def _checkpoint_ahead(self, used: registry.Attachment, *, even_if_not_due: bool) -> None:
        """A checkpoint whose longest part, the sync of the data files, is done without the lock."""
        sync_ahead(used.core)
        try:
            with self._exclusive(used):
                if even_if_not_due or checkpoint_is_due(used.core):
                    checkpoint_locked(used.core, used.group)
        finally:
            unmark(used.core)

    def _checkpoint_if_due(self, used: registry.Attachment) -> None:
        """After a commit: checkpoint unless someone is at it; the commit stands anyhow."""
        core = used.core
        if core.lock.owned() or not checkpoint_is_due(core) or core.words[shared.CHECKPOINTING]:
            return
        try:
            self._checkpoint_ahead(used, even_if_not_due=False)
        except (DBError, OSError) as error:
            core.counts["checkpoints_put_off"] += 1
            tell(WARNING, "checkpoint put off", "%s: checkpoint put off: %s", self.path, error)


def _quiet_sequence(core: Core) -> int | None:
    """The apply sequence if what the files hold may be believed without the lock, else None."""
    words = core.words
    sequence = words[shared.SEQUENCE]
    if sequence & 1 or words[shared.POISONED] or words[shared.DURABILITY] == 2:
        return None
    return None if shared.files_are_behind(words) else sequence
