"""The verdict on a log archive: with the log it has every change since it began.

The changes of rows that the engine tells from archive and log, replayed in order on what the setup
left, must give the rows that recovery found; one that is missing, doubled or in the wrong place
gives others, or fits no row.
"""

from __future__ import annotations

from typing import Any

from bazanite import Change, Changes
from bazanite.errors import DBError
from bazanite_stress.simulation.disk import Disk, Profile
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedSystem
from bazanite_wal.archive_format import segments_in

from .model import Content, content_of, describe
from .runner import setup_machine, setup_model
from .workload import Workload

Rows = dict[str, dict[int, dict[str, Any]]]


class ArchiveJudge:
    """Judges the archives of one workload, whose setup turned it on last thing."""

    def __init__(self, workload: Workload, profile: Profile, sector: int) -> None:
        machine = Machine(Disk(profile, sector))
        setup_machine(workload, machine)
        self._begin = segments_in([*machine.image()])[0]
        model = setup_model(workload)
        self._rows = {
            name: {pk: dict(row) for pk, row in table.rows.items()}
            for name, table in model.tables.items()
        }

    def complaint(self, machine: Machine, found: Content) -> str:
        """What is wrong with the archive of this machine, whose rows these are; "" if nothing."""
        rows: Rows = {name: dict(table) for name, table in self._rows.items()}
        system = SimulatedSystem(machine, "follower")
        last = self._begin
        try:
            with Changes(PATH, self._begin, system=system) as changes:
                for commit in changes.read():
                    if commit.lsn <= last:
                        return f"LSN {commit.lsn} is told behind LSN {last}"
                    last = commit.lsn
                    for change in commit.changes:
                        replay(rows, change)
        except DBError as error:
            return f"the log and its archive are not whole: {error}"
        except KeyError as error:
            return f"the change at LSN {last} fits no row: {error}"
        told = content_of(rows)
        return "" if told == found else f"archive and log lead to other rows: {describe(told)}"


def replay(rows: Rows, change: Change) -> None:
    """Make this change; KeyError if it is one of a row that is not there, or is there already."""
    table = rows[change.table]
    if change.op == "truncate":
        table.clear()
    elif change.op == "delete":
        assert change.id is not None
        del table[change.id]
    elif change.op in ("insert", "update"):
        assert change.id is not None
        assert change.row is not None
        if (change.op == "update") != (change.id in table):
            raise KeyError(f"{change.op} of {change.id}")
        kept = {name: table[change.id][name] for name in change.unchanged}
        table[change.id] = {**kept, **change.row}
    elif change.op != "vacuum":
        raise KeyError(change.op)  # no workload with an archive does any such thing


def is_judged(workload: Workload) -> bool:
    """Whether the workload's setup turns an archive on, and its level promises anything of it."""
    setup = workload.setup or []
    return bool(setup) and setup[-1][0] == "archive" and workload.durability != "off"
