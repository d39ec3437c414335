"""Inodes and directories of a simulated disk, and what each sync makes durable.

Two profiles.  ``journal`` is like ext4: metadata (names and sizes) is one journal, of which a
prefix survives, and a sync of anything commits all of it so far.  ``hostile`` is the least that
POSIX promises: each name and each size survives on its own, and a file's sync says nothing of its
name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .inode import Inode, SyncFate

Profile = Literal["journal", "hostile"]
PROFILES: tuple[Profile, ...] = ("journal", "hostile")
SECTORS = (1, 512, 4096)


@dataclass(frozen=True, slots=True)
class NameChange:
    """One pending change of a directory: this name now means that inode (None: nothing)."""

    event: int
    name: str
    inode: int | None


class Folder:
    """One directory: its names as processes see them, durable ones, and changes in between.

    After a sync that failed a name may mean something else than on the medium although no change of
    it is pending: later syncs do not write it, and it may be dropped at any time (``evict``).
    """

    __slots__ = ("changes", "durable", "names", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.names: dict[str, int] = {}
        self.durable: dict[str, int] = {}
        self.changes: list[NameChange] = []

    def clone(self) -> Folder:
        """An equal folder that shares nothing mutable."""
        twin = Folder(self.number)
        twin.names = dict(self.names)
        twin.durable = dict(self.durable)
        twin.changes = list(self.changes)
        return twin

    def change(self, event: int, name: str, inode: int | None) -> None:
        """Let the name mean another inode, or nothing; pending until a sync."""
        if inode is None:
            self.names.pop(name, None)
        else:
            self.names[name] = inode
        self.changes.append(NameChange(event, name, inode))

    def sync(self, event: int | None = None) -> None:
        """Make all changes durable, or those up to this event."""
        for change in self.changes:
            if event is not None and change.event > event:
                continue
            if change.inode is None:
                self.durable.pop(change.name, None)
            else:
                self.durable[change.name] = change.inode
        self.changes = [] if event is None else [c for c in self.changes if c.event > event]

    def changed(self) -> list[str]:
        """The names with a change that is pending, in the order of their first."""
        return list(dict.fromkeys(change.name for change in self.changes))

    def fail_sync(self, fates: dict[str, SyncFate], default: SyncFate) -> None:
        """A sync that failed: each changed name reached the medium or not, none is pending (R13).

        "lost": it did not, and means again what it did; "kept": it did; "evicted later": it did
        not, but processes still see it, until it is dropped or the machine stops.
        """
        for name in self.changed():
            fate = fates.get(name, default)
            if fate == "kept":
                _copy(name, self.names, self.durable)
            elif fate == "lost":
                _copy(name, self.durable, self.names)
        self.changes = []

    def evict(self) -> None:
        """Drop what a failed sync did not write: such names mean what they do on the medium."""
        for name in self.stale():
            _copy(name, self.durable, self.names)

    def stale(self) -> list[str]:
        """The names that mean something else on the medium, with no change pending."""
        pending = self.changed()
        return [
            name
            for name in {**self.durable, **self.names}
            if self.durable.get(name) != self.names.get(name) and name not in pending
        ]


def _copy(name: str, source: dict[str, int], target: dict[str, int]) -> None:
    if name in source:
        target[name] = source[name]
    else:
        target.pop(name, None)


class Disk:
    """All inodes, by number; folder 0 is the root.  ``event`` numbers the changes, in order."""

    def __init__(self, profile: Profile, sector: int = 512) -> None:
        self.profile: Profile = profile
        self.sector = sector
        self.event = 0
        self.files: dict[int, Inode] = {}
        self.folders: dict[int, Folder] = {0: Folder(0)}
        self._next = 1

    def clone(self) -> Disk:
        """An equal disk that shares nothing mutable."""
        twin = Disk(self.profile, self.sector)
        twin.event = self.event
        twin.files = {number: inode.clone() for number, inode in self.files.items()}
        twin.folders = {number: folder.clone() for number, folder in self.folders.items()}
        twin._next = self._next
        return twin

    def create(self, folder: Folder, name: str) -> Inode:
        """A new empty file of this name."""
        inode = Inode(self._number(), self.sector)
        self.files[inode.number] = inode
        folder.change(self._tick(), name, inode.number)
        return inode

    def create_folder(self, parent: Folder, name: str) -> Folder:
        """A new empty directory of this name."""
        folder = Folder(self._number())
        self.folders[folder.number] = folder
        parent.change(self._tick(), name, folder.number)
        return folder

    def rename(self, folder: Folder, old: str, new: str) -> None:
        """Move the name; one step of the journal, two independent ones without."""
        event = self._tick()
        number = folder.names[old]
        folder.change(event, new, number)
        folder.change(event, old, None)

    def remove(self, folder: Folder, name: str) -> None:
        """Take the name away; whoever has the file open keeps it."""
        folder.change(self._tick(), name, None)

    def write(self, inode: Inode, data: bytes | memoryview, offset: int) -> None:
        inode.write(data, offset, self._tick())

    def truncate(self, inode: Inode, size: int) -> None:
        inode.truncate(size, self._tick())

    def sync(self, inode: Inode) -> None:
        """fsync: the file's content and size; with a journal also all earlier metadata."""
        inode.sync()
        if self.profile == "journal":
            self._commit_journal(self.event)

    def sync_data(self, inode: Inode) -> None:
        """fdatasync: content and growth; with a journal, growth commits all metadata before it."""
        grown = [event for event, _ in inode.sizes] if len(inode.data) > inode.durable_size else []
        inode.sync_data()
        if self.profile == "journal" and grown:
            self._commit_journal(grown[-1])

    def sync_folder(self, folder: Folder) -> None:
        """Make a directory's names durable; no file's content."""
        if self.profile == "journal":
            self._commit_journal(self.event)
        else:
            folder.sync()

    def steps_of_names(self, folder: Folder) -> int:
        """How many steps a sync of this directory makes durable: names, or entries of a journal."""
        if self.profile == "journal":
            return len({change.event for change in folder.changes})
        return len(folder.changed())

    def fail_sync_folder(
        self, folder: Folder, fate: SyncFate, step: int | None = None, other: SyncFate = "kept"
    ) -> None:
        """A sync of a directory that failed: nothing of it is pending any more (R13).

        All of its steps have this fate; or one of them another.  A journal keeps a prefix: there
        the steps up to ``step`` are kept (``other`` is "kept"), or those before it (``fate`` is).
        """
        if self.profile == "hostile":
            name = [] if step is None else [folder.changed()[step]]
            folder.fail_sync(dict.fromkeys(name, other), fate)
            return
        events = sorted({change.event for change in folder.changes})
        kept = len(events) if fate == "kept" else 0
        if step is not None:
            kept = step + 1 if other == "kept" else step
        if kept:
            self._commit_journal(events[kept - 1])
        folder.fail_sync({}, other if fate == "kept" else fate)

    def evict(self) -> bool:
        """Drop clean pages and names that failed syncs did not write; whether there were any."""
        stale = any(inode.stale for inode in self.files.values())
        stale = stale or any(folder.stale() for folder in self.folders.values())
        for inode in self.files.values():
            inode.evict()
        for folder in self.folders.values():
            folder.evict()
        return stale

    def _commit_journal(self, event: int) -> None:
        for folder in self.folders.values():
            folder.sync(event)
        for inode in self.files.values():
            if inode.sizes:
                inode.sync_sizes(event)

    def _number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    def _tick(self) -> int:
        self.event += 1
        return self.event


Image = dict[str, bytes]
"""One directory as a power cut leaves it: file contents by name."""


def disk_of(image: Image | None, profile: Profile, sector: int, folder: str = "db") -> Disk:
    """A disk whose only directory holds this image, all of it durable; None: no directory."""
    disk = Disk(profile, sector)
    if image is None:
        return disk
    made = disk.create_folder(disk.folders[0], folder)
    for name in sorted(image):
        inode = disk.create(made, name)
        inode.data = bytearray(image[name])
        inode.durable, inode.durable_size = image[name], len(image[name])
    disk.folders[0].sync()
    made.sync()
    return disk
