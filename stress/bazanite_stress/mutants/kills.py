"""K: a process dies at each of its calls, another one that is attached goes on; then a power cut.

While the successor changes data files, a third process reads without the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bazanite_stress.explore.catalogue import ONE, TABLES
from bazanite_stress.explore.explorer import prepared
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.runner import SYNCS
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.simulation.inode import SyncFate
from bazanite_stress.simulation.system import Killed

from .interleaved import watch_reads
from .session import QUIET, Count, Process, Session

_UPDATE: Step = ["update", "a", 1, {"v": "bbbb"}]
_OPTIONS = {"log_size_bytes": 8192, "lock_timeout": 0.01}
_BOTH: Step = [
    "transaction",
    [["insert", "a", {"id": 5, "v": "five"}], ["update", "a", 1, {"v": "changed"}]],
]


@dataclass(frozen=True, slots=True)
class Scene:
    """``before`` by whom will die, ``dying`` its last call, ``then`` what the successor does."""

    before: tuple[Step, ...]
    dying: Step
    then: tuple[Step, ...]
    durability: str = "full"


SCENES = (
    # The first frame is so long that the dying one's ends where a sector does: the successor's,
    # in the same place, and the next one may be lost independently.
    Scene(
        (["insert", "t", {"a": 1, "v": "x" * 104}],),
        ["update", "a", 1, {"v": "aaaa"}],
        (_UPDATE, ["insert", "a", {"v": "new"}], ["read"]),
        "normal",
    ),
    Scene((_UPDATE,), ["checkpoint"], (["insert", "a", {"v": "x"}], ["read"]), "normal"),
    Scene((), _BOTH, (["insert", "a", {"id": 5}], ["read"], ["insert", "t", {"a": 1, "v": "t"}])),
    Scene(
        (["insert", "t", {"v": "old"}],),
        ["checkpoint"],
        (_UPDATE, ["read"], ["checkpoint"], ["insert", "t", {"a": 1}]),
    ),
)


def look(count: Count, workloads: tuple[str, ...]) -> None:
    """Caught if a successor answers wrongly, or builds on what a power cut takes away."""
    del workloads
    for scene in SCENES:
        workload = Workload("takeover", TABLES, [], ONE, scene.durability, _OPTIONS)
        judge = Judge(workload, "hostile", 512)
        for call, fate in _deaths(workload, scene):
            sample = 8 if scene.durability == "full" else 40
            session = Session(workload, "hostile", judge, count, sample=sample)
            _take_over(session, scene, call, fate)


def _deaths(workload: Workload, scene: Scene) -> Iterator[tuple[int, SyncFate | None]]:
    """The calls at which to die; in a sync also with an error that nobody hears of."""
    process = Process(workload, prepared(workload, "hostile", 512), lambda _point: None, "calm")
    process.start()
    for step in scene.before:
        process.perform(step)
    calls: list[str] = []

    def watch(operation: str, _name: str, _size: int) -> None:
        if operation not in QUIET:
            calls.append(operation)

    process.watch(watch)
    process.perform(scene.dying)
    for call, operation in enumerate(calls):
        yield call, None
        if operation in SYNCS and scene.durability == "full":  # else commits may be lost by it
            yield call, "evicted later"
            yield call, "lost"


def _take_over(session: Session, scene: Scene, call: int, fate: SyncFate | None) -> None:
    dying, successor, reader = (session.process(n) for n in ("dying", "successor", "reader"))
    for step in scene.before:
        session.step(dying, step)
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

    dying.watch(die)
    session.step(dying, scene.dying)
    session.done[-1] += f", killed at call {call}" + (f" in a failed sync ({fate})" if fate else "")
    session.cut("at once")
    session.stop("at once")
    for step in scene.then:
        if session.workload.durability == "full":
            watch_reads(session, successor, reader, step)
        session.step(successor, step, faulty=fate is not None)
        session.cut(f"after {step[0]}")
        session.stop(f"after {step[0]}")
