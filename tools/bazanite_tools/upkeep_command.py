"""`bazanite upkeep`: look after a directory whose writers are killed, and judge what comes back."""

from __future__ import annotations

import argparse
import secrets
import shutil
import tempfile
from pathlib import Path

from bazanite_stress.upkeep.campaign import Outcome, Settings, keep_up
from bazanite_stress.upkeep.tables import DPKG_STATUS, stanzas_of, text_of

from .output import FINDINGS, FINE, CommandError, plural, print_json, size_text
from .progress import Progress
from .violations import at_least_one

_EXAMPLES = """\
examples:
  bazanite upkeep                      this machine's packages, 100 kills
  bazanite upkeep --kills 1000 --json  longer, one document
  bazanite upkeep --status FILE        another list, as /var/lib/dpkg/status
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Put a whole list of packages into tables with references, unique values and\n"
        "indexes. While writers are killed: query, migrate, vacuum, back up, and restore\n"
        "to log positions of the past. Each backup and each restored directory is held\n"
        "against what the writers were told up to its position, and the list must come\n"
        "out of it to the last byte. What went wrong is kept. Exit status: 0 nothing was\n"
        "lost, 1 something was, or nothing measured."
    )
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add("--status", type=Path, default=DPKG_STATUS, metavar="FILE", help="the list of packages")
    add("--kills", type=at_least_one, default=100, metavar="N", help="at least so many")
    add("--rounds", type=at_least_one, default=5, metavar="N", help="at least so many")
    add("--writers", type=at_least_one, default=8, help="writing processes (default 8)")
    add("--seed", default=None, help="repeat an earlier run's plan (default: random)")
    add("--dir", type=Path, metavar="PARENT", help="make the data in this existing directory")
    add("--json", action="store_true", help="one JSON document on stdout")


def run(args: argparse.Namespace) -> int:
    """Keep it up, print what came out; the exit status."""
    text = _text(args.status)
    seed = args.seed or f"{secrets.randbits(32)}"
    try:
        scratch = Path(tempfile.mkdtemp(prefix="bazanite-upkeep-", dir=args.dir))
    except OSError as error:
        raise CommandError(f"cannot make a directory: {error}") from error
    settings = Settings(text, scratch, seed, args.writers, args.kills, args.rounds)
    outcome = Outcome(seed)

    def line(seconds: float) -> str:
        return f"{seconds:.0f} s  rounds {outcome.rounds}  kills {outcome.kills}"

    def tell(now: Outcome) -> None:
        nonlocal outcome
        outcome = now

    try:
        with Progress(line) as progress:
            progress.tell(f"seed {seed}")
            outcome = keep_up(settings, tell)
    finally:
        if not outcome.findings:
            shutil.rmtree(scratch, ignore_errors=True)
    if args.json:
        print_json(outcome.as_document() | {"kept": str(scratch) if outcome.findings else None})
    else:
        _print(outcome, scratch)
    return FINE if outcome.verdict == "survived" else FINDINGS


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: cannot be read: {error}; name a list with --status") from error
    if text_of(stanzas_of(text)) != text:
        raise CommandError(
            f"{path}: is no list of packages: stanzas of `Name: value` lines, each with an empty"
            " line behind it"
        )
    return text


def _print(outcome: Outcome, scratch: Path) -> None:
    rows = plural(outcome.rows, "row")
    print(f"loaded     {plural(outcome.packages, 'package')}, {rows}")
    print(f"writers    {plural(outcome.commits, 'commit')} told, {plural(outcome.kills, 'kill')}")
    print(
        f"upkeep     {plural(outcome.migrations, 'migration')}, {plural(outcome.vacuums, 'vacuum')}"
        f" ({size_text(outcome.freed_bytes)} freed), {plural(outcome.backups, 'backup')},"
        f" {plural(outcome.restores, 'restore')}"
    )
    for finding in outcome.findings:
        print(f"FOUND      {finding}")
    if outcome.findings:
        print(f"kept       {scratch}")
    print(f"verdict    {outcome.verdict}, after {outcome.seconds:g} s (seed {outcome.seed})")
