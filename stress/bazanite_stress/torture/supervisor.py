"""A run: round after round on one data directory, each judged; a new directory after a violation.

The supervisor never opens the database. Preparing, writing, recovering and reading all happen in
children, so a crash, a hang or a lock left behind by the engine is a finding and not our own end.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from bazanite_stress.crowd.plans import missing
from bazanite_stress.crowd.record import Record
from bazanite_stress.crowd.rooms import Rooms
from bazanite_stress.torture.chronicle import LOCK, OWN_ROWS, PREPARING, Chronicle
from bazanite_stress.torture.effects import Operation
from bazanite_stress.torture.evidence import Evidence
from bazanite_stress.torture.judge import Finding, judge
from bazanite_stress.torture.lives import Crew, schedule, tail
from bazanite_stress.torture.lock_phase import measure_lock
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.own_run import OwnRun
from bazanite_stress.torture.processes import Child, Launcher
from bazanite_stress.torture.recovery import kill_recoveries, prepare, read_answer, recover
from bazanite_stress.torture.report import Progress, Tally
from bazanite_stress.torture.rounds import Round
from bazanite_stress.torture.settings import Settings
from bazanite_stress.torture.stopping import Stopping

POLL_SECONDS = 0.0005


def torture(settings: Settings, progress: Progress, chronicle: Chronicle | None = None) -> Tally:
    """Run it. Ctrl-C ends it early, with what is known so far. Nothing of ours runs afterwards, and
    no file is left unless there was a violation. The chronicle is what a report is made of.
    """
    tally = Tally(
        seed=settings.seed,
        engine=settings.engine,
        durability=_level_text(settings),
        start_method=settings.start_method,
        writers=settings.writers,
        readers=settings.readers if settings.crowded else 0,
        kills_wanted=settings.kills or 0,
        loaded=settings.loaded.source if settings.loaded else "",
        workload=settings.workload_reference,
        replay=settings.replay_command(),
    )
    if settings.start_method == "fork":
        # Forked children find the engine imported.
        import_module(settings.engine)
    work = Path(tempfile.mkdtemp(prefix="bazanite-torture-", dir=settings.parent)).resolve()
    chronicle = chronicle or Chronicle()
    chronicle.started(tally)
    begin = time.monotonic()
    launcher = Launcher(settings.start_method)
    try:
        with Stopping() as stopping:
            crew = Crew(settings, launcher, tally, progress, stopping, chronicle)
            run = Run(crew, work) if settings.workload is None else OwnRun(crew, work)
            run.rounds(settings.seconds)
    except KeyboardInterrupt:
        tally.interrupted = True
    finally:
        launcher.close()
        progress.done()
        tally.seconds = time.monotonic() - begin
        if tally.directory is None:
            shutil.rmtree(work, ignore_errors=True)
        else:
            for name in ("data", "template"):
                shutil.rmtree(work / name, ignore_errors=True)
    return tally


def _level_text(settings: Settings) -> str:
    if settings.engine != "bazanite":
        return "none"
    return settings.durability or "of all levels"


class Run:
    """The state of a run between its rounds."""

    def __init__(self, crew: Crew, work: Path) -> None:
        self._crew, self._settings, self._work = crew, crew.settings, work
        self._tally, self._stopping = crew.tally, crew.stopping
        self._evidence = Evidence(crew.tally, crew.progress)
        self._template, self._data = work / "template", work / "data"
        self._model: Model | None = None
        self._rooms = Rooms(crew, work, self._evidence)

    def rounds(self, seconds: float) -> None:
        """Prepare, then rounds for so long, or until enough were killed; at least one."""
        if not self._prepare() or not self._lock_is_right():
            return
        started, deadline = 0, time.monotonic() + seconds
        try:
            latest = deadline + self._settings.patience
            for number, rng, length in schedule(self._settings.seed, latest):
                late = time.monotonic() > deadline
                if late and number > 1 and not self._missing():
                    break
                if late or self._settings.is_crowd(number):
                    self._rooms.one(number, length, rng)
                else:
                    started = self._one_round(number, length, rng, started)
                self._crew.progress.tick(self._tally)
                enough = self._tally.kills >= (self._settings.kills or math.inf)
                if enough and not self._missing():
                    break
        finally:
            self._rooms.close()
            self._tally.moments_missing = self._missing()

    def _missing(self) -> dict[str, int]:
        """The moments that came too seldom so far."""
        if not self._settings.crowded:
            return {}
        return missing(self._tally.moments, no_space="no space" not in self._tally.not_done)

    def _prepare(self) -> bool:
        """Make the directory that every fresh start is a copy of, and see that it is as it says."""
        scratch = self._work / "prepare"
        scratch.mkdir()
        database = self._settings.database(self._template, {})
        config = database | {"rows": self._settings.rows()}
        findings = prepare(self._crew, "prepare", config, scratch)
        if not findings:
            model = Model.starting(self._settings.tables, self._settings.rows())
            findings = self._read_and_judge(database, scratch, model, [])
        self._evidence.report(0, findings)
        if findings:
            self._crew.chronicle.over(0, PREPARING, self._tally, Record(), findings)
            self._evidence.keep(scratch, self._template, findings)
        return not findings

    def _lock_is_right(self) -> bool:
        """Measure the lock, if this is a run with everything."""
        findings = measure_lock(self._crew, self._work) if self._settings.crowded else []
        self._evidence.report(0, findings)
        if findings:
            self._crew.chronicle.over(0, LOCK, self._tally, Record(), findings)
        return not findings

    def _one_round(self, number: int, seconds: float, rng: Random, started: int) -> int:
        if self._model is None:
            shutil.rmtree(self._data, ignore_errors=True)
            shutil.copytree(self._template, self._data)
            self._model = Model.starting(self._settings.tables, self._settings.rows())
        scratch = self._work / f"round-{number}"
        scratch.mkdir()
        options = self._settings.options(number)
        current = Round(
            self._crew,
            self._model,
            directory=self._data,
            options=options,
            scratch=scratch,
            rng=rng,
            started=started,
            durability=self._settings.level(number),
        )
        current.run(seconds)
        findings = current.findings
        in_flight = current.outcome.in_flight
        if current.outcome.witness is not None:
            findings += self._hear(current.outcome.witness, scratch, self._model, in_flight)
            # The witness has decided; what it saw must stay.
            in_flight = []
        self._evidence.copy_killed(self._data, scratch)
        database = self._settings.database(self._data, options, self._settings.level(number))
        kill_recoveries(self._crew, "read", database, scratch, rng)
        findings += self._read_and_judge(database, scratch, self._model, in_flight)
        self._tally.judged(wrong=bool(findings), options=options)
        self._evidence.report(number, findings)
        self._crew.chronicle.over(number, OWN_ROWS, self._tally, current.record, findings)
        if findings:
            self._evidence.keep(scratch, self._data, findings)
            # Model and database disagree from here on.
            self._model = None
        else:
            shutil.rmtree(scratch)
        self._crew.progress.tick(self._tally)
        return current.started

    def _read_and_judge(
        self, database: dict[str, Any], scratch: Path, model: Model, in_flight: list[Operation]
    ) -> list[Finding]:
        found = recover(self._crew, "read", database, scratch)
        return [found] if isinstance(found, Finding) else judge(model, in_flight, found)

    def _hear(
        self, witness: Child, scratch: Path, model: Model, in_flight: list[Operation]
    ) -> list[Finding]:
        """Let the survivor read, now that all writers are dead, and kill it where it stands."""
        answer, limit = scratch / "witness.answer", self._settings.recovery_seconds
        (scratch / "witness.go").touch()
        deadline = time.monotonic() + limit
        while not answer.exists() and witness.alive() and time.monotonic() < deadline:
            self._stopping.check()
            time.sleep(POLL_SECONDS)
        status = witness.status
        if witness.kill():
            self._tally.killed("witness")
        if answer.exists():
            return judge(model, in_flight, read_answer(answer))
        found = f"exit status {status}: {tail(witness.output)}"
        return [Finding("survivor hangs or dies", f"an answer within {limit:g} s", found)]
