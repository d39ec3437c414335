"""The tables of a directory at one moment, for what is written of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from bazanite.db import DB
from bazanite.specs import Catalog

from ..opened import opened
from ..output import CommandError


@contextmanager
def one_state(args: argparse.Namespace) -> Iterator[DB]:
    """All tables of the directory that the command line names, as they are at one moment.

    After a crash as recovery would leave them.  Writers wait until the block is left.
    """
    with opened(args, read_only=True) as db, db.storage.lock():
        yield db


def catalog_of(db: DB) -> Catalog:
    """What the directory says of its tables now."""
    with db.storage.store.reading() as view:
        return db.storage.catalog(view)


def chosen(catalog: Catalog, names: list[str] | None) -> list[str]:
    """The tables that were asked for, all if none; CommandError for one that is not there."""
    for name in names or ():
        if name not in catalog.tables:
            there = ", ".join(sorted(catalog.tables)) or "none"
            raise CommandError(f"no such table: {name}; there are: {there}")
    return sorted(set(names)) if names else sorted(catalog.tables)
