"""What runs in a process of the crowd: open, look, call after call, until somebody ends it.

Every call is noted before it is made, and its answer when it has returned, with the log position
that it tells.  The first call reads everything: it shows at once what became of a predecessor.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from typing import Any

from bazanite import DB
from bazanite_stress.concurrency.calls import (
    NOBODY_KNOWS,
    UNFORESEEN,
    perform,
    tells_position,
)
from bazanite_stress.explore.session import REFUSALS, Session
from bazanite_stress.explore.workload import Columns, Step, Workload, table_class
from bazanite_wal.errors import DirectoryError

from .moments import Doom, DoomedSystem
from .notes import Notes
from .steps import Planner
from .tables import PLAIN, Design


@dataclass(frozen=True, slots=True)
class Part:
    """What a process has to do.

    ``first`` are its first calls; after ``calls`` more it closes and ends.  ``doom``: it kills
    itself there.  ``own_table``: it opens the directory with one more table, which nobody had.
    ``fork_at``: before this call (from 1) it forks; the child goes on with other calls and with
    notes of its own.  ``no_space``: a full disk is no fault.  ``last``: it makes its first calls
    only, and lets the directory check itself.
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
            self._call(step)
        for number in range(1, 0 if part.last else part.calls + 1):
            if notes.full:
                break
            if number == part.fork_at and self._child is not None and not os.fork():
                self._become_the_child()
                continue
            self._call(self._planner.next())
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
        part = self._part
        tables: dict[str, Columns] = dict(part.design.tables)
        if part.own_table:
            tables[part.own_table] = {"v": ["char", 4]}
        classes = [table_class(name, columns) for name, columns in tables.items()]
        doomed = self._doomed
        if doomed is None:
            return DB(classes, part.directory, **part.options)
        doomed.opening = True
        db = DB(classes, part.directory, system=doomed, **part.options)
        doomed.opening = False
        return db

    def _call(self, step: Step) -> None:
        notes, session = self._notes, self._session
        assert session is not None
        notes.add("begin", step)
        answer: Any = None
        refused: Exception | None = None
        try:
            answer = perform(session, step, self._workload)
        except REFUSALS as failure:
            if isinstance(failure, UNFORESEEN) and not self._may_fail(failure):
                raise
            refused = failure
        error = type(refused).__name__ if refused is not None else ""
        lsn = session.db.read_lsn if tells_position(step, refused) else None
        no_handle = refused is not None and step[0] == "reopen"
        known = not (no_handle or isinstance(refused, NOBODY_KNOWS))
        notes.add("end", (answer, error, lsn, known))
        if no_handle:
            raise DirectoryError("no handle is left")

    def _may_fail(self, error: Exception) -> bool:
        return self._part.no_space and isinstance(error, UNFORESEEN)


def live(config: dict[str, Any]) -> None:
    """The same as a role of a child process."""
    Life(config["part"], config["notes"], config.get("child")).run()
