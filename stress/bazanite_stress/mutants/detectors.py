"""What looks for bugs: eight detectors, each with the scenes that it looks at.

Cheapest first: traces of single calls, then power cuts in structured states, damage, crashes within
recovery, injected errors, kills with a successor, interleaved processes, real ones.  A detector is:

    scenes(workloads) -> scenes        what it looks at, in order; these workloads first
    look(scene, looking)               Caught if a rule is broken; see ``looking`` for what else
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

from bazanite_stress.explore.explorer import Violation

from . import damage, errors, interleaved, kills, locks, nested, power_cuts, trace
from .looking import Abandoned, Caught, Enough, Looking
from .scene import Scene

DETECTORS: dict[str, ModuleType] = {
    "T": trace,
    "P": power_cuts,
    "I": damage,
    "N": nested,
    "E": errors,
    "K": kills,
    "C": interleaved,
    "L": locks,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A detector saw a broken rule, after how many states and seconds."""

    letter: str
    states: int
    seconds: float
    violation: Violation


def detect(
    letter: str, workloads: tuple[str, ...] = (), limit: int | None = None
) -> tuple[Finding | None, int]:
    """Run one detector over about ``limit`` states; what it found, and how many they were."""
    started = time.monotonic()
    looking = Looking(limit)
    for scene in DETECTORS[letter].scenes(workloads):
        looking.memory.clear()
        violation = seen(scene, looking)
        if violation is not None:
            seconds = time.monotonic() - started
            return Finding(letter, looking.states, seconds, violation), looking.states
        if limit is not None and looking.states > limit:
            break
    return None, looking.states


def seen(scene: Scene, looking: Looking) -> Violation | None:
    """The first violation that this look at the scene meets, if it meets one."""
    try:
        with suppress(Enough, Abandoned):
            DETECTORS[scene.letter].look(scene, looking)
    except Caught as caught:
        return caught.violation
    return None
