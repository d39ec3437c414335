"""A campaign of schedules: many tasks in several processes, counted into one verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from bazanite_stress.explore.explorer import Violation
from bazanite_stress.pool import carry_on, verdict_of

from .canary import canary_is_found
from .programs import Program
from .tasks import Part, Scope, carry_out, plan

VERDICTS = ("survived", "lost", "not measured", "harness broken")


@dataclass(frozen=True, slots=True)
class Settings:
    """What to simulate.  ``schedules``: at most so many, None for all of the profile."""

    scope: Scope = "quick"
    seed: int = 0
    jobs: int = 1
    schedules: int | None = None
    program: Program | None = None


@dataclass(slots=True)
class Campaign:
    """What came out.  ``canary`` tells whether the planted bug was found."""

    scope: str
    seed: int
    parts: list[Part] = field(default_factory=list)
    canary: bool | None = None
    seconds: float = 0.0
    jobs: int = 1
    interrupted: bool = False
    planned: int = 0
    program: str = ""
    """The name of a program of one's own; "" for those that come with it."""

    @property
    def verdict(self) -> str:
        """It survived only if all was run, the canary was found, and no rule was broken."""
        measured = self.total("schedules") > 0
        return verdict_of(self, lost=bool(self.violations), measured=measured)

    @property
    def violations(self) -> list[Violation]:
        """All of them, in the order in which they were found."""
        return [violation for part in self.parts for violation in part.violations]

    def total(self, name: str) -> int:
        """The sum of one count over all parts."""
        return sum(getattr(part, name) for part in self.parts)

    @property
    def schedules_per_second(self) -> float:
        """Of all processes together."""
        return self.total("schedules") / self.seconds if self.seconds else 0.0

    def as_document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "verdict": self.verdict,
            "profile": self.scope,
            "program": self.program,
            "seed": self.seed,
            "canary_found": self.canary,
            "interrupted": self.interrupted,
            "schedules": self.total("schedules"),
            "points": self.total("points"),
            "disks": self.total("disks"),
            "violations": len(self.violations),
            "schedules_per_second": round(self.schedules_per_second, 1),
            "jobs": self.jobs,
            "seconds": round(self.seconds, 2),
            "parts": [asdict(part) | {"violations": len(part.violations)} for part in self.parts],
            "first_violations": [
                {"rule": v.rule, "found": v.found, "workload": v.workload.name, "how": v.how}
                for v in self.violations[:20]
            ],
        }


def simulate(settings: Settings, on_part: Callable[[Campaign, Part], None]) -> Campaign:
    """Carry a campaign out; ``on_part`` hears of each part as it is done.  Ctrl-C ends it early."""
    tasks = plan(settings.scope, settings.seed, settings.program, settings.schedules)
    campaign = Campaign(settings.scope, settings.seed, jobs=settings.jobs)
    campaign.program = settings.program.name if settings.program else ""
    return carry_on(campaign, canary_is_found, carry_out, tasks, on_part)
