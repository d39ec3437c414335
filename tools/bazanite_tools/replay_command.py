"""`bazanite replay`: a failure that was stored, once more."""

from __future__ import annotations

import argparse
from pathlib import Path

from bazanite_stress.explore.replay import Replayed, ReplayError, replay_file
from bazanite_stress.explore.report import describe_violation
from bazanite_stress.explore.story import rows_table, story

from .output import FINDINGS, FINE, USAGE, CommandError, plural, print_json
from .progress import Progress

_EXAMPLES = """\
examples:
  bazanite explore --out failures            store what fails
  bazanite replay failures/rows_1.json       the same workload, moment and disk
  bazanite replay --times 100 failures/rows_1.json
                                             100 of 100 must be identical
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite replay`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Carry out the workload of a stored failure up to its moment, build its very\n"
        "disk, open it with the real engine, and judge. Exit status: 0 the engine\n"
        "survives now, 1 it still fails, 2 the file cannot be used, or this engine takes\n"
        "other steps."
    )
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="what --out of explore or mutants stored")
    add("--times", type=_times, default=1, metavar="N", help="repeat it so many times (default 1)")
    add("--without-bugs", action="store_true", help="do not plant the bugs that the file names")
    add("--json", action="store_true", help="one JSON document on stdout")


def run(args: argparse.Namespace) -> int:
    """Replay, print what came out; the exit status."""
    try:
        with Progress(lambda seconds: f"{seconds:6.1f} s  replaying", always=False):
            result = replay_file(args.file, args.times, plant=not args.without_bugs)
    except ReplayError as error:
        raise CommandError(str(error), USAGE) from error
    if result.verdict == "other steps":
        raise CommandError(
            f"{args.file}: not reproduced: this engine takes other steps: {result.problem}", USAGE
        )
    if args.json:
        print_json(result.as_document())
    else:
        print(_text(result))
    return FINDINGS if result.found else FINE


def _text(result: Replayed) -> str:
    count = f"{result.identical} of {result.times} times exactly what the file says"
    if result.found is None:
        tried = f"; tried {plural(result.times, 'time')}" if result.times > 1 else ""
        return f"survived: the engine comes back right from this disk now{tried}"
    violation = result.found
    parts = (
        story(violation),
        describe_violation(violation, rows=False),
        rows_table(violation),
        count,
    )
    return "\n\n".join(parts)


def _times(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 100000, not {text!r}")
    return int(text)
