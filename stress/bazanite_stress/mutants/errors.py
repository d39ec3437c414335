"""E: each call to the system fails once, in each way that it can; then the program goes on.

A failed sync follows rule R13: each dirty sector reached the disk or not, all become clean, and the
error is told once.  After each later call the power is cut, and in the end everything is killed and
the directory opened again, with the power cut at each step of that.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bazanite_stress.explore.explorer import prepared
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.runner import SYNCS
from bazanite_stress.explore.workload import Workload
from bazanite_stress.simulation.inode import SyncFate
from bazanite_stress.simulation.legal import Tearing
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.errors import PoisonedError
from bazanite_wal.log import LOG_NAME
from bazanite_wal.scan import scan_log

from .nested import recover
from .session import Count, Process, Session
from .workloads import ALL

_WORKLOADS = ("short", "short normal")
_FATES: tuple[SyncFate, ...] = ("evicted later", "lost")
_CHANGES = frozenset({"write_at", "truncate"})


@dataclass(frozen=True, slots=True)
class Fault:
    """At the call of that number (from 0, of those that count) of the workload, this happens.

    ``kind``: "interrupted call", "short", "no space", "no space for a while", "interrupt", or the
    fate of what a failed sync had to write.
    """

    call: int
    kind: str

    @property
    def silent(self) -> bool:
        """Whether the engine must hide it from its caller."""
        return self.kind in ("interrupted call", "short")


def look(count: Count, workloads: tuple[str, ...]) -> None:
    """Caught if an error is followed by a wrong answer or a wrong state."""
    del workloads
    for kinds in (
        ("short", "interrupted call"),
        ("no space", *_FATES),
        ("no space for a while", "interrupt"),
    ):
        for name in _WORKLOADS:
            workload = ALL[name]
            judge = Judge(workload, "hostile", 512)
            seen: set[object] = set()
            for fault in _faults(_calls(workload), kinds):
                session = Session(workload, "hostile", judge, count, sample=3)
                _suffer(session, fault, seen)


def _calls(workload: Workload) -> list[str]:
    """The operations of an undisturbed run, from after the opening to before the close."""
    process = Process(workload, prepared(workload, "hostile", 512), lambda _point: None, "calm")
    process.start()
    calls: list[str] = []

    def watch(operation: str, _name: str, _size: int) -> None:
        if operation in _CHANGES or operation in SYNCS or operation == "store":
            calls.append(operation)

    process.watch(watch)
    for step in workload.steps:
        try:
            process.perform(step)
        except Exception as error:  # noqa: BLE001  a workload may have calls that are refused
            del error
    return calls


def _faults(calls: list[str], kinds: tuple[str, ...]) -> Iterator[Fault]:
    for call, operation in enumerate(calls):
        for kind in kinds:
            fits = {
                "interrupted call": operation == "write_at",
                "short": operation == "write_at",
                "no space": operation in _CHANGES,
                "no space for a while": operation in _CHANGES,
                "interrupt": True,
            }.get(kind, operation in SYNCS)
            if fits:
                yield Fault(call, kind)


def _suffer(session: Session, fault: Fault, seen: set[object]) -> None:
    workload = session.workload
    process = session.process("writer")
    watch = _Watch(session.machine, fault)
    process.watch(watch)
    session.done = [f"{fault.kind} at call {fault.call}"]
    poisoned = False
    for step in workload.steps:
        before = watch.happened
        watch.lasting = fault.kind == "no space for a while" and not before
        excused = not fault.silent and (poisoned or not before)
        error = session.step(process, step, faulty=excused)
        poisoned = poisoned or isinstance(error, PoisonedError) or fault.kind in _FATES
        if watch.happened:
            session.cut(f"after {step[0]}")
    process.watch(None)
    process.kill()
    machine = session.machine.after_kill()
    failed_sync = fault.kind in _FATES  # which takes "normal" commits even without a power cut
    newest = session.right() if failed_sync else session.newest()
    # Garbage instead of a header that is rewritten in place is survived only without frames.
    scan = scan_log(machine.image()[LOG_NAME])
    torn = Tearing(torn=failed_sync and scan is not None and not scan.frames)
    recover(session, machine, newest, session.right(), seen, torn)


class _Watch:
    """Lets the fault happen.  ``happened`` tells that it did."""

    def __init__(self, machine: Machine, fault: Fault) -> None:
        self._machine = machine
        self._fault = fault
        self._calls = 0
        self.happened = False
        self.lasting = False

    def __call__(self, operation: str, name: str, size: int) -> int | None:
        counts = operation in _CHANGES or operation in SYNCS or operation == "store"
        if not counts:
            return None
        if self.happened and self.lasting and operation in _CHANGES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        self._calls += 1
        if self.happened or self._calls - 1 != self._fault.call:
            return None
        self.happened = True
        return _HAPPENINGS.get(self._fault.kind, self._fail_sync)(operation, name, size)

    def _fail_sync(self, _operation: str, name: str, _size: int) -> int | None:
        folder = self._machine.folder
        assert folder is not None
        if name:
            inode = self._machine.disk.files[folder.names[name]]
            fate: SyncFate = "lost" if self._fault.kind == "lost" else "evicted later"
            inode.fail_sync({}, fate)
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)


def _short(_operation: str, _name: str, size: int) -> int | None:
    return max(1, size // 2)


def _interrupted(_operation: str, name: str, _size: int) -> int | None:
    raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR), name)


def _no_space(_operation: str, name: str, _size: int) -> int | None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


def _interrupt(_operation: str, _name: str, _size: int) -> int | None:
    raise KeyboardInterrupt


_HAPPENINGS: dict[str, Callable[[str, str, int], int | None]] = {
    "short": _short,
    "interrupted call": _interrupted,
    "no space": _no_space,
    "no space for a while": _no_space,
    "interrupt": _interrupt,
}
