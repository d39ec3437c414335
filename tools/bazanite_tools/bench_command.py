"""`bazanite bench`: Bazanite and its peers, measured under the same workloads in the same run."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bazanite_stress.bench import report
from bazanite_stress.bench.campaign import Campaign
from bazanite_stress.bench.engines import ENGINES
from bazanite_stress.bench.environment import mount_of
from bazanite_stress.bench.plan import DEFAULT_ROWS, LIMIT_SECONDS, Settings, plan
from bazanite_stress.bench.rounds import benchmark
from bazanite_stress.bench.workloads import CHOICES, WORKLOADS, Shape
from bazanite_stress.torture.adapters import DURABILITIES

from .output import FINDINGS, FINE, INTERRUPTED, USAGE, CommandError, print_json
from .progress import Progress
from .violations import make_directory

SECONDS, ROUNDS = 0.5, 3

QUICK_WORKLOADS = ("insert", "update", "read", "scan", "equality", "join", "ycsb-a", "open")
QUICK_SHAPES = (Shape(1), Shape(8))
QUICK_ROWS = (1_000,)
QUICK_SECONDS, QUICK_ROUNDS, QUICK_LIMIT, QUICK_BUDGET = 0.15, 1, 3.0, 45.0

SCALE_WORKLOADS = ("insert", "read", "equality")
SCALE_ROWS = (1_000, 10_000, 100_000, 1_000_000)

_MOST_PROCESSES, _MOST_ROWS = 256, 100_000_000

_EXAMPLES = """\
examples:
  bazanite bench                      all workloads and engines: half an hour
  bazanite bench --quick              a part of it, within a minute
  bazanite bench --workload insert --processes 1,4,16 --seconds 5
  bazanite bench --workload insert --processes 4 --rate 1000
  bazanite bench --plot plots --json > bench.json

