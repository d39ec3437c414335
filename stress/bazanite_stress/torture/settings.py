"""What a run is asked to do, and the command that asks for it again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bazanite_stress.explore.workload import Workload
from bazanite_stress.torture.load import Loaded
from bazanite_stress.torture.processes import StartMethod
from bazanite_stress.torture.schema import FIXED_TABLES, Row, Table, first_rows

# In which part of the rounds the directory is opened so: writers are slower then.
CHECKSUMS = 0.3
WHOLE_PAGES = 0.2
# In which part of the rounds nobody owns a row, and the history of all calls is checked.
CROWD = 0.7
# How often each durability is drawn for a round, where all are asked for.
LEVELS, LEVEL_SHARES = ("full", "normal", "off"), (5, 3, 2)
# Of so many rounds in a row just that part: a short run has some of each kind too.
TOGETHER = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. It ends after `seconds`, or when `kills` are dead; `patience` is for how
    long it may go on until each moment was met often enough. `crowd`: in which part of the
    rounds all work on the same rows. `durability` None: each level in some of the rounds.
    `checksums` and `whole_pages`: in which part of the rounds the tables have checksums, and the
    log whole pages (`powersafe_overwrite=False`). `workload`: what every writer repeats, instead of
    what the harness plans; `workload_reference` and `load_file`: as given, for the replay command
    (of the file None: what is there by default, "": nothing). `stuck_seconds`: how long a writer
    may take for one operation, `recovery_seconds`: and the reader to recover, check and read.
    """

    seed: int
    seconds: float = 30.0
    writers: int = 8
    readers: int = 4
    kills: int | None = None
    patience: float = 0.0
    crowd: float = CROWD
    engine: str = "bazanite"
    durability: str | None = None
    start_method: StartMethod = "fork"
    parent: Path | None = None
    loaded: Loaded | None = None
    checksums: float = CHECKSUMS
    whole_pages: float = WHOLE_PAGES
    load_file: str | None = None
    workload: Workload | None = None
    workload_reference: str = ""
    stuck_seconds: float = 30.0
    recovery_seconds: float = 60.0

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the data directory."""
        return FIXED_TABLES + (self.loaded.tables if self.loaded else ())

    def rows(self) -> dict[str, list[Row]]:
        """The rows that a new directory begins with."""
        return first_rows(self.writers) | (self.loaded.rows if self.loaded else {})

    def options(self, number: int) -> dict[str, bool]:
        """How Bazanite opens the directory in this round. From one round to the next the tables may
        get checksums or lose them; the first writer to open it sees to that, if it is not killed.
        """
        if self.engine != "bazanite":
            return {}
        return {
            "checksums": drawn(f"{self.seed}/checksums", self.checksums, number),
            "powersafe_overwrite": not drawn(f"{self.seed}/pages", self.whole_pages, number),
        }

    def level(self, number: int) -> str:
        """The durability of this round."""
        if self.durability is not None:
            return self.durability
        return Random(f"{self.seed}/durability {number}").choices(LEVELS, LEVEL_SHARES)[0]

    def database(
        self, directory: Path, options: dict[str, bool], durability: str = "full"
    ) -> dict[str, Any]:
        """What a child must know to open the database."""
        return {
            "engine": self.engine,
            "durability": self.durability or durability,
            "tables": self.tables,
            "directory": directory,
            "options": options,
        }

    @property
    def crowded(self) -> bool:
        """Whether there are rounds in which all work on the same rows (`bazanite_stress.crowd`)."""
        return self.crowd > 0 and self.engine == "bazanite" and self.workload is None

    def is_crowd(self, number: int) -> bool:
        """Whether this round is one of them."""
        return self.crowded and drawn(f"{self.seed}/crowd", self.crowd, number)

    def replay_command(self) -> str:
        """The command that plans the same operations and kills again. The kernel's scheduler is
        not seeded, so it may take several runs to meet the same moment.
        """
        words = ["bazanite", "torture", "--seed", str(self.seed)]
        words += ["--seconds", f"{self.seconds:g}", "--writers", str(self.writers)]
        if self.crowded:
            words += ["--readers", str(self.readers), "--crowd", f"{self.crowd:g}"]
        if self.kills is not None:
            words += ["--kills", str(self.kills)]
        words += ["--engine", self.engine]
        if self.engine == "bazanite" and self.durability is not None:
            words += ["--durability", self.durability]
        words += ["--start-method", self.start_method]
        if self.workload is not None:
            words += ["--workload", self.workload_reference]
        else:
            if self.engine == "bazanite":
                words += ["--checksums", f"{self.checksums:g}"]
                words += ["--whole-pages", f"{self.whole_pages:g}"]
            if self.load_file is not None:
                words += ["--load", self.load_file] if self.load_file else ["--no-load"]
        return shlex.join(words)


def drawn(seed: str, share: float, number: int) -> bool:
    """Whether this round, of those counted from 1, belongs to the share of them."""
    group, place = divmod(number - 1, TOGETHER)
    rng = Random(f"{seed}/{group}")
    count = int(share * TOGETHER + rng.random())
    return place in rng.sample(range(TOGETHER), count)
