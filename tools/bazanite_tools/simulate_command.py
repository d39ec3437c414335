"""`bazanite simulate`: several processes on a simulated machine, under very many schedules."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bazanite_stress.concurrency.campaign import Campaign, Settings, simulate
from bazanite_stress.concurrency.programs import load_program
from bazanite_stress.concurrency.report import as_table
from bazanite_stress.concurrency.tasks import SCOPES

from .output import FINDINGS, FINE, print_json
from .own_program import named
from .violations import Watch, at_least_one, jobs, make_directory, store_or_show

_EXAMPLES = """\
examples:
  bazanite simulate                         the quick profile: half a minute
  bazanite simulate --profile ci            over 20,000 schedules: minutes
  bazanite simulate --schedules 5000        about so many random ones only
  bazanite simulate --workload mine:PROGRAM your own (docs/concurrency.md)
  bazanite simulate --out failures          store what fails (bazanite replay)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite simulate`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Run several processes on a simulated machine, one call at a time, under many\n"
        "schedules; kill them, stop them, fork them, let their syncs fail, cut the\n"
        "power.  The history of their calls must be as if one came after another.\n"
        "Exit status: 0 it was, 1 it was not, or nothing measured."
    )
    parser.epilog = _EXAMPLES
    add = parser.add_argument
    add("--profile", choices=SCOPES, default="quick", help="how much (default quick)")
    add("--schedules", type=at_least_one, metavar="N", help="about so many random ones instead")
    add("--seed", type=int, default=0, help="of what is random (default 0)")
    add(
        "--jobs",
        type=jobs,
        default=os.cpu_count() or 1,
        help="processes (default: one a core)",
    )
    add("--workload", metavar="MODULE:NAME", help="this Program or Workload instead")
    add("--out", type=Path, metavar="DIR", help="store violations there: replay files and tests")
    add("--json", action="store_true", help="one JSON document on stdout")


def run(args: argparse.Namespace) -> int:
    """Simulate, print what came out; the exit status."""
    program = None if args.workload is None else named(load_program, args.workload)
    settings = Settings(args.profile, args.seed, args.jobs, args.schedules, program)
    if args.out is not None:
        make_directory(args.out)
    watch: Watch[Campaign] = Watch(lambda campaign: f"{campaign.total('schedules'):,} schedules")
    with watch.progress:
        campaign = simulate(settings, watch.part_done)
    if not args.json:
        print(as_table(campaign))
    stored = store_or_show(campaign.violations, args.out)
    if args.json:
        print_json(campaign.as_document() | {"stored": [str(kept.file) for kept in stored]})
    return FINE if campaign.verdict == "survived" else FINDINGS
