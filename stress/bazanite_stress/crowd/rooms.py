"""Rooms in a torture run: each a new directory, opened in another way; some on a small disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from random import Random

from bazanite import DB
from bazanite_stress.explore.migrations import migration
from bazanite_stress.explore.workload import table_class
from bazanite_stress.torture.chronicle import SHARED_ROWS, SMALL_DISK
from bazanite_stress.torture.evidence import Evidence
from bazanite_stress.torture.lives import Crew
from bazanite_wal.scan import LEAST_LOG_SIZE

from .life import OWN_TABLE
from .people import Paper
from .plans import Setting, options
from .record import Record
from .room import Room
from .small_disk import NoSmallDisk, SmallDisk
from .tables import DESIGNS, Design, design_of

KILLS = 100
"""In one room."""
_FULL_DISKS = 5
"""One room of so many is on a small disk."""


class Rooms:
    """Makes rooms below ``work`` for one run.  ``close`` gives back what it holds."""

    def __init__(self, crew: Crew, work: Path, evidence: Evidence) -> None:
        self._crew, self._work, self._evidence = crew, work, evidence
        self._paper = Paper()
        self._made = 0
        self.last: Record | None = None
        for design in DESIGNS:
            _compile_for_children(work / "compiled", design)

    def close(self) -> None:
        """When nobody is in a room any more."""
        self._paper.close()

    def one(self, number: int, seconds: float, random: Random) -> None:
        """One room, for so long at most, and its verdict."""
        self._made += 1
        scratch = self._work / f"round-{number}"
        scratch.mkdir()
        with ExitStack() as stack:
            disk = self._small_disk(stack) if self._made % _FULL_DISKS == 0 else None
            directory = (disk.path if disk else scratch) / "data"
            opened = options(random, self._crew.settings, number)
            if disk is not None:
                opened["log_size_bytes"] = LEAST_LOG_SIZE
            design = design_of(f"{self._crew.settings.seed}", self._made)
            setting = Setting(str(directory), opened, disk is not None, design)
            room = Room(self._crew, setting, random, scratch, self._paper)
            try:
                room.run(seconds, KILLS, self._before_the_end(directory, scratch, disk))
            finally:
                self._crew.launcher.kill_all()
            self.last = room.record
            findings = room.findings
            self._crew.tally.judged(wrong=bool(findings), options=opened)
            self._evidence.report(number, findings)
            kind = SMALL_DISK if disk else SHARED_ROWS
            self._crew.chronicle.over(number, kind, self._crew.tally, room.record, findings)
            if findings:
                listing = [asdict(event) for event in room.record.events]
                (scratch / "history.json").write_text(json.dumps(listing), encoding="utf-8")
                (scratch / "options.json").write_text(json.dumps(opened), encoding="utf-8")
                (scratch / "tables.json").write_text(json.dumps(design.tables), encoding="utf-8")
                self._evidence.keep(scratch, directory, findings)
        if not findings:
            shutil.rmtree(scratch)

    def _before_the_end(
        self, directory: Path, scratch: Path, disk: SmallDisk | None
    ) -> Callable[[], None]:
        def prepare() -> None:
            if disk is not None:
                disk.make_room()
            if directory.exists():
                self._evidence.copy_killed(directory, scratch)

        return prepare

    def _small_disk(self, stack: ExitStack) -> SmallDisk | None:
        try:
            disk = SmallDisk(self._work / f"small-{self._made}")
        except NoSmallDisk as error:
            self._crew.tally.not_done["no space"] = str(error)
            return None
        stack.callback(disk.remove)
        return disk


def _compile_for_children(directory: Path, design: Design) -> None:
    """Make a few calls here, so that forked processes have the code that is made for the schemas.

    Else each of them makes it anew, which takes longer than all that it does before it is killed.
    """
    tables = {**design.tables, "own": OWN_TABLE}
    classes = [table_class(name, columns) for name, columns in tables.items()]
    with DB(classes, directory) as db:
        _call_everything(db)
        for version, changes in enumerate(design.migrations, 1):
            db.migrate([migration(version, changes)])
            _call_everything(db)
    shutil.rmtree(directory)


def _call_everything(db: DB) -> None:
    for name, table in db.tables.items():
        row = db.insert(name, {})
        rest = [field.name for field in table.schema.schema if field.name != "id"]
        db.update_by_id(name, row["id"], dict.fromkeys(rest))
        db.find_by_id(name, row["id"])
        db.find_all(name)
        db.delete_by_id(name, row["id"])
