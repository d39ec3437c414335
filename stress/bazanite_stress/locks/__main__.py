"""Play scenes, all of them or those named; exit status 1 if a rule is broken.

python -m bazanite_stress.locks
python -m bazanite_stress.mutants.with_bugs 38 bazanite_stress.locks forked_child
"""

from __future__ import annotations

import sys

from .scenes import SCENES
from .stage import play


def main(*names: str) -> int:
    """Play, print, judge."""
    broken = False
    for name in names or SCENES:
        verdict = play(name, SCENES[name])
        print(f"{name:20} {verdict.seconds:5.2f} s  {'BROKEN' * bool(verdict.findings)}")
        for finding in verdict.findings:
            print(f"    {finding.rule}: expected {finding.expected}, found {finding.found}")
        for what in verdict.not_done:
            print(f"    not done: {what}")
        broken = broken or bool(verdict.findings)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
