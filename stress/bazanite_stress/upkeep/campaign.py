"""Upkeep of a directory whose writers are killed: migrate, vacuum, back up, restore, and judge."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bazanite import (
    COUNT,
    DB,
    EQ,
    INT,
    AddColumn,
    AddIndex,
    DropColumn,
    DropIndex,
    Field,
    Migration,
    restore,
)

from .crew import Crew
from .deeds import Deeds
from .spoken import Spoken
from .tables import BALANCE, TABLES, accounts, fill
from .writer import Order

_KEEP_BYTES = 1 << 30
_LOG_BYTES = 256 << 10
"""So small that checkpoints are many."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """What to do: ``text`` is a list of packages; all is made below ``scratch``, which exists."""

    text: str
    scratch: Path
    seed: str = "0"
    writers: int = 8
    kills: int = 100
    rounds: int = 5


@dataclass(slots=True)
class Outcome:
    """What was done, and what was found wrong with it."""

    seed: str
    packages: int = 0
    rows: int = 0
    kills: int = 0
    kills_wanted: int = 0
    rounds: int = 0
    migrations: int = 0
    vacuums: int = 0
    freed_bytes: int = 0
    backups: int = 0
    restores: int = 0
    commits: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """It survived only if as much was done as was wanted, and nothing was wrong."""
        if self.findings:
            return "lost"
        return "survived" if self.kills >= self.kills_wanted and self.commits else "not measured"

    def as_document(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"verdict": self.verdict}


def keep_up(settings: Settings, tell: Callable[[Outcome], None] = lambda _: None) -> Outcome:
    """Fill a directory, let writers at it, and keep it up until enough of them were killed."""
    directory = settings.scratch / "data"
    outcome = Outcome(settings.seed, kills_wanted=settings.kills)
    started = time.monotonic()
    with DB(TABLES, directory, log_size_bytes=_LOG_BYTES) as db:
        outcome.packages = fill(db, settings.text, settings.writers)
        outcome.rows = sum(db.count(name) for name in db.tables)
        db.archive(_KEEP_BYTES)
    orders = [
        Order(
            str(directory),
            str(settings.scratch / f"journal-{writer}"),
            settings.seed,
            writer,
            outcome.packages,
        )
        for writer in range(1, settings.writers + 1)
    ]
    deeds = [Deeds(settings.seed, order.writer, outcome.packages) for order in orders]
    spoken = Spoken([Path(order.journal) for order in orders], deeds, settings.text)
    with Crew(orders, settings.seed) as crew:
        round_ = _Round(settings, directory, spoken, outcome)
        while (
            outcome.rounds < settings.rounds
            or crew.kills < settings.kills
            or not any(spoken.positions())  # who has just been started commits nothing yet
        ):
            round_.run()
            outcome.kills, outcome.seconds = crew.kills, time.monotonic() - started
            tell(outcome)
            if outcome.findings:
                break
    outcome.kills = crew.kills
    outcome.findings += crew.ended
    with DB.open(directory) as db:
        outcome.findings += [f"at the end: {what}" for what in spoken.complaints(db)]
        round_.restore_some(until=db.read_lsn, count=3)
    outcome.commits = sum(map(len, spoken.positions()))
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


class _Round:
    """Each time: look, migrate, vacuum, back up, restore the past."""

    def __init__(
        self, settings: Settings, directory: Path, spoken: Spoken, outcome: Outcome
    ) -> None:
        self._scratch = settings.scratch
        self._directory = directory
        self._spoken = spoken
        self._outcome = outcome
        self._random = Random(f"{settings.seed}/rounds")
        self._backups: list[tuple[Path, int]] = []

    def run(self) -> None:
        """One round; findings are in the outcome."""
        outcome = self._outcome
        outcome.rounds += 1
        number = outcome.rounds
        self._migrate(number)
        with DB.open(self._directory, log_size_bytes=_LOG_BYTES) as db:
            self._look(db)
            for table in db.tables:
                outcome.freed_bytes += db.vacuum(table)
                outcome.vacuums += 1
            target = self._scratch / f"backup-{number}"
            made = db.backup(target)
            self._backups.append((target, made.lsn))
            outcome.backups += 1
        self._judge(f"backup {number}", target, made.lsn)
        self.restore_some(until=max([made.lsn, *self._said()]), count=2)

    def restore_some(self, *, until: int, count: int) -> None:
        """Restore to some positions that writers were told, from any backup before these."""
        for _ in range(count):
            backup, since = self._random.choice(self._backups)
            wanted = [lsn for lsn in self._said() if since < lsn <= until]
            lsn = self._random.choice(wanted) if wanted else since
            target = self._scratch / f"restored-{self._outcome.restores + 1}"
            made = restore(backup, target, log=self._directory, to_lsn=lsn)
            if made.lsn != lsn:
                self._outcome.findings.append(f"restored to {lsn}, and it says {made.lsn}")
            self._outcome.restores += 1
            self._judge(f"{backup.name} restored to LSN {lsn}", target, lsn)
            if not self._outcome.findings:
                shutil.rmtree(target)

    def _said(self) -> list[int]:
        return [lsn for spoken in self._spoken.positions() for lsn in spoken.values()]

    def _judge(self, what: str, path: Path, lsn: int) -> None:
        with DB.open(path, read_only=True) as db:
            found = self._spoken.complaints(db, lsn)
        self._outcome.findings += [f"{what}: {complaint}" for complaint in found[:_SHOWN]]

    def _migrate(self, number: int) -> None:
        """A column and an index come, and in the next round they go."""
        steps = (
            [
                AddColumn("notes", Field("stars", INT(2, null=True)), 3),
                AddIndex("packages", "version"),
            ]
            if number % 2
            else [DropColumn("notes", "stars"), DropIndex("packages", "version")]
        )
        with DB.open(self._directory, log_size_bytes=_LOG_BYTES) as db:
            self._outcome.migrations += len(
                db.migrate([Migration(number, f"round {number}", steps)])
            )

    def _look(self, db: DB) -> None:
        """Queries whose answers must agree with each other, whatever the writers do meanwhile."""
        with db.transaction():
            by_section = {
                row["section"]: row["count"]
                for row in db.group_by("packages", ["section"], {"count": COUNT()})
            }
            section = self._random.choice([one for one in by_section if one is not None])
            found = db.find("packages", EQ(section=section))
            total = db.sum("accounts", "balance")
            notes = db.count("notes")
            some = sum(db.count("notes", EQ(writer=row["id"])) for row in db.find_all("progress"))
        if len(found) != by_section[section] or sum(by_section.values()) != self._outcome.packages:
            self._outcome.findings.append("packages by section do not add up")
        if total != BALANCE * len(accounts()):
            self._outcome.findings.append("amounts were made or lost")
        if notes != some:
            self._outcome.findings.append(f"{notes} notes, and {some} of the writers'")
