"""What a run says: a line a second while it goes on, then a table or one JSON document."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from bazanite_stress.shares import at

from .book import Book, Write
from .figures import Figures

SHOWN = 5
"""Errors and problems in the table; the JSON document has up to 200 of each."""
_COLUMNS = 80
_NO_BREAK = "\xa0"


@dataclass(slots=True)
class Result:
    """What a run was asked, and what came of it."""

    seed: int
    address: str
    clients: int
    workers: int
    kills_wanted: int
    figures: Figures = field(default_factory=Figures)
    book: Book = field(default_factory=Book)
    seconds: float = 0.0
    interrupted: bool = False
    directory: Path | None = None
    exit_status: int | None = None
    """Of the server, when it was told to stop; None: it was not ours, or not stopped."""
    compared: bool = False
    """Whether all that is stored was held against all that was sent, in the end."""
    stored_unseen: int = 0
    """Writes in doubt that no client has seen, and that are there in the end."""

    @property
    def verdict(self) -> str:
        """It is "nothing lost" only if there was something to lose, and every look was made."""
        figures = self.figures
        if figures.problem_count:
            kinds = sorted(figures.kinds.items())
            return "LOST: " + ", ".join(f"{count} {kind}" for kind, count in kinds)
        if figures.error_count:
            return "errors"
        if not self.compared or not self._of("acknowledged"):
            return "not measured"
        kills = len(figures.kills)
        if self.kills_wanted and (
            not kills or (kills < self.kills_wanted and not self.interrupted)
        ):
            return "not measured"
        return "nothing lost"

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict == "nothing lost"

    @property
    def status(self) -> int:
        """The exit status; 130 also if it was interrupted before anything could be measured."""
        if self.interrupted and self.verdict in ("nothing lost", "not measured"):
            return 130
        return 0 if self.fine else 1

    @property
    def document(self) -> dict[str, Any]:
        """All figures, as for JSON."""
        figures, acknowledged = self.figures, self._of("acknowledged")
        seen = [write for write in acknowledged if write.was_doubtful]
        return {
            "verdict": self.verdict,
            "interrupted": self.interrupted,
            "seed": self.seed,
            "address": self.address,
            "clients": self.clients,
            "workers": self.workers,
            "seconds": round(self.seconds, 2),
            "kills_wanted": self.kills_wanted,
            "kills": len(figures.kills),
            "kills_that_broke_a_request": figures.kills_felt,
            "requests": len(figures.reads) + len(figures.writes) + figures.broken,
            "requests_broken": figures.broken,
            "connections": figures.connections,
            "errors": figures.error_count,
            "first_errors": figures.errors,
            "acknowledged": len(acknowledged) - len(seen),
            "acknowledged_by_kind": dict(
                sorted(Counter(w.kind for w in acknowledged if not w.was_doubtful).items())
            ),
            "doubtful": len(seen) + len(self._of("doubtful")),
            "doubtful_stored": len(seen) + self.stored_unseen,
            "conflicts": figures.conflicts,
            "commits_per_second": self._per_second(len(acknowledged)),
            "requests_per_second": self._per_second(len(figures.reads) + len(figures.writes)),
            "read_ms": _latencies(figures.reads),
            "write_ms": _latencies(figures.writes),
            "longest_silence_ms": round(1000 * figures.longest_silence_seconds()),
            "checks": figures.checks,
            "checks_whole": figures.whole,
            "check_ms": round(1000 * figures.check_seconds / max(1, figures.checks)),
            "compared": self.compared,
            "problems": figures.problem_count,
            "first_problems": [asdict(problem) for problem in figures.problems],
            "server_exit_status": self.exit_status,
            "directory": str(self.directory) if self.directory else None,
        }

    def _of(self, state: str) -> list[Write]:
        return [write for write in self.book.writes() if write.state == state]

    def _per_second(self, count: int) -> float:
        return round(count / self.seconds, 1) if self.seconds else 0.0


class Progress:
    """On a terminal one line that changes, elsewhere a line each time; a second apart.

    Of kills and the looks after them it tells unless nobody is to be killed.
    """

    def __init__(self, stream: TextIO = sys.stderr, *, kills: bool = True) -> None:
        self._stream = stream
        self._kills = kills
        self._tty = stream.isatty()
        self._next = time.monotonic() + 1.0

    def tell(self, line: str) -> None:
        """A line that stays."""
        self._write(f"{line}\n")

    def tick(self, seconds: float, figures: Figures) -> None:
        """How it goes, if it is time to tell."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1.0
        kills = f"  kills {len(figures.kills)}  whole {figures.whole} of {figures.checks}"
        self._write(
            f"{seconds:6.1f} s{kills if self._kills else ''}"
            f"  requests {len(figures.reads) + len(figures.writes)}  broken {figures.broken}"
            f"  errors {figures.error_count}  wrong {figures.problem_count}"
            + ("" if self._tty else "\n")
        )

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}" if self._tty else text)
        self._stream.flush()


