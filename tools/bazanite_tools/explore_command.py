"""`bazanite explore`: cut the power at every point of a workload, open every legal disk, judge."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from bazanite_stress.explore.campaign import Campaign, Settings, TooManyShards, explore
from bazanite_stress.explore.own import load_workload
from bazanite_stress.explore.report import as_table
from bazanite_stress.explore.tasks import SCOPES

from .output import FINDINGS, FINE, USAGE, CommandError, long_numbers, print_json
from .own_program import named
from .violations import Watch, jobs, make_directory, store_or_show

_EXAMPLES = """\
examples:
  bazanite explore                           the quick profile: a minute
  bazanite explore --profile ci              a million states: some minutes
  bazanite explore --workload mine:WORKLOAD  your own (docs/crash-model.md)
  bazanite explore --out failures            store what fails (bazanite replay)
  bazanite explore --profile soak --shard 3/20 --json > part-3.json
  bazanite merge part-*.json                 the verdict on all parts together
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite explore`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Run workloads on a simulated machine, cut the power at every crash point, open\n"
        "every disk that may be left with the real engine, and hold what comes back\n"
        "against a model; kill processes and let calls fail, too. docs/crash-model.md\n"
        "says what is simulated, and what the words of the table mean. Exit status:\n"
        "0 it survived, 1 something was lost, or nothing was measured."
    )
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add(
        "--profile",
        choices=SCOPES,
        default="quick",
        help="how much: a minute, some minutes, a night (default quick)",
    )
    add("--seed", type=int, default=0, help="of what is chosen at random (default 0)")
    add(
        "--jobs",
        type=jobs,
        default=os.cpu_count() or 1,
        help="processes (default: one a core)",
    )
    add("--workload", metavar="MODULE:NAME", help="explore this Workload only")
    add("--shard", type=_shard, default=(1, 1), metavar="I/N", help="only the I-th of N parts")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="store what fails here, made small: replay files and tests",
    )
    add("--json", action="store_true", help="one JSON document on stdout")


def run(args: argparse.Namespace) -> int:
    """Explore, print what came out; the exit status."""
    workload = None if args.workload is None else named(load_workload, args.workload)
    settings = Settings(args.profile, args.seed, args.jobs, args.shard, workload)
    if args.out is not None:
        make_directory(args.out)
    watch: Watch[Campaign] = Watch(lambda campaign: f"{campaign.total('visited'):,} states")
    try:
        with watch.progress:
            campaign = explore(settings, watch.part_done)
    except TooManyShards as error:
        raise CommandError(f"--shard {'/'.join(map(str, args.shard))}: {error}", USAGE) from error
    if not args.json:
        print(as_table(campaign))
    stored = store_or_show(campaign.violations, args.out)
    if args.json:
        print_json(campaign.as_document() | {"stored": [str(kept.file) for kept in stored]})
    return FINE if campaign.verdict == "survived" else FINDINGS


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise argparse.ArgumentTypeError(f"must be I/N with 1 <= I <= N, not {text!r}")
    return int(index), int(count)


def read_documents(paths: list[str]) -> list[dict[str, object]]:
    """The JSON documents of earlier runs; CommandError names the file that is none."""
    documents = []
    for path in paths:
        try:
            with long_numbers():
                document = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}", USAGE) from error
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{path}: not JSON: {error}", USAGE) from error
        if not isinstance(document, dict) or not document.keys() >= {"shard", "parts"}:
            raise CommandError(f"{path}: not what `bazanite explore --json` prints", USAGE)
        documents.append(document)
    return documents
