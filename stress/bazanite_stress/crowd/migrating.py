"""Rooms whose tables change while others write: what is next, and where each change stands.

All processes know the same list, as those of one program do, and each makes what is next by what
its handle knows.  ``db.migrate`` takes several transactions.  Each is watched, and those that made
something stand in the history as calls of their own, at the log positions where they committed;
what a process did not come to tell of, it did at some time until it died, or never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bazanite import DB
from bazanite.catalog import decode
from bazanite.catalog_file import read_catalog_bytes
from bazanite_stress.concurrency.calls import UNFORESEEN
from bazanite_stress.explore.migrations import built_bit_by_bit, migration
from bazanite_stress.explore.schema_model import BUILT, Change
from bazanite_stress.explore.workload import GROUPS, Step
from bazanite_stress.history.events import Event

from .tables import Design

_AGAIN, _EARLIER = 0.15, 0.05


def next_migration(db: DB, design: Design, random: Random) -> Step:
    """What is next by what this handle knows; seldom one that was made, or is too old."""
    made = made_of(db)
    latest = max(made, default=0)
    if latest and made[latest] < len(design.changes(latest)):
        version = latest  # one that was begun has to be ended first
    else:
        choice = random.random()
        version = latest + (choice >= _AGAIN) - (choice < _EARLIER)
    version = max(version, 1)
    return ["migrate", version, design.changes(version)]


def made_of(db: DB) -> dict[int, int]:
    """How many changes of each migration were made, by what this handle knows."""
    return {record.version: record.done for record in db.storage.known.catalog.migrations}


def fitting(db: DB, step: Step) -> Step:
    """The call without values for columns that this handle does not know."""
    name, *arguments = step
    if name in GROUPS:
        return [name, [fitting(db, inner) for inner in arguments[0]]]
    if name in ("insert", "update", "insert_many"):
        columns = {one.name for one in db.tables[arguments[0]].schema.schema}
        return [*step[:-1], _without_others(step[-1], columns)]
    return step


def _without_others(values: Any, columns: set[str]) -> Any:
    if isinstance(values, list):
        return [_without_others(one, columns) for one in values]
    return {name: value for name, value in values.items() if name in columns}


# ---- making one


@dataclass(slots=True)
class Made:
    """What the transactions of one ``db.migrate`` were.

    ``stages``: up to which change each one came that made any, and where it committed.  ``seen``,
    of all of them: how many changes had been made before, and where it stood.  ``torn``: an error
    left the last one.
    """

    stages: list[tuple[int, int]] = field(default_factory=list)
    seen: list[tuple[int, int]] = field(default_factory=list)
    torn: bool = False

    def refused(self) -> tuple[int, int]:
        """Of the one that found something in the way, as in ``seen``.

        Who finds values that are not unique ends that transaction first, and in one more takes the
        index away, or sees that others have.
        """
        return self.seen[-1 if self.torn else -2]


def migrate(db: DB, step: Step, made: Made) -> None:
    """Make this migration; ``made`` says how far that came, whatever is raised.

    AssertionError if what the engine says of it is not what its transactions were.
    """
    _, version, changes = step
    # what is unique while an index is built no model knows, unless that is one transaction
    whole = any(change[0] == "add_unique" for change in changes)
    with _watched(db, version, made), nullcontext() if whole else built_bit_by_bit():
        told = db.migrate([migration(version, changes)])
    ended = any(done == len(changes) for done, _ in made.stages)
    if told != [version] * ended:
        raise AssertionError(f"migration {version} was made: {made}, but {told} is told")


@contextmanager
def _watched(db: DB, version: int, made: Made) -> Iterator[None]:
    """See the transactions of this handle meanwhile, and what the catalog says in each."""
    store = db.storage.store
    usual = store.transaction

    def done(tx: Any) -> int:
        data = read_catalog_bytes(tx)
        records = decode(data, db.storage.base_dir).migrations if data else ()
        return next((record.done for record in records if record.version == version), 0)

    @contextmanager
    def transaction(*, private: bool = False) -> Iterator[Any]:
        before = after = 0
        tx: Any = None
        try:
            with usual(private=private) as tx:
                before = done(tx)
                yield tx
                after = done(tx)
        except BaseException:
            made.torn = True
            if tx is not None:
                made.seen.append((before, tx.refused_at))
            raise
        made.seen.append((before, tx.lsn))
        if after != before:
            made.stages.append((after, tx.lsn))

    vars(store)["transaction"] = transaction
    try:
        yield
    finally:
        del vars(store)["transaction"]


# ---- what it was, for the history


def ends(changes: list[Change]) -> list[int]:
    """Behind how many changes a transaction ends."""
    return [
        number
        for number in range(1, len(changes) + 1)
        if number == len(changes) or changes[number - 1][0] in BUILT or changes[number][0] in BUILT
    ]


def answered(made: Made, refused: Exception | None) -> dict[str, Any]:
    """What a note says of it: its stages, the error, and where that, or the end of it, stood."""
    place = None
    if refused is None:
        place = made.seen[-1]
    elif not isinstance(refused, UNFORESEEN):
        place = made.refused()
    error = type(refused).__name__ if refused is not None else ""
    return {"stages": made.stages, "error": error, "place": place}


def events_of_migration(
    who: str, step: Step, start: int, end: int, noted: Mapping[str, Any] | None, *, known: bool
) -> list[Event]:
    """Its transactions as calls; None is noted of one that died.

    Each stage is the same migration with no more changes than it made.
    """
    _, version, changes = step
    stages = noted["stages"] if noted else []

    def part(count: int) -> Step:
        return ["migrate", version, changes[:count]]

    events = [Event(who, part(done), start, end, [version], "", lsn) for done, lsn in stages]
    if noted is None or not known:
        seen = {done for done, _ in stages}
        left = [done for done in ends(changes) if done not in seen]
        return events + [Event(who, part(done), start, end, known=False) for done in left]
    error = noted["error"]
    if noted["place"] is None:  # it did nothing more, and saw nothing
        return [*events, Event(who, step, start, end, None, error)]
    before, lsn = noted["place"]
    if not error:
        return [*events, Event(who, step, start, end, [], "", lsn)]
    attempted = next((done for done in ends(changes) if done > before), len(changes))
    return [*events, Event(who, part(attempted), start, end, None, error, lsn)]


def mending(step: Step, ids: list[int]) -> Step | None:
    """A transaction that takes away what was in the way of this migration."""
    for change in step[2]:
        if change[0] in ("add_unique", "set_on_delete") and ids:
            column = change[2][0] if change[0] == "add_unique" else change[2]
            return ["transaction", [["update", change[1], pk, {column: None}] for pk in ids]]
    return None
