#!/usr/bin/env python3
"""Checks the model of the commit protocol with SPIN: `make model`, or this file by itself.

Each *run* looks at all states within its bounds, and must find nothing.  Each *rule* is left out in
turn, and something must be found: else the model would not notice its loss.  Needs `spin` and a C
compiler (CC, or cc); Python's standard library is enough.  Exit status: 0 all as expected; 1 a
violation, a left-out rule that is not seen, or a run that did not get to its end; 2 wrong usage, or
a tool is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODEL = HERE / "bazanite.pml"
_DEPTH = 200_000
_LONGEST_COMPILATION_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Case:
    """One check: what it is about, its bounds, and the rules it leaves out (none: a run).

    ``complete`` says whether a run ends within ``seconds``; a rule is seen much earlier.
    """

    name: str
    about: str
    bounds: str
    rules: tuple[str, ...] = ()
    seconds: int = 120
    quick: bool = False
    complete: bool = True

    def macros(self) -> list[str]:
        """The model's macros, for the command line of spin."""
        bounds = [f"-D{bound}" for bound in self.bounds.split()]
        return bounds + [f"-DRULE_{rule}=0" for rule in self.rules]


@dataclass(slots=True)
class Result:
    """What SPIN said.  ``verdict`` is one of ok, unseen, violation, bounded, error."""

    name: str
    verdict: str
    complete: bool
    violation: str = ""
    states: int = 0
    depth: int = 0
    seconds: float = 0.0
    macros: list[str] = field(default_factory=list)


RUNS: list[Case] = [
    Case(
        "group",
        "two writers, group commit, refusals, a held lock",
        "TXS=3 SLOTS=2 REFUSALS=1 HELD=1",
        seconds=120,
    ),
    Case(
        "start",
        "two processes open an empty directory at once; kills",
        "TXS=1 KILLS=1",
        seconds=60,
    ),
    Case(
        "kill",
        "one is killed, anywhere; the others go on, the log is full",
        "TXS=3 KILLS=1 HELD=1 ATTACHED=1",
        seconds=240,
    ),
    Case(
        "kill-cut",
        "a kill, and a power cut anywhere",
        "KILLS=1 CUTS=1 ATTACHED=1",
        seconds=240,
    ),
    Case(
        "recovery",
        "recovery killed and cut, of a log with frames",
        "WRITERS=1 KILLS=1 CUTS=2 SLOTS=3",
        seconds=120,
    ),
    Case(
        "adopt",
        "a dead holder's frame that END does not count; a power cut",
        "CUTS=1 ATTACHED=1 LEFT=1",
        seconds=120,
        quick=True,
    ),
    Case(
        "checkpoint",
        "checkpoints, a kill and a power cut",
        "TXS=1 KILLS=1 CUTS=1 CHECKPOINTS=1 ATTACHED=1",
        seconds=240,
    ),
    Case(
        "failed-sync",
        "a sync that fails, told to every open file; a power cut",
        "FAILS=1 CUTS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "failed-once",
        "a sync that fails, told once; a kill",
        "FAILS=1 TOLD_ONCE=1 KILLS=1 CHECKPOINTS=1 TXS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "write-back",
        "a write-back that fails by itself; a kill, late openers",
        "WRITEBACKS=1 KILLS=1 CHECKPOINTS=1 TXS=1",
        seconds=240,
    ),
    Case(
        "reader",
        "a reader without the lock, a kill",
        "READERS=1 READS=1 WRITERS=1 TXS=2 KILLS=1",
        seconds=120,
    ),
    Case(
        "fork",
        "the first writer forks, anywhere, and is killed",
        "TXS=1 FORKS=1 KILLS=1 VICTIMS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "stop",
        "one process stops for ever, anywhere, and is killed later; a cut",
        "STOPS=1 KILLS=1 CUTS=1 TXS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "stop-all",
        "two processes stop for ever",
        "STOPS=2 TXS=2 HELD=1 CHECKPOINTS=1 ATTACHED=1",
        seconds=120,
    ),
]

