"""When a database may refuse everyone although no sync is known to have failed."""

from __future__ import annotations

from bazanite_stress.simulation.machine import Machine
from bazanite_wal import shared
from bazanite_wal.attach import SHARED_NAME

from .workload import Workload


def unheard_sync(machine: Machine, workload: Workload) -> bool:
    """Whether nobody heard how a sync of the log ended, and it may not be made good.

    docs/protocol.md, section 7: without power-safe overwrite nothing is written over itself, so
    only recovery can make such frames durable.
    """
    folder = machine.folder
    number = None if folder is None else folder.names.get(SHARED_NAME)
    syncing = 0 if number is None else machine.words[number][shared.SYNCING]
    return bool(syncing) and not workload.options.get("powersafe_overwrite", True)
