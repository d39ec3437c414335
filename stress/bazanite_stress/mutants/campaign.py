"""All planted bugs, each in a process of its own, counted into one kill matrix.

A bug is tried with its own detectors, cheapest first, and if it survives with all the others.  A
bug that is documented as equivalent must be caught in a pair.  A bug that could not be planted, or
whose code never ran, is no result: the harness is broken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from .bug import LETTERS, Bug
from .planted import BUGS

VERDICTS = ("killed", "equivalent", "pending", "survived", "harness broken")
MOST_CALLS, MOST_SECTORS = 10, 3
"""What is left of a kill that was made small."""
_DEADLINE_SECONDS = 600
_STORING_SECONDS = 300
"""More, for each detector whose kill may have to be made small."""
_LOOKS = (600, 4000, None)
_CHILD = [sys.executable, "-m", "bazanite_stress.mutants.child"]


@dataclass(frozen=True, slots=True)
class Stored:
    """The replay file of a kill: how many calls it takes, and sectors (units) that are lost.

    Without a file, ``problem`` says why.
    """

    file: str = ""
    calls: int = 0
    sectors: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """A detector that saw the bug, in which of its ways, and what it took."""

    letter: str
    rule: str
    states: int
    seconds: float
    way: str = ""
    stored: Stored | None = None


@dataclass(slots=True)
class Result:
    """What became of one bug.  ``pair`` is the other bug with which it was planted, if any."""

    bug: Bug
    verdict: str
    kills: list[Kill] = field(default_factory=list)
    looked: dict[str, int] = field(default_factory=dict)
    pair: int | None = None
    seconds: float = 0.0
    error: str = ""


@dataclass(slots=True)
class Campaign:
    """Every result so far, by number."""

    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def numbers(self, verdict: str) -> list[int]:
        """The bugs with this verdict."""
        return [result.bug.number for result in self.results if result.verdict == verdict]

    @property
    def passed(self) -> bool:
        """Whether every bug was killed, or is accounted for."""
        wrong = self.numbers("survived") or self.numbers("harness broken")
        return bool(self.results) and not wrong and not self.interrupted

    @property
    def too_large(self) -> list[str]:
        """The files of kills of which more is left than there should be."""
        return [
            kill.stored.file
            for result in self.results
            for kill in result.kills
            if kill.stored is not None
            if kill.stored.calls > MOST_CALLS or kill.stored.sectors > MOST_SECTORS
        ]

    @property
    def states_to_kill_median(self) -> float | None:
        """Over all bugs that were killed, alone or in a pair."""
        states = [result.kills[0].states for result in self.results if result.kills]
        return median(states) if states else None

    def as_document(self) -> dict[str, Any]:
        """For ``--json``: how many, then which."""
        return {
            "planted": len(self.results),
            "killed": len(self.numbers("killed")),
            "equivalent": len(self.numbers("equivalent")),
            "pending": len(self.numbers("pending")),
            "equivalent_bugs": self.numbers("equivalent"),
            "pending_bugs": self.numbers("pending"),
            "survivors": [_name(r) for r in self.results if r.verdict == "survived"],
            "broken": [f"{_name(r)}: {r.error}" for r in self.results if r.error],
            "states_to_kill_median": self.states_to_kill_median,
            "too_large": self.too_large,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 2),
            "bugs": [_document(result) for result in self.results],
        }


def run(
    bugs: Iterable[Bug],
    jobs: int,
    on_result: Callable[[Result], None],
    *,
    every_detector: bool = False,
    out: Path | None = None,
) -> Campaign:
    """Plant and detect; ``on_result`` hears of each bug as it is done.  Ctrl-C ends it early.

    With ``out``, each kill is stored in this directory, for ``bazanite replay``.
    """
    campaign = Campaign()
    started = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(judge, bug, every_detector=every_detector, out=out) for bug in bugs]
        try:
            for future in futures:
                result = future.result()
                campaign.results.append(result)
                on_result(result)
        except KeyboardInterrupt:
            campaign.interrupted = True
            pool.shutdown(wait=False, cancel_futures=True)
    campaign.seconds = time.monotonic() - started
    return campaign


def judge(bug: Bug, *, every_detector: bool = False, out: Path | None = None) -> Result:
    """One bug: alone, and in pairs if it is equivalent alone."""
    rounds = _rounds(bug, every_detector)
    result = _attempt(bug, (bug.number,), rounds, not every_detector, out)
    if bug.pending and not result.kills:
        result.verdict, result.error = "pending", ""
    if result.verdict != "survived":
        return result
    if bug.equivalent:
        for other in bug.pairs:
            # by its own detectors only: the other bug's would see that one anyway
            pair_rounds = [(letter, look) for look in _LOOKS for letter in bug.detectors]
            together = _attempt(bug, (bug.number, other), pair_rounds, True, out)
            if together.verdict == "killed":
                together.verdict, together.pair = "equivalent", other
                return together
    return result


def selected(numbers: Iterable[int] | None) -> list[Bug]:
    """The bugs of these numbers, all without; KeyError names one that does not exist."""
    return list(BUGS.values()) if numbers is None else [BUGS[number] for number in numbers]


def _rounds(bug: Bug, every_detector: bool) -> list[tuple[str, int | None]]:
    """Detectors in their order, with how many states each may look at.

    Each looks a little before one looks at all it can.  Whatever its own do not see, the others
    may, unless it is known that something is missing.
    """
    if every_detector:
        return [(letter, None) for letter in LETTERS]
    known = bug.detectors + ("K" if "C" in bug.detectors else "")  # a death is an interleaving too
    own = sorted(set(known), key=LETTERS.index)
    others = [] if bug.pending else [letter for letter in LETTERS if letter not in own]
    looks = _LOOKS[:1] if bug.pending else _LOOKS[:2] if bug.equivalent else _LOOKS
    return [(letter, look) for look in looks for letters in (own, others) for letter in letters]


def _attempt(
    bug: Bug,
    numbers: tuple[int, ...],
    rounds: list[tuple[str, int | None]],
    stop: bool,
    out: Path | None,
) -> Result:
    request = {"bugs": numbers, "rounds": rounds, "stop": stop, "out": out and str(out)}
    kills = 0 if out is None else 1 if stop else 1 + len(rounds)
    deadline = _DEADLINE_SECONDS + kills * _STORING_SECONDS
    try:
        done = subprocess.run(
            [*_CHILD, json.dumps(request)],
            capture_output=True,
            text=True,
            timeout=deadline,
            check=False,
            env=os.environ | {"PYTHONHASHSEED": "0"},
        )
    except subprocess.TimeoutExpired:
        error = f"no verdict within {deadline} seconds"
        return Result(bug, "harness broken", error=error)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        error = f"exit status {done.returncode}: {done.stderr[-300:].strip()}"
        return Result(bug, "harness broken", error=error)
    result = Result(bug, "survived", looked=answer.get("looked", {}), seconds=answer["seconds"])
    for found in answer.get("findings", ()):
        stored = Stored(**found.pop("stored")) if "stored" in found else None
        result.kills.append(Kill(**found, stored=stored))
    result.error = answer.get("broken", "")
    if result.error:
        result.verdict = "harness broken"
    elif result.kills:
        result.verdict = "killed"
    return result


def _name(result: Result) -> str:
    return f"{result.bug.number} {result.bug.title}"


def _document(result: Result) -> dict[str, Any]:
    bug = result.bug
    return {
        "number": bug.number,
        "title": bug.title,
        "detectors": bug.detectors,
        "verdict": result.verdict,
        "pair": result.pair,
        "why": bug.equivalent or bug.pending if result.verdict in ("equivalent", "pending") else "",
        "kills": [
            {"by": k.letter, "way": k.way, "rule": k.rule, "states": k.states}
            | {"seconds": k.seconds}
            | ({"stored": asdict(k.stored)} if k.stored else {})
            for k in result.kills
        ],
        "looked": result.looked,
        "seconds": result.seconds,
        "error": result.error,
    }
