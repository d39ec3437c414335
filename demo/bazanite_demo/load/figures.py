"""What is counted and measured while clients and killer work; for all threads."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .verdict import Problem

KEPT_AT_MOST = 200


@dataclass(slots=True)
class Figures:
    """Plain counts; times are of ``time.monotonic``, latencies in seconds."""

    connections: int = 0
    broken: int = 0
    conflicts: int = 0
    checks: int = 0
    whole: int = 0
    check_seconds: float = 0.0
    error_count: int = 0
    errors: list[str] = field(default_factory=list)
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    _answers: list[float] = field(default_factory=list)
    _deaths_felt: set[int] = field(default_factory=set)
    _busy: Counter[tuple[int, bool]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connected(self) -> None:
        """A connection was asked for."""
        with self._lock:
            self.connections += 1

    def answered(self, seconds: float, when: float, *, writing: bool) -> None:
        """A request was."""
        with self._lock:
            (self.writes if writing else self.reads).append(seconds)
            self._answers.append(when)

    def broke(self, death: int) -> None:
        """A request was not answered, as its worker had died: the so many-th to do so."""
        with self._lock:
            self.broken += 1
            self._deaths_felt.add(death)

    def conflicted(self) -> None:
        """Two people edited the same."""
        with self._lock:
            self.conflicts += 1

    def killed(self, when: float) -> None:
        """A worker was."""
        with self._lock:
            self.kills.append(when)

    def error(self, text: str) -> None:
        """Something failed that nothing excuses; the first ones are kept word for word."""
        with self._lock:
            self.error_count += 1
            if len(self.errors) < KEPT_AT_MOST:
                self.errors.append(text)

    def checked(self, problems: Sequence[Problem], seconds: float) -> None:
        """The data was looked at."""
        with self._lock:
            self.checks += 1
            self.whole += not problems
            self.check_seconds += seconds
        self.found(problems)

    def found(self, problems: Iterable[Problem]) -> None:
        """These are wrong with the data; each is told once, however often it is found.

        The first ones are kept word for word; of later ones it is not known whether they are new.
        """
        with self._lock:
            for problem in problems:
                if problem in self.problems:
                    continue
                self.problem_count += 1
                self.kinds[problem.kind] += 1
                if len(self.problems) < KEPT_AT_MOST:
                    self.problems.append(problem)

    @property
    def kills_felt(self) -> int:
        """How many workers died with a request of somebody's."""
        with self._lock:
            return len(self._deaths_felt)

    @contextmanager
    def busy(self, pid: int, *, writing: bool) -> Iterator[None]:
        """While a request is with this worker."""
        with self._lock:
            self._busy[pid, writing] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[pid, writing] -= 1

    def busy_ones(self, workers: Iterable[int]) -> set[int]:
        """Those of the workers that have a form to save; if none has, those with any request."""
        with self._lock:
            for writing in (True, False):
                found = {pid for pid in workers if self._busy[pid, writing]}
                if found:
                    return found
        return set()

    def longest_silence_seconds(self) -> float:
        """After a kill, until anybody had an answer again."""
        answers = sorted(self._answers)
        longest = 0.0
        for kill in self.kills:
            place = bisect_right(answers, kill)
            if place < len(answers):
                longest = max(longest, answers[place] - kill)
        return longest


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """A list that has the seconds of the block when it is left."""
    seconds: list[float] = []
    start = time.monotonic()
    try:
        yield seconds
    finally:
        seconds.append(time.monotonic() - start)
