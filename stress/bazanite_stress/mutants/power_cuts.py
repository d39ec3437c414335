"""P: the power goes at each crash point of a workload; as `bazanite explore`, in few states."""

from __future__ import annotations

from collections.abc import Iterator

from bazanite_stress.explore.explorer import Explorer, Limits
from bazanite_stress.simulation.disk import PROFILES
from bazanite_stress.simulation.legal import NO_TEARING, Tearing

from .looking import Caught, Looking
from .scene import Scene
from .workloads import ALL

_FIRST = ("rows", "two tables", "equal frames", "normal", "creation", "long frames")
_TORN = ("equal frames", "rows")
_LIMITS = {
    "few": Limits(exhaustive=1, sample=4, violations=1),
    "more": Limits(exhaustive=60, sample=24, violations=1),
}


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """Every workload: few structured states of each point first, then more."""
    for part in _LIMITS:
        for name, tearing in _explored(workloads):
            for profile in reversed(PROFILES):
                yield Scene("P", ALL[name], profile, part=part, tearing=tearing)


def _explored(workloads: tuple[str, ...]) -> Iterator[tuple[str, Tearing]]:
    order = dict.fromkeys([*workloads, *_FIRST, *ALL])
    yield from ((name, NO_TEARING) for name in [*workloads, *_FIRST[:2]])
    yield from ((name, Tearing(torn=True)) for name in _TORN)
    done = {*workloads, *_FIRST[:2]}
    yield from ((name, NO_TEARING) for name in order if name not in done)


def look(scene: Scene, looking: Looking) -> None:
    """Caught if a wrong state comes back.  The violation is a power cut like any."""
    explorer = Explorer(
        scene.workload,
        scene.profile,
        limits=_LIMITS[scene.part],
        tearing=scene.tearing,
        judge=looking.judge(scene),
    )
    tally = explorer.explore()
    if tally.violations:
        looking.states += tally.visited
        raise Caught(tally.violations[0])
    looking.spend(tally.visited)
