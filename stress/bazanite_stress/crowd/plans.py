"""Who starts, as what, and how it ends: so that every moment is met, and none much less often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from bazanite_stress.explore.workload import Step
from bazanite_stress.torture.settings import Settings

from . import moments as at
from .life import Part
from .moments import BLACK_BOX, WHITE_BOX, Doom
from .tables import PLAIN, Design

ENOUGH_HITS = 30
"""A moment that was met less often is not measured."""

_COUNTS = {at.APPEND: 4, at.LOG_SYNC: 3, at.APPLY: 8, at.DATA_SYNC: 4, at.HEADER: 1,
           at.RECOVERY: 14, at.WAITING: 3, at.HOLDING: 40, at.CREATING: 16}  # fmt: skip
"""Up to how many of a moment a process sees before it dies there."""

_SELDOM = {"off": (at.LOG_SYNC, at.DATA_SYNC)}
"""What comes at the very end only, at this durability: who waits to die there mostly lives."""

_FILL: Step = ["insert", "t", {"v": "x" * 12_000}]
"""What fills a small disk soon."""

_LAST: tuple[Step, ...] = (
    ["insert", "a", {"v": "last"}], ["insert", "t", {"v": "last"}], ["read"],
)  # fmt: skip

_EVERYBODY = 0.06
_OWN_TABLES = 4

_FIRST: dict[str, tuple[Step, ...]] = {
    moment: (["insert", "a", {"v": "first"}], ["checkpoint"])
    for moment in (at.DATA_SYNC, at.HEADER)
}
"""What leads to moments that come seldom by themselves."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How the processes of one directory open it, and which tables it has."""

    directory: str
    options: Mapping[str, Any]
    no_space: bool = False
    design: Design = PLAIN


class Plans:
    """Plans the parts of one directory's processes; ``hits``: how often each moment came so far."""

    def __init__(self, setting: Setting, random: Random, hits: Mapping[str, int]) -> None:
        self._setting = setting
        self._random = random
        self._hits = hits
        self._seldom = _SELDOM.get(setting.options.get("durability", "full"), ())
        self._made = 0

    def rarest(self, moments: tuple[str, ...]) -> str:
        """One of the moments that came least often."""
        least = min(self._hits.get(moment, 0) for moment in moments)
        return self._random.choice([m for m in moments if self._hits.get(m, 0) == least])

    def everybody(self) -> float:
        """In which part of the strikes all are to die: more if recoveries came seldom so far."""
        recovered = min(self._hits.get(m, 0) for m in (at.RECOVERY, at.FIRST_OPENER))
        others = min(self._hits.get(m, 0) for m in WHITE_BOX if m != at.RECOVERY)
        return _EVERYBODY if recovered >= others else 3 * _EVERYBODY

    def reader(self) -> Part:
        """One that changes nothing."""
        return self._part(reads_only=True, calls=self._random.randint(20, 200))

    def writer(self) -> Part:
        """One that is to die at the rarest moment, or forks, or is left to those who strike."""
        choice = self._random.random()
        if choice < 0.6:
            seldom = (at.RECOVERY, *self._seldom)
            moment = self.rarest(tuple(m for m in WHITE_BOX if m not in seldom))
            return self.doomed(moment)
        if choice < 0.75:
            return self._part(calls=self._random.randint(5, 20), fork_at=self._random.randint(1, 4))
        return self._part(calls=self._random.randint(5, 60))

    def doomed(self, moment: str) -> Part:
        """One that dies at this moment, if it comes there."""
        count = self._random.randint(1, _COUNTS[moment])
        doom = Doom(moment, count, self._random.random())
        # whoever opens a directory as it is stored opens all of them: there they are few
        kept = self._made % _OWN_TABLES if self._setting.design.migrates else self._made
        table = f"x{kept}" if moment == at.CREATING else ""
        first = _FIRST.get(moment, ())
        return self._part(calls=30, doom=doom, own_table=table, first=first)

    def last(self) -> Part:
        """The one that reads everything when all are dead; then it writes: that shows next ids."""
        return self._part(last=True, no_space=False, first=_LAST)

    def _part(self, **more: Any) -> Part:
        self._made += 1
        setting = self._setting
        seed = f"{self._random.getrandbits(48):x}/{self._made}"
        more = {"no_space": setting.no_space} | more
        if more["no_space"] and not more.get("reads_only"):
            more["first"] = (_FILL, *more.get("first", ()))
        options = dict(setting.options)
        return Part(setting.directory, seed, options=options, design=setting.design, **more)


def options(random: Random, settings: Settings, number: int) -> dict[str, Any]:
    """How the directory of this round is opened: as in any round (`Settings.options`, `level`), and
    with small logs, so that they are begun anew, grow and are cut.
    """
    return {
        **settings.options(number),
        "durability": settings.level(number),
        "log_size_bytes": random.choice((8 << 10, 16 << 10, 64 << 10)),
        "checkpoint_bytes": random.choice((2 << 10, 8 << 10, 32 << 10)),
    }


def missing(hits: Mapping[str, int], *, no_space: bool) -> dict[str, int]:
    """The moments that were met too seldom for a verdict, and how often."""
    wanted = WHITE_BOX + BLACK_BOX + ((at.NO_SPACE,) if no_space else ())
    return {m: hits.get(m, 0) for m in wanted if hits.get(m, 0) < ENOUGH_HITS}
