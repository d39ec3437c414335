"""A table of a run in a terminal that changes while it runs.  Needs rich: the extra `terminal`.

No thread draws it: the supervisor forks, and what is shown is what it knows at a tick.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bazanite_stress.crowd.plans import ENOUGH_HITS
from bazanite_stress.torture.report import Progress, Tally, rounds_text

EVERY_SECONDS = 0.5
_BAR = 10


class LiveProgress(Progress):
    """Shows the table on a terminal, in place, and takes it away at the end."""

    def __init__(self, stream: TextIO = sys.stderr, console: Console | None = None) -> None:
        super().__init__(stream)
        self._console = console or Console(file=stream)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._every = EVERY_SECONDS
        self._next = self._started
        self._latest: tuple[float, int, int] = (0.0, 0, 0)

    def tell(self, line: str) -> None:
        self._console.print(Text(line))

    def tick(self, tally: Tally) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        if not self._live.is_started:
            self._live.start()
        self._live.update(self._picture(tally, now - self._started), refresh=True)

    def done(self) -> None:
        if self._live.is_started:
            self._live.stop()
        super().done()  # the terminal has written ^C there, also before there is a table

    def _picture(self, tally: Tally, seconds: float) -> Group:
        tone = "bold red" if tally.violation_count else "green"
        figures = Table.grid(padding=(0, 2))
        figures.add_column(style="dim")
        figures.add_column()
        for name, value in (
            ("seconds", f"{seconds:.1f}"),
            ("rounds", rounds_text(tally)),
            ("kills", self._kills(tally, seconds)),
            ("calls", f"{tally.operations:,}, {tally.in_flight:,} in flight at a kill"),
            ("commits a second", f"{tally.commits_per_second:,.0f}"),
            ("recoveries", f"{tally.recoveries:,}"),
        ):
            figures.add_row(name, Text(value))
        figures.add_row("violations", Text(str(tally.violation_count), style=tone))
        return Group(figures, *([_moments(tally)] if tally.moments else []))

    def _kills(self, tally: Tally, seconds: float) -> str:
        """How many, of how many, and how many a second of late."""
        before, kills, rate = self._latest
        if seconds - before >= 1:
            rate = round((tally.kills - kills) / (seconds - before))
            self._latest = (seconds, tally.kills, rate)
        wanted = f" of {tally.kills_wanted:,}" if tally.kills_wanted else ""
        return f"{tally.kills:,}{wanted}, {rate:,} a second"


def _moments(tally: Tally) -> Table:
    """How near each moment is to being measured, in two columns."""
    grid = Table.grid(padding=(0, 2))
    cells: list[Text] = []
    for moment, count in sorted(tally.moments.items()):
        full = min(_BAR, count * _BAR // ENOUGH_HITS)
        tone = "green" if count >= ENOUGH_HITS else "yellow"
        bar = Text("━" * full, style=tone) + Text("━" * (_BAR - full), style="dim")
        cells += [Text(moment, style="dim"), bar, Text(f"{count:>5,}")]
    for place in range(0, len(cells), 6):
        grid.add_row(*cells[place : place + 6])
    return grid
