"""`bazanite torture` for a few seconds: kills, verified recovery; and that it would tell.

All of it runs the command in a process of its own, as a user does. The verdict does not depend on
the moments that are met: a correct engine survives every one of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bazanite_stress.torture.history import read_history
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.judge import judge
from bazanite_stress.torture.load import fill
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.processes import Child, Launcher
from bazanite_stress.torture.report import Progress
from bazanite_stress.torture.schema import FIXED_TABLES, first_rows
from bazanite_stress.torture.settings import Settings
from bazanite_stress.torture.supervisor import torture

COMMAND = [sys.executable, "-m", "bazanite_tools", "torture"]
DEADLINE_SECONDS = 100


def run(*options: str, directory: Path) -> subprocess.CompletedProcess[str]:
    arguments = [*COMMAND, "--dir", str(directory), "--writers", "4", *options]
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_no_kill_loses_what_was_acknowledged(
    start_method: str, durability: str, tmp_path: Path
) -> None:
    options = ["--crowd", "0", "--seconds", "2.5", "--seed", "1", "--json", "--no-load"]
    options += ["--start-method", start_method, "--durability", durability]
    done = run(*options, directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("seed 1\n")
    document = json.loads(done.stdout)
    assert document["verdict"] == "survived"
    assert document["violations"] == 0
    assert document["kills"] >= 4
    assert document["operations"] > 0
    assert document["directory"] is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "checksums, pages, durability", [(1, 0, "full"), (0.5, 1, "full"), (1, 1, "normal")]
)
def test_no_kill_loses_anything_with_checksums_or_whole_pages(
    checksums: float, pages: float, durability: str, tmp_path: Path
) -> None:
    options = ["--checksums", str(checksums), "--whole-pages", str(pages)]
    options += ["--durability", durability, "--seconds", "4", "--json", "--no-load", "--seed", "2"]
    options += ["--crowd", "0"]
    done = run(*options, directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert (document["verdict"], document["violations"]) == ("survived", 0)
    rounds = document["rounds"]
    assert document["rounds_with_whole_pages"] == rounds * pages
    if checksums == 1:
        assert document["rounds_with_checksums"] == rounds
    assert document["kills"] >= 4
    assert f"--checksums {checksums:g} --whole-pages {pages:g}" in document["replay"]


def test_real_rows_are_loaded_and_survive(tmp_path: Path) -> None:
    path = tmp_path / "planets.csv"
    lines = [f"planet {n},{n * 7},{'rings ' * 40}" for n in range(100)]
    path.write_text("Name,Radius (km),Notes\n" + "\n".join(lines), encoding="utf-8")
    parent = tmp_path / "parent"
    parent.mkdir()
    done = run("--seconds", "1", "--crowd", "0", "--load", str(path), directory=parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "planets.csv" in done.stdout
    assert "survived" in done.stdout


def test_the_same_harness_shows_what_bazoola_loses(tmp_path: Path) -> None:
    pytest.importorskip("bazoola")
    done = run("--engine", "bazoola", "--seconds", "5", "--json", directory=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"]) == (1, "lost")
    assert document["violations"]
    kept = Path(document["directory"])
    assert json.loads((kept / "violations.json").read_text())
    assert (kept / "killed" / "accounts.dat").is_file()
    assert (kept / "recovered" / "accounts.dat").is_file()
    assert "replay  bazanite torture --seed" in done.stderr


@pytest.mark.parametrize("engine", ["bazanite", "bazoola"])
def test_without_kills_even_bazoola_survives(engine: str, tmp_path: Path) -> None:
    """The control: what the harness finds is the kills' doing and not its own."""
    pytest.importorskip(engine)
    table, rows = fill("things", {"name": [f"thing {n}" for n in range(40)]})
    tables = (*FIXED_TABLES, table)
    first = first_rows(2) | {"things": rows}
    model = Model.starting(tables, first)
    base: dict[str, Any] = {"engine": engine, "tables": tables, "durability": "full"}
    base |= {"directory": tmp_path / "data", "options": {}}
    if engine == "bazanite":
        base["options"] = {"checksums": True, "powersafe_overwrite": False}
    launcher = Launcher("spawn")

    def start(role: str, **config: Any) -> Child:
        return launcher.start(role, base | config, tmp_path / f"{role}-{config.get('slot')}.output")

    try:
        prepared = start("prepare", rows=first)
        assert prepared.wait(DEADLINE_SECONDS)
        journals = [Journal(tmp_path / f"{slot}.journal", create=True) for slot in range(2)]
        writers = [
            start(
                "write",
                slot=slot,
                start=slot,
                writers=2,
                limit=300,
                seed=f"{slot}",
                journal=journal.path,
                own=model.share(slot, 2, set(), Random(1)),
            )
            for slot, journal in enumerate(journals)
        ]
        for writer, journal in zip(writers, journals, strict=True):
            assert writer.wait(DEADLINE_SECONDS)
            history = read_history(journal.records())
            journal.close()
            assert history.failures == []
            assert len(history.acknowledged) == 300
            for operation, ids in history.acknowledged:
                model.apply(operation, ids)
        reader = start("read", answer=tmp_path / "answer")
        assert reader.wait(DEADLINE_SECONDS)
    finally:
        launcher.close()
    assert judge(model, [], pickle.loads((tmp_path / "answer").read_bytes())) == []


