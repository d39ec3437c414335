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

from cases import RULES, RUNS, Case

HERE = Path(__file__).resolve().parent
MODEL = HERE / "bazanite.pml"
_DEPTH = 200_000
_LONGEST_COMPILATION_SECONDS = 600


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
