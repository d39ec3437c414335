"""Opening a directory as a program does, for the commands that work with its rows.

The directory is opened by its catalog; none is ever made.  Commands that only read open it
read-only, wherever it lies, and hold the lock for moments only; the others as those who have it
open use it, and recover it if it must be.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from bazanite import DB, Table
from bazanite.errors import (
    DBError,
    DirectoryError,
    DurabilityMismatch,
    LockTimeout,
    ValidationError,
)
from bazanite.files import CATALOG_NAME
from bazanite_wal.header import FRAMES_START, newest_header
from bazanite_wal.log import LOG_NAME
from bazanite_wal.options import StoreOptions
from bazanite_wal.posix import POSIX
from bazanite_wal.scan import LEAST_LOG_SIZE
from bazanite_wal.shared import LEVELS

from .looking import add_directory_arguments, as_command_error, not_ours, refuse_other
from .output import FINDINGS, CommandError
from .progress import Progress


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command about one table."""
    add_directory_arguments(parser)
    parser.add_argument("table", metavar="TABLE", help="the table")


@contextmanager
def opened(args: argparse.Namespace, *, read_only: bool = False) -> Iterator[DB]:
    """The directory that the command line names, open; errors of the library are CommandErrors."""
    refuse_other(args.directory)
    if not any(os.path.exists(f"{args.directory}/{name}") for name in (LOG_NAME, CATALOG_NAME)):
        raise not_ours(args.directory)
    try:
        if read_only:
            db = DB.open(args.directory, lock_timeout=args.lock_timeout, read_only=True)
        else:
            db = open_as_used(args.directory, args.lock_timeout, DB.open)
        with closing_told(db):
            yield db
    except DBError as error:
        told = as_command_error(error)
        # The library names its own option; only this command takes such a directory as it is.
        text = str(told).replace("accept_unsafe=True", "`bazanite checkpoint --accept-unsafe`")
        raise CommandError(text, told.code) from error


@contextmanager
def closing_told(db: DB) -> Iterator[DB]:
    """The database, closed afterwards.

    What was done in the block is done: if the log cannot be emptied then, as on a full disk, that
    is told and no error.
    """
    with db:
        yield db
        try:
            db.close()
        except (DirectoryError, LockTimeout) as error:
            print(f"bazanite: {error}", file=sys.stderr)


def open_as_used(directory: str, lock_timeout: float, open_with: Callable[..., DB]) -> DB:
    """The database that ``open_with``, given the directory and options, opens.

    With the durability of those who have it open, "full" if nobody has.
    """
    options = _options(directory)
    for level in LEVELS:
        try:
            return open_with(directory, durability=level, lock_timeout=lock_timeout, **options)
        except DurabilityMismatch:
            if level == LEVELS[-1]:
                raise
    raise AssertionError("there are levels")


def _options(directory: str) -> dict[str, Any]:
    """What the log says of how the directory is used, so that it goes on so and keeps its size."""
    result: dict[str, Any] = {}
    try:
        place = POSIX.directory(directory, create=False)  # which is not kept waiting by a FIFO
        with closing(place), closing(place.open(LOG_NAME, write=False)) as log:
            header = newest_header(log.read_at(FRAMES_START, 0))
            size = log.size() - FRAMES_START
    except OSError:  # the engine says what is wrong
        return result
    if header is not None:
        usual = StoreOptions().log_size_bytes
        result["powersafe_overwrite"] = header.sector == 1
        result["log_size_bytes"] = max(LEAST_LOG_SIZE, min(usual, size))
    return result


def table_of(db: DB, name: str) -> Table:
    """The table of this name; CommandError if there is none."""
    try:
        return db.tables[name]
    except KeyError:
        names = ", ".join(sorted(db.tables)) or "none yet"
        raise CommandError(f"no table {name!r}; there are {names}") from None


@contextmanager
def refused() -> Iterator[None]:
    """A change that the engine refuses, by whatever error: one line, exit status 1."""
    try:
        yield
    except DBError:
        raise
    except ValueError as error:  # a reference to nothing
        raise CommandError(str(error), FINDINGS) from error


@contextmanager
def usage() -> Iterator[None]:
    """What is wrong here is wrong in the command line: exit status 2."""
    try:
        yield
    except ValidationError as error:
        raise CommandError(error.message) from error


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say on a terminal's stderr what is at work, once it takes long."""
    with Progress(lambda seconds: f"{what} ... {seconds:.0f} s", always=False):
        yield


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