def test_writers_that_get_nowhere_are_a_violation(tmp_path: Path) -> None:
    """Somebody holds the global lock for good: no writer can even open the database."""
    parent = tmp_path / "parent"
    parent.mkdir()
    settings = Settings(
        seed=1,
        seconds=0.2,
        writers=2,
        crowd=0,
        start_method="spawn",
        parent=parent,
        stuck_seconds=4.0,  # time enough to start, however busy the machine is
        recovery_seconds=4.0,  # likewise
    )
    locks: list[int] = []

    class LockedOnceItIsThere(Progress):
        """Takes the lock of the run's directory as soon as the first round begins."""

        def tick(self, _: object) -> None:
            for path in parent.glob("*/data/.lock"):
                if not locks:
                    locks.append(os.open(path, os.O_RDWR))
                    fcntl.flock(locks[0], fcntl.LOCK_EX)

    tally = torture(settings, LockedOnceItIsThere())
    for lock in locks:
        os.close(lock)
    stuck = [violation for violation in tally.violations if violation.what == "no progress"]
    assert {violation.worker for violation in stuck} >= {0, 1}
    assert "Current thread" in stuck[0].found
    assert tally.verdict == "lost"


def begun(directory: Path) -> None:
    """Wait until the first writer has a journal."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not list(directory.glob("*/round-*/*.journal")):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_prints_what_it_knows_and_cleans_up(
    number: signal.Signals, tmp_path: Path
) -> None:
    arguments = [*COMMAND, "--dir", str(tmp_path), "--seconds", "1000", "--no-load", "--crowd", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        begun(tmp_path)
        process.send_signal(number)
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert b"(interrupted)" in output, errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_children_die_with_the_supervisor(start_method: str, tmp_path: Path) -> None:
    """A pipe that supervisor and children hold open ends when the last of them is gone."""
    reading, writing = os.pipe()
    arguments = [*COMMAND, "--dir", str(tmp_path), "--seconds", "1000", "--no-load", "--crowd", "0"]
    arguments += ["--start-method", start_method]
    with subprocess.Popen(
        arguments, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        os.close(writing)
        begun(tmp_path)
        process.kill()
    # Blocks while anybody is left; pytest's own deadline ends it then.
    assert os.read(reading, 1) == b""
    os.close(reading)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--load", "absent.csv"], id="no such file"),
        pytest.param(["--load", "a.csv", "--no-load"], id="contradiction"),
        pytest.param(["--writers", "0"], id="no writers"),
        pytest.param(["--seconds", "-1"], id="no time"),
        pytest.param(["--engine", "sqlite"], id="no such engine"),
        pytest.param(["--checksums", "1.5"], id="more than all rounds"),
        pytest.param(["--whole-pages", "nan"], id="no share of the rounds"),
        pytest.param(["--checksums", "0", "--engine", "bazoola"], id="Bazoola has no checksums"),
    ],
)
def test_wrong_usage_is_told_and_nothing_runs(options: list[str], tmp_path: Path) -> None:
    done = run(*options, directory=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = run(directory=tmp_path / "absent")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"bazanite torture: --dir {tmp_path}/absent: no such directory\n"
    assert list(tmp_path.iterdir()) == []
