"""What looks for bugs: eight detectors, each with one way to look or several.

A *way* is a function of the bugs that are planted (for what they name to be tried first) and a
Looking (for how much; it counts the states there).  It returns the first violation, whose kind
``explore.again`` must know how to repeat, or None.  Most ways go through the scenes of a module:

    scenes(workloads) -> scenes        what it looks at, in order; these workloads first
    look(scene, looking)               Caught if a rule is broken; see ``looking`` for what else

To add a way, name it in the table below: nothing else has to know of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

from bazanite_stress.explore.explorer import Violation

from . import damage, errors, interleaved, kills, locks, nested, power_cuts, schedules, trace
from .bug import Bug
from .looking import Abandoned, Caught, Enough, Looking
from .scene import Scene

Way = Callable[[Sequence[Bug], Looking], Violation | None]

SCENES: dict[str, ModuleType] = {
    "T": trace,
    "P": power_cuts,
    "I": damage,
    "N": nested,
    "E": errors,
    "K": kills,
    "C": interleaved,
    "L": locks,
}
"""The module whose scenes a letter looks at."""


def _through_scenes(letter: str) -> Way:
    """Look at one scene after another, those with the bugs' own workloads first."""

    def find(bugs: Sequence[Bug], looking: Looking) -> Violation | None:
        workloads = tuple(dict.fromkeys(name for bug in bugs for name in bug.workloads))
        for scene in SCENES[letter].scenes(workloads):
            looking.memory.clear()
            violation = seen(scene, looking)
            if violation is not None:
                return violation
            if looking.limit is not None and looking.states > looking.limit:
                break
        return None

    return find


PLAYED = "scenes"
DETECTORS: dict[str, dict[str, Way]] = {
    **{letter: {PLAYED: _through_scenes(letter)} for letter in SCENES},
    "C": {PLAYED: _through_scenes("C"), schedules.WAY: schedules.find},
}
"""The ways of each letter, by name, the cheapest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A detector saw a broken rule in one of its ways, after how many states and seconds."""

    letter: str
    way: str
    states: int
    seconds: float
    violation: Violation


def detect(
    letter: str, bugs: Sequence[Bug] = (), limit: int | None = None, way: str = ""
) -> Iterator[tuple[Finding | None, int]]:
    """For each way of a detector: what it found, and how many states it looked at.

    ``limit``: about so many, in each way.  ``way``: this one alone.
    """
    for name, find in DETECTORS[letter].items():
        if way in ("", name):
            started = time.monotonic()
            looking = Looking(limit)
            violation = find(bugs, looking)
            seconds, states = time.monotonic() - started, looking.states
            if violation is None:
                yield None, states
            else:
                yield Finding(letter, name, states, seconds, violation), states


def seen(scene: Scene, looking: Looking) -> Violation | None:
    """The first violation that this look at the scene meets, if it meets one."""
    try:
        with suppress(Enough, Abandoned):
            SCENES[scene.letter].look(scene, looking)
    except Caught as caught:
        return caught.violation
    return None
