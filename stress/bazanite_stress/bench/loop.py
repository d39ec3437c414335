"""Repeating one operation, and how long each took.

*Closed loop*: the next one begins when the last one has ended.  *Open loop*: each has an intended
start, so many a second, whatever became of the ones before; its latency counts from there.  So one
slow operation shows in all that had to wait for it (no coordinated omission).
"""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass, field
from typing import Protocol

SECOND = 1_000_000_000
_PATIENCE = 3
"""A loop ends after so many times its seconds, preparations and backlog included."""


class Clock(Protocol):
    """Nanoseconds, the same for all processes of the machine."""

    def now(self) -> int:
        """The time."""
        ...

    def sleep_until(self, moment: int) -> None:
        """Return at that time or a little later; at once if it is past."""
        ...


class RealClock:
    """``perf_counter_ns``, which all processes share on Linux."""

    now = staticmethod(time.perf_counter_ns)

    def sleep_until(self, moment: int) -> None:
        left = moment - time.perf_counter_ns()
        if left > 0:
            time.sleep(left / SECOND)


class Operation(Protocol):
    """What is repeated: ``prepare`` is not timed, ``step`` is."""

    prepares: bool

    def prepare(self) -> None:
        """What has to be there before a step, if ``prepares``."""
        ...

    def step(self) -> None:
        """The operation."""
        ...


@dataclass(slots=True)
class Timing:
    """``latencies`` in nanoseconds, in order; ``elapsed_ns`` from the first step's start to the
    last one's end, without preparations.  ``missed``: intended and not begun in time; each of them
    is among the latencies with the time that it had waited by then, which is the least it can be.
    """

    latencies: array[int] = field(default_factory=lambda: array("q"))
    elapsed_ns: int = 0
    missed: int = 0

    @property
    def done(self) -> int:
        """How many operations were carried out."""
        return len(self.latencies) - self.missed


def closed_loop(operation: Operation, begin: int, seconds: float, clock: Clock) -> Timing:
    """Repeat it for so long, at least once; the one under way at the end is finished and counts."""
    timing = Timing()
    now, step, note = clock.now, operation.step, timing.latencies.append
    window = int(seconds * SECOND)
    clock.sleep_until(begin)
    if not operation.prepares:
        first = before = now()
        end = first + window
        while before < end:
            step()
            after = now()
            note(after - before)
            before = now()
        timing.elapsed_ns = before - first
        return timing
    first = now()
    while not timing.done or (timing.elapsed_ns < window and now() - first < _PATIENCE * window):
        operation.prepare()
        before = now()
        step()
        took = now() - before
        note(took)
        timing.elapsed_ns += took
    return timing


@dataclass(frozen=True, slots=True)
class Rhythm:
    """One of ``parts`` loops that together begin ``rate`` operations a second, in turn."""

    rate: float
    part: int = 0
    parts: int = 1

    def intended(self, number: int) -> int:
        """When this loop's operation of that number is to begin, in ns from the beginning."""
        return int((number * self.parts + self.part) * SECOND / self.rate)


def open_loop(
    operation: Operation, begin: int, seconds: float, rhythm: Rhythm, clock: Clock
) -> Timing:
    """Begin an operation at each intended moment of so long, or as soon as the last one is over.

    Who is behind may take three times as long to catch up; what is not begun by then is missed.
    """
    timing = Timing()
    window = int(seconds * SECOND)
    give_up = begin + _PATIENCE * window
    number = 0
    last = begin
    while (offset := rhythm.intended(number)) < window:
        if operation.prepares:
            operation.prepare()
        clock.sleep_until(begin + offset)
        if clock.now() >= give_up:
            break
        operation.step()
        last = clock.now()
        timing.latencies.append(last - begin - offset)
        number += 1
    # Until the end of the window at least: who keeps up has the rate that was asked for.
    timing.elapsed_ns = max(last, begin + window) - begin
    while (offset := rhythm.intended(number)) < window:
        timing.latencies.append(max(give_up, last) - begin - offset)
        timing.missed += 1
        number += 1
    return timing
