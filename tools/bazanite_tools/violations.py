"""What the commands that look for violations have in common: progress, and what becomes of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from bazanite_stress.concurrency import campaign as simulated
from bazanite_stress.concurrency.tasks import Part as SimulatedPart
from bazanite_stress.explore import campaign as explored
from bazanite_stress.explore.explorer import Violation
from bazanite_stress.explore.keep import Kept, keep_first
from bazanite_stress.explore.minimise import Progress as Shrinking
from bazanite_stress.explore.report import describe_violation
from bazanite_stress.explore.story import rows_table, story
from bazanite_stress.explore.tasks import Part as ExploredPart

from .output import USAGE, CommandError, plural
from .progress import Progress

C = TypeVar("C", explored.Campaign, simulated.Campaign)
Part = ExploredPart | SimulatedPart

_MOST = 100_000_000


def store_or_show(violations: list[Violation], directory: Path | None) -> list[Kept]:
    """Make the first of each rule small and store them; without a directory, tell of some."""
    if directory is not None and violations:
        return _store(violations, directory)
    for violation in violations[:3]:
        print(f"\n{describe_violation(violation)}", file=sys.stderr)
    if violations:
        print("\nWith --out DIR they are made small and stored, for bazanite replay.",
              file=sys.stderr)  # fmt: skip
    return []


def _store(violations: list[Violation], directory: Path) -> list[Kept]:
    """Keep the first violations of each rule, and say where each is.  Ctrl-C ends it early."""
    stored: list[Kept] = []
    tty = sys.stderr.isatty()

    def shrinking(now: Shrinking) -> None:
        if tty:
            line = f"making violation {len(stored) + 1} small: {now.calls} calls, {now.lost} lost"
            sys.stderr.write(f"\r\x1b[K{line}, {now.states:,} disks")
            sys.stderr.flush()

    def cannot(violation: Violation, problem: str) -> None:
        print(f"\n{describe_violation(violation)}\nnot stored: {problem}", file=sys.stderr)

    keeping = keep_first(violations, directory, on_progress=shrinking, on_problem=cannot)
    try:
        for kept in keeping:
            stored.append(kept)
            print("\r\x1b[K" if tty else "", file=sys.stderr)
            print(_kept_text(kept), file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted: not all violations are stored", file=sys.stderr)
    except OSError as error:
        raise CommandError(f"--out {directory}: {error}", USAGE) from error
    return stored


def _kept_text(kept: Kept) -> str:
    violation = kept.replay.violation
    parts = (story(violation), describe_violation(violation, rows=False), rows_table(violation))
    return "\n\n".join([*parts, f"bazanite replay {kept.file}\npytest {kept.test}"])


def at_least_one(text: str) -> int:
    """For argparse: a number from 1 on."""
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"must be a number from 1 on, not {text!r}")
    return int(text)


def jobs(text: str) -> int:
    """For argparse: a number of processes."""
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 256, not {text!r}")
    return int(text)


def make_directory(path: Path, option: str = "--out") -> None:
    """Make what the option names, before the work whose result it is to take."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{option} {path}: {error.strerror}", USAGE) from error
    if not os.access(path, os.W_OK):
        raise CommandError(f"{option} {path}: no permission to write there", USAGE)


class Watch(Generic[C]):
    """How far a campaign is, in a line; ``what`` says how much it has seen."""

    def __init__(self, what: Callable[[C], str]) -> None:
        self._what: Callable[[C], str] = what
        self._campaign: C | None = None
        self.progress = Progress(self._line)

    def part_done(self, campaign: C, part: Part) -> None:
        """Another task is finished; one that found something is told of at once."""
        self._campaign = campaign
        if part.violations:
            self.progress.now()

    def _line(self, seconds: float) -> str:
        campaign = self._campaign
        if campaign is None:
            return f"{seconds:6.1f} s  no task is finished yet"
        done = len(campaign.parts)
        left = campaign.seconds / done * campaign.planned - seconds
        return (
            f"{seconds:6.1f} s  {done} of {campaign.planned} tasks  {self._what(campaign)}"
            f"  {plural(len(campaign.violations), 'violation')}  about {max(left, 0):.0f} s left"
        )
