"""``python -m bazanite_stress.damage``: the whole campaign, with its figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from .campaign import Campaign, run


def main() -> int:
    """Run it; 1 if a repair was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bazanite_stress.damage")
    parser.add_argument("--copies", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first copy's number")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="", help="damage only files whose names end so")
    args = parser.parse_args()
    seed = SystemRandom().randrange(1 << 30) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    started = time.monotonic()

    def tell(campaign: Campaign) -> None:
        if campaign.copies % 50 == 0:
            print(f"{campaign.copies} copies", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        campaign = run(Path(scratch), seed, args.first, args.copies, tell, args.only)
    total = campaign.total
    for failure in campaign.failures:
        print(failure)
    print(
        f"{campaign.copies} copies in {time.monotonic() - started:.0f} s,"
        f" {campaign.with_schema} with schema=, {campaign.refused} without any data file;"
        f" {total.whole} rows whole, {total.saved} saved ({total.healed} from the log,"
        f" {total.in_doubt} in doubt), {total.lost} not saved, {total.quarantined} in quarantine;"
        f" {len(campaign.failures)} wrong"
    )
    return 1 if campaign.failures else 0


if __name__ == "__main__":
    sys.exit(main())
