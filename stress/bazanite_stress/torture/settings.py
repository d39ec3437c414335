"""What a run is asked to do, and the command that asks for it again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from bazanite_stress.explore.workload import Workload
from bazanite_stress.torture.load import Loaded
from bazanite_stress.torture.processes import StartMethod
from bazanite_stress.torture.schema import FIXED_TABLES, Row, Table, first_rows


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. `workload`: what every writer repeats, instead of what the harness plans;
    `workload_reference` and `load_file`: as given, for the replay command (of the file None: what
    is there by default, "": nothing). `stuck_seconds`: how long a writer may take for one
    operation, `recovery_seconds`: and the reader to recover, check and read.
    """

    seed: int
    seconds: float = 30.0
    writers: int = 4
    engine: str = "bazanite"
    durability: str = "full"
    start_method: StartMethod = "fork"
    parent: Path | None = None
    loaded: Loaded | None = None
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

    def replay_command(self) -> str:
        """The command that plans the same operations and kills again. The kernel's scheduler is
        not seeded, so it may take several runs to meet the same moment.
        """
        words = ["bazanite", "torture", "--seed", str(self.seed)]
        words += ["--seconds", f"{self.seconds:g}", "--writers", str(self.writers)]
        words += ["--engine", self.engine]
        if self.engine == "bazanite":
            words += ["--durability", self.durability]
        words += ["--start-method", self.start_method]
        if self.workload is not None:
            words += ["--workload", self.workload_reference]
        elif self.load_file is not None:
            words += ["--load", self.load_file] if self.load_file else ["--no-load"]
        return shlex.join(words)
