"""A backup as a reading call: what it holds must be the state of the position that it tells.

Whoever made it is believed nothing: the copy is opened by a process of its own, checked and read.
On a simulated machine it goes to another disk, and must be on that whatever survives there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from itertools import count
from typing import Any

from bazanite import DB
from bazanite_stress.simulation.legal import certain_image, least_image
from bazanite_stress.simulation.machine import PATH, SHELF, Machine
from bazanite_stress.simulation.system import SimulatedSystem

from .model import content_of

_numbers = count(1)


class BadCopy(AssertionError):
    """A backup that was acknowledged, and is none."""


def content_of_backup(db: DB, tables: Iterable[str] | None = None) -> Any:
    """All rows of a backup that is made now, in the model's form; ``db.read_lsn`` is of which.

    Those of these tables, or of all that the copy has.

    BadCopy if it does not check, or, on a simulated machine, is not durable.
    """
    system = db.storage.store.system
    if isinstance(system, SimulatedSystem):
        return _on_the_shelf(db, system, tables)
    directory = f"{os.path.abspath(db.storage.base_dir)}.copy-{os.getpid()}-{next(_numbers)}"
    try:
        db.backup(directory)
        with DB.open(directory) as copy:
            return _content(copy, tables)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _on_the_shelf(db: DB, system: SimulatedSystem, tables: Iterable[str] | None) -> Any:
    disk = system.machine.shelf.disk
    name = f"{system.pid}.{len(disk.folders)}"
    db.backup(f"{SHELF}{name}", verify=False)
    folder = disk.folders[disk.folders[0].names[name]]
    image = certain_image(disk, folder)
    if least_image(disk, folder) != image or name not in disk.folders[0].durable:
        raise BadCopy("the backup is not durable")
    machine = Machine.from_image(image, disk.profile, disk.sector)
    with DB.open(PATH, system=SimulatedSystem(machine)) as copy:
        return _content(copy, tables)


def _content(copy: DB, tables: Iterable[str] | None) -> Any:
    report = copy.check()
    if not report.ok:
        raise BadCopy(f"the backup is damaged: {report.problems[0]}")
    return content_of(
        {
            name: {row["id"]: dict(row) for row in copy.find_all(name)}
            for name in tables or copy.tables
        }
    )
