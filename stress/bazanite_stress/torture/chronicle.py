"""What a run keeps for its report, however long it is: a few counters, and three rounds at most.

Time is cut into slices, whose width doubles when there are too many; latencies are counted in
buckets that are 1.25 times as wide from one to the next.  Of the rounds themselves the last one is
kept, the last one on shared rows, and the first one in which something was wrong.  ``listen`` hears
of each round as it ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from time import monotonic_ns
from typing import Any

from bazanite_stress.crowd.record import Record
from bazanite_stress.history.events import READS, Event
from bazanite_stress.torture.effects import slot_of
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.report import VIOLATIONS_AT_MOST, Tally

OWN_ROWS, SHARED_ROWS, SMALL_DISK = "own rows", "shared rows", "small disk"
OWN_WORKLOAD, PREPARING, LOCK = "own workload", "preparing", "measuring the lock"
COMMITS, READING, WAITING = "calls that commit", "calls that read", "waiting for the commit before"

SLICES_AT_MOST = 480
BUCKET_RATIO = 1.25
_LEAST_NS = 1_000
_BUCKETS = 120
"""Enough for more than an hour."""
_NS = 1_000_000_000
_KINDS_AT_MOST = VIOLATIONS_AT_MOST

_COUNTED = ("kills", "commits", "operations", "recoveries", "in_flight", "violation_count")


class Slices:
    """Counts by time since the start, in slices of one second at first."""

    def __init__(self) -> None:
        self.width_seconds = 1
        self.counts: list[float] = [0.0]

    def add(self, seconds: float, count: float = 1) -> None:
        """Count something that happened then."""
        place = int(max(0.0, seconds)) // self.width_seconds
        while place >= SLICES_AT_MOST:
            pairs = [*self.counts, 0.0]
            self.counts = [sum(pairs[i : i + 2]) for i in range(0, len(self.counts), 2)]
            self.width_seconds *= 2
            place //= 2
        self.counts += [0.0] * (place + 1 - len(self.counts))
        self.counts[place] += count

    def spread(self, start: float, end: float, count: float) -> None:
        """Count so many that happened between two times, nobody knows when."""
        steps = max(1, math.ceil((end - start) / self.width_seconds * 4))
        for step in range(steps):
            self.add(start + (step + 0.5) * (end - start) / steps, count / steps)


class Histogram:
    """How long things took."""

    def __init__(self) -> None:
        self.counts = [0] * _BUCKETS
        self.longest_ns = 0

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def add(self, nanoseconds: int) -> None:
        """One more."""
        place = 0
        if nanoseconds > _LEAST_NS:
            place = min(_BUCKETS - 1, int(math.log(nanoseconds / _LEAST_NS, BUCKET_RATIO)))
        self.counts[place] += 1
        self.longest_ns = max(self.longest_ns, nanoseconds)

    def quantile_ns(self, share: float) -> float:
        """Within so long this part of them was over; to the width of a bucket. 0.0 of none."""
        left = share * self.total
        for place, count in enumerate(self.counts):
            left -= count
            if count and left <= 0:
                return min(upper_ns(place), float(self.longest_ns))
        return 0.0


def upper_ns(place: int) -> float:
    """Where this bucket of a histogram ends."""
    return float(_LEAST_NS * BUCKET_RATIO ** (place + 1))


@dataclass(slots=True)
class Slot:
    """What all processes that were started in one place did."""

    processes: int = 0
    commits: int = 0
    kills: int = 0


@dataclass(slots=True)
class Kind:
    """All rounds of one kind, added up."""

    rounds: int = 0
    wrong: int = 0
    seconds: float = 0.0
    kills: int = 0
    commits: int = 0
    operations: int = 0
    recoveries: int = 0
    in_flight: int = 0
    violation_count: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One round as it was."""

    number: int
    kind: str
    wrong: bool
    record: Record


def nobody(_: dict[str, Any]) -> None:
    """Hears of everything, tells nothing."""


