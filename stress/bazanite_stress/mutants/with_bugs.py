"""Any Python program in a process whose engine has planted bugs.

    python -m bazanite_stress.mutants.with_bugs 11,53 pytest kills/test_bug_11.py

The numbers of the bugs, a module, its arguments.  The exit status is the module's; 3 if the planted
code never ran.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Sequence

from .planted import BUGS
from .planting import plant

_NEVER_RAN = 3
_FAILED = 1
_PYTEST = ("pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=")


def main(numbers: str, module: str, *arguments: str) -> int:
    """Plant these bugs, then run the module as ``python -m`` does."""
    planted = plant(*(BUGS[int(number)] for number in numbers.split(",")))
    sys.argv = [module, *arguments]
    status: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code
    if not planted.runs:
        print("the planted code never ran", file=sys.stderr)
        return _NEVER_RAN
    return int(status) if isinstance(status, int) else int(status is not None)


def failure_of(file: str, test: str, bugs: Sequence[int]) -> str:
    """What pytest says of this test with these bugs planted, in a process of its own; "" if it
    passes.

    RuntimeError if it was not run, or the planted code was not.
    """
    numbers = ",".join(map(str, bugs))
    program = [sys.executable, "-m", "bazanite_stress.mutants.with_bugs", numbers]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [*program, *_PYTEST, f"{file}::{test}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"PYTHONHASHSEED": "0"},  # as when the bug was seen: sets have an order
    )
    if done.returncode not in (0, _FAILED):
        raise RuntimeError(f"exit status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout if done.returncode == _FAILED else ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
