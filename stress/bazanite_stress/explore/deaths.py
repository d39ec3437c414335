"""What a machine looks like if a process is killed at a call: every call of a process's life.

Rule R0 of docs/crash-model.md: what completed in the kernel stays, the page cache and the shared
words included, and a write in flight may have completed any prefix.  Between two calls the kernel
sees nothing, so the moments before each call, with the prefixes of each write, are all there are.
Equal machines are met once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bazanite_stress.simulation.machine import Machine

from .judge import ADVICE

_LOOKS = frozenset({"load", "read_at", "size", "next_data", "exists", "list", "read_text",
                    "acquire", "try_lock", "unlock", "sleep"})  # fmt: skip
"""Calls after which the files and shared words are as they were."""

_LEAST_SECTOR = 512
_SLOTS = 64
_MOST_BOUNDARIES = 8


@dataclass(frozen=True, slots=True)
class Death:
    """A kill instead of call number ``call`` (from 0); of a write, ``written`` bytes were done.

    ``machine`` is the machine itself, as the kill finds it: to be copied, not to be changed.
    ``done`` are the arguments of the part of a write that was done.
    """

    call: int
    what: str
    written: int
    machine: Machine
    done: tuple[int, bytes, int] | None = None

    def left(self) -> Machine:
        """The machine after the kill, nobody running."""
        twin = self.machine.after_kill()
        self.finish_write(twin)
        return twin

    def finish_write(self, machine: Machine) -> None:
        """Let the part of the write reach the kernel that was done when the process died."""
        if self.done is not None:
            number, data, offset = self.done
            machine.disk.write(machine.disk.files[number], data, offset)


class Deaths:
    """Hears of each call through ``watch`` and tells ``on_death`` of each different end.

    Whoever uses it moves ``era`` on when what is right after a kill changes.
    """

    def __init__(self, machine: Machine, on_death: Callable[[Death], None]) -> None:
        self._machine = machine
        self._on_death = on_death
        self._known: set[object] = set()
        self._changed = True
        self.era = 0
        self.calls = 0

    def enter(self, era: int) -> None:
        """Other states are right from now on."""
        self._changed = self._changed or era != self.era
        self.era = era

    def watch(self, operation: str, name: str, size: int) -> None:
        """A call is about to happen."""
        what = f"{operation} {name}".rstrip()
        if self._changed:
            self._changed = False
            self._meet(Death(self.calls, what, 0, self._machine))
        if operation == "write_at":
            number, data, offset = self._machine.writing
            for count in prefixes(offset, size, self._machine.disk.sector):
                done = (number, data[:count], offset)
                self._meet(Death(self.calls, what, count, self._machine, done))
        self._changed = operation not in _LOOKS
        self.calls += 1

    def end(self) -> None:
        """The process makes no more calls."""
        self._meet(Death(self.calls, "after the last call", 0, self._machine))

    def _meet(self, death: Death) -> None:
        key = (self.era, machine_key(death.left() if death.done else self._machine))
        if key not in self._known:
            self._known.add(key)
            self._on_death(death)


def prefixes(offset: int, size: int, sector: int) -> Iterator[int]:
    """How much of a write to try: 1 byte, half, all but one, all, and up to sector boundaries."""
    step = max(sector, _LEAST_SECTOR)
    boundaries = range(step - offset % step, size, step)
    chosen = {1, size // 2, size - 1, size, *boundaries[:_MOST_BOUNDARIES], *boundaries[-1:]}
    yield from sorted(count for count in chosen if 0 < count <= size)


def machine_key(machine: Machine) -> object:
    """Equal for machines on which whoever comes next, or a power cut, finds the same."""
    words = [(number, tuple(values)) for number, values in sorted(machine.words.items())]
    return hash((_disk_key(machine), tuple(words)))


def opening_key(machine: Machine) -> object:
    """Equal for machines on which nobody runs and whoever opens the directory finds the same."""
    words = [
        (number, tuple(value for i, value in enumerate(values[:_SLOTS]) if i not in ADVICE))
        for number, values in sorted(machine.words.items())
    ]
    return hash((_disk_key(machine), tuple(words)))


def _disk_key(machine: Machine) -> object:
    disk = machine.disk
    folders = [
        (number, tuple(sorted(folder.names.items())), tuple(sorted(folder.durable.items())),
         tuple(folder.changes))
        for number, folder in sorted(disk.folders.items())
    ]  # fmt: skip
    files = [
        (number, bytes(inode.data), inode.durable, inode.durable_size, tuple(inode.sizes),
         tuple(sorted(inode.stale)), tuple((i, tuple(c.versions)) for i, c in inode.chains.items()))
        for number, inode in sorted(disk.files.items())
    ]  # fmt: skip
    return (machine.boot, tuple(folders), tuple(files))
