"""`bazanite explore`: cut the power at every point of a workload, open every legal disk, judge."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from bazanite_stress.explore.campaign import Campaign, Settings, explore
from bazanite_stress.explore.explorer import Violation
from bazanite_stress.explore.keep import Kept, keep_first
from bazanite_stress.explore.minimise import Progress
from bazanite_stress.explore.own import load_workload
from bazanite_stress.explore.report import as_table, describe_violation
from bazanite_stress.explore.story import rows_table, story
from bazanite_stress.explore.tasks import SCOPES, Part
from bazanite_stress.explore.workload import Workload

from .output import FINDINGS, FINE, USAGE, CommandError, print_json

_EXAMPLES = """\
examples:
  bazanite explore                           the quick profile: less than a minute
  bazanite explore --profile ci              a million states: some minutes
  bazanite explore --workload mine:WORKLOAD  a workload of your own (docs/crash-model.md)
  bazanite explore --profile soak --shard 3/20 --json > 3.json    one of twenty parts
  bazanite merge *.json                      the verdict on all parts together
  bazanite explore --out failures            store what fails, made small (bazanite replay)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite explore`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Run workloads on a simulated machine, cut the power at every crash point, open every\n"
        "disk that may be left with the real engine, and hold what comes back against a model.\n"
        "Exit status: 0 it survived, 1 something was lost or nothing measured."
    )
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add("--profile", choices=SCOPES, default="quick", help="how much (default quick)")
    add("--seed", type=int, default=0, help="of what is sampled (default 0)")
    add(
        "--jobs",
        type=_positive,
        default=os.cpu_count() or 1,
        help="processes (default: one a core)",
    )
    add("--workload", metavar="MODULE:NAME", help="explore this Workload instead")
    add("--shard", type=_shard, default=(1, 1), metavar="I/N", help="only the I-th of N parts")
    add("--out", type=Path, metavar="DIR", help="store violations there: replay files and tests")
    add("--json", action="store_true", help="one JSON document on stdout")


def run(args: argparse.Namespace) -> int:
    """Explore, print what came out; the exit status."""
    workload = None if args.workload is None else workload_named(args.workload)
    settings = Settings(args.profile, args.seed, args.jobs, args.shard, workload)
    progress = _Progress(args.json)
    campaign = explore(settings, progress.part_done)
    progress.done()
    if not args.json:
        print(as_table(campaign))
    stored = _store(campaign, args.out) if args.out and campaign.violations else []
    if args.json:
        print_json(campaign.as_document() | {"stored": [str(kept.file) for kept in stored]})
    if args.out or not campaign.violations:
        return FINE if campaign.verdict == "survived" else FINDINGS
    for violation in campaign.violations[:3]:
        print(f"\n{describe_violation(violation)}", file=sys.stderr)
    print("\nWith --out DIR they are made small and stored, for bazanite replay.",
          file=sys.stderr)  # fmt: skip
    return FINDINGS


def _store(campaign: Campaign, directory: Path) -> list[Kept]:
    """Keep the first violations of each rule, and say where each is.  Ctrl-C ends it early."""
    stored: list[Kept] = []
    tty = sys.stderr.isatty()

    def shrinking(now: Progress) -> None:
        if tty:
            line = f"making violation {len(stored) + 1} small: {now.calls} calls, {now.lost} lost"
            sys.stderr.write(f"\r\x1b[K{line}, {now.states:,} disks")
            sys.stderr.flush()

    def cannot(violation: Violation, problem: str) -> None:
        print(f"\n{describe_violation(violation)}\nnot stored: {problem}", file=sys.stderr)

    keeping = keep_first(campaign.violations, directory, on_progress=shrinking, on_problem=cannot)
    try:
        for kept in keeping:
            stored.append(kept)
            print("\r\x1b[K" if tty else "", file=sys.stderr)
            print(_kept_text(kept), file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted: not all violations are stored", file=sys.stderr)
    except OSError as error:
        raise CommandError(f"--out {directory}: {error}", USAGE) from error
    return stored


def _kept_text(kept: Kept) -> str:
    violation = kept.replay.violation
    parts = (story(violation), describe_violation(violation, rows=False), rows_table(violation))
    return "\n\n".join([*parts, f"bazanite replay {kept.file}\npytest {kept.test}"])


def workload_named(reference: str) -> Workload:
    """The workload that --workload names; the current directory is on the path."""
    sys.path.insert(0, str(Path.cwd()))  # as python -m does
    try:
        return load_workload(reference)
    except (TypeError, ValueError) as error:
        raise CommandError(f"--workload {error}", USAGE) from error
    finally:
        sys.path.pop(0)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 256, not {text!r}")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise argparse.ArgumentTypeError(f"must be I/N with 1 <= I <= N, not {text!r}")
    return int(index), int(count)


class _Progress:
    """What a person sees while it runs: on a terminal one line that changes."""

    def __init__(self, quiet: bool) -> None:
        self._tty = sys.stderr.isatty()
        self._quiet = quiet
        self._next = time.monotonic() + (0.0 if self._tty else 10.0)

    def part_done(self, campaign: Campaign, part: Part) -> None:
        """Another task is finished."""
        now = time.monotonic()
        if now < self._next and not part.violations:
            return
        self._next = now + (0.2 if self._tty else 10.0)
        done = len(campaign.parts)
        left = campaign.seconds / done * (campaign.planned - done)
        line = (
            f"{campaign.seconds:6.1f} s  {done} of {campaign.planned} tasks"
            f"  {campaign.total('visited'):,} states  {campaign.states_per_second:,.0f}/s"
            f"  {len(campaign.violations)} violations  about {left:.0f} s left"
        )
        sys.stderr.write(f"\r\x1b[K{line}" if self._tty else f"{line}\n")
        sys.stderr.flush()

    def done(self) -> None:
        """Leave the terminal's line."""
        if self._tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def read_documents(paths: list[str]) -> list[dict[str, object]]:
    """The JSON documents of earlier runs; CommandError names the file that is none."""
    documents = []
    for path in paths:
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{path}: {error}", USAGE) from error
        if not isinstance(document, dict) or "verdict" not in document:
            raise CommandError(f"{path}: not what `bazanite explore --json` prints", USAGE)
        documents.append(document)
    return documents
