"""`bazanite mutants`: plant bugs in the engine, one by one; the harness must see each of them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bazanite_stress.mutants.campaign import Result, selected
from bazanite_stress.mutants.campaign import run as plant_all
from bazanite_stress.mutants.report import as_line, as_table

from .output import FINDINGS, FINE, USAGE, CommandError, plural, print_json
from .progress import Progress
from .violations import make_directory

_EXAMPLES = """\
examples:
  bazanite mutants                     all of them; some minutes
  bazanite mutants --only 1,5,9        these three
  bazanite mutants --only 8 --all      which detectors see bug 8? each is tried
  bazanite mutants --out kills         store each kill, for bazanite replay
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite mutants`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Change the engine's source in memory, each time by one deliberate bug of the\n"
        "table in docs/planted-bugs.md, and let the detectors look for it: a harness is\n"
        "proved by what it catches. Exit status: 0 every bug was caught or is accounted\n"
        "for, 1 one survived, or could not be planted."
    )
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add("--only", type=_numbers, metavar="N,N,...", help="these bugs only (default: all)")
    add(
        "--jobs",
        type=_positive,
        default=os.cpu_count() or 1,
        help="bugs at a time, a process each (default: one a core)",
    )
    add("--all", action="store_true", help="try every detector on every bug, also after a kill")
    add("--out", type=Path, metavar="DIR", help="store what each kill saw here")
    add("--json", action="store_true", help="one JSON document on stdout")


def run(args: argparse.Namespace) -> int:
    """Plant, detect, print the kill matrix; the exit status."""
    try:
        bugs = selected(args.only)
    except KeyError as error:
        raise CommandError(f"--only: there is no bug {error}", USAGE) from error
    if args.out is not None:
        make_directory(args.out)
    done: list[Result] = []

    def line(seconds: float) -> str:
        return f"{seconds:6.1f} s  {len(done)} of {plural(len(bugs), 'bug')} done"

    with Progress(line, always=False) as progress:

        def told(result: Result) -> None:
            done.append(result)
            progress.tell(as_line(result))

        campaign = plant_all(bugs, args.jobs, told, every_detector=args.all, out=args.out)
    if args.json:
        print_json(campaign.as_document())
    else:
        print(as_table(campaign))
    if campaign.interrupted:
        left = len(bugs) - len(done)
        print(f"interrupted: {plural(left, 'bug')} not done", file=sys.stderr)
    return FINE if campaign.passed else FINDINGS


def _numbers(text: str) -> list[int]:
    words = text.split(",")
    if not all(word.isdecimal() for word in words):
        raise argparse.ArgumentTypeError(f"must be numbers with commas between, not {text!r}")
    return list(dict.fromkeys(map(int, words)))


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 64, not {text!r}")
    return int(text)
