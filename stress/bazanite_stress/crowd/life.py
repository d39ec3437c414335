"""What runs in a process of the crowd: open, look, call after call, until somebody ends it.

Every call is noted before it is made, and its answer when it has returned, with the log position
that it tells.  The first call reads everything: it shows at once what became of a predecessor.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bazanite import DB, MigrationError, SchemaMismatch, Table
from bazanite_stress.concurrency.calls import (
    NOBODY_KNOWS,
    UNFORESEEN,
    perform,
    tells_position,
)
from bazanite_stress.explore.session import REFUSALS, Session
from bazanite_stress.explore.workload import Columns, Step, Workload, table_class
from bazanite_wal.errors import DirectoryError

from .migrating import Made, answered, fitting, made_of, mending, migrate, next_migration
from .moments import Doom, DoomedSystem
from .notes import Notes
from .steps import Planner
from .tables import PLAIN, Design

OWN_TABLE: Columns = {"v": ["char", 4]}
_MENDED = 0.7


@dataclass(frozen=True, slots=True)
class Part:
    """What a process has to do.

    ``first`` are its first calls, as a planner says them; after ``calls`` more it closes and ends.
    ``doom``: it kills itself there.  ``own_table``: it opens the directory with one more table,
    which nobody had.  ``fork_at``: before this call (from 1) it forks; the child goes on with other
    calls and with notes of its own.  ``no_space``: a full disk is no fault.  ``last``: it makes its
    first calls only, and lets the directory check itself.
    """

    directory: str
    seed: str
    first: tuple[Step, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    calls: int = 1_000_000
    reads_only: bool = False
    doom: Doom | None = None
    own_table: str = ""
    fork_at: int = 0
    no_space: bool = False
    design: Design = PLAIN
    last: bool = False


class Life:
    """One process, from its start; ``run`` returns when its calls are done."""

    def __init__(self, part: Part, notes: Notes, child: Notes | None = None) -> None:
        self._part = part
        self._notes = notes
        self._child = child
        self._doomed: DoomedSystem | None = None
        if part.doom is not None:
            self._doomed = DoomedSystem(part.doom, lambda moment: notes.add("moment", moment))
        self._workload = Workload("crowd", part.design.tables, [])
        self._planner = Planner(part.seed, part.design, reads_only=part.reads_only)
        self._choices = Random(f"{part.seed} migrations")
        self._session: Session | None = None

    def run(self) -> None:
        """All of it; what may not happen is noted as "failed"."""
        try:
            self._run()
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            if not self._may_fail(error):
                text = "".join(traceback.format_exception(error))
                self._notes.add("failed", f"{type(error).__name__}: {error}\n{text}"[:4_000])
        self._notes.add("over")

    def _run(self) -> None:
        part, notes = self._part, self._notes
        if part.fork_at:
            os.setpgid(0, 0)  # so that a child which nobody knows of can be killed
        notes.add("open", os.getpid())
        self._session = Session(self._open)
        notes.add("opened", self._session.db.read_lsn)
        self._call(["read"])
        for step in part.first:
            self._carry_out(step)
        for number in range(1, 0 if part.last else part.calls + 1):
            if notes.full:
                break
            if number == part.fork_at and self._child is not None and not os.fork():
                self._become_the_child()
                continue
            self._carry_out(self._planner.next())
        if part.last:
            problems = self._session.db.check().problems
            notes.add("checked", [str(problem) for problem in problems[:20]])
        self._session.db.close()

    def _become_the_child(self) -> None:
        assert self._child is not None
        self._notes, self._child = self._child, None
        self._notes.add("open", os.getpid())
        part = self._part
        self._planner = Planner(f"{part.seed}c", part.design, reads_only=part.reads_only)
        if self._doomed is not None:
            self._doomed.spare()
        self._call(["read"])

    def _open(self) -> DB:
        part, doomed = self._part, self._doomed
        tables: dict[str, Columns] = dict(part.design.tables)
        more: dict[str, Columns] = {part.own_table: OWN_TABLE} if part.own_table else {}
        options = dict(part.options)
        if doomed is not None:
            doomed.opening = True
            options["system"] = doomed
        if part.design.migrates:
            db = self._open_as_stored(tables, options)
            if more:
                DB(_classes(more), part.directory, **options).close()
        else:
            db = DB(_classes(tables | more), part.directory, **options)
        if doomed is not None:
            doomed.opening = False
        return db

    def _open_as_stored(self, tables: dict[str, Columns], options: dict[str, Any]) -> DB:
        """The tables as they are by now; these, if there are none yet."""
        directory = self._part.directory
        while True:
            try:
                return DB.open(directory, **options)
            except DirectoryError:
                try:
                    return DB(_classes(tables), directory, **options)
                except SchemaMismatch:
                    continue  # others were faster, and have migrated them already

    def _carry_out(self, step: Step) -> None:
        if step == ["migrate"]:
            self._migrate()
        else:
            self._call(step)

    def _call(self, step: Step) -> None:
        notes, session = self._notes, self._session
        assert session is not None
        migrates = self._part.design.migrates
        if migrates:
            step = fitting(session.db, step)
        notes.add("begin", step)
        answer: Any = None
        refused: Exception | None = None
        try:
            answer = perform(session, step, self._workload)
        except REFUSALS as failure:
            if isinstance(failure, UNFORESEEN) and not self._may_fail(failure):
                raise
            refused = failure
        stale = migrates and isinstance(refused, SchemaMismatch)
        told = tells_position(step, refused) and not stale
        no_handle = refused is not None and step[0] == "reopen"
        known = not (no_handle or isinstance(refused, NOBODY_KNOWS))
        lsn = session.db.read_lsn if told else None
        notes.add("end", (answer, _name(refused), lsn, known))
        if no_handle:
            raise DirectoryError("no handle is left")
        if stale:
            self._reopen()

    def _reopen(self) -> None:
        """The handle is told to be stale: it must be, by a migration that it did not know."""
        assert self._session is not None
        before = made_of(self._session.db)
        self._call(["reopen"])
        if made_of(self._session.db) == before:
            raise AssertionError(f"SchemaMismatch, but no migration was made behind {before}")

    def _migrate(self) -> None:
        """The next migration; what is in its way is taken away, mostly."""
        notes, session = self._notes, self._session
        assert session is not None
        step = next_migration(session.db, self._part.design, self._choices)
        notes.add("begin", step)
        made, refused = Made(), None
        try:
            migrate(session.db, step, made)
        except REFUSALS as failure:
            if isinstance(failure, UNFORESEEN) and not self._may_fail(failure):
                raise
            refused = failure
        known = not isinstance(refused, NOBODY_KNOWS)
        notes.add("end", (answered(made, refused), "", None, known))
        if isinstance(refused, MigrationError) and self._choices.random() < _MENDED:
            mend = mending(step, list(refused.ids))
            if mend is not None:
                self._call(mend)

    def _may_fail(self, error: Exception) -> bool:
        return self._part.no_space and isinstance(error, UNFORESEEN)


def _classes(tables: Mapping[str, Columns]) -> list[type[Table]]:
    return [table_class(name, columns) for name, columns in tables.items()]


def _name(refused: Exception | None) -> str:
    return type(refused).__name__ if refused is not None else ""


def live(config: dict[str, Any]) -> None:
    """The same as a role of a child process."""
    Life(config["part"], config["notes"], config.get("child")).run()
