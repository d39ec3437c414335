"""The canary: a bug planted on purpose that every simulation must find.

The global lock keeps nobody out.  If no schedule shows that, the harness sees nothing.
"""

from __future__ import annotations

from unittest import mock

from bazanite_stress.simulation.system import SimulatedLockFile

from .catalogue import PROGRAMS
from .plans import Odds, Random
from .trial import Court

_SCHEDULES = 40


def canary_is_found() -> bool:
    """Whether processes that do not keep each other out are caught."""
    with mock.patch.object(SimulatedLockFile, "try_lock", return_value=True):
        court = Court(PROGRAMS["two inserts"])
        return any(
            court.run(Random(f"canary {number}", Odds(0.2))).broken is not None
            for number in range(_SCHEDULES)
        )
