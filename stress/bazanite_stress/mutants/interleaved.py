"""C: several processes take turns, and step in within each other's calls.

One of them stands still while another one works: inside a call of the first, at a moment that the
detector chooses, the second carries out a whole call of its own, or a leader's sync, or dies.
"""

from __future__ import annotations

from bazanite import DBError
from bazanite_stress.explore.catalogue import ONE, TABLES
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.model import Model, ModelError
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.simulation.system import Killed, Stuck
from bazanite_wal import shared
from bazanite_wal.errors import LockTimeout

from .session import Count, Process, Session

_SETUP: list[Step] = [*ONE, ["insert", "t", {"a": 1, "v": "old text"}]]
WORKLOAD = Workload(
    "beside each other",
    TABLES,
    [],
    _SETUP,
    options={"log_size_bytes": 8192, "lock_timeout": 0.01},
)
_STEPS: tuple[Step, ...] = (
    ["update", "t", 1, {"v": "another text"}],
    ["transaction", [["insert", "a", {"id": 5}], ["update", "a", 1, {"v": "5"}]]],
    ["delete", "t", 1],
    ["truncate", "t", False],
)
_ROWS = (("a", 1), ("a", 5), ("t", 1))


def look(count: Count, workloads: tuple[str, ...]) -> None:
    """Caught if processes that run at the same time disturb each other."""
    del workloads
    judge = Judge(WORKLOAD, "hostile", 512)
    _take_turns(Session(WORKLOAD, "hostile", judge, count))
    _read_beside(Session(WORKLOAD, "hostile", judge, count))
    _sync_beside(Session(WORKLOAD, "hostile", judge, count))


def _take_turns(session: Session) -> None:
    """Two processes change the database in turn, a third opens it in between."""
    processes = [session.process("first"), session.process("second")]
    turns: list[tuple[int, Step]] = [
        (0, ["update", "a", 1, {"v": "1"}]),
        (1, ["update", "a", 1, {"n": 2}]),
        (1, ["checkpoint"]),
        (0, ["insert", "a", {"v": "3"}]),
        (1, ["insert", "t", {"a": 2, "v": "4"}]),
        (2, ["update", "t", 1, {"v": "5"}]),
        (0, ["checkpoint"]),
        (2, ["insert", "a", {"id": 5}]),
        (1, ["insert", "a", {"id": 5}]),
        (0, ["delete", "t", 2]),
    ]
    for who, step in turns:
        if who == len(processes):
            processes.append(session.process("third"))
        session.step(processes[who], step)
        session.cut(f"after {step[0]}")
        session.stop(f"after {step[0]}")
        for process in processes:
            session.step(process, ["read"])


def _read_beside(session: Session) -> None:
    """While one process changes data files, another one reads rows: old or new, nothing else."""
    writer, reader = session.process("writer"), session.process("reader")
    for step in _STEPS:
        watch_reads(session, writer, reader, step)
        session.step(writer, step)


def watch_reads(session: Session, writer: Process, reader: Process, step: Step) -> None:
    """Let ``reader`` look at rows whenever ``writer`` is about to change a data file."""
    states = [model for timeline in session.timelines for model in timeline]
    states += [_after(model, step) for model in states]

    def watch(operation: str, name: str, _size: int) -> None:
        if operation not in ("write_at", "truncate") or not name.endswith(".dat"):
            return
        session.count.spend()
        for table, number in _ROWS:
            try:
                found = reader.perform(["find", table, number])
            except LockTimeout:
                continue  # it cannot read without the lock, which the writer holds
            except (DBError, ValueError) as error:
                raise session.caught(repr(error), "a reader meets an error") from error
            if all(found != model.apply(["find", table, number]) for model in states):
                raise session.caught(f"{table} {number}: {found!r}", "a reader sees no state")

    writer.watch(watch)


def _sync_beside(session: Session) -> None:
    """While one process applies, another one makes a dead one's frame durable as leader."""
    applying, dying, leader = (session.process(n) for n in ("applying", "dying", "leader"))
    dead: Step = ["update", "t", 1, {"v": "by the dead"}]
    stage = 0

    def die(operation: str, name: str, _size: int) -> None:
        if (operation, name) == ("try_lock", ".sync"):  # its frame is written, nobody synced it
            dying.kill()
            raise Killed

    def watch(operation: str, name: str, _size: int) -> None:
        nonlocal stage
        session.count.spend()
        if stage == 0 and (operation, name) == ("sync_data", "wal.log"):
            stage = 1  # how far it syncs is decided
            try:
                dying.perform(dead)
            except Killed:
                stage = 2
        elif stage == 2 and operation == "write_at" and name.endswith(".dat"):
            stage = 3
            _lead(session, leader)

    dying.watch(die)
    applying.watch(watch)
    session.step(applying, ["update", "a", 1, {"v": "applied"}])
    if stage != 3:
        raise AssertionError(f"the scene was not played: stage {stage}")
    session.timelines = [
        t for (model,) in session.timelines for t in ((model,), (_after(model, dead),))
    ]
    for step in (["read"], ["insert", "a", {"v": "later"}], ["read"]):
        session.step(leader, step)
        session.cut(f"after {step[0]}")
        session.stop(f"after {step[0]}")


def _lead(session: Session, leader: Process) -> None:
    """What a committer does while it waits: sync the log for everybody, without the global lock."""
    assert leader.db is not None
    used = leader.db.storage.store._use()
    try:
        used.group._try_sync(used.core.words[shared.END])
    except Stuck as error:
        raise session.caught(str(error), "a leader waits for who waits for it") from error


def _after(model: Model, step: Step) -> Model:
    """The state that the step leads to; the same if it is refused, or only reads."""
    result = model.clone()
    if step[0] != "read":
        try:
            result.apply(step)
        except ModelError:
            return model
    return result
