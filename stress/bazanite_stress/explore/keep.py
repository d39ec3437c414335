"""Keeping violations: made small, then stored as a replay file and as a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .again import OtherSteps, identical, kind_of, rule_of
from .as_test import test_source
from .explorer import Violation
from .minimise import Bounds, Progress, minimise
from .replay import Replay, record, write_replay, write_whole

FIRST = 2
"""Violations kept of one rule and kind."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a violation is stored, and what it came down to."""

    replay: Replay
    file: Path
    test: Path


def keep(
    violation: Violation,
    directory: Path,
    name: str,
    *,
    bugs: tuple[int, ...] = (),
    bounds: Bounds | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> Kept:
    """Minimise and store as NAME.json and test_NAME.py in this directory.

    In the process in which it was found: with planted bugs, theirs.  OSError if it cannot be
    written, OtherSteps if it does not happen again.
    """
    recorded = record(minimise(violation, bounds, on_progress), bugs)
    return store(recorded, directory, name)


def store(recorded: Replay, directory: Path, name: str) -> Kept:
    """Write both files."""
    directory.mkdir(parents=True, exist_ok=True)
    kept = Kept(recorded, directory / f"{name}.json", directory / f"test_{name}.py")
    write_replay(kept.file, recorded)
    write_whole(kept.test, test_source(recorded, name))
    return kept


def keep_first(
    violations: Iterable[Violation],
    directory: Path,
    *,
    bounds: Bounds | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    on_problem: Callable[[Violation, str], None] = lambda _violation, _problem: None,
) -> Iterator[Kept]:
    """Keep the first few violations of each rule; those that come down to the same once.

    ``on_problem`` hears of those that cannot be repeated, and why.
    """
    counts: dict[tuple[str, str], int] = {}
    known: list[Violation] = []
    names: set[str] = set()
    for violation in violations:
        key = (rule_of(violation), kind_of(violation))
        counts[key] = counts.get(key, 0) + 1
        if counts[key] > FIRST:
            continue
        try:
            recorded = record(minimise(violation, bounds, on_progress))
        except (OtherSteps, ValueError) as error:
            on_problem(violation, str(error))
            continue
        if any(identical(recorded.violation, other) for other in known):
            continue
        known.append(recorded.violation)
        yield store(recorded, directory, _name(violation, names))


def _name(violation: Violation, taken: set[str]) -> str:
    """A name for files and tests, not taken yet."""
    words = re.findall("[a-z0-9]+", f"{violation.workload.name} {violation.profile}".lower())
    name, number = "_".join(words)[:60], 1
    while f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"
