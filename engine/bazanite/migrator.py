"""Changing the schema of a directory: step by step, each atomic, and recorded when it is done.

Steps that need one transaction share it with their neighbours of the same migration; an index is
built in many, so that others get their turn, and whoever comes after a crash goes on where it
stopped.  Several processes may migrate at the same time: each step is taken under the lock, by what
the catalog says then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from bazanite_wal.telling import INFO, tell

from . import building
from .catalog import decode
from .catalog_file import read_catalog_bytes
from .errors import (
    MigrationError,
    ReadOnlyError,
    SchemaMismatch,
    TransactionError,
    ValidationError,
    listed,
)
from .specs import Catalog, MigrationRecord
from .steps import AddIndex, DropTable, RenameTable, Step
from .tables import Tables

if TYPE_CHECKING:
    from bazanite_wal.store import Store


@dataclass(frozen=True)
class Migration:
    """A numbered change of the schema: its steps are made once, in order, in every directory."""

    version: int
    name: str
    steps: tuple[Step, ...]

    def __init__(self, version: int, name: str, steps: Iterable[Step]) -> None:
        if type(version) is not int or version <= 0:
            raise ValidationError(f"a migration's version is a positive number, not {version!r}")
        text: object = name
        if not isinstance(text, str) or not text.isprintable():
            raise ValidationError(f"migration {version}: its name must be a line of text")
        given = listed(steps, "a list of steps")
        for step in given:
            one: object = step
            if not isinstance(one, Step):
                raise ValidationError(f"migration {version}: {one!r} is not a step")
        object.__setattr__(self, "version", version)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "steps", tuple(given))

    @property
    def record(self) -> MigrationRecord:
        """What the catalog says of it when it is done."""
        return MigrationRecord(self.version, self.name, len(self.steps))


def checked_migrations(migrations: Iterable[Migration]) -> list[Migration]:
    """The migrations as a list; ValidationError unless their versions go up."""
    result = listed(migrations, "a list of migrations")
    last = 0
    for migration in result:
        one: object = migration
        if not isinstance(one, Migration):
            raise ValidationError(f"{one!r} is not a migration")
        if migration.version <= last:
            raise ValidationError(
                f"migration {migration.version} comes behind {last}: put them in ascending order, "
                "and give each a number of its own"
            )
        last = migration.version
    return result


def migrate(
    store: Store, directory: str, migrations: Sequence[Migration], declared: Collection[str] = ()
) -> list[int]:
    """Make what the directory has not seen yet; returns the versions whose last step was made here.

    So of several processes at once each version is returned by one.  None given: none is asked for.

    MigrationError if rows are in the way: the steps before it stay.  SchemaMismatch if the
    directory has seen a migration that is not among these: a newer program's.

    ``declared`` are tables that will be made afterwards, where the directory has none of the name,
    as they are to be in the end: what the migrations do to them is done then.
    """
    absent = _absent(migrations, declared)
    if store.in_transaction():
        raise TransactionError("a transaction is open: migrate before it begins")
    made: list[int] = []
    while migrations:
        with store.transaction(private=True) as tx:
            data = read_catalog_bytes(tx)
            if not data:
                raise SchemaMismatch(f"{directory}: there are no tables yet that could be migrated")
            tables = Tables(store, tx, directory, decode(data, directory), declared)
            pending = _pending(tables.catalog, migrations)
            if pending is None:
                break
            migration, done = pending
            step = migration.steps[done] if done < len(migration.steps) else None
            if isinstance(step, AddIndex) and not _is_moot(step, tables, absent):
                with _told_by(migration):
                    step.change(tables)
            else:
                for one in migration.steps[done:]:
                    moot = _is_moot(one, tables, absent)
                    if isinstance(one, AddIndex) and not moot:
                        break
                    if not moot:
                        with _told_by(migration):
                            one.change(tables)
                    done += 1
                step = None
                tables.catalog = _recorded(migration, done, tables.catalog)
            tables.finish()
        if isinstance(step, AddIndex):
            done += 1
            with _told_by(migration):
                recorded = partial(_recorded, migration, done)
                if not building.build(store, directory, step, recorded):
                    continue  # another process's work: the catalog says what is left
        what = (directory, migration.version, migration.name, done, len(migration.steps))
        tell(INFO, "migrated", "%s: migration %d (%s): %d of %d steps are made", *what)
        if done >= len(migration.steps):
            made.append(migration.version)
    return made


def refuse_pending(store: Store, directory: str, migrations: Sequence[Migration]) -> None:
    """ReadOnlyError if one of these is not made yet; SchemaMismatch as in ``migrate``."""
    with store.reading() as view:
        data = read_catalog_bytes(view)
    pending = _pending(decode(data, directory), migrations) if data and migrations else None
    if pending is not None:
        one = pending[0]
        raise ReadOnlyError(
            f"{directory}: nothing was done: migration {one.version} ({one.name}) is not made yet,"
            " and the directory is open read-only: let a program make it that opens it for writing"
        )


@contextmanager
def _told_by(migration: Migration) -> Iterator[None]:
    """Let what refuses a step be a MigrationError that names the migration."""
    try:
        yield
    except ValidationError as error:
        cause = error.__cause__ if isinstance(error, MigrationError) else error
        raise MigrationError(
            f"migration {migration.version} ({migration.name}): {error.message}",
            getattr(error, "ids", ()),
            migration.version,
        ) from cause


def _pending(catalog: Catalog, migrations: Sequence[Migration]) -> tuple[Migration, int] | None:
    """The next migration and how many of its steps were made; None if all were."""
    known = {record.version: record for record in catalog.migrations}
    given = {migration.version for migration in migrations}
    for record in catalog.migrations:
        if record.version not in given and record.version > max(given):
            raise SchemaMismatch(
                f"the directory has seen migration {record.version} ({record.name}), which this "
                f"program does not know: a newer program's"
            )
    for migration in migrations:
        if migration.version not in known:
            return migration, 0
        record = known[migration.version]
        if record.name != migration.name:
            raise SchemaMismatch(
                f"migration {migration.version} is '{migration.name}' here, and was "
                f"'{record.name}' when the directory saw it"
            )
        if record.done < len(migration.steps):
            return migration, record.done
    return None


def _absent(migrations: Sequence[Migration], declared: Collection[str]) -> set[int]:
    """The steps, by identity, whose table a directory need not have.

    It is one that will be made, under that name or an earlier one, or that is dropped in the end.
    """
    found: set[int] = set()
    names = set(declared)
    if names:
        for step in (s for m in reversed(migrations) for s in reversed(m.steps)):
            if isinstance(step, DropTable):
                names.add(step.table)
            elif isinstance(step, RenameTable) and step.to in names:
                names.remove(step.to)
                names.add(step.table)
            if step.table in names:
                found.add(id(step))
    return found


def _is_moot(step: Step, tables: Tables, absent: set[int]) -> bool:
    """Whether there is nothing that the step could change, and need not be."""
    return id(step) in absent and step.table not in tables.catalog.tables


def _recorded(migration: Migration, done: int, catalog: Catalog) -> Catalog:
    """The catalog that says so many steps of the migration are made."""
    record = MigrationRecord(migration.version, migration.name, done)
    others = [r for r in catalog.migrations if r.version != migration.version]
    records = sorted([*others, record], key=lambda r: r.version)
    return replace(catalog, migrations=tuple(records))
