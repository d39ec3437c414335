"""``DB``: a handle to the tables of one directory, Bazoola's API and what it lacks.

Every method may be called from any thread.  A call that changes something returns when its change
is durable and applied (``durability="full"``); a call that fails changes no byte.  Calls inside
``with db.transaction()`` of the same thread take part in it, all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bazanite_wal.options import StoreOptions
from bazanite_wal.read_only import open_read_only
from bazanite_wal.store import open_store
from bazanite_wal.transaction import Transaction

from .cond import BaseCond
from .emptying import truncate
from .errors import DBError, ValidationError, listed
from .files import PathLike, path_text
from .join import BaseJoin, checked_joins, with_joins
from .migrator import Migration, checked_migrations, migrate, refuse_pending
from .opening import check_width, checked_classes, has_catalog, refuse_without_store
from .queries import Queries
from .row import Row
from .sizes import table_sizes
from .storage import Storage
from .table import Table
from .vacuum import Told, Vacuum
from .verified import finish

_STORED: list[type[Table]] = []
"""Itself, and nothing equal to it, says that the catalog's tables are meant."""

if TYPE_CHECKING:
    from bazanite_wal.backup import Backup, Progress
    from bazanite_wal.system import System

    from .check import Report


class DB(Queries):
    """A handle to the tables of one directory, for all threads; opening recovers what a crash left.

    Tables that the directory lacks are made.  ``durability`` is what is on disk when a call that
    changes something returns: "full", its change; "normal", all but the newest changes, which a
    power cut may take; "off", nothing, and only kills are survived.  ``lock_timeout`` is for how
    many seconds a call waits for the lock before LockTimeout, None: as long as it takes, and
    ``commit_timeout`` for how many another process may take to confirm a commit.  ``int_width`` (9
    for a new directory) is how many digits unsized integers have; 6 is what  Bazoola 0.0.7 can
    read.  ``checksums``: True gives these tables checksums, False takes them away, None leaves it
    as it is.  ``migrations`` are made first, those that the directory has not seen (``migrate``);
    in a new one they are taken as made, as the classes are what they lead to.  ``DB.open`` takes
    the tables as the directory has them, without classes.  ``read_only``: nothing is made, changed
    or recovered, whoever else writes; ReadOnlyError for whatever would change something,
    migrations that are not made yet included.

    ValidationError, SchemaMismatch, DirectoryError and CorruptionError leave the tables as they
    were; so does IntegrityError, whose ``ids`` are two rows of a table of Bazoola's that are equal
    where its class says ``unique``.  MigrationError comes after the steps that could be made.
    """

    def __init__(
        self,
        cls_tables: Sequence[type[Table]],
        base_dir: str | PathLike = "data",
        *,
        durability: str = "full",
        lock_timeout: float | None = None,
        int_width: int | None = None,
        checksums: bool | None = None,
        migrations: Sequence[Migration] = (),
        log_size_bytes: int = 4 << 20,
        checkpoint_bytes: int | None = None,
        powersafe_overwrite: bool = True,
        allow_network_fs: bool = False,
        accept_unsafe: bool = False,
        commit_timeout: float = 60.0,
        read_only: bool = False,
        system: System | None = None,
    ) -> None:
        classes = None
        if cls_tables is not _STORED:
            classes = listed(cls_tables, "a list of table classes")
            checked_classes(classes)
        versions = checked_migrations(migrations)
        check_width(int_width)
        if checksums is not None and not isinstance(checksums, bool):
            raise ValidationError(f"checksums={checksums!r}: must be True, False or None")
        if not isinstance(read_only, bool):
            raise ValidationError(f"read_only={read_only!r}: must be True or False")
        path = path_text(base_dir)
        options = StoreOptions(
            durability=durability,
            lock_timeout=lock_timeout,
            log_size_bytes=log_size_bytes,
            checkpoint_bytes=checkpoint_bytes,
            powersafe_overwrite=powersafe_overwrite,
            allow_network_fs=allow_network_fs,
            accept_unsafe=accept_unsafe,
            commit_timeout=commit_timeout,
        )
        if classes is None:
            refuse_without_store(path, system)
        store = (open_read_only if read_only else open_store)(path, options, system)
        try:
            records = [migration.record for migration in versions]
            if read_only:
                refuse_pending(store, path, versions)
            elif versions and has_catalog(store):
                migrate(store, path, versions, [cls.name for cls in classes or ()])
            self.storage = Storage(store, path, classes, int_width, checksums, records)
        except BaseException:
            store.abandon()
            raise

    @classmethod
    def open(cls, base_dir: str | PathLike = "data", **options: Any) -> Self:
        """Open all tables of a directory as its catalog has them; the options are those of ``DB``.

        DirectoryError, and nothing is made, if there are none.  Of a field whose type is a
        program's own the values are its bytes; checks and defaults are in classes only, and so not
        asked.
        """
        return cls(_STORED, base_dir, **options)

    @property
    def tables(self) -> dict[str, Table]:
        """The open tables by name; empty once closed."""
        return self.storage.tables

    @property
    def read_lsn(self) -> int:
        """The log position of the state that this thread's last read or refused call saw."""
        return self.storage.store.read_lsn

    def insert(self, table_name: str, values: Mapping[str, Any]) -> Row:
        """Store a row and return it as it will read; without an "id" it gets the next free one.

        ValidationError for values that do not fit and for an id that is taken, IntegrityError for
        values that must be unique, ValueError for a foreign key that does not exist.
        """
        return self.storage.table(table_name).insert(values)

    def insert_many(self, table_name: str, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Store all these rows in one transaction, or none; returns them in order.

        Errors are those of ``insert``.
        """
        return self.storage.table(table_name).insert_many(rows)

    def insert_ids(self, table_name: str, rows: Iterable[Mapping[str, Any]]) -> list[int]:
        """Store all these rows in one transaction, or none; returns their ids, in order.

        Half the time of ``insert_many``, and less memory.
        """
        return self.storage.table(table_name).insert_ids(rows)

    def update_by_id(self, table_name: str, pk: int, values: Mapping[str, Any]) -> Row:
        """Change these fields of a row and return all of it; NotFoundError if there is none.

        It keeps its place in the file.  With an "id" among the values its id changes, which is an
        IntegrityError if rows refer to it.  Other errors are those of ``insert``.
        """
        return self.storage.table(table_name).update_by_id(pk, values)

    def delete_by_id(self, table_name: str, pk: int) -> None:
        """Delete a row; NotFoundError if there is none.

        What becomes of rows that refer to it is what their FK says (``on_delete``); IntegrityError
        if one of them is in the way.
        """
        self.storage.table(table_name).delete_by_id(pk)

    def find_by_id(
        self, table_name: str, pk: int, *, joins: Sequence[BaseJoin] | None = None
    ) -> Row | None:
        """The row with this id and what the joins add to it; None if there is none.

        Without joins it mostly takes no lock, and so waits for no writer.
        """
        try:
            table = self.storage.tables[table_name]
        except (KeyError, TypeError):
            table = self.storage.table(table_name)
        if not joins:
            return table.find_by_id(pk)
        joins = checked_joins(joins)
        with self.storage.store.reading():
            row = table.find_by_id(pk)
            return None if row is None else with_joins([row], joins, table)[0]

    def find_all(self, table_name: str, *, joins: Sequence[BaseJoin] | None = None) -> list[Row]:
        """Every row, in the order of the file, with what the joins add; under the lock."""
        table = self.storage.table(table_name)
        if not joins:
            return table.find_all()
        joins = checked_joins(joins)
        with self.storage.store.reading():
            return with_joins(table.find_all(), joins, table)

    def find_by_cond(
        self, table_name: str, cond: BaseCond, joins: Sequence[BaseJoin] | None = None
    ) -> list[Row]:
        """The rows that fulfil the condition, in the order of the file, with what the joins add."""
        table = self.storage.table(table_name)
        if not joins:
            return table.find_by_cond(cond)
        joins = checked_joins(joins)
        with self.storage.store.reading():
            return with_joins(table.find_by_cond(cond), joins, table)

    def truncate(self, table_name: str, cascade: bool = False) -> None:
        """Empty a table and start its ids again; with ``cascade`` also all that refer to it.

        ValueError if other tables have rows that refer to it and ``cascade`` is false.
        """
        storage = self.storage
        table = storage.table(table_name)
        with storage.store.transaction(private=True) as tx:
            writes = storage.writes(tx, table)
            truncate(writes, storage.rules, storage.tables, table_name, cascade)
            finish(writes)
            storage.store.layout_changed()  # a vacuum must not go by what it saw before

    def migrate(self, migrations: Sequence[Migration]) -> list[int]:
        """Make the migrations that the directory has not seen; returns their versions.

        If other processes do so at the same time, each version is returned by the one that made its
        last step.  An empty list asks for nothing, and nothing is asked of the directory.
        Each step is atomic and durable when it is done; a crash leaves it undone or done, and the
        next call goes on from there.  Others may read and write meanwhile; those that have a table
        open which is changed get SchemaMismatch from then on, and open it again.  Here the tables
        are those of the new schema afterwards, of this handle's classes where these still fit.
        MigrationError names the rows that are in the way of a step; the steps before it stay.
        """
        storage = self.storage
        if storage.store.read_only:
            refuse_pending(storage.store, storage.base_dir, checked_migrations(migrations))
            return []
        try:
            made = migrate(storage.store, storage.base_dir, checked_migrations(migrations))
        except ValidationError:
            storage.reload()  # the steps before it are this handle's own change, no stranger's
            raise
        storage.reload()
        return made

    def vacuum(self, table_name: str | None = None, *, progress: Told | None = None) -> int:
        """Give back the room of deleted rows and long values; returns the bytes that were freed.

        Of one table, or of all that are open.  Rows keep their ids and their order.  Many short
        transactions: others read and write between them.  After a crash or an interrupt what is
        done stays, and the next call goes on.  Within a transaction, and for a small table, it is
        one.  ``progress`` is called with a table's name, how many bytes were dealt with, and of how
        many.  SchemaMismatch if a migration changes the table meanwhile.
        """
        storage = self.storage
        names = list(storage.tables) if table_name is None else [table_name]
        return sum(Vacuum(storage, storage.table(name), progress).run() for name in names)

    def transaction(self) -> AbstractContextManager[Transaction]:
        """All calls of this thread inside the ``with``, stored together or not at all.

        Any exception rolls back.  Others wait.  A nested one is a savepoint.  ``tx.lsn`` is the
        log position of the commit, once it is durable.
        """
        return self.storage.store.transaction()

    def checkpoint(self) -> None:
        """Make the table files durable on their own and start the log anew.

        DirectoryError if that fails, as on a full disk: the log keeps everything.
        """
        self.storage.store.checkpoint()

    def check(self) -> Report:
        """Whether all files agree, with each other and with their checksums; changes nothing.

        It reads every row under the lock, and others wait.
        """
        from .check import check_view  # noqa: PLC0415  seldom used, and workers start often

        with self.storage.store.reading() as view:
            return check_view(view, self.storage.store.file_names())

    def stats(self) -> dict[str, Any]:
        """Counters of this process, and the state of log, lock and tables; waits for nobody.

        docs/api.md explains each.
        """
        stats = self.storage.store.stats()
        size = stats.pop("sizes").get
        stats["tables"] = table_sizes(self.storage.known.catalog, lambda name: size(name, 0))
        return stats

    def backup(
        self, target: str | PathLike, *, verify: bool = True, progress: Progress | None = None
    ) -> Backup:
        """Copy one state of the whole directory to a new directory; durable on return.

        Others go on writing meanwhile, and the copy is of one of the states that they go through:
        every transaction up to ``Backup.lsn``, and none behind it.  With ``verify`` all of it is
        checked then.  ``progress`` is told how many bytes were copied, and of about how many.  The
        log grows meanwhile, as it is not emptied before the copy is made.

        ``restore`` makes a directory of the copy, also as of a later log position; the copy itself
        may be opened, too, but is then no longer one that the log can bring forward.

        DirectoryError, and nothing is left in ``target``, if it is neither missing nor empty, or
        cannot be written.  CorruptionError if the check finds damage: the copy stays, to be looked
        at.  TransactionError inside a transaction.
        """
        from .copies import refuse_damaged  # noqa: PLC0415  seldom used, and workers start often

        store = self.storage.store
        made = store.backup(path_text(target), progress)
        if verify:
            refuse_damaged(made.path, store.system)
        return made

    def archive(self, keep_bytes: int | None) -> None:
        """Keep what a checkpoint takes out of the log in files beside it; None: no more.

        For all processes, from now on, until it is changed; the oldest are removed when there are
        more than so many bytes.  So ``Changes`` tells what was committed long ago.
        """
        self.storage.store.archive(keep_bytes)

    def close(self) -> None:
        """Checkpoint, and let go of the directory; a second call does nothing.

        TransactionError, and still open, while this thread has a transaction open.
        """
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; an error that the block ends in is the one that counts, and keeps its own text."""
        try:
            self.close()
        except DBError as error:
            if exc_value is None:
                raise
            exc_value.add_note(f"closing failed, too: {error.message}")
