"""T: the order of writes and syncs, judged against what the protocol promises.

No disk is recovered here: one run of each workload, its operations in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bazanite_stress.simulation.disk import Disk, Folder
from bazanite_stress.simulation.inode import Inode
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.header import FRAMES_START
from bazanite_wal.log import LOG_NAME, NEW_LOG_NAME

from .looking import Looking
from .scene import Scene
from .session import Session
from .workloads import ALL

_WORKLOADS = ("rows", "equal frames", "creation", "normal")


@dataclass(slots=True)
class _Order:
    """What is written and not synced yet; ``broken`` is the first promise not kept, by ``what``."""

    frames: bool = False
    header: bool = False
    data: set[str] = field(default_factory=set)
    names: bool = False
    new_log: bool = False
    syncs: int = 0
    broken: str = ""
    what: str = ""

    def need(self, kept: bool, promise: str, what: str) -> None:
        if not kept and not self.broken:
            self.broken, self.what = f"it is not so that {promise}", what

    def wrote(self, name: str, offset: int) -> None:
        if name == NEW_LOG_NAME:
            self.new_log = True
        elif name != LOG_NAME:
            self.need(not self.frames, "the log is synced before a data file changes", name)
            self.data.add(name)
        elif offset < FRAMES_START:
            promise = "data files are synced before the log's header is written"
            self.need(not self.data, promise, ", ".join(sorted(self.data)))
            self.header = True
        else:
            self.need(not self.header, "a header is synced before a frame is written", name)
            self.need(not self.names, "names are synced before a frame is written", name)
            self.frames = True

    def synced(self, name: str) -> None:
        self.syncs += 1
        if name == NEW_LOG_NAME:
            self.new_log = False
        elif name == LOG_NAME:
            self.frames = self.header = False
        else:
            self.data.discard(name)


class TracedDisk(Disk):
    """A disk that tells what is done to it."""

    order: _Order

    def write(self, inode: Inode, data: bytes | memoryview, offset: int) -> None:
        self.order.wrote(self._name(inode), offset)
        super().write(inode, data, offset)

    def truncate(self, inode: Inode, size: int) -> None:
        name = self._name(inode)
        if name == LOG_NAME:
            self.order.need(
                not self.order.header, "a header is synced before the log shrinks", name
            )
        else:
            self.order.wrote(name, FRAMES_START)
        super().truncate(inode, size)

    def create(self, folder: Folder, name: str) -> Inode:
        self.order.names = self.order.names or not name.startswith(".")
        return super().create(folder, name)

    def rename(self, folder: Folder, old: str, new: str) -> None:
        self.order.need(not self.order.new_log, "a file is synced before it is renamed", old)
        self.order.names = True
        super().rename(folder, old, new)

    def sync(self, inode: Inode) -> None:
        self.order.synced(self._name(inode))
        super().sync(inode)

    def sync_data(self, inode: Inode) -> None:
        self.order.synced(self._name(inode))
        super().sync_data(inode)

    def sync_folder(self, folder: Folder) -> None:
        if folder.number:
            self.order.names = False
        super().sync_folder(folder)

    def _name(self, inode: Inode) -> str:
        for folder in self.folders.values():
            for name, number in folder.names.items():
                if number == inode.number:
                    return name
        return ""


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """One run of each workload."""
    for name in dict.fromkeys([*workloads, *_WORKLOADS]):
        yield Scene("T", ALL[name], "journal")


def look(scene: Scene, looking: Looking) -> None:
    """Caught if a promise is broken."""
    session = Session(scene, looking)
    order = _Order()
    session.machine = _traced(session.machine, order)
    process = session.process("traced")
    for number, step in enumerate(scene.workload.steps):
        before = order.syncs
        session.step(process, number)
        looking.spend(order.syncs - before)
        if scene.workload.durability == "full":
            order.need(not order.frames, "the log is synced before a call returns", step[0])
        what = f"{step[0]} returned"
        if session.moment(what):
            session.verdict(what, f"too early: {order.what}", order.broken)


def _traced(machine: Machine, order: _Order) -> Machine:
    disk = TracedDisk(machine.disk.profile, machine.disk.sector)
    vars(disk).update(vars(machine.disk))
    disk.order = order
    machine.disk = disk
    return machine
