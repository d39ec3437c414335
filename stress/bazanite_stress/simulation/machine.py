"""A simulated machine: a disk, and all that is gone when the power goes.

Locks belong to open files, as flock's do: closing one, or dying, frees them.  Shared words belong
to the file that maps them.  The clock moves a microsecond a call, so that nothing depends on how
fast this machine is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bazanite_wal import shared

from .disk import Disk, Folder, Image, Profile, disk_of
from .legal import certain_image

FOLDER = "db"
PATH = f"/{FOLDER}"
SHELF = "/shelf/"
"""Where the directories of the other disk are."""
_CALL_SECONDS = 1e-6
_FIRST_PID = 5_000_000


@dataclass(slots=True)
class Flock:
    """Who holds one file's lock: identities of open files."""

    exclusive: object | None = None
    shared: set[object] = field(default_factory=set)

    def free(self, holder: object) -> None:
        """Let go, whichever way it was held."""
        if self.exclusive is holder:
            self.exclusive = None
        self.shared.discard(holder)

    def take(self, holder: object, *, shared: bool) -> bool:
        """Take or convert the lock; as with flock, a conversion that fails drops it."""
        self.free(holder)
        if self.exclusive is not None or (self.shared and not shared):
            return False
        if shared:
            self.shared.add(holder)
        else:
            self.exclusive = holder
        return True


class Machine:
    """One boot of a machine with one disk.  ``boot`` differs after every power cut."""

    def __init__(self, disk: Disk, boot: int = 1) -> None:
        self.disk = disk
        self.boot = boot
        self.now = 0.0
        self.flocks: dict[int, Flock] = {}
        self.words: dict[int, list[int]] = {}
        self.commands: dict[int, str] = {}
        self.writing: tuple[int, bytes, int] = (0, b"", 0)
        """Inode, bytes and offset of the last write that a process asked for; no bytes: a sync."""
        self._pids = 0
        self._shelf: Machine | None = None

    @property
    def shelf(self) -> Machine:
        """Another disk, for copies; of this machine it has nothing but that."""
        if self._shelf is None:
            self._shelf = Machine(Disk(self.disk.profile, self.disk.sector))
        return self._shelf

    @classmethod
    def from_image(
        cls, image: Image | None, profile: Profile, sector: int = 512, boot: int = 2
    ) -> Machine:
        """A machine that just started, with this disk, all of it durable.

        The shared words are what an earlier boot may have left at its worst.
        """
        machine = cls(disk_of(image, profile, sector, FOLDER), boot)
        if machine.folder is not None and (number := machine.folder.names.get(".shared")):
            machine.words[number] = [(1 << 63) + i for i in range(shared.WORD_COUNT)]
            machine.words[number][shared.READY] = shared.boot_token(cls(Disk(profile)).boot_id())
        return machine

    def after_kill(self) -> Machine:
        """A copy of this machine on which every process has just been killed."""
        twin = Machine(self.disk.clone(), self.boot)
        for inode in twin.disk.files.values():
            inode.untold = False  # nobody has it open: the kernel may forget
        twin.now = self.now
        twin.words = {number: list(words) for number, words in self.words.items()}
        twin._pids = self._pids
        return twin

    @property
    def folder(self) -> Folder | None:
        """The database's directory, if it was made."""
        number = self.disk.folders[0].names.get(FOLDER)
        return None if number is None else self.disk.folders[number]

    def image(self) -> Image:
        """The files as processes see them."""
        return {} if self.folder is None else certain_image(self.disk, self.folder)

    def flock(self, number: int) -> Flock:
        """The lock of the file with this inode."""
        return self.flocks.setdefault(number, Flock())

    def tick(self) -> None:
        """A call takes a moment."""
        self.now += _CALL_SECONDS

    def new_pid(self, command: str) -> int:
        """A process id that no process on this machine had."""
        self._pids += 1
        pid = _FIRST_PID + self._pids
        self.commands[pid] = command
        return pid

    def boot_id(self) -> str:
        """36 characters, as Linux gives them."""
        digits = hashlib.blake2b(str(self.boot).encode(), digest_size=16).hexdigest()
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "-".join(parts)
