"""The notes of a crowd as one history, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bazanite_stress.explore.model import Model
from bazanite_stress.explore.workload import Columns, Step
from bazanite_stress.history.checker import Undecided, Verdict
from bazanite_stress.history.events import Event
from bazanite_stress.history.windows import cross_check

from .migrating import events_of_migration
from .notes import Note


def events_of(who: str, notes: Iterable[Note], died_at: int) -> list[Event]:
    """The calls of one process; the last one has no answer if it died within it.

    A migration is as many calls as it had transactions that made something.
    """
    events: list[Event] = []
    step: Step | None = None
    start = 0
    for kind, moment, content in notes:
        if kind == "begin":
            step, start = content, moment
        elif kind == "end" and step is not None:
            answer, error, lsn, known = content
            if step[0] == "migrate":
                events += events_of_migration(who, step, start, moment, answer, known=known)
            else:
                events.append(Event(who, step, start, moment, answer, error, lsn, known))
            step = None
    if step is not None and step[0] == "migrate":
        events += events_of_migration(who, step, start, died_at, None, known=False)
    elif step is not None:
        events.append(Event(who, step, start, died_at, known=False))
    return events


def judge(events: list[Event], tables: Mapping[str, Columns]) -> tuple[Verdict, int]:
    """What is wrong with the history of a new directory with these tables, if anything is.

    And how many stretches of it were explained without believing any log position.
    """
    try:
        windows = cross_check(events, Model(tables))
    except Undecided as error:
        return Verdict("undecided", "an order of these calls", str(error)), 0
    return windows.verdict or Verdict(), windows.checked
