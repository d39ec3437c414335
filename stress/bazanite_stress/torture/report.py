"""What a run says: progress on stderr while it runs, then a table or one JSON document."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from bazanite_stress.crowd.plans import ENOUGH_HITS

VIOLATIONS_AT_MOST = 200
_COLUMNS = 80
_NO_BREAK = "\xa0"


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding and when it was made; `worker` is the slot of the writer concerned, if any."""

    what: str
    expected: str
    found: str
    round: int
    worker: int | None


@dataclass(slots=True)
class Tally:
    """The figures of a run, counted as it goes."""

    seed: int
    engine: str
    durability: str
    start_method: str
    writers: int
    readers: int = 0
    loaded: str = ""
    workload: str = ""
    replay: str = ""
    seconds: float = 0.0
    writing_seconds: float = 0.0
    rounds: int = 0
    rounds_with_violations: int = 0
    rounds_with_checksums: int = 0
    rounds_with_whole_pages: int = 0
    kills: int = 0
    kills_by_mode: dict[str, int] = field(default_factory=dict)
    moments: dict[str, int] = field(default_factory=dict)
    moments_missing: dict[str, int] = field(default_factory=dict)
    not_done: dict[str, str] = field(default_factory=dict)
    kills_wanted: int = 0
    fairness_min_max: float | None = None
    wait_max_ms: float | None = None
    takeover_p99_ms: float | None = None
    recoveries: int = 0
    backups: int = 0
    operations: int = 0
    commits: int = 0
    in_flight: int = 0
    windows: int = 0
    interrupted: bool = False
    violations: list[Violation] = field(default_factory=list)
    violation_count: int = 0
    directory: Path | None = None

    @property
    def verdict(self) -> str:
        """It survived only if enough was killed, at each moment, and nothing was wrong."""
        if self.violation_count:
            return "lost"
        measured = self.kills and self.operations and self.rounds and not self.moments_missing
        return "survived" if measured and self.kills >= self.kills_wanted else "not measured"

    @property
    def commits_per_second(self) -> float:
        """Acknowledged commits a second of the time in which writers ran."""
        return round(self.commits / self.writing_seconds, 1) if self.writing_seconds else 0.0

    @property
    def kills_per_second(self) -> float:
        """Of the whole run: each is judged."""
        return round(self.kills / self.seconds, 1) if self.seconds else 0.0

    def add(self, violation: Violation) -> None:
        """One more violation; only the first ones are kept word for word."""
        self.violation_count += 1
        if len(self.violations) < VIOLATIONS_AT_MOST:
            self.violations.append(violation)

    def judged(self, *, wrong: bool, options: Mapping[str, object]) -> None:
        """One more round is over, in which the directory was opened with these options."""
        self.rounds += 1
        self.rounds_with_violations += wrong
        self.rounds_with_checksums += options.get("checksums") is True
        self.rounds_with_whole_pages += options.get("powersafe_overwrite") is False

    def killed(self, mode: str) -> None:
        """One more process died of our SIGKILL."""
        self.kills += 1
        self.kills_by_mode[mode] = self.kills_by_mode.get(mode, 0) + 1


class Progress:
    """Progress on a stream: one line rewritten every second on a terminal, else a line at times."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._tty = stream.isatty()
        self._every = 1.0 if self._tty else 5.0
        self._started = time.monotonic()
        self._next = self._started + self._every

    def tell(self, line: str) -> None:
        """A line of its own."""
        self._stream.write(f"\r\x1b[K{line}\n" if self._tty else f"{line}\n")
        self._stream.flush()

    def tick(self, tally: Tally) -> None:
        """Tell how it goes, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        line = (
            f"{now - self._started:6.1f} s  rounds {tally.rounds}  kills {tally.kills}"
            f"  commits/s {tally.commits_per_second:.0f}  recoveries {tally.recoveries}"
            f"  violations {tally.violation_count}"
        )
        self._stream.write(f"\r\x1b[K{line}" if self._tty else f"{line}\n")
        self._stream.flush()

    def done(self) -> None:
        """Leave the terminal's line."""
        if self._tty:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def as_json(tally: Tally) -> str:
    """The one document that stdout carries with --json."""
    return json.dumps(as_document(tally), indent=2)


