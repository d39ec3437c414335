"""Faults that a call to the operating system may end in, and a process that meets one.

Which error is legal where (anything else is no test of the engine, but of a system that is none):

- EIO: every call that touches a file, a name or a lock file's flock; not ``exists`` (which cannot
  say so), ``unlock``, shared words, thread locks and naps.
- ENOSPC, EDQUOT: what may need room: writes, truncations, new files and names.  "Persistent" means
  that all of these fail from there on; of EIO, that this operation does on this file.
- EINTR and short transfers: reads and writes by position (Python itself retries the others).  A
  short read moves at least one byte, as none means the end of the file; a short write may move
  none.  "Persistent": every such call is interrupted once, or is short, from there on.
- a failed sync (EIO, ENOSPC, EDQUOT): R13.  Each dirty sector, or name of a directory, reached the
  disk, or did not and is gone, or did not and is still readable until it is evicted; the next sync
  says that all is well.
- MemoryError, KeyboardInterrupt: before and after every call.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bazanite_stress.simulation.inode import SyncFate
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import (
    SimulatedDirectory,
    SimulatedFile,
    SimulatedLockFile,
    SimulatedSystem,
    SimulatedThreadLock,
)
from bazanite_stress.simulation.words import SimulatedWords
from bazanite_wal.log import NEW_LOG_NAME

from .runner import SYNCS

NO_SPACE = frozenset({"write_at", "truncate", "create", "open_lock", "open_words", "rename",
                      "directory", "write_text"})  # fmt: skip
BROKEN = NO_SPACE | {"open", "list", "read_at", "size", "next_data", "remove", "read_text",
                     "try_lock"}  # fmt: skip
TRANSFERS = frozenset({"read_at", "write_at"})
FATES: tuple[SyncFate, ...] = ("lost", "kept", "evicted later")
_ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EDQUOT": errno.EDQUOT}
_SHORT = ("0", "1", "half", "all but one")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a process: its number, and for a sync the file's dirty sectors.

    For a sync of a directory ``dirty`` are the numbers of its steps (``Disk.steps_of_names``).
    ``place`` tells from where in the engine the call comes.
    """

    number: int
    operation: str
    name: str
    size: int
    dirty: tuple[int, ...] = ()
    place: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at call ``call``: ``kind`` is an errno's name, "short" or an exception's.

    ``detail``: how much a short transfer moves; "before" or "after" the call, for an exception; the
    fate of the sectors of a failed sync, where ``sector`` alone has the fate ``other``.
    """

    call: int
    kind: str
    detail: str = ""
    persistent: bool = False
    sector: int | None = None
    other: str = ""

    def as_json(self) -> dict[str, Any]:
        """For a replay file."""
        return asdict(self)


def faults_of(call: Call, *, one_sector: bool = True) -> Iterator[Fault]:
    """Every fault that is legal at this call."""
    number, operation = call.number, call.operation
    for persistent in (False, True):
        if operation in BROKEN:
            yield Fault(number, "EIO", persistent=persistent)
        if operation in NO_SPACE:
            yield Fault(number, "ENOSPC", persistent=persistent)
            yield Fault(number, "EDQUOT", persistent=persistent)
        if operation in TRANSFERS:
            yield Fault(number, "EINTR", persistent=persistent)
            for moved in _SHORT[operation == "read_at" :]:
                yield Fault(number, "short", moved, persistent=persistent)
    if operation in SYNCS:
        yield from _failed_syncs(call, one_sector=one_sector)
    for kind in ("MemoryError", "KeyboardInterrupt"):
        for moment in ("before", "after"):
            yield Fault(number, kind, moment)


def _failed_syncs(call: Call, *, one_sector: bool) -> Iterator[Fault]:
    for fate in FATES:
        yield Fault(call.number, "EIO", fate)
    yield Fault(call.number, "EIO", "lost", persistent=True)
    yield Fault(call.number, "ENOSPC", "lost")
    yield Fault(call.number, "EDQUOT", "evicted later")
    for sector in call.dirty if one_sector and len(call.dirty) > 1 else ():
        yield Fault(call.number, "EIO", "lost", sector=sector, other="kept")
        yield Fault(call.number, "EIO", "kept", sector=sector, other="lost")
        yield Fault(call.number, "EIO", "kept", sector=sector, other="evicted later")


class FaultySystem(SimulatedSystem):
    """A simulated process whose calls can also be met just after they happened."""

    def __init__(self, machine: Machine, seed: str = "", command: str = "simulated") -> None:
        super().__init__(machine, seed, command)
        self.calls = 0
        self.after: Callable[[int], None] | None = None

    def call(self, operation: str, name: str, size: int = 0) -> int:
        self.calls += 1
        return super().call(operation, name, size)

    def directory(self, path: str, *, create: bool) -> SimulatedDirectory:
        wrapped: SimulatedDirectory = self.tell(super().directory, path, create=create)
        return wrapped

    def thread_lock(self) -> SimulatedThreadLock:
        wrapped: Any = _Told(self, super().thread_lock())
        lock: SimulatedThreadLock = wrapped
        return lock

    def tell(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call the method; if it was a call to the system, the call has happened now."""
        before = self.calls
        result = method(*arguments, **named)
        if self.calls > before and self.after is not None:
            self.after(self.calls - 1)
        return _Told(self, result) if isinstance(result, _OBJECTS) else result


