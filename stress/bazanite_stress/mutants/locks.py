"""L: real processes that hold the lock, wait for it, fork, stop and die, each in a scripted scene.

The actors are forks of this process, so that they have its bugs; an interpreter that a scene starts
anew has them planted, too.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator

from bazanite_stress.explore.explorer import Violation
from bazanite_stress.explore.runner import Point
from bazanite_stress.explore.workload import Workload
from bazanite_stress.locks.scenes import SCENES
from bazanite_stress.locks.stage import play

from .looking import Caught, Looking
from .planting import MARKER
from .scene import Scene
from .session import how_of

_NONE = Workload("locks", {"none": {"v": ["char", 1]}}, [])
"""A scene does what it does; this is for the form of a finding."""
_silent: set[str] = set()
"""Scenes in which nothing was seen: a longer look would play the very same again."""


def scenes(workloads: tuple[str, ...]) -> Iterator[Scene]:
    """All of the lock's, once."""
    del workloads
    names = [name for name in SCENES if name not in _silent]
    yield from (Scene("L", _NONE, "hostile", part=name) for name in names)


def look(scene: Scene, looking: Looking) -> None:
    """Caught if a rule of the lock is broken."""
    looking.spend()
    looking.reached = True
    bugs = getattr(getattr(builtins, MARKER, None), "numbers", ())
    verdict = play(scene.part, SCENES[scene.part], bugs=bugs)
    if not verdict.findings:
        _silent.add(scene.part)
        return
    first = verdict.findings[0]
    point = Point(number=0, step=0, what=f"the scene {scene.part}", lowest=0, highest=0)
    raise Caught(
        Violation(
            scene.workload, scene.profile, 512, point, 0, (), (), (first.expected,),
            first.found, first.rule, looking.states, how_of(scene),
        )
    )  # fmt: skip