def as_document(tally: Tally) -> dict[str, Any]:
    """All figures of the run."""
    return {
        **asdict(tally),
        "verdict": tally.verdict,
        "violations": tally.violation_count,
        "first_violations": [asdict(violation) for violation in tally.violations],
        "seconds": round(tally.seconds, 2),
        "writing_seconds": round(tally.writing_seconds, 2),
        "commits_per_second": tally.commits_per_second,
        "kills_per_second": tally.kills_per_second,
        "directory": str(tally.directory) if tally.directory else None,
    }


def as_table(tally: Tally) -> str:
    """The same for people."""
    modes, moments = _counts(tally.kills_by_mode), _counts(tally.moments)
    durability = f", durability {tally.durability}" if tally.durability else ""
    rows = [
        ("verdict", tally.verdict + (" (interrupted)" if tally.interrupted else "")),
        ("seed", str(tally.seed)),
        ("engine", tally.engine + durability),
        ("writers", f"{tally.writers}, started by {tally.start_method}"),
        *([("readers", str(tally.readers))] if tally.readers else []),
        ("workload", tally.workload) if tally.workload else ("loaded", tally.loaded or "nothing"),
        ("seconds", f"{tally.seconds:.1f}, writing {tally.writing_seconds:.1f}"),
        ("rounds", rounds_text(tally)),
        ("kills", f"{tally.kills} ({modes})" if modes else "0"),
        ("kills a second", f"{tally.kills_per_second:.0f}"),
        *([("moments", moments)] if moments else []),
        *[("too seldom", _missing_text(tally))] * bool(tally.moments_missing),
        *[("not done", f"{what}: {why}") for what, why in tally.not_done.items()],
        ("recoveries", str(tally.recoveries)),
        ("backups", str(tally.backups)),
        ("operations", f"{tally.operations} acknowledged, {tally.in_flight} in flight at a kill"),
        *([("lock", lock_text(tally))] if tally.fairness_min_max is not None else []),
        ("commits a second", f"{tally.commits_per_second:.0f}"),
        ("violations", str(tally.violation_count)),
    ]
    lines = [
        textwrap.fill(f"{name:<18}{text}", _COLUMNS, subsequent_indent=" " * 18).replace(
            _NO_BREAK, " "
        )
        for name, text in rows
    ]
    kinds: dict[str, list[Violation]] = {}
    for violation in tally.violations:
        kinds.setdefault(violation.what, []).append(violation)
    for what, found in kinds.items():
        first = found[0]
        who = "" if first.worker is None else f", writer {first.worker}"
        lines += [
            "",
            f"{what}: {len(found)}, first in round {first.round}{who}",
            f"  expected  {one_line(first.expected)}",
            f"  found     {one_line(first.found)}",
        ]
    return "\n".join(lines)


def lock_text(tally: Tally) -> str:
    """The figures of the lock, of a run that measured it."""
    return (
        f"fewest of a process through most {tally.fairness_min_max:.2f}, longest wait beyond the"
        f" work ahead {tally.wait_max_ms:.0f} ms, take-over p99 {tally.takeover_p99_ms:.0f} ms"
    )


def _missing_text(tally: Tally) -> str:
    return (
        f"{_counts(tally.moments_missing)}: under {ENOUGH_HITS} hits a moment is not measured;"
        " a longer run has more of them"
    )


def _counts(of: Mapping[str, int]) -> str:
    """Each with its number, never torn apart at the end of a line."""
    return ", ".join(
        f"{count} {what}".replace(" ", _NO_BREAK) for what, count in sorted(of.items())
    )


def rounds_text(tally: Tally) -> str:
    """How many there were, and of which kinds."""
    kinds = {
        "with checksums": tally.rounds_with_checksums,
        "with whole pages in the log": tally.rounds_with_whole_pages,
    }
    told = "".join(f", {count} {kind}" for kind, count in kinds.items() if count)
    return f"{tally.rounds}{told}, with violations {tally.rounds_with_violations}"


def one_line(text: str, limit: int = 200) -> str:
    """The text's first line, shortened; the JSON document has all of it."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= limit else f"{line[:limit]}..."
