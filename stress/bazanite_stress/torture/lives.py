"""What every round is made of: writers started, watched, struck and buried, one in each slot."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic_ns
from typing import Any

from bazanite_stress.crowd.record import Record
from bazanite_stress.torture.chronicle import Chronicle
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.killer import MODES, Mode, Strike, lock_holder, pause, plan_strike
from bazanite_stress.torture.processes import Child, Launcher
from bazanite_stress.torture.report import Progress, Tally
from bazanite_stress.torture.settings import Settings
from bazanite_stress.torture.stopping import Stopping

SHORTEST_ROUND_SECONDS, LONGEST_ROUND_SECONDS = 1.0, 2.0
# How long an attack waits for its victim's next intent before it strikes anyway.
HUNT_SECONDS = 0.02
# Below this a wait is a busy one: the kernel wakes a sleeper too late.
BUSY_SECONDS = 0.002
TICK_SECONDS = 0.003
NOBODY = -1
STACK_SECONDS = 2.0


@dataclass(slots=True)
class Writer:
    """A running writer and its journal."""

    slot: int
    child: Child
    journal: Journal
    born: int = field(default_factory=monotonic_ns)


@dataclass(frozen=True, slots=True)
class Crew:
    """What all rounds of a run share."""

    settings: Settings
    launcher: Launcher
    tally: Tally
    progress: Progress
    stopping: Stopping
    chronicle: Chronicle = field(default_factory=Chronicle)


class Lives(ABC):
    """Writers at work for one round. `scratch` takes journals and outputs; `started` counts the
    writers of the whole run.
    """

    modes: Collection[Mode] = tuple(MODES)

    def __init__(self, crew: Crew, *, scratch: Path, rng: Random, started: int) -> None:
        self._settings, self._launcher, self._tally = crew.settings, crew.launcher, crew.tally
        self._progress, self._stopping = crew.progress, crew.stopping
        self._scratch, self._rng = scratch, rng
        self._writers: dict[int, Writer] = {}
        self.started = started
        self.findings: list[Finding] = []
        self.record = Record()

    def run(self, seconds: float) -> None:
        """Let writers work and kill some for so long; then see that all get on, and kill all."""
        begin = time.monotonic()
        self.record.began = monotonic_ns()
        for slot in range(self._settings.writers):
            self._start(slot)
        strike_at = begin + pause(self._rng)
        while self._writers and (now := time.monotonic()) < begin + seconds:
            self._stopping.check()
            self._progress.tick(self._tally)
            self._bury_the_dead()
            if now >= strike_at and self._writers:
                self._strike(plan_strike(self._rng, list(self._writers), self.modes))
                strike_at = time.monotonic() + pause(self._rng)
            time.sleep(min(TICK_SECONDS, max(0.0, strike_at - time.monotonic())))
        self._see_that_all_get_on()
        self._before_the_end()
        for slot in self._rng.sample(list(self._writers), len(self._writers)):
            self._kill(slot, "end of round")
        self._tally.writing_seconds += time.monotonic() - begin
        self.record.ended = monotonic_ns()

    @abstractmethod
    def _start(self, slot: int) -> None:
        """Start a writer in this slot."""

    @abstractmethod
    def _strike(self, strike: Strike) -> None:
        """Kill as planned, and start successors."""

    @abstractmethod
    def _bury(self, writer: Writer) -> bool:
        """Take note of what a dead writer did; True if it ended as it should."""

    def _before_the_end(self) -> None:  # noqa: B027 - most rounds have nothing to do then
        """All get on, and none is killed yet."""

    def _launch(self, slot: int, role: str, config: dict[str, Any]) -> None:
        """Start a writer in this slot, with a journal of its own."""
        self.started += 1
        name = f"writer-{slot}-{self.started}"
        journal = Journal(self._scratch / f"{name}.journal", create=True)
        config |= {"journal": journal.path}
        child = self._launcher.start(role, config, self._scratch / f"{name}.output")
        self._writers[slot] = Writer(slot, child, journal)

    def _await_holder(self, lock: Path) -> int | None:
        """The slot whose writer is the next to hold this lock; None if none is for a while."""
        slots = {writer.child.pid: slot for slot, writer in self._writers.items()}
        deadline = time.monotonic() + HUNT_SECONDS
        while time.monotonic() < deadline:
            holder = lock_holder(lock)
            if holder in slots:
                return slots[holder]
        return None

    def _await_intent(self, writer: Writer) -> None:
        """Return as soon as the writer has begun another operation."""
        seen, deadline = writer.journal.intents, time.monotonic() + HUNT_SECONDS
        while writer.journal.intents == seen and time.monotonic() < deadline:
            pass

    def _kill(self, slot: int, mode: str) -> None:
        writer = self._writers.pop(slot)
        killed = writer.child.kill()
        if killed:
            self._tally.killed(mode)
        self._died(writer, mode if killed else "")
        self._bury(writer)

    def _died(self, writer: Writer, how: str) -> None:
        self.record.deaths.append((writer.slot, writer.born, monotonic_ns(), how))

    def _bury_the_dead(self, slots: Collection[int] | None = None) -> None:
        """Take note of writers that ended by themselves (in these slots only). Who found something
        wrong gets no successor in this round: what follows from the first violation says nothing
        new.
        """
        for slot, writer in list(self._writers.items()):
            if (slots is None or slot in slots) and not writer.child.alive():
                del self._writers[slot]
                self._died(writer, "")
                if self._bury(writer):
                    self._start(slot)

    def _complaints(
        self, writer: Writer, failures: Iterable[tuple[str, str, str]]
    ) -> list[Finding]:
        """What a dead writer had to complain of, and if it did not die by our hand."""
        findings = [Finding(*failure, writer.slot) for failure in failures]
        if writer.child.status not in {0, -signal.SIGKILL}:
            found = f"exit status {writer.child.status}: {tail(writer.child.output)}"
            findings.append(Finding("writer died", "a running writer", found, writer.slot))
        return findings

    def _see_that_all_get_on(self) -> None:
        """Every writer finishes one more operation, or it is stuck: a lock that nobody frees.

        Of one that ends by itself meanwhile its successor must. Who got on is left alone then:
        calls that are quick end more writers in a while than can be buried in it.
        """
        deadline = time.monotonic() + self._settings.stuck_seconds
        answers = {w.journal.path: w.journal.answers for w in self._writers.values()}
        waiting = set(self._writers)
        while True:
            self._stopping.check()
            self._progress.tick(self._tally)
            self._bury_the_dead(waiting)
            waiting = {
                slot
                for slot, writer in self._writers.items()
                if slot in waiting and writer.journal.answers <= answers.get(writer.journal.path, 0)
            }
            if not waiting:
                return
            if time.monotonic() > deadline:
                self.findings += [self._stuck(self._writers[slot]) for slot in sorted(waiting)]
                return
            time.sleep(TICK_SECONDS / 10)

    def _stuck(self, writer: Writer) -> Finding:
        """What a stuck writer is doing: its last record and where in the code it is."""
        records = list(writer.journal.records())
        last = f"last record {records[-1]}" if records else "the database is not even open"
        size = writer.child.output.stat().st_size
        writer.child.signal(signal.SIGUSR1)
        deadline = time.monotonic() + STACK_SECONDS
        while writer.child.output.stat().st_size == size and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        time.sleep(TICK_SECONDS)
        expected = f"an operation within {self._settings.stuck_seconds:g} s"
        slot = None if writer.slot == NOBODY else writer.slot
        return Finding("no progress", expected, f"{last}\n{tail(writer.child.output)}", slot)


def wait(seconds: float) -> None:
    """Wait, to the microsecond if it is short."""
    if seconds > BUSY_SECONDS:
        time.sleep(seconds)
        return
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def schedule(seed: int, deadline: float) -> Iterator[tuple[int, Random, float]]:
    """Number, generator and seconds of each round until the deadline; at least one."""
    number = 0
    while number == 0 or deadline - time.monotonic() > SHORTEST_ROUND_SECONDS / 4:
        number += 1
        rng = Random(f"{seed}/round {number}")
        seconds = rng.uniform(SHORTEST_ROUND_SECONDS, LONGEST_ROUND_SECONDS)
        yield number, rng, min(seconds, max(0.2, deadline - time.monotonic()))


def tail(path: Path, size: int = 4_000) -> str:
    """The end of what a child printed."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return text[-size:].strip() or "it printed nothing"
