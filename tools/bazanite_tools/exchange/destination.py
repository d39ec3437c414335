"""Where rows are put: a new directory, or one that is in use; all of them, or none.

A new directory is made aside and renamed when it is complete, with commits in between, so that it
takes no memory by the number of rows.  In one that has tables everything is one transaction, which
is held in memory; new tables are made before it, and taken away again if it fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from bazanite.catalog_file import read_catalog as stored_in
from bazanite.check import read_catalog
from bazanite.db import DB
from bazanite.fields import KEEP
from bazanite.files import CATALOG_NAME
from bazanite.migrator import Migration
from bazanite.opening import class_of
from bazanite.schema import Schema
from bazanite.specs import Catalog
from bazanite.tables import Tables
from bazanite_wal.errors import CommittedNotApplied, CommitUncertain, DBError, ValidationError

from ..looking import as_command_error, looking_at
from ..opened import closing_told, open_as_used
from ..output import FINDINGS, CommandError, plural
from .bulk import dangling, store_rows
from .making import directory_aside
from .opened import catalog_of
from .schemas import table_class

_BATCH = 2000


@contextmanager
def new_directory(
    path: str,
    schemas: Mapping[str, Schema],
    int_width: int | None,
    migrations: Sequence[Migration] = (),
    checksums: Sequence[str] = (),
) -> Iterator[DB]:
    """A database with these tables, whose directory is at ``path`` when the block is left.

    ``checksums``: tables that are to have them in the end.
    """
    classes = {name: table_class(name, schema) for name, schema in schemas.items()}
    try:
        with directory_aside(path) as aside:
            with DB(
                [*classes.values()],
                aside,
                durability="normal",
                int_width=int_width,
                migrations=migrations,
            ) as db:
                yield db
            if checksums:
                DB([classes[name] for name in checksums], aside, checksums=True).close()
    except DBError as error:
        raise as_command_error(error) from error


@contextmanager
def directory_in_use(args: argparse.Namespace, schemas: Mapping[str, Schema]) -> Iterator[DB]:
    """The database of ``args.directory``, with these new tables besides, in one transaction."""
    known = stored_catalog(args)
    classes = [class_of(name, spec) for name, spec in known.tables.items()] if known else []
    classes += [table_class(name, schema) for name, schema in schemas.items()]
    try:
        used = open_as_used(args.directory, args.lock_timeout, partial(DB, classes))
        with closing_told(used) as db:
            try:
                with db.transaction():
                    yield db
            except (CommittedNotApplied, CommitUncertain):
                raise  # the rows are in the tables, or may be
            except BaseException:
                try:
                    _take_away(db, [*schemas])
                except DBError as error:
                    left = f"the new tables are left there, empty ({', '.join(schemas)}): {error}"
                    print(f"bazanite: {left}", file=sys.stderr)
                raise
    except DBError as error:
        raise as_command_error(error) from error


def stored_catalog(args: argparse.Namespace) -> Catalog | None:
    """What the directory of the command line says of its tables; None if it has none yet."""
    with looking_at(args) as offline:
        if not offline.view.size(CATALOG_NAME):
            return None
        return read_catalog(offline.view, offline.path)


def _take_away(db: DB, names: Sequence[str]) -> None:
    """Forget these tables, which are empty, whatever refers to what."""
    if not names:
        return
    store, path = db.storage.store, db.storage.base_dir
    with store.transaction(private=True) as tx:
        catalog = stored_in(tx, path)
        assert catalog is not None
        tables = Tables(store, tx, path, catalog)
        for name in names:
            spec = tables.spec(name)
            plain = tuple(replace(f, type="INT", table=None, on_delete=None) for f in spec.fields)
            tables.put(name, replace(spec, fields=plain))
        for name in names:
            tables.drop(name)
        tables.finish()
    db.storage.reload()


class Filling:
    """Puts rows into the tables of a database, some thousand at a time.

    A row that is refused is a CommandError that says where it came from.
    """

    def __init__(self, db: DB) -> None:
        self._db = db
        self._name = ""
        self._where: Callable[[int], str] = str
        self._rows: list[tuple[int, Mapping[str, Any]]] = []
        self.counts: dict[str, int] = {}
        self.largest: dict[str, int] = {}
        """The largest id of the rows of each table."""

    @property
    def rows(self) -> int:
        """How many were put in so far."""
        return sum(self.counts.values())

    def begin(self, name: str, where: Callable[[int], str]) -> None:
        """The next rows are of this table; ``where`` says which row a number stands for."""
        self.flush()
        self._where = where
        self._name = name
        self.counts.setdefault(name, 0)
        self.largest.setdefault(name, 0)

    def add(self, number: int, row: Mapping[str, Any]) -> None:
        """A row, and its number where it came from."""
        self._rows.append((number, row))
        if len(self._rows) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Put in what is still waiting."""
        if not self._rows:
            return
        name = self._name
        try:
            ids = store_rows(self._db, name, [row for _, row in self._rows])
        except (ValidationError, ValueError) as error:
            raise self._told(error) from error
        self.counts[name] += len(ids)
        self.largest[name] = max(self.largest[name], *ids)
        self._rows.clear()

    def _told(self, error: Exception) -> CommandError:
        """The error with the place of the first row that is refused; nothing of it stays."""
        for number, row in self._rows:
            try:
                store_rows(self._db, self._name, [row])
            except (ValidationError, ValueError) as found:
                return CommandError(
                    f"{self._where(number)}: table '{self._name}': {found}", FINDINGS
                )
        return CommandError(f"table '{self._name}': {error}", FINDINGS)


def refuse_dangling(db: DB, names: Sequence[str], advice: str = "") -> None:
    """CommandError if rows of these tables refer to what does not exist, unless they may."""
    found: list[str] = []
    for name in names:
        for field in catalog_of(db).tables[name].fields:
            if field.table is None or field.on_delete == KEEP:
                continue
            count, ids = dangling(db, name, field.name, field.table)
            if count:
                shown = ", ".join(map(str, ids)) + (", ..." if count > len(ids) else "")
                found.append(
                    f"table '{name}', column '{field.name}': {plural(count, 'row')} with id {shown}"
                    f" {'refers' if count == 1 else 'refer'} to what '{field.table}' does not have"
                )
    if found:
        raise CommandError("; ".join([*found, *([advice] if advice else [])]), FINDINGS)
