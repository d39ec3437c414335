"""A writer that repeats the steps of a workload, in a directory where nobody else writes; and those
who make that directory and read it when the writer is dead.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from bazanite import DB
from bazanite.errors import ValidationError
from bazanite_stress.explore.session import REFUSALS, Session
from bazanite_stress.explore.workload import Step, Workload, calls
from bazanite_stress.torture import reader
from bazanite_stress.torture.adapters import BazaniteStore
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.judge import Snapshot
from bazanite_stress.torture.own_judge import answer_of


def set_up(config: dict[str, Any]) -> None:
    """Carry out the workload's setup and close. The answer's `errors` say why the engine refuses
    the workload's options, if it does.
    """
    snapshot = Snapshot()
    try:
        session = Session(_opening(config))
    except (TypeError, ValueError, ValidationError) as error:
        snapshot.errors.append(f"{type(error).__name__}: {error}")
    else:
        for step in calls(config["workload"].setup or []):
            with suppress(*REFUSALS):
                session.perform(step)
        session.db.close()
    reader.answer(config["answer"], snapshot)


def repeat(config: dict[str, Any]) -> None:
    """Repeat the steps, from `config["first"]` on, until killed, until the journal is full or so
    many calls have returned, or until a call raises what no call may raise.
    """
    journal = Journal(Path(config["journal"]))
    try:
        session = Session(_opening(config))
        journal.opened()
        _Repetition(session, journal, config["first"], config["limit"]).run(config["workload"])
        session.db.close()
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is a finding
        journal.failed(error)


def look(config: dict[str, Any]) -> None:
    """Open (recover), check, read every table; the snapshot goes to `config["answer"]`. With
    `config["leave"]` the directory is left as a kill leaves it: the next writer recovers it again.
    """
    snapshot = Snapshot()
    with reader.telling(snapshot, "open"):
        db = _opening(config)()
        store = BazaniteStore(db, config["workload"].options.get("checksums"))
        tables = list(config["workload"].tables)
        reader.fill(snapshot, store, tables)
        with reader.telling(snapshot, "new rows"):
            snapshot.next_ids = _next_ids(db, tables)
        if not config["leave"]:
            with reader.telling(snapshot, "close"):
                store.close()
    reader.answer(config["answer"], snapshot)


class _Undone(Exception):
    """What leaves the transaction that is to be rolled back."""


def _next_ids(db: DB, tables: list[str]) -> dict[str, int]:
    """What the next automatic ids are: rows are inserted, and taken back."""
    ids = {}
    with suppress(_Undone), db.transaction():
        for table in tables:
            ids[table] = int(db.insert(table, {})["id"])
        raise _Undone
    return ids


def _opening(config: dict[str, Any]) -> Callable[[], DB]:
    workload: Workload = config["workload"]
    return partial(
        DB,
        workload.classes(),
        str(config["directory"]),
        durability=config["durability"],
        **workload.options,
    )


class _Repetition:
    """The steps taken again and again; the journal hears of each call before and after it."""

    def __init__(self, session: Session, journal: Journal, first: int, limit: int) -> None:
        self._session, self._journal = session, journal
        self._first, self._left = first, limit
        self._number = self._count = 0

    def run(self, workload: Workload) -> None:
        while not self._ended:
            self._number = 0
            self._take(workload.steps)
            self._first = 0

    @property
    def _ended(self) -> bool:
        return self._count >= self._left or self._journal.full

    def _take(self, steps: list[Step]) -> None:
        for step in steps:
            if self._ended:
                return
            if step[0] == "lock":  # each call inside is a transaction of its own
                with self._session.db.storage.lock():
                    self._take(step[1])
                continue
            if self._number >= self._first:
                self._call(step)
            self._number += 1

    def _call(self, step: Step) -> None:
        self._count += 1
        token = str(self._count)
        self._journal.intent({"token": token, "kind": step[0], "call": self._number})
        try:
            answer = answer_of(self._session.perform(step))
        except REFUSALS as error:
            answer = answer_of(None, type(error).__name__, str(error))
        self._journal.answered(token, answer)
