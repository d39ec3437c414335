"""K: a process dies at each of its calls, another one that is attached goes on; then a power cut.

The last step by "dying" is the one in which it dies.  While the successor changes data files, a
third process reads without the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from bazanite_stress.explore.catalogue import ONE, TABLES
from bazanite_stress.explore.runner import SYNCS
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.simulation.inode import SyncFate
from bazanite_stress.simulation.system import Killed

from .interleaved import watch_reads
from .looking import Abandoned, Looking
from .scene import Scene
from .session import QUIET, Session

_UPDATE: Step = ["update", "a", 1, {"v": "bbbb"}]
_OPTIONS = {"log_size_bytes": 8192, "lock_timeout": 0.01}
_BOTH: Step = [
    "transaction",
    [["insert", "a", {"id": 5, "v": "five"}], ["update", "a", 1, {"v": "changed"}]],
]
_EVERYBODY = ("dying", "successor", "reader")
_FATES: tuple[SyncFate | None, ...] = (None, "evicted later", "lost")


def _scene(dying: list[Step], then: list[Step], durability: str = "full") -> Scene:
    workload = Workload("takeover", TABLES, [*dying, *then], ONE, durability, _OPTIONS)
    return Scene("K", workload, "hostile", ("dying",) * len(dying) + ("successor",) * len(then))


_SCENES = (
    # The first frame is so long that the dying one's ends where a sector does: the successor's,
    # in the same place, and the next one may be lost independently.
    _scene(
        [["insert", "t", {"a": 1, "v": "x" * 104}], ["update", "a", 1, {"v": "aaaa"}]],
        [_UPDATE, ["insert", "a", {"v": "new"}], ["read"]],
        "normal",
    ),
    _scene([_UPDATE, ["checkpoint"]], [["insert", "a", {"v": "x"}], ["read"]], "normal"),
    _scene([_BOTH], [["insert", "a", {"id": 5}], ["read"], ["insert", "t", {"a": 1, "v": "t"}]]),
    _scene(
        [["insert", "t", {"v": "old"}], ["checkpoint"]],
        [_UPDATE, ["read"], ["checkpoint"], ["insert", "t", {"a": 1}]],
    ),
)


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """What a process did before it died, and what another one does then."""
    del workloads
    yield from _SCENES


def look(scene: Scene, looking: Looking) -> None:
    """Caught if a successor answers wrongly, or builds on what a power cut takes away."""
    durable = scene.workload.durability == "full"
    for call, operation in enumerate(_calls(scene, looking)):
        # an error in the dying one's sync, of which nobody hears: else commits may be lost by it
        fails = durable and operation.split()[0] in SYNCS
        for fate in _FATES if fails else _FATES[:1]:
            case = {"call": call, "operation": operation, "sync failed": fate or "no"}
            if looking.takes(**case):
                session = Session(scene, looking, case, sample=8 if durable else 40)
                with suppress(Abandoned):
                    _take_over(session, call, fate)


def _calls(scene: Scene, looking: Looking) -> list[str]:
    """The calls of the last step of the one that will die, if it does not."""
    session = Session(scene, looking)
    # With the others there: who is alone commits in another way.
    process, *_ = [session.process(name) for name in _EVERYBODY]
    calls: list[str] = []

    def watch(operation: str, name: str, _size: int) -> None:
        if operation not in QUIET:
            calls.append(f"{operation} {name}".rstrip())

    process.watch(watch)
    for number in scene.steps_by("dying"):
        calls.clear()
        session.step(process, number)
    return calls


def _take_over(session: Session, call: int, fate: SyncFate | None) -> None:
    dying, successor, reader = (session.process(name) for name in _EVERYBODY)
    left = call

    def die(operation: str, name: str, _size: int) -> None:
        nonlocal left
        if operation in QUIET:
            return
        if left:
            left -= 1
            return
        if fate is not None and name:
            folder = session.machine.folder
            assert folder is not None
            session.machine.disk.files[folder.names[name]].fail_sync({}, fate)
        dying.kill()
        raise Killed

    steps = session.workload.steps
    numbers = session.scene.steps_by("dying")
    for number in numbers:
        dying.watch(die if number == numbers[-1] else None)
        session.step(dying, number)
    session.cut("at once")
    session.stop("at once")
    for number in session.scene.steps_by("successor"):
        if session.workload.durability == "full":
            watch_reads(session, successor, reader, number)
        session.step(successor, number, faulty=fate is not None)
        session.cut(f"after {steps[number][0]}")
        session.stop(f"after {steps[number][0]}")
