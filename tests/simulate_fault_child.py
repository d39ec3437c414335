"""A process in which a fault is planted, before the engine is imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from bazanite_stress.mutants.bug import Bug, Patch
from bazanite_stress.mutants.planting import plant

_MOST = 400


def main() -> None:
    """Read what to plant, answer with the rule that the first schedule broke ("" if none did)."""
    request = json.load(sys.stdin)
    planted = plant(Bug(99, "a fault", "C", (Patch(*request["patch"]),)))
    from bazanite_stress.concurrency.catalogue import PROGRAMS
    from bazanite_stress.concurrency.plans import Odds, Policy, Random, preempted
    from bazanite_stress.concurrency.trial import Court

    court, rule, runs = Court(PROGRAMS[request["program"]]), "", 0
    policies: Iterator[Policy]
    if "change" in request["mode"]:
        policies = preempted(1 if request["mode"] == "one change" else 2)
    else:
        odds = Odds(0.2)
        if request["mode"] == "cuts":
            odds = Odds(0.3, cut=True, kills=1, within=300)
        policies = (Random(str(number), odds) for number in range(_MOST))
    for policy in policies:
        runs += 1
        broken = court.run(policy).broken
        if broken is not None:
            rule = broken.rule
            break
    json.dump({"rule": rule, "runs": runs, "planted": planted.runs}, sys.stdout)


if __name__ == "__main__":
    main()