RULES: list[Case] = [
    Case(
        "APPLY_DURABLE",
        "only frames below DURABLE are applied",
        "CUTS=1",
        ("APPLY_DURABLE",),
    ),
    Case(
        "ONE_DURABLE",
        "DURABLE is read once",
        "ATTACHED=1",
        ("ONE_DURABLE",),
        quick=True,
    ),
    Case(
        "SEQUENCE_OR",
        "SEQUENCE |= 1, not += 1",
        "READERS=1 KILLS=1 WRITERS=1",
        ("SEQUENCE_OR",),
    ),
    Case(
        "SEQUENCE_TWICE",
        "SEQUENCE is read again after the files",
        "READERS=1 READS=1 WRITERS=1 TXS=1",
        ("SEQUENCE_TWICE",),
        quick=True,
    ),
    Case(
        "HORIZON",
        "a refusal waits for what it saw",
        "CUTS=1 REFUSALS=1 ATTACHED=1",
        ("HORIZON",),
    ),
    Case(
        "TELL_SYNCED",
        "DURABLE moves to the END from before the sync",
        "CUTS=1",
        ("TELL_SYNCED",),
    ),
    Case(
        "PUBLISH_UNDER_SYNC",
        "DURABLE is written under .sync, and never back",
        "TXS=3 SLOTS=3",
        ("PUBLISH_UNDER_SYNC",),
    ),
    Case(
        "SYNCING",
        "SYNCING found set: write again before syncing",
        "FAILS=1 TOLD_ONCE=1 KILLS=1 ATTACHED=1 VICTIMS=1",
        ("SYNCING",),
    ),
    Case(
        "JOINED_LOG",
        "so does who joined, at its first sync",
        "WRITEBACKS=1",
        ("JOINED_LOG",),
    ),
    Case(
        "POISON",
        "a failed sync refuses everyone from then on",
        "FAILS=1 TOLD_ONCE=1 CHECKPOINTS=1 ATTACHED=1",
        ("POISON",),
    ),
    Case(
        "HELP",
        "whoever waits applies, not the leader alone",
        "KILLS=1 ATTACHED=1",
        ("HELP",),
    ),
    Case(
        "DEADLINE",
        "waiting ends",
        "STOPS=1 ATTACHED=1",
        ("DEADLINE",),
        quick=True,
    ),
    Case(
        "BUSY",
        "BUSY found set: repair",
        "KILLS=1 CHECKPOINTS=1 ATTACHED=1 VICTIMS=1",
        ("BUSY",),
    ),
    Case(
        "CHAIN-ADOPT",
        "a frame must name its predecessor; a whole frame at END is adopted",
        "TXS=3 CUTS=1 ATTACHED=1 LEFT=1",
        ("CHAIN", "ADOPT"),
    ),
    Case(
        "LOAD_GENERATION",
        "another's checkpoint drops what was known",
        "CHECKPOINTS=1",
        ("LOAD_GENERATION",),
    ),
    Case(
        "CHECKPOINT_LOG",
        "sync the log before applying to the end",
        "CHECKPOINTS=1",
        ("CHECKPOINT_LOG",),
    ),
    Case(
        "DATA_FIRST",
        "sync the data before the header is written",
        "WRITERS=1 TXS=1 CUTS=1 CHECKPOINTS=1",
        ("DATA_FIRST",),
        quick=True,
    ),
    Case(
        "HEADER_SYNC",
        "the header is durable before its first frame",
        "WRITERS=1 CHECKPOINTS=1",
        ("HEADER_SYNC",),
    ),
    Case(
        "REDO_JOINED",
        "who joined in this generation redoes it",
        "TXS=1 CHECKPOINTS=1 WRITEBACKS=1",
        ("REDO_JOINED",),
    ),
    Case(
        "REDO_MARK",
        "REDO and CHECKPOINTING",
        "TXS=1 CHECKPOINTS=2 FAILS=1 KILLS=1 TOLD_ONCE=1 ATTACHED=1",
        ("REDO_MARK",),
    ),
    Case(
        "READY",
        "READY wrong: start over",
        "TXS=1 KILLS=1",
        ("READY",),
    ),
    Case(
        "RECOVERY_DURABLE",
        "_make_verified_bytes_durable before anything is trusted",
        "WRITERS=1 KILLS=1 CUTS=1",
        ("RECOVERY_DURABLE",),
    ),
    Case(
        "NEW_LOG",
        "... in a new log, not over themselves",
        "WRITERS=1 CUTS=2",
        ("NEW_LOG",),
    ),
    Case(
        "HEADER_COPY",
        "beside the header, not over it",
        "WRITERS=1 CUTS=1",
        ("HEADER_COPY",),
        quick=True,
    ),
    Case(
        "FORK_CLOSE",
        "the child closes its copies at once",
        "FORKS=1 KILLS=1 VICTIMS=1 ATTACHED=1",
        ("FORK_CLOSE",),
    ),
    Case(
        "FORK_ABANDON",
        "... closes, and never unlocks",
        "FORKS=1 ATTACHED=1",
        ("FORK_ABANDON",),
    ),
    Case(
        "FORKED",
        "the child does not take itself for its parent",
        "FORKS=1 ATTACHED=1",
        ("FORKED",),
    ),
]


