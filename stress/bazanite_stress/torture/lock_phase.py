"""The lock's figures: phases before the rounds, in which nobody dies but who holds the lock."""

from __future__ import annotations

from pathlib import Path

from bazanite_stress.locks.actors import SilentError
from bazanite_stress.locks.measure import LockFigures, LockSettings, measure
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.lives import Crew

PROCESSES = (8, 16)
"""The worse of the figures counts."""
_SHARE, _LONGEST_SECONDS = 0.06, 10.0
_KILLS_A_SECOND, _FEWEST_KILLS, _MOST_KILLS = 2, 20, 300


def measure_lock(crew: Crew, parent: Path) -> list[Finding]:
    """Measure, and put the figures into the tally; what is wrong with the lock."""
    settings, tally = crew.settings, crew.tally
    seconds = min(_SHARE * settings.seconds, _LONGEST_SECONDS)
    kills = int(min(max(_KILLS_A_SECOND * settings.seconds, _FEWEST_KILLS), _MOST_KILLS))
    figures: list[LockFigures] = []
    for count in PROCESSES:
        crew.stopping.check()
        asked = LockSettings(settings.seed, seconds, count, kills, parent)
        try:
            figures.append(measure(asked, crew.progress.tell, crew.stopping.check))
        except SilentError as error:
            return [Finding("the lock", f"{count} processes get on", str(error))]
    tally.fairness_min_max = round(min(each.fairness_min_max for each in figures), 3)
    tally.wait_max_ms = round(max(each.wait_max_ms for each in figures), 1)
    tally.takeover_p99_ms = round(max(each.takeover_p99_ms for each in figures), 1)
    return []
