"""E: each call to the system fails once, in each way that it can; then the program goes on.

A failed sync follows rule R13: each dirty sector reached the disk or not, all become clean, and the
error is told once.  After each later call the power is cut, and in the end everything is killed and
the directory opened again, with the power cut at each step of that.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from bazanite_stress.explore.runner import SYNCS
from bazanite_stress.simulation.inode import SyncFate
from bazanite_stress.simulation.legal import Tearing
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.errors import PoisonedError
from bazanite_wal.log import LOG_NAME
from bazanite_wal.scan import scan_log

from .looking import Abandoned, Looking
from .nested import recover, with_next
from .scene import Scene
from .session import Session
from .workloads import ALL

_WORKLOADS = ("short", "short normal")
_FATES: tuple[SyncFate, ...] = ("evicted later", "lost")
_NO_SPACE = ("no space", "no space for a while")
_PARTS = {
    "hidden": ("short", "interrupted call"),
    "once": ("no space", *_FATES),
    "longer": ("no space for a while", "interrupt"),
}
"""What happens: what the engine must hide from its caller, and what it may tell."""
_CHANGES = frozenset({"write_at", "truncate"})


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the system that may fail: of those of its step, which one it is (from 0)."""

    step: int
    number: int
    operation: str
    name: str


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """Two workloads, and in each: what must be hidden, what fails once, what stays or stops it."""
    del workloads
    for part in _PARTS:
        for name in _WORKLOADS:
            workload, by = with_next(ALL[name])
            yield Scene("E", workload, "hostile", by, part)


def look(scene: Scene, looking: Looking) -> None:
    """Caught if an error is followed by a wrong answer or a wrong state."""
    seen: set[object] = set()
    for call in _calls(scene, looking):
        for kind in _PARTS[scene.part]:
            case = {"fault": kind, "step": call.step, "call": call.number,
                    "operation": f"{call.operation} {call.name}".rstrip()}  # fmt: skip
            if _fits(kind, call.operation) and looking.takes(**case):
                with suppress(Abandoned):
                    _suffer(Session(scene, looking, case, sample=3), kind, call, seen)


def _calls(scene: Scene, looking: Looking) -> list[Call]:
    """The calls of an undisturbed run, from after the opening to before the close."""
    session = Session(scene, looking)
    process = session.process("writer")
    calls: list[Call] = []
    first = 0

    def watch(operation: str, name: str, _size: int) -> None:
        if _counts(operation):
            calls.append(Call(session.at, len(calls) - first, operation, name))

    process.watch(watch)
    for number in scene.steps_by("writer"):
        first = len(calls)
        session.step(process, number)
    return calls


def _counts(operation: str) -> bool:
    return operation in _CHANGES or operation in SYNCS or operation == "store"


def _fits(kind: str, operation: str) -> bool:
    """Whether this can happen at such a call."""
    if kind == "interrupt":
        return True
    if kind in ("interrupted call", "short"):
        return operation == "write_at"
    return operation in (_CHANGES if kind in _NO_SPACE else SYNCS)


def _suffer(session: Session, kind: str, call: Call, seen: set[object]) -> None:
    process = session.process("writer")
    watch = _Watch(session.machine, kind, call.number)
    silent = kind in _PARTS["hidden"]
    failed_sync = kind in _FATES  # which takes "normal" commits even without a power cut
    poisoned = False
    for number in session.scene.steps_by("writer"):
        before = watch.happened
        process.watch(watch if number == call.step else None)
        error = session.step(process, number, faulty=not silent and (poisoned or not before))
        poisoned = poisoned or isinstance(error, PoisonedError) or failed_sync
        if watch.happened:
            session.cut(f"after {session.workload.steps[number][0]}")
    process.watch(None)
    process.kill()
    newest = session.right() if failed_sync else session.newest()
    right = session.right()
    session.machine = session.machine.after_kill()
    # Garbage instead of a header that is rewritten in place is survived only without frames.
    scan = scan_log(session.machine.image()[LOG_NAME])
    torn = Tearing(torn=failed_sync and scan is not None and not scan.frames)
    session.timelines = [(model,) for model in newest]
    recover(session, newest, right, seen, torn)


class _Watch:
    """Lets it happen at the call of this number; a full disk stays so for a step, if it is to.

    ``happened`` tells that it did.
    """

    def __init__(self, machine: Machine, kind: str, call: int) -> None:
        self._machine = machine
        self._kind = kind
        self._left = call
        self.happened = False

    def __call__(self, operation: str, name: str, size: int) -> int | None:
        if not _counts(operation):
            return None
        if self.happened and self._kind == "no space for a while" and operation in _CHANGES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        self._left -= 1
        if self.happened or self._left != -1:
            return None
        self.happened = True
        return _HAPPENINGS.get(self._kind, self._fail_sync)(operation, name, size)

    def _fail_sync(self, _operation: str, name: str, _size: int) -> int | None:
        folder = self._machine.folder
        assert folder is not None
        if name:
            inode = self._machine.disk.files[folder.names[name]]
            fate: SyncFate = "lost" if self._kind == "lost" else "evicted later"
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
