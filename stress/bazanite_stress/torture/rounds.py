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
from bazanite_stress.torture.killer import Strike, short_time
from bazanite_stress.torture.lives import NOBODY, TICK_SECONDS, Crew, Lives, Writer, wait
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.processes import Child
from bazanite_stress.torture.schema import Key

# In which part of the rounds a survivor reads, before the directory is recovered and read again.
WITNESSED = 0.6
OPERATIONS_AT_MOST = 1_000_000


@dataclass(slots=True)
class Outcome:
    """What a round leaves for the judge."""

    in_flight: list[Operation] = field(default_factory=list)
    witness: Child | None = None


class Round(Lives):
    """One round on one directory, in which all writers are: the model tells them what is theirs."""

    def __init__(
        self,
        crew: Crew,
        model: Model,
        *,
        directory: Path,
        options: dict[str, bool],
        scratch: Path,
        rng: Random,
        started: int,
        durability: str = "full",
    ) -> None:
        super().__init__(crew, scratch=scratch, rng=rng, started=started)
        self._model, self._directory = model, directory
        self._database = self._settings.database(directory, options, durability)
        self._frozen: set[tuple[str, Key]] = set()
        self.outcome = Outcome()

    def _start(self, slot: int) -> None:
        start = self.started + 1
        writers, rng = self._settings.writers, self._rng
        config = self._database | {
            "seed": f"{self._settings.seed}/{start}",
            "slot": slot,
            "start": start,
            "writers": writers,
            "limit": OPERATIONS_AT_MOST,
            "own": self._model.share(slot, writers, self._frozen, rng),
        }
        self._launch(slot, "write", config)

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
        slot = self._await_holder(self._directory / ".lock")
        return strike if slot is None else Strike("holder", (slot,), strike.delay_seconds)

    def _bury(self, writer: Writer) -> bool:
        """Read a dead writer's journal into the model."""
        history = read_history(writer.journal.records())
        writer.journal.close()
        for operation, ids in history.acknowledged:
            self._model.apply(operation, ids)
        self._tally.operations += len(history.acknowledged)
        self._tally.commits += history.commits
        commits = self.record.commits
        commits[writer.slot] = commits.get(writer.slot, 0) + history.commits
        if history.in_flight:
            self._tally.in_flight += 1
            self._frozen.update(history.in_flight.touched())
            self.outcome.in_flight.append(history.in_flight)
        findings = self._complaints(writer, history.failures)
        self.findings += findings
        return not findings

    def _before_the_end(self) -> None:
        if self._rng.random() < WITNESSED:
            self.outcome.witness = self._start_witness()

    def _start_witness(self) -> Child | None:
        """A reader that has the database open before the last writer dies: it takes over from the
        dead, where whoever opens the directory later recovers it.
        """
        journal = Journal(self._scratch / "witness.journal", create=True)
        config = self._database | {
            "answer": self._scratch / "witness.answer",
            "journal": journal.path,
            "go": self._scratch / "witness.go",
        }
        child = self._launcher.start("witness", config, self._scratch / "witness.output")
        deadline = time.monotonic() + self._settings.stuck_seconds
        while not journal.written and child.alive():
            self._stopping.check()
            if time.monotonic() > deadline:
                self.findings.append(self._stuck(Writer(NOBODY, child, journal)))
                child.kill()
            time.sleep(TICK_SECONDS / 10)
        journal.close()
        return child
