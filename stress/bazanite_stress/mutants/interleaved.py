"""C: several processes take turns, and step in within each other's calls.

One of them stands still while another one works: inside a call of the first, at a moment that the
detector chooses, the second carries out a whole call of its own, or a leader's sync, or dies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bazanite import DBError
from bazanite_stress.explore.catalogue import ONE, TABLES
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.workload import Step, Workload
from bazanite_stress.simulation.system import Killed, Stuck
from bazanite_wal import shared
from bazanite_wal.errors import LockTimeout

from .looking import Abandoned, Looking
from .scene import Scene
from .session import Process, Session

_TURNS: tuple[tuple[str, Step], ...] = (
    ("first", ["update", "a", 1, {"v": "1"}]),
    ("second", ["update", "a", 1, {"n": 2}]),
    ("second", ["checkpoint"]),
    ("first", ["insert", "a", {"v": "3"}]),
    ("second", ["insert", "t", {"a": 2, "v": "4"}]),
    ("third", ["update", "t", 1, {"v": "5"}]),
    ("first", ["checkpoint"]),
    ("third", ["insert", "a", {"id": 5}]),
    ("second", ["insert", "a", {"id": 5}]),
    ("first", ["delete", "t", 2]),
)
_WATCHED: tuple[Step, ...] = (
    ["update", "t", 1, {"v": "another text"}],
    ["transaction", [["insert", "a", {"id": 5}], ["update", "a", 1, {"v": "5"}]]],
    ["delete", "t", 1],
    ["truncate", "t", False],
)
_SYNCED: tuple[tuple[str, Step], ...] = (
    ("applying", ["update", "a", 1, {"v": "applied"}]),
    ("dying", ["update", "t", 1, {"v": "by the dead"}]),
    ("leader", ["read"]),
    ("leader", ["insert", "a", {"v": "later"}]),
    ("leader", ["read"]),
)


def _scene(part: str, turns: Iterable[tuple[str, Step]]) -> Scene:
    by, steps = zip(*turns, strict=True)
    setup = [*ONE, ["insert", "t", {"a": 1, "v": "old text"}]]
    options = {"log_size_bytes": 8192, "lock_timeout": 0.01}
    workload = Workload("beside each other", TABLES, [*steps], setup, options=options)
    return Scene("C", workload, "hostile", by, part)


def _with_reads(turns: Iterable[tuple[str, Step]]) -> Iterator[tuple[str, Step]]:
    """After each call everyone who is there reads everything."""
    there = ["first", "second"]
    for who, step in turns:
        yield who, step
        there += [who] * (who not in there)
        yield from ((reader, ["read"]) for reader in there)


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """Turns; reads within calls; a leader's sync within a call."""
    del workloads
    yield _scene("turns", _with_reads(_TURNS))
    yield _scene("reads", (("writer", step) for step in _WATCHED))
    yield _scene("sync", _SYNCED)


def look(scene: Scene, looking: Looking) -> None:
    """Caught if processes that run at the same time disturb each other."""
    session = Session(scene, looking)
    {"turns": _take_turns, "reads": _read_beside, "sync": _sync_beside}[scene.part](session)


def _take_turns(session: Session) -> None:
    """Processes change the database in turn; the third opens it when others have worked."""
    processes = {name: session.process(name) for name in ("first", "second")}
    for number, who in enumerate(session.scene.by):
        if who not in processes:
            processes[who] = session.process(who)
        session.step(processes[who], number)
        what = session.workload.steps[number][0]
        if what != "read":
            session.cut(f"after {what}")
            session.stop(f"after {what}")


def _read_beside(session: Session) -> None:
    """While one process changes data files, another one reads rows: old or new, nothing else."""
    writer, reader = session.process("writer"), session.process("reader")
    for number in session.scene.steps_by("writer"):
        watch_reads(session, writer, reader, number)
        session.step(writer, number)


