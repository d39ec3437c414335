"""A run: round after round on one data directory, each judged; a new directory after a violation.

The supervisor never opens the database. Preparing, writing, recovering and reading all happen in
children, so a crash, a hang or a lock left behind by the engine is a finding and not our own end.
"""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from random import Random

from bazanite_stress.torture.effects import Operation
from bazanite_stress.torture.judge import Finding, Snapshot, judge
from bazanite_stress.torture.killer import short_time
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.processes import Child, Launcher
from bazanite_stress.torture.report import Progress, Tally, Violation
from bazanite_stress.torture.rounds import Round, tail, wait
from bazanite_stress.torture.settings import Settings
from bazanite_stress.torture.stopping import Stopping

SHORTEST_ROUND_SECONDS, LONGEST_ROUND_SECONDS = 1.0, 2.0
PREPARE_SECONDS = 120.0
POLL_SECONDS = 0.0005
# A killed directory up to this size is copied before it is reopened.
COPY_BYTES = 64 << 20
# So many rounds with violations keep their files.
KEPT_AT_MOST = 3
# How many recoveries are killed on the way before one may finish.
KILLED_RECOVERIES = (0, 0, 1, 2)


def torture(settings: Settings, progress: Progress) -> Tally:
    """Run it. Ctrl-C ends it early, with what is known so far. Nothing of ours runs afterwards, and
    no file is left unless there was a violation.
    """
    tally = Tally(
        seed=settings.seed,
        engine=settings.engine,
        durability=settings.durability if settings.engine == "bazanite" else "none",
        start_method=settings.start_method,
        writers=settings.writers,
        loaded=settings.loaded.source if settings.loaded else "",
        replay=settings.replay_command(),
    )
    if settings.start_method == "fork":
        # Forked children find the engine imported.
        import_module(settings.engine)
    work = Path(tempfile.mkdtemp(prefix="bazanite-torture-", dir=settings.parent)).resolve()
    begin = time.monotonic()
    launcher = Launcher(settings.start_method)
    try:
        with Stopping() as stopping:
            run = Run(settings, launcher, work, tally, progress, stopping)
            run.rounds(begin + settings.seconds)
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


def read_answer(path: Path) -> Snapshot:
    """The snapshot that a child left."""
    # Written by our own child into our own directory.
    snapshot = pickle.loads(path.read_bytes())  # noqa: S301
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"{path}: not a snapshot")
    return snapshot


