"""The database opened to make a new directory, to recover one and read all of it, or to survive.

Two readers judge a round: a witness that had the database open when the last writer died and takes
over from the dead, and a reader that opens the directory when nobody has it open, and recovers it.
What recovery mends by itself, only the witness can see.
"""

from __future__ import annotations

import pickle
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bazanite_stress.torture import adapters
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.judge import Snapshot

AT_ONCE = 500
PROBLEMS_AT_MOST = 20
POLL_SECONDS = 0.0005


def prepare(config: dict[str, Any]) -> None:
    """Make the tables and insert the first rows; ids count from 1 in each table."""
    store = adapters.open_as_told(config)
    for table in config["tables"]:
        rows = config["rows"].get(table.name, [])
        for first in range(0, len(rows), AT_ONCE):
            store.insert_many(table.name, rows[first : first + AT_ONCE])
    store.close()


def read(config: dict[str, Any]) -> None:
    """Open (recover), check, read every table, close; the snapshot goes to `config["answer"]`.

    Whatever the engine raises is part of the answer.
    """
    snapshot = Snapshot()
    store = _open(config, snapshot)
    if store is not None:
        fill(snapshot, store, [table.name for table in config["tables"]])
        with telling(snapshot, "close"):
            store.close()
    answer(config["answer"], snapshot)


def witness(config: dict[str, Any]) -> None:
    """Open while others write, tell the journal, wait until they are dead; then read as `read`
    does, but never close: a witness is killed.
    """
    snapshot = Snapshot()
    store = _open(config, snapshot)
    journal = Journal(config["journal"])
    journal.opened()
    while not config["go"].exists():
        time.sleep(POLL_SECONDS)
    if store is not None:
        fill(snapshot, store, [table.name for table in config["tables"]])
    answer(config["answer"], snapshot)
    while True:
        signal.pause()


def _open(config: dict[str, Any], snapshot: Snapshot) -> adapters.Store | None:
    try:
        return adapters.open_as_told(config)
    except Exception:  # noqa: BLE001 - see `read`
        snapshot.errors.append(f"open: {_error()}")
        return None


@contextmanager
def telling(snapshot: Snapshot, what: str) -> Iterator[None]:
    """Whatever is raised inside is told of in the snapshot."""
    try:
        yield
    except Exception:  # noqa: BLE001 - see `read`
        snapshot.errors.append(f"{what}: {_error()}")


def fill(snapshot: Snapshot, store: adapters.Store, tables: Sequence[str]) -> None:
    """Read in a transaction: a plain read may leave out the newest commits of the dead, which are
    whole but nobody's promise yet; a transaction settles whether they are there.
    """
    with telling(snapshot, "transaction"), store.transaction():
        for table in tables:
            with telling(snapshot, table):
                snapshot.rows[table] = store.scan(table)
    with telling(snapshot, "check"):
        for problem in store.check():
            snapshot.problems.append(problem)
            if len(snapshot.problems) == PROBLEMS_AT_MOST:
                break


def answer(path: Path, snapshot: Snapshot) -> None:
    """There from one moment to the next, so that whoever sees it can read it."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(pickle.dumps(snapshot))
    unfinished.rename(path)


def _error() -> str:
    """The exception being handled: its last line, then where it came from."""
    text = traceback.format_exc().rstrip()
    return f"{text.splitlines()[-1]}\n{text}"
