"""`bazanite torture`: kill writing processes at random moments, recover, judge what survived."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from bazanite_stress.explore.own import load_workload
from bazanite_stress.explore.workload import Workload, calls
from bazanite_stress.torture import load
from bazanite_stress.torture.adapters import DURABILITIES, ENGINES
from bazanite_stress.torture.own_run import WorkloadRefused
from bazanite_stress.torture.processes import START_METHODS
from bazanite_stress.torture.report import Tally, as_json, as_table
from bazanite_stress.torture.settings import CHECKSUMS, CROWD, WHOLE_PAGES, Settings
from bazanite_stress.torture.supervisor import torture

from . import torture_outputs
from .output import FINDINGS, FINE, USAGE, CommandError
from .own_program import named


@dataclass(frozen=True, slots=True)
class Profile:
    """How long a run goes on, and how much longer if a moment came too seldom."""

    seconds: float
    kills: int | None = None
    patience: float = 0.0


PROFILES = {
    "quick": Profile(30.0, patience=60.0),
    "ci": Profile(600.0, 10_000),
    "soak": Profile(3_600.0),
}
WRITERS, READERS = 8, 4

_EXAMPLES = """\
examples:
  bazanite torture                           thirty seconds, eight writers
  bazanite torture --profile ci              ten thousand kills: minutes
  bazanite torture --engine bazoola          the original: it loses rows
  bazanite torture --workload mine:WORKLOAD  your own (docs/crash-model.md)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite torture`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Writers in several processes work on one data directory and are killed at\n"
        "random moments. After each round the directory is recovered and held against\n"
        "what was acknowledged; one in which something was lost is kept. Exit status:\n"
        "0 it survived, 1 something was lost, or nothing was measured."
    )
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add(
        "--profile",
        choices=PROFILES,
        default="quick",
        help="quick (default): 30 s; ci: 10,000 kills, at most 10 minutes; soak: an hour",
    )
    add(
        "--seconds",
        type=positive_float,
        help="no round begins later, instead; the lock is measured before",
    )
    add("--kills", type=positive_kills, metavar="N", help="end after so many kills, instead")
    add("--writers", type=positive_int, help="writing processes (default 8)")
    add("--readers", type=positive_int, help="reading ones besides (default 4)")
    add("--seed", type=int, default=None, help="repeat an earlier run's plan (default: random)")
    add("--json", action="store_true", help="one JSON document on stdout")
    add(
        "--dir",
        type=Path,
        default=None,
        metavar="PARENT",
        help="make the data directory in this existing one (default: the system's temporary one)",
    )
    add(
        "--durability",
        choices=DURABILITIES,
        help="default: each in turn, or as the workload says",
    )
    add("--engine", choices=ENGINES, default="bazanite", help="bazoola: torture the original")
    add("--start-method", choices=START_METHODS, default="fork", help="of writers (default fork)")
    add(
        "--load",
        type=Path,
        default=None,
        metavar="FILE.csv",
        help="real rows to work on, under a header (default: dpkg's list of packages, if any)",
    )
    add("--no-load", action="store_true", help="work on a few made-up rows")
    add(
        "--checksums",
        type=share,
        metavar="SHARE",
        help="in which part of the rounds the tables have checksums, from 0 to 1"
        f" (default {CHECKSUMS:g})",
    )
    add(
        "--whole-pages",
        type=share,
        metavar="SHARE",
        help="in which part of the rounds the log takes whole pages, powersafe_overwrite=False"
        f" (default {WHOLE_PAGES:g})",
    )
    add(
        "--crowd",
        type=share,
        metavar="SHARE",
        help="in which part of the rounds all work on the same few rows, and die at chosen"
        f" moments (default {CROWD:g}); without, no moment is counted",
    )
    add(
        "--workload",
        metavar="MODULE:NAME",
        help="each writer repeats the steps of this Workload, in a directory of its own",
    )
    torture_outputs.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Torture, print what came out; the exit status."""
    check_usage(args)
    outputs = torture_outputs.Outputs(args)
    workload = None if args.workload is None else repeated_workload(args.workload)
    try:
        loaded = load_rows(args.load, no_load=args.no_load or workload is not None)
    except load.LoadError as error:
        raise CommandError(str(error), USAGE) from error
    profile = PROFILES[args.profile]
    seed = secrets.randbits(32) if args.seed is None else args.seed
    progress = torture_outputs.progress_on(sys.stderr)
    progress.tell(f"seed {seed}")
    if loaded is not None and loaded.left_out:
        progress.tell(f"{loaded.source}: the last {loaded.left_out} rows are left out")
    settings = Settings(
        seed=seed,
        seconds=profile.seconds if args.seconds is None else args.seconds,
        patience=profile.patience if args.seconds is None else 0.0,
        kills=profile.kills if args.kills is None and args.seconds is None else args.kills,
        writers=args.writers or (WRITERS if args.engine == "bazanite" and not workload else 4),
        readers=args.readers or READERS,
        crowd=CROWD if args.crowd is None else args.crowd,
        engine=args.engine,
        durability=args.durability or (workload.durability if workload else None),
        start_method=args.start_method,
        parent=args.dir,
        loaded=loaded,
        checksums=CHECKSUMS if args.checksums is None else args.checksums,
        whole_pages=WHOLE_PAGES if args.whole_pages is None else args.whole_pages,
        load_file="" if args.no_load else None if args.load is None else str(args.load),
        workload=workload,
        workload_reference=args.workload or "",
    )
    try:
        with outputs.open():
            tally = torture(settings, progress, outputs.chronicle)
            outputs.write(tally)
    except WorkloadRefused as error:
        raise CommandError(f"--workload {args.workload}: {error}", USAGE) from error
    except BrokenPipeError:
        raise  # whoever read the lines has seen enough
    except OSError as error:
        place = args.dir or "the temporary directory"
        raise CommandError(f"cannot work in {place}: {error.strerror}", USAGE) from error
    if outputs.takes_stdout:
        print_replay(tally, sys.stderr)
    else:
        print_result(tally, as_document=args.json)
    return FINE if tally.verdict == "survived" else FINDINGS


def check_usage(args: argparse.Namespace) -> None:
    """CommandError for options that exclude each other or name what is not there."""
    if args.load is not None and args.no_load:
        raise CommandError("--load and --no-load exclude each other", USAGE)
    if args.workload is not None and args.load is not None:
        raise CommandError("--workload and --load exclude each other", USAGE)
    for name in ("checksums", "whole_pages", "crowd"):
        option = f"--{name.replace('_', '-')}"
        if getattr(args, name) is not None and args.workload is not None:
            raise CommandError(
                f"--workload and {option} exclude each other: its own options say it", USAGE
            )
        if getattr(args, name) is not None and args.engine != "bazanite":
            raise CommandError(f"{option} and --engine {args.engine} exclude each other", USAGE)
    if args.workload is not None and args.engine != "bazanite":
        raise CommandError(f"--workload and --engine {args.engine} exclude each other", USAGE)
    if find_spec(args.engine) is None:
        message = f"{args.engine} is not installed: pip install {args.engine}"
        raise CommandError(message, USAGE)
    if args.dir is not None and not os.path.isdir(args.dir):
        raise CommandError(f"--dir {args.dir}: no such directory", USAGE)


def repeated_workload(reference: str) -> Workload:
    """The workload that --workload names; one that does nothing would measure nothing."""
    workload = named(load_workload, reference)
    if not list(calls(workload.steps)):
        raise CommandError(f"--workload {reference}: it has no steps", USAGE)
    if workload.migrates:
        raise CommandError(f"--workload {reference}: it migrates, which ends: explore it", USAGE)
    return workload


def load_rows(path: Path | None, *, no_load: bool) -> load.Loaded | None:
    """The rows that were asked for, or dpkg's, or none."""
    if path is not None:
        return load.load_csv(path)
    if no_load or not load.DPKG_STATUS.is_file():
        return None
    return load.load_dpkg()


def print_result(tally: Tally, *, as_document: bool) -> None:
    """The table, or the document; how to replay a violation goes to stderr beside the document."""
    print(as_json(tally) if as_document else as_table(tally), flush=True)
    print_replay(tally, sys.stderr if as_document else sys.stdout)


def print_replay(tally: Tally, stream: TextIO) -> None:
    """How to see a violation again, if there was one."""
    if tally.verdict == "lost":
        lines = f"\nseed    {tally.seed}\nkept    {tally.directory}\nreplay  {tally.replay}"
        print(lines, file=stream, flush=True)


def positive_int(text: str) -> int:
    """An argument that counts something."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 64, not {text!r}")
    return number


def positive_kills(text: str) -> int:
    """An argument that counts kills."""
    if not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"must be a number from 1 on, not {text!r}")
    return int(text)


def share(text: str) -> float:
    """An argument that is a part of one."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not {text!r}")
    return number


def positive_float(text: str) -> float:
    """An argument in seconds."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e6:
        raise argparse.ArgumentTypeError(f"must be a number above 0, at most 1000000, not {text!r}")
    return number
