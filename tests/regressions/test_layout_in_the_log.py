"""A row is never read in the old way from files that have the new layout.

A migration moves the layout's number under the lock, commits, and frees the lock before its frame
is durable and in the table files.  A process that looked a row up just then found the number moved,
read the old catalog under the lock, and took the new number for that of the old layout.  When the
frame had reached the files it read them without the lock in the old way: damage, or another row's
bytes.  Found by the simulation of several processes in its first schedules of a migration.
"""

from __future__ import annotations

import pytest

from bazanite import DB, INT, PK, DropColumn, Field, Migration, Schema, Table
from bazanite.errors import SchemaMismatch
from bazanite_stress.simulation.disk import Disk
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedSystem


class A(Table):
    name = "a"
    schema = Schema([Field("id", PK()), Field("m", INT()), Field("n", INT())])


def test_who_reads_while_the_new_layout_is_in_the_log_only_does_not_take_it_for_the_old_one() -> (
    None
):
    machine = Machine(Disk("journal", 512))
    system = SimulatedSystem(machine, "migrating")
    migrating = DB([A], PATH, system=system)
    migrating.insert_many("a", [{"m": 100 + i, "n": 200 + i} for i in range(9)])
    reader = DB([A], PATH, system=SimulatedSystem(machine, "reading"))
    assert reader.find_by_id("a", 7) == {"id": 7, "m": 106, "n": 206}
    meanwhile: list[object] = []

    def read_meanwhile(operation: str, name: str, _size: int) -> None:
        if (operation, name) == ("try_lock", ".sync") and not meanwhile:
            meanwhile.append(reader.find_by_id("a", 7))
            meanwhile.append(reader.find_by_id("a", 7))

    system.watch = read_meanwhile
    migrating.migrate([Migration(1, "narrower", [DropColumn("a", "m")])])
    system.watch = None
    assert meanwhile == [{"id": 7, "m": 106, "n": 206}] * 2
    for _ in range(3):
        with pytest.raises(SchemaMismatch):
            reader.find_by_id("a", 7)
    assert migrating.find_by_id("a", 7) == {"id": 7, "n": 206}
