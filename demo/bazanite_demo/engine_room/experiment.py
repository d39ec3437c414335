"""The kill of a worker in the middle of a transaction, and what becomes of it, told step by step.

The worker that was asked to (A) orders another one (B) to make a transaction and to stand still in
it, holding the global lock; kills it; and looks what the next holder of the lock made of it.  Each
step is put into a file as it comes, so that all workers can show it meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bazanite import DB, EQ, DBError

from .board import ACTIVE, FAILED, NOTHING, PID, STANDS, STEP, WENT_ON, Board, Worker
from .jobs import KILLED_NAME
from .moments import MOMENTS
from .orders import Order, Orders, lives
from .raw import frame_in_log, rows_behind, rows_file
from .records import Records
from .story import Story, Telling, read
from .tables import PARTS, Experiments

_COME_SECONDS, _SHOWN_SECONDS, _SPARE_SECONDS = 11.0, 1.0, 3.0
"""How long B may take to come to its moment, how long it is shown standing, and how long more it
stands if nobody kills it after all."""
_STARTED_SECONDS, _REPLACED_SECONDS = 2.0, 5.0
_LOOK_SECONDS = 0.002
_STORY_NAME = "story.json"


class Refused(Exception):
    """No experiment was made, for the reason given."""


class Experiment:
    """What A does.  ``stopping`` tells that the server is: then a story ends early."""

    def __init__(
        self, db: DB, board: Board, orders: Orders, records: Records, folder: Path,
        stopping: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._db = db
        self._board = board
        self._orders = orders
        self._records = records
        self._folder = folder
        self._stopping = stopping

    def last(self) -> Story | None:
        """The newest story, which may not have ended; it has if its teller is gone."""
        story = read(self._folder / _STORY_NAME)
        if story is not None and story["running"] and not lives(story["by"]):
            story |= {"running": False, "title": "It came to no end: the worker that told it died."}
        return story

    def forget(self) -> None:
        """A new server tells no old stories."""
        for name in (_STORY_NAME, KILLED_NAME):
            (self._folder / name).unlink(missing_ok=True)

    def run(self, moment: str) -> Story:
        """Kill another worker at this moment.  Refused: nobody was killed, and why."""
        with self._alone():
            victim = random.choice(self._others())
            telling = Telling(self._folder / _STORY_NAME, moment, self._number())
            try:
                self._make(telling, victim)
            except (DBError, OSError, Refused) as error:
                telling.end(None, f"It came to no end: {error}")
            return telling.story

    def _others(self) -> list[Worker]:
        """The other workers; waits for one that is just being started."""
        deadline = time.monotonic() + _STARTED_SECONDS
        while True:
            others = [worker for worker in self._board.workers() if worker.pid != os.getpid()]
            if others:
                return others
            if time.monotonic() > deadline or self._stopping():
                raise Refused(
                    "Two workers are needed, one to kill and one to take over: start the server"
                    " with --workers 2 or more."
                )
            time.sleep(_LOOK_SECONDS)

    def _make(self, telling: Telling, victim: Worker) -> None:
        before = rows_file(self._db).stat().st_size
        try:
            handle = os.pidfd_open(victim.pid)  # of this process, whoever has its number later
        except ProcessLookupError:
            raise Refused(f"{victim.name} has just died by itself") from None
        try:
            self._kill_and_judge(telling, victim, handle, before)
        finally:
            os.close(handle)

    def _kill_and_judge(self, telling: Telling, victim: Worker, handle: int, before: int) -> None:
        self._have_it_stand(telling, victim)
        telling.story["during"] = rows_behind(self._db, before)
        offset = self._records.end()
        active = self._board.get(victim.slot, ACTIVE)
        self._tell_whom(victim.pid)
        killed_at = time.time()
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        self._board.killed += 1
        told = f"SIGKILL to {victim.name}, process {victim.pid}.{_with_it(active)}"
        telling.step("kill", told)
        start = time.perf_counter()
        with self._db.storage.lock():
            waited = (time.perf_counter() - start) * 1000
            rows = self._db.find(Experiments.name, EQ(number=telling.story["number"]))
            figures = self._db.stats()
        telling.story["after"] = rows_behind(self._db, before)
        taken = self._taken_over(telling, victim.pid, offset, killed_at, waited)
        whole = self._judge_rows(telling, len(rows), figures)
        checked = self._check(telling)
        self._replaced(telling, victim)
        ok = taken and whole and checked
        telling.end(ok, "Nothing was lost." if ok else "Something is wrong: see the steps.")

    def _tell_whom(self, pid: int) -> None:
        """Before the kill, to clients that would take a broken request for an error."""
        with (self._folder / KILLED_NAME).open("a", encoding="ascii") as file:
            file.write(f"{pid} {time.monotonic()}\n")

    def has_killed(self, pid: int) -> bool:
        """Whether it is one of those that were told so."""
        with suppress(FileNotFoundError):
            lines = (self._folder / KILLED_NAME).read_text("ascii").splitlines()
            return any(line.split()[:1] == [str(pid)] for line in lines)
        return False

    def _have_it_stand(self, telling: Telling, victim: Worker) -> None:
        """Have B begin and stand still, for as long as people need to see it."""
        board, moment = self._board, MOMENTS[telling.story["moment"]]
        board.put(victim.slot, STEP, NOTHING)
        until = time.monotonic() + _COME_SECONDS
        stands_until = until + _SHOWN_SECONDS + _SPARE_SECONDS
        number = telling.story["number"]
        order = Order(victim.pid, number, telling.story["moment"], stands_until, os.getpid())
        if not self._orders.give(victim.slot, order):
            raise Refused(f"{victim.name} takes no orders")
        telling.step(
            "begin",
            f"{victim.name.capitalize()}, process {victim.pid}, begins a transaction:"
            f" {PARTS} rows into the table {Experiments.name}.",
        )
        while (step := board.get(victim.slot, STEP)) != STANDS:
            gone = board.get(victim.slot, PID) != victim.pid
            if gone or step in (FAILED, WENT_ON) or time.monotonic() > until or self._stopping():
                raise Refused(f"{victim.name} did not come to that moment; nobody was killed")
            time.sleep(_LOOK_SECONDS)
        figures = self._db.stats()
        holder = figures["lock_holder"]
        if holder is None or holder["pid"] != victim.pid:
            raise Refused(f"the lock is held by {holder}, and not by {victim.name}")
        telling.step("stand", f"{moment.standing} It holds the lock, and stands still there.")
        telling.story["standing"] = _positions(figures)
        used = figures["log_used_bytes"]
        telling.story["frame"] = frame_in_log(self._db, telling.story["moment"], used)
        waiting, shown_until = 0, time.monotonic() + _SHOWN_SECONDS
        while time.monotonic() < shown_until and not self._stopping():
            waiting = max(waiting, self._db.stats()["waiting_processes"])
            time.sleep(10 * _LOOK_SECONDS)
        telling.story["waiting"] = waiting
        telling.step("wait", f"{_processes(waiting)} for the lock meanwhile.")
        if self._stopping():
            raise Refused("the server is told to stop")

    def _taken_over(
        self, telling: Telling, pid: int, offset: int, killed_at: float, waited: float
    ) -> bool:
        """Find who repaired what B left, in what the logger told."""
        deadline = time.monotonic() + 1.0
        while True:
            for record in self._records.read(offset)[0]:
                if record["event"] == "repaired" and f"pid {pid} " in record["text"]:
                    ms = max(0.0, (record["at"] - killed_at) * 1000)
                    who = self._board.of_pid(record["pid"])
                    name = who.name if who else "a process"
                    telling.story["takeover_ms"] = round(ms, 1)
                    telling.step(
                        "takeover",
                        f"{ms:.1f} ms after the kill {name}, process {record['pid']}, has the lock,"
                        f" sees that its last holder died, and repairs. This worker"
                        f" waited {waited:.1f} ms for it. The log record: “{record['text']}”",
                    )
                    return True
            if time.monotonic() > deadline:
                telling.step("takeover", "Nobody repaired what it left.", ok=False)
                return False
            time.sleep(_LOOK_SECONDS)

    def _judge_rows(self, telling: Telling, count: int, figures: dict[str, Any]) -> bool:
        moment = MOMENTS[telling.story["moment"]]
        positions = _positions(figures)
        telling.story |= {"rows": count, "left": positions}
        was_durable = telling.story["standing"]["durable"]
        good = count == moment.rows and positions["applied"] >= was_durable
        some = f"{count} of its five rows are there, and the others are not!"
        word = {0: "None of its five rows is there.", PARTS: "All five rows are there."}.get(
            count, some
        )
        telling.step(
            "redo",
            f"{word} {moment.outcome} The log ends at {positions['end']:,}, and the tables have all"
            f" up to {positions['applied']:,}.",
            ok=good,
        )
        return good

    def _check(self, telling: Telling) -> bool:
        start = time.perf_counter()
        report = self._db.check()
        ms = (time.perf_counter() - start) * 1000
        rows = sum(table.rows for table in report.tables.values())
        text = f"db.check() found {len(report.problems)} problems: {report.problems[:1]}"
        if report.ok:
            tables = len(report.tables)
            text = f"db.check(): all files agree, {rows:,} rows in {tables} tables ({ms:.0f} ms)."
        telling.step("check", text, ok=report.ok)
        return report.ok

    def _replaced(self, telling: Telling, victim: Worker) -> None:
        deadline = time.monotonic() + _REPLACED_SECONDS
        while (pid := self._board.get(victim.slot, PID)) in (0, victim.pid):
            if time.monotonic() > deadline or self._stopping():
                return
            time.sleep(_LOOK_SECONDS)
        telling.story["successor"] = pid
        telling.step("new", f"The master has started process {pid} as the new {victim.name}.")

    def _number(self) -> int:
        """One that no row has, nor the last story."""
        newest = self._db.find(Experiments.name, order_by="-number", limit=1)
        last = self.last()
        return 1 + max(newest[0]["number"] if newest else 0, last["number"] if last else 0)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refused if another worker is at it; whoever dies in it is at it no more."""
        with (self._folder / "experiment.lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused("One is going on already: one at a time.") from None
            yield


def _positions(figures: dict[str, Any]) -> dict[str, int]:
    return {name: figures[f"{name}_lsn"] for name in ("end", "durable", "applied")}


def _processes(count: int) -> str:
    if not count:
        return "Nobody else waits"
    return "One other process waits" if count == 1 else f"{count} other processes wait"


def _with_it(active: int) -> str:
    if not active:
        return " It was answering nobody else just then."
    requests = "request" if active == 1 else "requests"
    return f" {active} {requests} that it was answering just then died with it."
