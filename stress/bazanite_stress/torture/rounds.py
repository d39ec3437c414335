"""One round: writers at work, kills, successors; at its end everybody is dead.

What a dead writer had acknowledged goes into the model at once. What it had in flight is kept for
the judge, and the rows concerned rest until then: no successor gets them.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bazanite_stress.torture.effects import Operation
from bazanite_stress.torture.history import read_history
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.killer import Strike, lock_holder, pause, plan_strike, short_time
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.processes import Child, Launcher
from bazanite_stress.torture.report import Progress, Tally
from bazanite_stress.torture.schema import Key
from bazanite_stress.torture.settings import Settings
from bazanite_stress.torture.stopping import Stopping

# How long an attack waits for its victim's next intent before it strikes anyway.
HUNT_SECONDS = 0.02
# Below this a wait is a busy one: the kernel wakes a sleeper too late.
BUSY_SECONDS = 0.002
TICK_SECONDS = 0.003
# In which part of the rounds a survivor reads, before the directory is recovered and read again.
WITNESSED = 0.6
NOBODY = -1
OPERATIONS_AT_MOST = 1_000_000
STACK_SECONDS = 2.0


@dataclass(slots=True)
class Writer:
    """A running writer and its journal."""

    slot: int
    child: Child
    journal: Journal


@dataclass(slots=True)
class Outcome:
    """What a round leaves for the judge."""

    in_flight: list[Operation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    witness: Child | None = None


class Round:
    """One round on one directory. `scratch` takes journals and outputs; `started` counts the
    writers of the whole run, since tokens must differ.
    """

    def __init__(
        self,
        settings: Settings,
        launcher: Launcher,
        model: Model,
        *,
        directory: Path,
        scratch: Path,
        rng: Random,
        started: int,
        tally: Tally,
        progress: Progress,
        stopping: Stopping,
    ) -> None:
        self._settings, self._launcher, self._model = settings, launcher, model
        self._directory, self._scratch, self._rng = directory, scratch, rng
        self._tally, self._progress, self._stopping = tally, progress, stopping
        self._writers: dict[int, Writer] = {}
        self._frozen: set[tuple[str, Key]] = set()
        self.started = started
        self.outcome = Outcome()

    def run(self, seconds: float) -> None:
        """Let writers work and kill some for so long; then see that all get on, and kill all."""
        begin = time.monotonic()
        for slot in range(self._settings.writers):
            self._start(slot)
        strike_at = begin + pause(self._rng)
        while self._writers and (now := time.monotonic()) < begin + seconds:
            self._stopping.check()
            self._progress.tick(self._tally)
            self._bury_the_dead()
            if now >= strike_at and self._writers:
                self._strike(plan_strike(self._rng, list(self._writers)))
                strike_at = time.monotonic() + pause(self._rng)
            time.sleep(min(TICK_SECONDS, max(0.0, strike_at - time.monotonic())))
        self._see_that_all_get_on()
        if self._rng.random() < WITNESSED:
            self.outcome.witness = self._start_witness()
        for slot in self._rng.sample(list(self._writers), len(self._writers)):
            self._kill(slot, "end of round")
        self._tally.writing_seconds += time.monotonic() - begin

    def _start(self, slot: int) -> None:
        self.started += 1
        name = f"writer-{slot}-{self.started}"
        journal = Journal(self._scratch / f"{name}.journal", create=True)
        writers, rng = self._settings.writers, self._rng
        config = {
            "engine": self._settings.engine,
            "durability": self._settings.durability,
            "tables": self._settings.tables,
            "directory": self._directory,
            "journal": journal.path,
            "seed": f"{self._settings.seed}/{self.started}",
            "slot": slot,
            "start": self.started,
            "writers": writers,
            "limit": OPERATIONS_AT_MOST,
            "own": self._model.share(slot, writers, self._frozen, rng),
        }
        child = self._launcher.start("write", config, self._scratch / f"{name}.output")
        self._writers[slot] = Writer(slot, child, journal)

    def _strike(self, strike: Strike) -> None:
        if strike.mode == "holder":
            strike = self._aim_at_the_holder(strike)
        first = self._writers[strike.victims[0]]
        if strike.mode == "stopped":
            self._await_intent(first)
            first.child.signal(signal.SIGSTOP)
            time.sleep(strike.delay_seconds)
        else:
            if strike.mode != "holder":
                self._await_intent(first)
            wait(strike.delay_seconds)
        # All signals first: the victims of one attack die at one moment.
        for slot in strike.victims:
            self._writers[slot].child.signal(signal.SIGKILL)
        for slot in strike.victims:
            self._kill(slot, strike.mode)
        if strike.mode == "everyone":
            self._tally.recoveries += 1
        for slot in strike.victims:
            self._start(slot)
        if strike.mode == "newborn":
            wait(short_time(self._rng))
            self._kill(strike.victims[0], strike.mode)
            self._start(strike.victims[0])

    def _aim_at_the_holder(self, strike: Strike) -> Strike:
        """Make the writer that holds the global lock the victim, whatever it is about to do."""
        slots = {writer.child.pid: slot for slot, writer in self._writers.items()}
        deadline = time.monotonic() + HUNT_SECONDS
        while time.monotonic() < deadline:
            holder = lock_holder(self._directory / ".lock")
            if holder in slots:
                return Strike("holder", (slots[holder],), strike.delay_seconds)
        return strike

    def _await_intent(self, writer: Writer) -> None:
        """Return as soon as the writer has begun another operation."""
        seen, deadline = writer.journal.intents, time.monotonic() + HUNT_SECONDS
        while writer.journal.intents == seen and time.monotonic() < deadline:
            pass

    def _kill(self, slot: int, mode: str) -> None:
        writer = self._writers.pop(slot)
        if writer.child.kill():
            self._tally.killed(mode)
        self._bury(writer)

    def _bury_the_dead(self) -> None:
        """Take note of writers that ended by themselves. Who found something wrong gets no
        successor in this round: what follows from the first violation says nothing new.
        """
        for slot, writer in list(self._writers.items()):
            if not writer.child.alive():
                del self._writers[slot]
                if self._bury(writer):
                    self._start(slot)

    def _bury(self, writer: Writer) -> bool:
        """Read a dead writer's journal into the model; True if it ended as it should."""
        history = read_history(writer.journal.records())
        writer.journal.close()
        for operation, ids in history.acknowledged:
            self._model.apply(operation, ids)
        self._tally.operations += len(history.acknowledged)
        self._tally.commits += history.commits
        if history.in_flight:
            self._tally.in_flight += 1
            self._frozen.update(history.in_flight.touched())
            self.outcome.in_flight.append(history.in_flight)
        findings = [Finding(*failure, writer.slot) for failure in history.failures]
        if writer.child.status not in {0, -signal.SIGKILL}:
            found = f"exit status {writer.child.status}: {tail(writer.child.output)}"
            findings.append(Finding("writer died", "a running writer", found, writer.slot))
        self.outcome.findings += findings
        return not findings

    def _start_witness(self) -> Child | None:
        """A reader that has the database open before the last writer dies: it takes over from the
        dead, where whoever opens the directory later recovers it.
        """
        journal = Journal(self._scratch / "witness.journal", create=True)
        config = {
            "engine": self._settings.engine,
            "durability": self._settings.durability,
            "tables": self._settings.tables,
            "directory": self._directory,
            "answer": self._scratch / "witness.answer",
            "journal": journal.path,
            "go": self._scratch / "witness.go",
        }
        child = self._launcher.start("witness", config, self._scratch / "witness.output")
        deadline = time.monotonic() + self._settings.stuck_seconds
        while not journal.written and child.alive():
            self._stopping.check()
            if time.monotonic() > deadline:
                self.outcome.findings.append(self._stuck(Writer(NOBODY, child, journal)))
                child.kill()
            time.sleep(TICK_SECONDS / 10)
        journal.close()
        return child

    def _see_that_all_get_on(self) -> None:
        """Every writer finishes one more operation, or it is stuck: a lock that nobody frees."""
        deadline = time.monotonic() + self._settings.stuck_seconds
        answers = {slot: writer.journal.answers for slot, writer in self._writers.items()}
        while self._writers:
            self._stopping.check()
            self._progress.tick(self._tally)
            self._bury_the_dead()
            waiting = [
                writer
                for slot, writer in self._writers.items()
                if writer.journal.answers <= answers.setdefault(slot, 0)
            ]
            if not waiting:
                return
            if time.monotonic() > deadline:
                for writer in waiting:
                    self.outcome.findings.append(self._stuck(writer))
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


def tail(path: Path, size: int = 4_000) -> str:
    """The end of what a child printed."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return text[-size:].strip() or "it printed nothing"
