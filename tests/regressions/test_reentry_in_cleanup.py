"""A database may be used by whoever interrupts a failed call of another one in its cleaning up.

A call that is refused leaves its transaction by an exception; what comes then (the log of others is
synced, the lock is freed) takes a while.  A signal handler that used a database just then ended in
"ValueError: generator already executing": it took the cleaning up that it stood in for one that an
interrupt had cut short.  Found by the explorer, which judges a disk while a process that met a
changed schema waits for a sync.
"""

from __future__ import annotations

import pytest

from bazanite import DB, INT, PK, Field, Schema, Table
from bazanite.errors import ValidationError
from bazanite_stress.simulation.disk import Disk
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedSystem


class A(Table):
    name = "a"
    schema = Schema([Field("id", PK()), Field("n", INT(null=True))])


def opened(name: str) -> tuple[DB, SimulatedSystem]:
    system = SimulatedSystem(Machine(Disk("journal", 512)), name)
    return DB([A], PATH, system=system), system


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_handler_that_runs_in_a_failed_calls_cleaning_up_may_use_a_database(
    *, in_transaction: bool
) -> None:
    refused, system = opened("refused")
    other, _ = opened("other")
    rows: list[object] = []

    def handler(operation: str, name: str, _size: int) -> None:
        if (operation, name) == ("unlock", ".lock"):
            rows.append(other.insert("a", {"n": len(rows)}))
            rows.append(other.find_all("a"))

    system.watch = handler
    with pytest.raises(ValidationError):
        if in_transaction:
            with refused.transaction():
                refused.insert("a", {"n": "text"})
        else:
            refused.insert("a", {"n": "text"})
    system.watch = None
    assert rows[0] == {"id": 1, "n": 0}
    assert refused.insert("a", {"n": 1}) == {"id": 1, "n": 1}
    refused.close()
    other.close()