def as_json(result: Result) -> str:
    """The one document that stdout carries with --json."""
    return json.dumps(result.document, indent=2)


def as_table(result: Result) -> str:
    """The same for people."""
    of, figures = result.document, result.figures
    kinds = ", ".join(
        f"{count} {kind}{'s' * (count != 1)}".replace(" ", _NO_BREAK)
        for kind, count in of["acknowledged_by_kind"].items()
    )
    stopped = of["server_exit_status"]
    requests = (
        f"{of['requests']}, {of['requests_per_second']} a second; {of['requests_broken']}"
        f" broken by a kill; {of['connections']} connections"
    )
    rows = [
        ("verdict", of["verdict"] + (" (interrupted)" if result.interrupted else "")),
        ("seed", str(of["seed"])),
        ("load", f"{of['clients']} clients, {_workers(result)}, {of['seconds']:.1f} s"),
        ("kills", f"{of['kills']}, of which {of['kills_that_broke_a_request']} broke a request"),
        (
            "data looked at",
            f"{of['checks']} times, whole {of['checks_whole']} times, {of['check_ms']} ms each",
        ),
        ("requests", requests),
        ("errors", f"{of['errors']} besides"),
        ("acknowledged", f"{of['acknowledged']} writes{_found(result)} ({kinds})"),
        (
            "in doubt",
            f"{of['doubtful']} writes without an answer, {of['doubtful_stored']} of them stored",
        ),
        ("conflicts", f"{of['conflicts']}, and saved again"),
        ("commits a second", f"{of['commits_per_second']}"),
        ("reads", _latency_text(of["read_ms"])),
        ("writes", _latency_text(of["write_ms"])),
        ("silence", f"at most {of['longest_silence_ms']} ms from a kill to anybody's next answer"),
        *([("server", f"exit status {stopped} when told to stop")] if stopped is not None else []),
        *([("kept", str(result.directory))] if result.directory else []),
    ]
    lines = [
        textwrap.fill(f"{name:<18}{text}", _COLUMNS, subsequent_indent=" " * 18).replace(
            _NO_BREAK, " "
        )
        for name, text in rows
    ]
    lines += _first("wrong", [str(problem) for problem in figures.problems], figures.problem_count)
    lines += _first("errors", figures.errors, figures.error_count)
    return "\n".join(lines)


def _workers(result: Result) -> str:
    return f"{result.workers} workers" if result.workers else result.address


def _found(result: Result) -> str:
    return ", all found" if result.compared and not result.figures.problem_count else ""


def _latencies(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(1000 * at(ordered, 0.50), 1),
        "p95": round(1000 * at(ordered, 0.95), 1),
        "p99": round(1000 * at(ordered, 0.99), 1),
        "max": round(1000 * max(seconds, default=0.0), 1),
        "count": len(seconds),
    }


def _latency_text(of: dict[str, float]) -> str:
    return (
        f"{of['count']} answered: p50 {of['p50']} ms, p95 {of['p95']} ms, p99 {of['p99']} ms,"
        f" longest {of['max']} ms"
    )


def _first(name: str, texts: Sequence[str], count: int) -> list[str]:
    if not count:
        return []
    shown = [f"  {text if len(text) <= 400 else text[:400] + '...'}" for text in texts[:SHOWN]]
    more = [f"  and {count - len(shown)} more"] * (count > len(shown))
    return ["", f"{name}:", *shown, *more]
