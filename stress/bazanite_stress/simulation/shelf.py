"""The other disk of a simulated machine, for copies: each directory of it is one."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from .disk import Folder
from .machine import SHELF, Machine

if TYPE_CHECKING:
    from .system import SimulatedSystem


class Shelf:
    """A process as the files of the other disk see it: their calls are points, and never fail."""

    def __init__(self, system: SimulatedSystem) -> None:
        self._system = system
        self.machine = system.machine.shelf

    def call(self, _operation: str, name: str, size: int = 0) -> int:
        self._system.call("copy", name)
        return size


def shelved(machine: Machine, path: str, create: bool) -> Folder:
    """The directory at this path; FileNotFoundError if there is none and none is to be made."""
    disk, name = machine.shelf.disk, path.removeprefix(SHELF)
    number = disk.folders[0].names.get(name)
    if number is None and not create:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return disk.create_folder(disk.folders[0], name) if number is None else disk.folders[number]
