"""A campaign: many tasks in several processes, counted together into one verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from bazanite_stress.pool import carry_on, verdict_of

from .canary import canary_is_found
from .explorer import Violation
from .tasks import Part, Scope, carry_out, plan
from .workload import Workload

VERDICTS = ("survived", "lost", "not measured", "harness broken")


@dataclass(frozen=True, slots=True)
class Settings:
    """What to explore: ``shard`` is (i, n) for the i-th of n parts, counted from 1."""

    scope: Scope = "quick"
    seed: int = 0
    jobs: int = 1
    shard: tuple[int, int] = (1, 1)
    workload: Workload | None = None


@dataclass(slots=True)
class Campaign:
    """What came out.  ``canary`` tells whether the planted bug was found, None: nobody looked."""

    scope: str
    seed: int
    shard: str = "1/1"
    parts: list[Part] = field(default_factory=list)
    canary: bool | None = None
    seconds: float = 0.0
    jobs: int = 1
    interrupted: bool = False
    planned: int = 0
    workload: str = ""
    """The name of a workload of one's own; "" for those that come with it."""

    @property
    def verdict(self) -> str:
        """It survived only if all was explored, the canary was found, and nothing was lost."""
        measured = self.total("visited") > 0
        return verdict_of(self, lost=bool(self.violations), measured=measured)

    @property
    def violations(self) -> list[Violation]:
        """All of them, in the order of the plan."""
        return [violation for part in self.parts for violation in part.violations]

    def total(self, name: str) -> int:
        """The sum of one count over all parts."""
        return sum(getattr(part, name) for part in self.parts)

    @property
    def states_per_second(self) -> float:
        """States visited a second, of all processes together."""
        return self.total("visited") / self.seconds if self.seconds else 0.0

    @property
    def judged_per_second_and_job(self) -> float:
        """Different disks recovered by the engine, a second and process."""
        busy = sum(part.seconds for part in self.parts)
        return self.total("unique") / busy if busy else 0.0

    @property
    def exhaustive_percent(self) -> float:
        """The share of the power cuts' crash points of which every legal state was visited."""
        cuts = [part for part in self.parts if part.way == "power cut"]
        points = sum(part.points for part in cuts)
        return 100.0 * sum(part.exhaustive_points for part in cuts) / points if points else 0.0

    def as_document(self) -> dict[str, Any]:
        """For ``--json`` and for ``merge``; docs/crash-model.md explains the counts."""
        return {
            "verdict": self.verdict,
            "profile": self.scope,
            "workload": self.workload,
            "seed": self.seed,
            "shard": self.shard,
            "canary_found": bool(self.canary),
            "interrupted": self.interrupted,
            "workloads": self.total("workloads"),
            "points": self.total("points"),
            "states": self.total("visited"),
            "states_unique": self.total("unique"),
            "addresses_legal": self.total("legal"),
            "addresses_covered": self.total("covered"),
            "states_exhaustive_percent": round(self.exhaustive_percent, 2),
            "violations": len(self.violations),
            "states_per_second": round(self.states_per_second, 1),
            "judged_per_second_and_job": round(self.judged_per_second_and_job, 1),
            "jobs": self.jobs,
            "seconds": round(self.seconds, 2),
            "planned": self.planned,
            "parts": [_part_document(part) for part in self.parts],
            "first_violations": [_violation_document(v) for v in self.violations[:20]],
        }


class TooManyShards(ValueError):
    """More parts than tasks; the text says how many there can be."""


def explore(settings: Settings, on_part: Callable[[Campaign, Part], None]) -> Campaign:
    """Carry a campaign out; ``on_part`` hears of each part as it is done.  Ctrl-C ends it early.

    TooManyShards if a part would have nothing to do.
    """
    tasks = plan(settings.scope, settings.seed, settings.workload)
    index, count = settings.shard
    if count > len(tasks) > 0:
        raise TooManyShards(f"there are {len(tasks)} tasks, so at most {len(tasks)} parts")
    mine = tasks[index - 1 :: count]
    campaign = Campaign(settings.scope, settings.seed, f"{index}/{count}", jobs=settings.jobs)
    campaign.workload = settings.workload.name if settings.workload else ""
    return carry_on(campaign, canary_is_found, carry_out, mine, on_part)


def _part_document(part: Part) -> dict[str, Any]:
    document = asdict(part) | {"violations": len(part.violations)}
    return document | {"percent": round(part.percent, 4)}


def _violation_document(violation: Violation) -> dict[str, Any]:
    document = asdict(violation)
    document["workload"] = violation.workload.as_json()
    return document