@dataclass(slots=True)
class Chronicle:
    """See the module's text."""

    listen: Callable[[dict[str, Any]], None] = nobody
    began: int = field(default_factory=monotonic_ns)
    slices: Slices = field(default_factory=Slices)
    kinds: dict[str, Kind] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)
    latencies: dict[str, Histogram] = field(default_factory=dict)
    handovers: int = 0
    """Commits that followed, in the log, on one by another process."""
    last: Sample | None = None
    last_of_shared_rows: Sample | None = None
    first_wrong: Sample | None = None
    kind_of: dict[int, str] = field(default_factory=dict)
    """Of rounds with violations, the first ones."""
    _before: dict[str, int] = field(default_factory=dict)

    def started(self, tally: Tally) -> None:
        """The run begins."""
        self.began = monotonic_ns()
        names = ("seed", "engine", "durability", "start_method", "writers", "readers", "workload")
        named = {name: getattr(tally, name) for name in (*names, "loaded", "replay")}
        self.listen({"event": "start", **named})

    def over(
        self, number: int, kind: str, tally: Tally, record: Record, findings: Sequence[Finding]
    ) -> None:
        """A round is over, judged, and counted in the tally."""
        now = {name: getattr(tally, name) for name in _COUNTED}
        figures = {name: count - self._before.get(name, 0) for name, count in now.items()}
        self._before = now
        seconds = (record.ended - record.began) / _NS
        total = self.kinds.setdefault(kind, Kind())
        total.rounds += 1
        total.wrong += bool(findings)
        total.seconds += seconds
        for name, count in figures.items():
            setattr(total, name, getattr(total, name) + count)
        self._count(record)
        self._keep(Sample(number, kind, bool(findings), record))
        for finding in findings:
            self.listen({"event": "violation", "round": number, "kind": kind, **asdict(finding)})
        figures["violations"] = figures.pop("violation_count")
        at = (record.began - self.began) / _NS
        times = {"at_seconds": round(at, 3), "seconds": round(seconds, 3)}
        self.listen({"event": "round", "round": number, "kind": kind, **times, **figures})

    def ended(self, document: dict[str, Any]) -> None:
        """The run is over; this is what came out."""
        self.listen({"event": "end", **document})

    def _keep(self, sample: Sample) -> None:
        self.last = sample
        if sample.record.events:
            self.last_of_shared_rows = sample
        if sample.wrong:
            if len(self.kind_of) < _KINDS_AT_MOST:
                self.kind_of[sample.number] = sample.kind
            self.first_wrong = self.first_wrong or sample

    def _count(self, record: Record) -> None:
        for slot, _, _, how in record.deaths:
            self._slot(slot).processes += 1
            self._slot(slot).kills += bool(how)
        for slot, count in record.commits.items():
            self._slot(slot).commits += count
        if record.commits:
            began, ended = ((at - self.began) / _NS for at in (record.began, record.ended))
            self.slices.spread(began, ended, sum(record.commits.values()))
        for event in record.events:
            if event.commits:
                self._slot(slot_of(event.who)).commits += 1
                self.slices.add((event.end - self.began) / _NS)
                self._took(COMMITS, event.end - event.start)
            elif event.known and event.step[0] in READS:
                self._took(READING, event.end - event.start)
        for before, after in handovers(record.events):
            self.handovers += 1
            self._took(WAITING, waited_ns(before, after))

    def _slot(self, number: int) -> Slot:
        return self.slots.setdefault(number, Slot())

    def _took(self, what: str, nanoseconds: int) -> None:
        self.latencies.setdefault(what, Histogram()).add(nanoseconds)


def handovers(events: Sequence[Event]) -> list[tuple[Event, Event]]:
    """Commits that follow on each other in the log, of different processes: between the two, the
    lock went from the one to the other.  Of calls that changed nothing the position is not theirs.
    """
    order: dict[int, Event] = {}
    for event in events:
        if event.commits and event.lsn is not None:
            first = order.get(event.lsn)
            if first is None or event.end < first.end:
                order[event.lsn] = event
    commits = [order[lsn] for lsn in sorted(order)]
    return [(one, other) for one, other in pairwise(commits) if one.who != other.who]


def waited_ns(before: Event, after: Event) -> int:
    """For how long a call had begun while the one that committed just before it had not ended: as
    much of its wait for the lock as can be seen from outside.
    """
    return max(0, min(before.end, after.end) - max(before.start, after.start))