def watch_reads(session: Session, writer: Process, reader: Process, number: int) -> None:
    """Let ``reader`` look at rows whenever ``writer`` is about to change a data file."""
    step = session.workload.steps[number]
    states = [model for timeline in session.timelines for model in timeline]
    states += [_after(model, step) for model in states]
    rows = {(name, row) for model in states for name, t in model.tables.items() for row in t.rows}
    writes = 0

    def watch(operation: str, name: str, _size: int) -> None:
        nonlocal writes
        if operation not in ("write_at", "truncate") or not name.endswith(".dat"):
            return
        writes += 1
        session.looking.spend()
        for table, row in sorted(rows):
            read = [number, writes, table, row]
            if session.scene.reads is None or read in session.scene.reads:
                _read(session, reader, read, states, f"within {step[0]}, before {operation} {name}")

    writer.watch(watch)


def _read(
    session: Session, reader: Process, read: list[Any], states: list[Model], when: str
) -> None:
    """Find one row: as it is in one of these states."""
    step: Step = ["find", *read[2:]]
    what = f"find by {reader.seed} {when}"
    session.read = read
    session.finds += 1
    found, rule = "", ""
    seen = session.moment(what)
    try:
        answer = reader.perform(step)
    except LockTimeout:
        pass  # it cannot read without the lock, which the writer holds
    except (DBError, ValueError) as error:
        found, rule = repr(error), "a reader meets an error"
    else:
        if all(answer != model.apply(step) for model in states):
            found, rule = f"{read[2]} {read[3]}: {answer!r}", "a reader sees no state"
    if seen:
        session.verdict(what, found, rule, states)
    session.read = []


def _sync_beside(session: Session) -> None:
    """While one process applies, another one makes a dead one's frame durable as leader."""
    applying, dying, leader = (session.process(n) for n in ("applying", "dying", "leader"))
    if session.scene.by[:2] != ("applying", "dying"):
        raise Abandoned  # a simplification that is none
    dead = session.workload.steps[1]
    stage = 0

    def die(operation: str, name: str, _size: int) -> None:
        if (operation, name) == ("try_lock", ".sync"):  # its frame is written, nobody synced it
            dying.kill()
            raise Killed

    def watch(operation: str, name: str, _size: int) -> None:
        nonlocal stage
        session.looking.spend()
        if stage == 0 and (operation, name) == ("sync_data", "wal.log"):
            stage = 1  # how far it syncs is decided
            try:
                dying.perform(dead)
            except Killed:
                stage = 2
            except DBError as error:
                raise session.refused(f"{dead[0]} by dying", error) from error
        elif stage == 2 and operation == "write_at" and name.endswith(".dat"):
            stage = 3
            _lead(session, leader)

    dying.watch(die)
    applying.watch(watch)
    session.step(applying, 0)
    if stage != 3:
        raise Abandoned  # an engine whose calls are others: this scene cannot be played
    session.timelines = [
        t for (model,) in session.timelines for t in ((model,), (_after(model, dead),))
    ]
    for number in session.scene.steps_by("leader"):
        what = session.workload.steps[number][0]
        session.step(leader, number)
        session.cut(f"after {what}")
        session.stop(f"after {what}")


def _lead(session: Session, leader: Process) -> None:
    """What a committer does while it waits: sync the log for everybody, without the global lock."""
    assert leader.db is not None
    used = leader.db.storage.store._use()
    what = "the leader syncs"
    seen = session.moment(what)
    try:
        used.group._try_sync(used.core.words[shared.END])
    except Stuck as error:
        if seen:
            session.verdict(what, str(error), "a leader waits for who waits for it")
        raise Abandoned from error
    except DBError as error:
        if seen:
            session.verdict(what, repr(error), "a leader's sync is refused")
        raise Abandoned from error
    if seen:
        session.verdict(what, "", "")


def _after(model: Model, step: Step) -> Model:
    """The state that the step leads to; the same if it is refused."""
    result = model.clone()
    return model if result.answer(step)[1] else result