def main(arguments: list[str] | None = None) -> int:
    """Check what the command line asks for; the exit status."""
    options = _options(arguments)
    cases = [case for case in RUNS + RULES if case.quick or not options.quick]
    if options.only:
        known = {case.name: case for case in RUNS + RULES}
        unknown = sorted(set(options.only) - set(known))
        if unknown:
            print(f"check.py: no such check: {', '.join(unknown)}", file=sys.stderr)
            print(f"there are: {' '.join(known)}", file=sys.stderr)
            return 2
        cases = [known[name] for name in options.only]
    compiler = os.environ.get("CC", "cc")
    for tool, hint in (
        ("spin", "install SPIN: apt-get install spin, or https://spinroot.com"),
        (compiler, "install a C compiler: apt-get install gcc, or name one with CC=..."),
    ):
        if shutil.which(tool) is None:
            print(f"check.py: {tool} is not there; {hint}", file=sys.stderr)
            return 2
    started = time.monotonic()
    # the longest first: none is left alone at the end
    cases.sort(key=lambda case: (bool(case.rules), -case.seconds))
    results: list[Result] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = [pool.submit(_check, case, compiler, options.memory) for case in cases]
        for done in as_completed(waiting):
            result = done.result()
            results.append(result)
            print(f"[{len(results)}/{len(cases)}] {_line(result)}", file=sys.stderr, flush=True)
    order = [case.name for case in RUNS + RULES]
    results.sort(key=lambda result: order.index(result.name))
    bad = [result for result in results if result.verdict not in ("ok", "bounded")]
    seconds = time.monotonic() - started
    if options.json:
        print(json.dumps({"seconds": round(seconds, 1), "results": [asdict(r) for r in results]}))
    else:
        print(_table(results))
        said = "all as expected" if not bad else "NOT as expected: " + " ".join(r.name for r in bad)
        print(f"{len(results)} checks, {seconds:.0f} s: {said}")
    return 1 if bad else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="check.py", description=summary)
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="this check; may be given again"
    )
    parser.add_argument("--quick", action="store_true", help="the small ones: some seconds")
    parser.add_argument("--json", action="store_true", help="results as one JSON object")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default 2)")
    parser.add_argument(
        "--memory", type=int, default=1900, metavar="MIB", help="limit for each (default 1900)"
    )
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.memory < 1:
        parser.error("--jobs and --memory must be positive")
    return options


def _check(case: Case, compiler: str, memory: int) -> Result:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bazanite-model-") as folder:
        # Optimising takes longer than it saves, but for the largest runs.
        level = "-O2" if case.seconds > 120 else "-O0"
        made = [
            ["spin", *case.macros(), "-a", str(MODEL)],
            [
                *(compiler, level, "-w", "-DSAFETY", "-DVECTORSZ=2048", "-DCOLLAPSE", "-DNOREDUCE"),
                *(f"-DMEMLIM={memory}", "-o", "pan", "pan.c"),
            ],
        ]
        for command in made:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False,
                timeout=_LONGEST_COMPILATION_SECONDS,
            )  # fmt: skip
            if done.returncode:
                detail = f"{command[0]}: {(done.stdout + done.stderr).strip()[-300:]}"
                return Result(case.name, "error", complete=False, violation=detail)
        output = _search(Path(folder), case.seconds)
    return _judge(case, output, time.monotonic() - started)


def _search(folder: Path, seconds: int) -> str:
    """What the verifier prints; it is stopped, with its figures, after that time."""
    with subprocess.Popen(
        ["./pan", f"-m{_DEPTH}", "-w22"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as search:  # fmt: skip
        try:
            return search.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            search.send_signal(signal.SIGINT)
            return search.communicate()[0]


def _judge(case: Case, output: str, seconds: float) -> Result:
    def number(pattern: str) -> int:
        found = re.search(pattern, output)
        return int(float(found[1])) if found else 0

    found = re.search(r"^pan:\d+: (.*?)(?: \(at depth \d+\))?$", output, re.MULTILINE)
    violation = found[1] if found else ""
    states = number(r"([\d.e+]+) states, stored")
    limit = re.search("Search not completed|max search depth too small|out of memory", output)
    complete = limit is None
    if re.search("out of memory|reached -DMEMLIM|max search depth", violation):
        violation = ""
    if not states and not violation:
        return Result(case.name, "error", complete=False, violation=output.strip()[-300:])
    if case.rules:
        verdict = "ok" if violation else "unseen"
    elif violation:
        verdict = "violation"
    elif complete:
        verdict = "ok"
    else:
        verdict = "incomplete" if case.complete else "bounded"
    depth = number(r"depth reached (\d+)")
    return Result(
        *(case.name, verdict, complete, violation, states, depth, round(seconds, 1), case.macros())
    )


def _line(result: Result) -> str:
    said = result.violation or ("complete" if result.complete else "stopped at its limit")
    return f"{result.verdict}: {result.name}: {said} ({result.states} states, {result.seconds} s)"


def _table(results: list[Result]) -> str:
    rows = [("check", "verdict", "complete", "states", "depth", "seconds", "what is violated")]
    for r in results:
        complete = "yes" if r.complete else "no"
        figures = (str(r.states), str(r.depth), f"{r.seconds:.0f}")
        rows.append((r.name, r.verdict, complete, *figures, r.violation[:60]))
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