_OBJECTS = (SimulatedDirectory, SimulatedFile, SimulatedLockFile, SimulatedWords)


class _Told:
    """Passes each method call on, and tells the process when it has happened."""

    def __init__(self, system: FaultySystem, inner: Any) -> None:
        self._system = system
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "words":
            return _Told(self._system, found)
        if not callable(found):
            return found
        return lambda *arguments, **named: self._system.tell(found, *arguments, **named)

    def __getitem__(self, index: int) -> Any:
        return self._system.tell(self._inner.__getitem__, index)

    def __setitem__(self, index: int, value: int) -> None:
        self._system.tell(self._inner.__setitem__, index, value)


class Injector:
    """Lets one fault happen to one process: ``before`` is its watch, ``after`` its other one.

    ``raised`` are the errors that were raised so far; ``disarm`` ends a persistent fault.
    ``failed_syncs`` are the kinds of syncs that failed, but for those of a new log, which is given
    up then; ``syncs`` counts all, failed or not.
    """

    def __init__(self, fault: Fault, machine: Machine) -> None:
        self.fault = fault
        self.met: str = ""
        self.raised: list[BaseException] = []
        self.failed_syncs: set[str] = set()
        self.syncs = 0
        self._machine = machine
        self._calls = 0
        self._armed = True
        self._name = ""
        self._let_through = False

    @property
    def active(self) -> bool:
        """Whether calls may still fail."""
        return self._armed and (self.fault.persistent or not self.met)

    def disarm(self) -> None:
        """From now on nothing fails."""
        self._armed = False

    def before(self, operation: str, name: str, size: int) -> int | None:
        """A call is about to happen; raises in its place or shortens it."""
        fault, number = self.fault, self._calls
        self._calls += 1
        self.syncs += operation in SYNCS
        if number == fault.call:
            self.met, self._name = operation, name
            if fault.kind in ("MemoryError", "KeyboardInterrupt"):
                if fault.detail == "before":
                    self._strike()
                return None
        elif not (self._armed and fault.persistent and self.met and self._again(operation, name)):
            return None
        return self._fail(operation, name, size)

    def after(self, number: int) -> None:
        """A call has happened."""
        if number == self.fault.call and self.fault.detail == "after":
            self._strike()

    def _again(self, operation: str, name: str) -> bool:
        if self.fault.kind in ("ENOSPC", "EDQUOT") and self.met not in SYNCS:
            return operation in NO_SPACE
        if self.met in SYNCS:
            return operation in SYNCS
        return operation == self.met and name == self._name

    def _fail(self, operation: str, name: str, size: int) -> int | None:
        fault = self.fault
        if fault.kind == "EINTR":
            self._let_through = not self._let_through
            if self._let_through:
                raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))
            return None
        if fault.kind == "short":
            if fault.persistent and size > 4096 and fault.detail == "1":
                return size // 7  # as slow as that no system is
            moved = {"0": 0, "1": 1, "half": size // 2, "all but one": size - 1}[fault.detail]
            return max(moved, int(fault.detail != "0" and size > 0))
        if operation in SYNCS:
            if name != NEW_LOG_NAME:
                self.failed_syncs.add(operation)
            self._lose(operation, name)
        self.raised.append(OSError(_ERRORS[fault.kind], os.strerror(_ERRORS[fault.kind])))
        raise self.raised[-1]

    def _lose(self, operation: str, name: str) -> None:
        """What the failed sync did to the disk."""
        disk, folder = self._machine.disk, self._machine.folder
        assert folder is not None
        fate: Any = self.fault.detail
        other: Any = self.fault.other
        if operation in ("sync_names", "sync_own_name"):
            synced = folder if operation == "sync_names" else disk.folders[0]
            disk.fail_sync_folder(synced, fate, self.fault.sector, other or "kept")
            return
        fates = {} if self.fault.sector is None else {self.fault.sector: other}
        disk.files[folder.names[name]].fail_sync(fates, fate)

    def _strike(self) -> None:
        kind = MemoryError if self.fault.kind == "MemoryError" else KeyboardInterrupt
        self.raised.append(kind(f"injected {self.fault.detail} call {self.fault.call}"))
        raise self.raised[-1]
