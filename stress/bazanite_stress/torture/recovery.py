"""Directories made, recovered and read in children; some of these are killed on the way."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from bazanite_stress.torture.judge import Finding, Snapshot
from bazanite_stress.torture.killer import short_time
from bazanite_stress.torture.lives import Crew, tail, wait

PREPARE_SECONDS = 120.0
# How many recoveries are killed on the way before one may finish.
KILLED_RECOVERIES = (0, 0, 1, 2)


def prepare(crew: Crew, role: str, config: Mapping[str, Any], scratch: Path) -> list[Finding]:
    """Make a directory, in a child in this role; what is wrong with that."""
    child = crew.launcher.start(role, config, scratch / "prepare.output")
    if not child.wait(PREPARE_SECONDS, crew.stopping.check):
        child.kill()
    if child.status == 0:
        return []
    found = f"exit status {child.status}: {tail(child.output)}"
    return [Finding("no new directory", "exit status 0", found)]


def kill_recoveries(
    crew: Crew, role: str, config: Mapping[str, Any], scratch: Path, rng: Random
) -> None:
    """Begin to recover, and be killed on the way, none to two times."""
    longest = 0.05 if crew.settings.start_method == "fork" else 0.3
    for attempt in range(rng.choice(KILLED_RECOVERIES)):
        answer = {"answer": scratch / "killed-recovery.answer"}
        output = scratch / f"killed-recovery-{attempt}.output"
        child = crew.launcher.start(role, {**config, **answer}, output)
        wait(short_time(rng, longest))
        if child.kill():
            crew.tally.killed("recovery")


def recover(crew: Crew, role: str, config: Mapping[str, Any], scratch: Path) -> Snapshot | Finding:
    """What a child in this role reads in the directory; a finding if it hangs or dies."""
    answer, output = scratch / "read.answer", scratch / "read.output"
    child = crew.launcher.start(role, {**config, "answer": answer}, output)
    crew.tally.recoveries += 1
    limit = crew.settings.recovery_seconds
    if not child.wait(limit, crew.stopping.check):
        child.kill()
        return Finding("recovery hangs", f"within {limit:g} s", tail(child.output))
    if child.status != 0:
        found = f"exit status {child.status}: {tail(child.output)}"
        return Finding("recovery died", "exit status 0", found)
    return read_answer(answer)


def read_answer(path: Path) -> Snapshot:
    """The snapshot that a child left."""
    # Written by our own child into our own directory.
    snapshot = pickle.loads(path.read_bytes())  # noqa: S301
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"{path}: not a snapshot")
    return snapshot