workloads:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite bench`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Measure Bazanite and its peers: operations a second, latencies, shares,\n"
        "syncs, CPU time. Each engine is measured in each round, one after the other;\n"
        "what was read is verified. docs/performance.md says what each workload does\n"
        "and what the figures mean. Exit status: 0 measured, 1 nothing was measured,\n"
        "or Bazanite read what was not stored."
    )
    parser.epilog = _EXAMPLES + "\n".join(
        f"  {name:23} {WORKLOADS[name].summary}" for name in CHOICES
    )
    add = parser.add_argument
    add(
        "--workload",
        action="append",
        choices=CHOICES,
        metavar="NAME",
        help="this workload (repeatable; default: all, see below)",
    )
    add(
        "--engine",
        action="append",
        choices=ENGINES,
        metavar="NAME",
        help=f"this engine (repeatable; default: all of {', '.join(ENGINES)})",
    )
    add("--processes", type=_counts, metavar="N,N,...", help="numbers of processes")
    add("--threads", type=_counts, metavar="N,N,...", help="numbers of threads in each process")
    add("--rows", type=_rows, metavar="N,N,...", help="sizes of the table (default 10000)")
    add("--seconds", type=_seconds, help=f"of each measurement (default {SECONDS:g})")
    add("--rounds", type=_rounds, metavar="N", help=f"measurements of each (default {ROUNDS})")
    add(
        "--rate",
        type=_rate,
        metavar="R",
        help="begin R operations a second, whatever becomes of them, and count latencies from"
        " when each was to begin (default: one after the other)",
    )
    add(
        "--limit",
        type=_seconds,
        metavar="SECONDS",
        help="leave out an engine that needs longer to fill a directory, or for a measurement"
        f" beyond its time (default {LIMIT_SECONDS:g})",
    )
    add("--durability", choices=DURABILITIES, default="full", help="Bazanite's (default full)")
    add(
        "--dir",
        type=Path,
        metavar="PARENT",
        help="make the data in this existing directory (default: the system's temporary one)",
    )
    add("--seed", type=int, help="of what is random (default: another each time)")
    add("--quick", action="store_true", help="a useful part within a minute")
    add("--json", action="store_true", help="a JSON list on stdout: one object a measurement")
    add("--plot", type=Path, metavar="DIR", help="draw pictures (PNG) there; needs matplotlib")


def run(args: argparse.Namespace) -> int:
    """Measure, print what came out; the exit status."""
    _check_usage(args)
    settings = _settings(args)
    if args.plot is not None:
        make_directory(args.plot, "--plot")
    planned = len(plan(settings))
    latest: list[Campaign] = []

    def line(seconds: float) -> str:
        if not latest:
            return f"{seconds:6.1f} s  preparing"
        now = latest[0]
        left = seconds / now.done * (planned - now.done) if now.done else None
        about = "" if left is None else f"  about {left:.0f} s left"
        return f"{seconds:6.1f} s  {now.done} of {planned} cells  {now.current}{about}"

    with Progress(line) as progress:
        progress.tell(f"seed {settings.seed}")
        _warn_of_memory(settings.parent, progress)
        try:
            campaign = benchmark(settings, lambda now: latest.__setitem__(slice(None), [now]))
        except OSError as error:
            place = args.dir or "the temporary directory"
            raise CommandError(
                f"cannot work in {place}: {error.strerror or error}", USAGE
            ) from error
    return _tell(campaign, args)


def _tell(campaign: Campaign, args: argparse.Namespace) -> int:
    """Print, draw; the exit status."""
    results = campaign.results()
    if args.json:
        print_json(results)
        print(report.about(campaign, results), file=sys.stderr)
    else:
        print(report.as_table(campaign, results))
    if args.plot is not None and results:
        for path in import_module("bazanite_stress.bench.plots").draw(results, args.plot):
            print(f"drawn: {path}", file=sys.stderr)
    if campaign.interrupted:
        return INTERRUPTED
    ours_wrong = any(engine == "bazanite" for engine, _ in campaign.wrong)
    return FINE if results and not ours_wrong else FINDINGS


def _check_usage(args: argparse.Namespace) -> None:
    if args.dir is not None and not os.path.isdir(args.dir):
        raise CommandError(f"--dir {args.dir}: no such directory", USAGE)
    if args.plot is not None and find_spec("matplotlib") is None:
        message = "--plot: matplotlib is not installed: pip install 'bazanite[bench]'"
        raise CommandError(message, USAGE)


def _settings(args: argparse.Namespace) -> Settings:
    quick = args.quick
    scale = []
    if args.plot is not None and args.rows is None and args.workload is None and not quick:
        scale = [(workload, rows) for workload in SCALE_WORKLOADS for rows in SCALE_ROWS]
    return Settings(
        workloads=args.workload or (QUICK_WORKLOADS if quick else CHOICES),
        engines=args.engine or list(ENGINES),
        seed=secrets.randbits(32) if args.seed is None else args.seed,
        processes=args.processes,
        threads=args.threads,
        only=QUICK_SHAPES if quick else None,
        rows=args.rows or (QUICK_ROWS if quick else DEFAULT_ROWS),
        seconds=args.seconds or (QUICK_SECONDS if quick else SECONDS),
        rounds=args.rounds or (QUICK_ROUNDS if quick else ROUNDS),
        rate=args.rate,
        durability=args.durability,
        parent=args.dir,
        scale=scale,
        limit_seconds=args.limit or (QUICK_LIMIT if quick else LIMIT_SECONDS),
        budget_seconds=QUICK_BUDGET if quick else None,
    )


def _warn_of_memory(parent: Path | None, progress: Progress) -> None:
    place = parent or Path(tempfile.gettempdir())
    mount = mount_of(place)
    if mount.in_memory:
        progress.tell(
            f"WARNING: {place} is on {mount.kind}, in memory: syncs cost nothing there, and the"
            " figures of whoever syncs say nothing about a disk. Use --dir DIRECTORY-ON-A-DISK"
        )


def _list_of(text: str, most: int) -> list[int]:
    words = text.split(",")
    if not all(word.isdecimal() and 1 <= int(word) <= most for word in words):
        raise argparse.ArgumentTypeError(
            f"must be numbers from 1 to {most} with commas between, not {text!r}"
        )
    return list(dict.fromkeys(map(int, words)))


def _counts(text: str) -> list[int]:
    return _list_of(text, _MOST_PROCESSES)


def _rows(text: str) -> list[int]:
    return _list_of(text, _MOST_ROWS)


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 1000, not {text!r}")
    return int(text)


def _above_zero(text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        raise argparse.ArgumentTypeError(f"must be above 0, at most {most:g}, not {text!r}")
    return number


def _seconds(text: str) -> float:
    return _above_zero(text, 3600.0)


def _rate(text: str) -> float:
    return _above_zero(text, 1e6)