class Run:
    """The state of a run between its rounds."""

    def __init__(
        self,
        settings: Settings,
        launcher: Launcher,
        work: Path,
        tally: Tally,
        progress: Progress,
        stopping: Stopping,
    ) -> None:
        self._settings, self._launcher, self._work = settings, launcher, work
        self._tally, self._progress, self._stopping = tally, progress, stopping
        self._template, self._data = work / "template", work / "data"
        self._model: Model | None = None
        self._kept = 0

    def rounds(self, deadline: float) -> None:
        """Prepare, then rounds until the deadline; at least one."""
        if not self._prepare():
            return
        number, started = 0, 0
        while number == 0 or deadline - time.monotonic() > SHORTEST_ROUND_SECONDS / 4:
            number += 1
            rng = Random(f"{self._settings.seed}/round {number}")
            seconds = rng.uniform(SHORTEST_ROUND_SECONDS, LONGEST_ROUND_SECONDS)
            seconds = min(seconds, max(0.2, deadline - time.monotonic()))
            started = self._one_round(number, seconds, rng, started)

    def _prepare(self) -> bool:
        """Make the directory that every fresh start is a copy of, and see that it is as it says."""
        scratch = self._work / "prepare"
        scratch.mkdir()
        config = self._config(self._template) | {"rows": self._settings.rows()}
        child = self._launcher.start("prepare", config, scratch / "prepare.output")
        if not child.wait(PREPARE_SECONDS, self._stopping.check):
            child.kill()
        if child.status == 0:
            model = Model.starting(self._settings.tables, self._settings.rows())
            findings = self._read_and_judge(self._template, scratch, model, [])
        else:
            found = f"exit status {child.status}: {tail(child.output)}"
            findings = [Finding("no new directory", "exit status 0", found)]
        self._report(0, findings)
        if findings:
            self._keep(scratch, self._template, findings)
        return not findings

    def _one_round(self, number: int, seconds: float, rng: Random, started: int) -> int:
        if self._model is None:
            shutil.rmtree(self._data, ignore_errors=True)
            shutil.copytree(self._template, self._data)
            self._model = Model.starting(self._settings.tables, self._settings.rows())
        scratch = self._work / f"round-{number}"
        scratch.mkdir()
        current = Round(
            self._settings,
            self._launcher,
            self._model,
            directory=self._data,
            scratch=scratch,
            rng=rng,
            started=started,
            tally=self._tally,
            progress=self._progress,
            stopping=self._stopping,
        )
        current.run(seconds)
        findings = current.outcome.findings
        in_flight = current.outcome.in_flight
        if current.outcome.witness is not None:
            findings += self._hear(current.outcome.witness, scratch, self._model, in_flight)
            # The witness has decided; what it saw must stay.
            in_flight = []
        if sum(path.stat().st_size for path in self._data.iterdir()) < COPY_BYTES:
            shutil.copytree(self._data, scratch / "killed")
        self._kill_recoveries(scratch, rng)
        findings += self._read_and_judge(self._data, scratch, self._model, in_flight)
        self._tally.rounds += 1
        self._tally.rounds_with_violations += bool(findings)
        self._report(number, findings)
        if findings:
            self._keep(scratch, self._data, findings)
            # Model and database disagree from here on.
            self._model = None
        else:
            shutil.rmtree(scratch)
        self._progress.tick(self._tally)
        return current.started

    def _config(self, directory: Path) -> dict[str, object]:
        settings = self._settings
        return {
            "engine": settings.engine,
            "durability": settings.durability,
            "tables": settings.tables,
            "directory": directory,
        }

    def _kill_recoveries(self, scratch: Path, rng: Random) -> None:
        """Begin to recover, and be killed on the way, none to two times."""
        longest = 0.05 if self._settings.start_method == "fork" else 0.3
        for attempt in range(rng.choice(KILLED_RECOVERIES)):
            config = self._config(self._data) | {"answer": scratch / "killed-recovery.answer"}
            output = scratch / f"killed-recovery-{attempt}.output"
            child = self._launcher.start("read", config, output)
            wait(short_time(rng, longest))
            if child.kill():
                self._tally.killed("recovery")

    def _read_and_judge(
        self, directory: Path, scratch: Path, model: Model, in_flight: list[Operation]
    ) -> list[Finding]:
        answer = scratch / "read.answer"
        config = self._config(directory) | {"answer": answer}
        child = self._launcher.start("read", config, scratch / "read.output")
        self._tally.recoveries += 1
        limit = self._settings.recovery_seconds
        if not child.wait(limit, self._stopping.check):
            child.kill()
            expected = f"within {limit:g} s"
            return [Finding("recovery hangs", expected, tail(child.output))]
        if child.status != 0:
            found = f"exit status {child.status}: {tail(child.output)}"
            return [Finding("recovery died", "exit status 0", found)]
        return judge(model, in_flight, read_answer(answer))

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

    def _report(self, number: int, findings: list[Finding]) -> None:
        for finding in findings:
            self._tally.add(
                Violation(finding.what, finding.expected, finding.found, number, finding.worker)
            )

    def _keep(self, scratch: Path, directory: Path, findings: list[Finding]) -> None:
        """Keep journals, outputs, and the directory both as killed and as recovered."""
        self._kept += 1
        if self._kept > KEPT_AT_MOST:
            shutil.rmtree(scratch)
            return
        shutil.copytree(directory, scratch / "recovered")
        listing = [asdict(finding) for finding in findings]
        (scratch / "violations.json").write_text(json.dumps(listing, indent=2), encoding="utf-8")
        if self._tally.directory is None:
            self._tally.directory = scratch
            self._progress.tell(f"violation: {findings[0].what}; kept in {scratch}")
