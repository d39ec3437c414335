"""A run with a workload of one's own: each writer repeats the steps in a directory to itself; after
each kill the directory is recovered and judged, and the next writer goes on from there.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bazanite_stress.crowd.record import Record
from bazanite_stress.explore.model import Model
from bazanite_stress.explore.runner import setup_model
from bazanite_stress.explore.workload import Workload, calls
from bazanite_stress.torture.chronicle import OWN_WORKLOAD, PREPARING
from bazanite_stress.torture.evidence import Evidence
from bazanite_stress.torture.history import Pairs, read_pairs
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.killer import Strike, short_time
from bazanite_stress.torture.lives import Crew, Lives, Writer, schedule, wait
from bazanite_stress.torture.own_judge import Judgement, judge
from bazanite_stress.torture.recovery import kill_recoveries, prepare, read_answer, recover

# Of more rows the verdict after each kill would take longer than what it judges.
ROWS_AT_MOST = 2_000
# A writer that nobody kills ends after so many calls: so its journal is judged soon.
CALLS_AT_MOST = 2_000
# In which part of the recoveries nobody closes the directory: the next writer has to recover too.
LEFT_OPEN = 0.5


class WorkloadRefused(ValueError):
    """The engine does not open a directory with the workload's options."""


@dataclass(slots=True)
class Place:
    """One writer's directory: what is in it, and the call with which its next writer begins."""

    directory: Path
    model: Model
    first: int = 0
    wrong: bool = False

    @property
    def spent(self) -> bool:
        """Whether a new one is to take its place."""
        rows = sum(len(table.rows) for table in self.model.tables.values())
        return self.wrong or rows > ROWS_AT_MOST


class OwnRun:
    """The state of a run between its rounds."""

    def __init__(self, crew: Crew, work: Path) -> None:
        assert crew.settings.workload is not None
        self._crew, self._workload, self._work = crew, crew.settings.workload, work
        self._template, self._data = work / "template", work / "data"
        self._evidence = Evidence(crew.tally, crew.progress)
        self._places: dict[int, Place] = {}

    def rounds(self, seconds: float) -> None:
        """Set up, then rounds for so long; at least one."""
        if not self._set_up():
            return
        started, tally, deadline = 0, self._crew.tally, time.monotonic() + seconds
        for number, rng, length in schedule(self._crew.settings.seed, deadline):
            for slot in range(self._crew.settings.writers):
                if slot not in self._places or self._places[slot].spent:
                    self._places[slot] = self._new_place(slot)
            scratch = self._work / f"round-{number}"
            scratch.mkdir()
            current = OwnRound(
                self._crew, self._places, self._evidence, scratch=scratch, rng=rng, started=started
            )
            current.run(length)
            started = current.started
            tally.judged(wrong=bool(current.findings), options=self._workload.options)
            self._evidence.report(number, current.findings)
            self._crew.chronicle.over(number, OWN_WORKLOAD, tally, current.record, current.findings)
            if not current.findings:
                shutil.rmtree(scratch)
            self._crew.progress.tick(tally)

    def _set_up(self) -> bool:
        """Make the directory that every fresh start is a copy of, and see that it is as it says."""
        scratch = self._work / "prepare"
        scratch.mkdir()
        config = config_of(self._crew, self._template)
        answer = scratch / "prepare.answer"
        findings = prepare(self._crew, "set up", {**config, "answer": answer}, scratch)
        if not findings:
            for error in read_answer(answer).errors:
                raise WorkloadRefused(error)
            model = setup_model(self._workload)
            findings = recover_and_judge(self._crew, config, scratch, (model, 0), Pairs()).findings
        self._evidence.report(0, findings)
        if findings:
            self._crew.chronicle.over(0, PREPARING, self._crew.tally, Record(), findings)
            self._evidence.keep(scratch, self._template, findings)
        return not findings

    def _new_place(self, slot: int) -> Place:
        directory = self._data / str(slot)
        shutil.rmtree(directory, ignore_errors=True)
        self._data.mkdir(exist_ok=True)
        if self._workload.setup is not None:
            shutil.copytree(self._template, directory)
        return Place(directory, setup_model(self._workload))


class OwnRound(Lives):
    """One round: kills, verdicts and successors, each in its own place."""

    modes = ("writer", "holder", "newborn")

    def __init__(
        self,
        crew: Crew,
        places: dict[int, Place],
        evidence: Evidence,
        *,
        scratch: Path,
        rng: Random,
        started: int,
    ) -> None:
        super().__init__(crew, scratch=scratch, rng=rng, started=started)
        self._crew, self._places, self._evidence = crew, places, evidence

    def _start(self, slot: int) -> None:
        place = self._places[slot]
        config = config_of(self._crew, place.directory)
        config |= {"first": place.first, "limit": CALLS_AT_MOST}
        self._launch(slot, "repeat", config)

    def _strike(self, strike: Strike) -> None:
        slot = strike.victims[0]
        if strike.mode == "holder":
            self._await_holder(self._places[slot].directory / ".lock")
        else:
            self._await_intent(self._writers[slot])
        wait(strike.delay_seconds)
        self._kill(slot, strike.mode)
        if not self._places[slot].wrong:
            self._start(slot)
            if strike.mode == "newborn":
                wait(short_time(self._rng))
                self._kill(slot, strike.mode)
                if not self._places[slot].wrong:
                    self._start(slot)

    def _bury(self, writer: Writer) -> bool:
        """Recover what a dead writer left, and judge it."""
        place, tally = self._places[writer.slot], self._tally
        scratch = self._scratch / writer.journal.path.stem
        scratch.mkdir()
        pairs = read_pairs(writer.journal.records())
        writer.journal.close()
        for path in (writer.journal.path, writer.child.output):
            if path.exists():  # the second is not if it was killed before it could print
                path.rename(scratch / path.name)
        if place.directory.exists():
            self._evidence.copy_killed(place.directory, scratch)
        config = config_of(self._crew, place.directory)
        config["leave"] = self._rng.random() < LEFT_OPEN
        kill_recoveries(self._crew, "look", config, scratch, self._rng)
        start = (place.model, place.first)
        judgement = recover_and_judge(self._crew, config, scratch, start, pairs)
        tally.operations += len(pairs.answered)
        tally.commits += judgement.commits
        commits = self.record.commits
        commits[writer.slot] = commits.get(writer.slot, 0) + judgement.commits
        tally.in_flight += pairs.in_flight is not None
        findings = self._complaints(writer, pairs.failures)
        findings += [
            Finding(finding.what, finding.expected, finding.found, writer.slot)
            for finding in judgement.findings
        ]
        self.findings += findings
        # One that was stuck is found before it is killed.
        findings = [finding for finding in self.findings if finding.worker == writer.slot]
        place.model, place.first = judgement.model, judgement.next_call
        place.wrong = bool(findings)
        if findings:
            self._evidence.keep(scratch, place.directory, findings)
        else:
            shutil.rmtree(scratch)
        return not findings


def config_of(crew: Crew, directory: Path) -> dict[str, Any]:
    """What every child is told."""
    return {
        "workload": crew.settings.workload,
        "durability": crew.settings.durability or "full",
        "directory": directory,
        "leave": False,
    }


def recover_and_judge(
    crew: Crew, config: dict[str, Any], scratch: Path, start: tuple[Model, int], pairs: Pairs
) -> Judgement:
    """The verdict on a directory in which a writer began with `start` and left this journal."""
    workload: Workload = config["workload"]
    found = recover(crew, "look", config, scratch)
    if isinstance(found, Finding):
        return Judgement([found], *start)
    return judge(list(calls(workload.steps)), *start, pairs, found)
