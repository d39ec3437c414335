"""All engines by name, each imported when it is opened: a peer may not be installed.

What is to be known of an engine before it is measured stands here, so that nobody has to import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from .engine import Engine

NO_SYNC = "none: no sync"
IN_PLACE = "in place: a crash in a write may cut the file"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an adapter is, with what argument, and what has to be installed for it.

    ``durability``: what survives when a change has returned (Bazanite's is chosen, too).
    ``processes`` and ``threads``: whether several may write at once.  ``keeps_rows``: if not,
    nothing can be read back.  ``has_log``: whether a killed process leaves a log to be recovered.
    ``has_indexes``: of other columns than the id.  ``most_rows``: how many a table may have.
    """

    module: str
    name: str
    argument: str | None = None
    needs: str = ""
    durability: str = "full"
    processes: bool = True
    threads: bool = True
    keeps_rows: bool = True
    has_log: bool = False
    has_indexes: bool = False
    most_rows: int | None = None


ENGINES = {
    "bazanite": Entry("bazanite_engine", "BazaniteEngine", has_log=True, has_indexes=True),
    "sqlite3-full": Entry("sqlite_engine", "SqliteEngine", "FULL", has_log=True, has_indexes=True),
    "sqlite3-normal": Entry(
        "sqlite_engine",
        "SqliteEngine",
        "NORMAL",
        has_log=True,
        has_indexes=True,
        durability="normal",
    ),
    "bazoola": Entry(
        "bazoola_engine",
        "BazoolaEngine",
        needs="bazoola",
        durability=NO_SYNC,
        most_rows=900_000,  # its integers have six digits
    ),
    "lmdb": Entry("lmdb_engine", "LmdbEngine", needs="lmdb"),
    "tinydb": Entry(
        "tinydb_engine",
        "TinydbEngine",
        needs="tinydb",
        durability=IN_PLACE,
        processes=False,
        threads=False,
    ),
    "diskcache": Entry("diskcache_engine", "DiskcacheEngine", needs="diskcache"),
    "disk": Entry("disk_engine", "DiskEngine", keeps_rows=False),
}


def missing(name: str) -> str | None:
    """What is to be installed before this engine can be used; None: nothing."""
    needs = ENGINES[name].needs
    return needs if needs and find_spec(needs) is None else None


def durability_of(name: str, durability: str) -> str:
    """What survives in this engine, when Bazanite is opened with that durability."""
    return durability if name == "bazanite" else ENGINES[name].durability


def engine(name: str, durability: str = "full") -> Engine:
    """The adapter; ``durability`` is Bazanite's.  ImportError if it is not installed."""
    entry = ENGINES[name]
    make = getattr(import_module(f".{entry.module}", __package__), entry.name)
    argument = durability if name == "bazanite" else entry.argument
    made: Engine = make() if argument is None else make(argument)
    return made
