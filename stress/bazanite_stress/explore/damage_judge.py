"""The verdict on one damaged directory: opened, read in every way, and checked, by the real engine.

What a recovered directory says depends on its files alone, so equal ones are read once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, Literal

from bazanite import DB, EQ, SUBSTR, InverseJoin, Join
from bazanite.errors import DBError
from bazanite_stress.simulation.disk import Image
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedSystem
from bazanite_wal.archive_format import ARCHIVE_NAME
from bazanite_wal.frame import is_data_file_name

from .judge import data_files
from .model import Model
from .workload import Workload

SHARED = ".shared"
Kind = Literal["detected", "harmless", "torn", "mixed", "undetectable"]
_IDS = range(1, 11)
_REFUSED = "refused"
"""Stands for an answer that was a typed error."""


@dataclass(frozen=True, slots=True)
class State:
    """What every question must be answered with, from the model alone."""

    answers: tuple[Any, ...]

    @classmethod
    def of(cls, model: Model) -> State:
        """The answers of a model, in the order of ``questions``."""
        a, t = (model.tables[name] for name in "at")
        rows = {n: [dict(r) for _, r in sorted(m.rows.items())] for n, m in model.tables.items()}
        joined = [row | {"up": a.rows.get(row["a"])} for row in rows["t"]]
        inverse = [
            row | {"down": [r for r in rows["t"] if r["a"] == row["id"]]} for row in rows["a"]
        ]
        return cls(
            (
                rows["a"],
                rows["t"],
                *(a.rows.get(i) for i in _IDS),
                *(t.rows.get(i) for i in _IDS),
                [row for row in rows["a"] if row["n"] == 30],
                [row for row in rows["t"] if "e" in (row["v"] or "")],
                joined,
                inverse,
                a.next_id(),
                t.next_id(),
            )
        )


def questions() -> list[Callable[[DB], Any]]:
    """Every way of reading, and the next automatic ids."""
    return [
        lambda db: _sorted(db.find_all("a")),
        lambda db: _sorted(db.find_all("t")),
        *(partial(DB.find_by_id, table_name=name, pk=number) for name in "at" for number in _IDS),
        lambda db: _sorted(db.find_by_cond("a", EQ(n=30))),
        lambda db: _sorted(db.find_by_cond("t", SUBSTR(v="e"))),
        lambda db: _sorted(db.find_all("t", joins=[Join("a", "up", "a")])),
        lambda db: _inverse(db.find_all("a", joins=[InverseJoin("a", "down", "t")])),
        *(partial(_next_id, name=name) for name in "at"),
    ]


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: int(row["id"]))


def _inverse(rows: list[Any]) -> list[Any]:
    return [row | {"down": _sorted(row["down"])} for row in _sorted(rows)]


class _UndoneError(Exception):
    """What leaves the transaction that asks for the next id."""


def _next_id(db: DB, name: str) -> int:
    number = 0
    try:
        with db.transaction():
            number = db.insert(name, {})["id"]
            raise _UndoneError
    except _UndoneError:
        return number


@dataclass(frozen=True, slots=True)
class Case:
    """A directory before it is damaged: its files, its shared words and all its states in order.

    ``rows`` are those of the last one, for a person; ``ending`` says how its last process left it.
    ``boot`` is the one in which it is opened: 1 is the one in which it was used.  ``older`` are the
    files as a checkpoint left them, some calls before.
    """

    workload: Workload
    image: Image
    words: tuple[int, ...]
    states: list[State]
    rows: str = ""
    ending: str = "closed"
    boot: int = 1
    older: Image = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A damage's class; ``wrong`` says what may not be; ``text`` is the first wrong answer."""

    kind: Kind
    wrong: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a recovered directory says: its answers, and whether ``check`` finds something."""

    answers: tuple[Any, ...]
    found: bool
    wrong: str = ""


class DamageJudge:
    """Judges damages of one case."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._classes = case.workload.classes()
        self._questions = questions()
        self._known: dict[bytes, _Reading] = {}
        self._names = {*case.image, "", "wal.log.new", ARCHIVE_NAME, PATH}

    @property
    def unique(self) -> int:
        """How many different recovered directories were read."""
        return len(self._known)

    def verdict(self, image: Image, words: tuple[int, ...] = ()) -> Verdict:
        """Open this directory and see."""
        machine = Machine.from_image(image, "journal", 512, self._case.boot)
        assert machine.folder is not None
        if words:
            machine.words[machine.folder.names[SHARED]] = list(words)
        system = SimulatedSystem(machine, "damage")
        system.watch = self._watch
        try:
            return self._verdict(machine, self._open(system))
        except DBError:
            return Verdict("detected")
        except Exception as error:  # noqa: BLE001  any other error is a verdict
            return Verdict("detected", f"opening raised: {error!r}")
        finally:
            system.kill()

    def _verdict(self, machine: Machine, db: DB) -> Verdict:
        report = db.storage.store.recovery
        torn = report is not None and report.torn
        files = machine.image()
        key = blake2b(repr(sorted(data_files(files).items())).encode()).digest()
        reading = self._known.get(key)
        if reading is None:
            reading = self._known[key] = self._read(db)
        return self._judge(reading, torn)

    def _watch(self, _operation: str, name: str, _size: int) -> None:
        if name not in self._names and not is_data_file_name(name):
            raise AssertionError(f"the engine asks for {name!r}")

    def _open(self, system: SimulatedSystem) -> DB:
        workload = self._case.workload
        options = {**workload.options, "checksums": None}
        return DB(self._classes, PATH, durability=workload.durability, system=system, **options)

    def _read(self, db: DB) -> _Reading:
        answers: list[Any] = []
        wrong = ""
        for ask in self._questions:
            try:
                answers.append(ask(db))
            except DBError:
                answers.append(_REFUSED)
            except Exception as error:  # noqa: BLE001  any other error is a verdict
                answers.append(_REFUSED)
                wrong = wrong or f"a call raised: {error!r}"
        try:
            found = db.check().problems
            if found and self._case.workload.options.get("checksums"):
                wrong = wrong or _use(db, {problem.file for problem in found})
        except Exception as error:  # noqa: BLE001  any error is a verdict
            return _Reading(tuple(answers), True, wrong or f"check, or a change, raised: {error!r}")
        return _Reading(tuple(answers), bool(found), wrong)

    def _judge(self, reading: _Reading, torn: bool) -> Verdict:
        """Compare with the newest state, and behind a torn tail with those before it."""
        if reading.wrong:
            return Verdict("detected", reading.wrong)
        states = self._case.states
        refused = _REFUSED in reading.answers
        newest = _first_difference(reading, states[-1])
        if newest is None:
            kind: Kind = "detected" if refused or reading.found else "torn" if torn else "harmless"
            return Verdict(kind)
        if torn and not refused and any(reading.answers == s.answers for s in states):
            return Verdict("torn")
        if reading.found and not self._case.workload.options.get("checksums"):
            return Verdict("detected")
        if torn and any(_first_difference(reading, state) is None for state in states):
            return Verdict("detected")
        return Verdict("mixed" if torn else "undetectable", text=newest)


def _use(db: DB, damaged: set[str]) -> str:
    """Write a little beside the damage, which must not make it right; what is wrong if it does."""
    for table, values in (("a", {"n": 1}), ("t", {"v": "newer"})):
        with suppress(DBError):
            db.insert(table, values)
        for number in _IDS:
            with suppress(DBError):
                db.update_by_id(table, number, values)
    still = {problem.file for problem in db.check().problems}
    healed = {name for name in damaged - still if not name.endswith(".sums.dat")}
    return f"damage of {', '.join(sorted(healed))} got checksums of its own" if healed else ""


def _first_difference(reading: _Reading, state: State) -> str | None:
    """The first answer that is neither right nor refused."""
    for found, right in zip(reading.answers, state.answers, strict=True):
        if found is not _REFUSED and found != right:
            return f"{found!r}, not {right!r}"
    return None
