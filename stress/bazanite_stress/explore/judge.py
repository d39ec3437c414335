"""The verdict on one disk: recover it with the real engine and see what it says.

Recovering, then: the rows, the engine's own check, what the log archive tells if there is one,
whether everything that recovery built on is durable, whether a second recovery gives the same
bytes, and whether a new transaction is accepted and kept, with the ids that the model expects.
What only depends on the recovered files is worked out once for each of them, and equal disks are
judged once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from bazanite import DB
from bazanite_stress.simulation.disk import Image, Profile
from bazanite_stress.simulation.legal import least_image
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import SimulatedSystem
from bazanite_wal import shared

from .archive_judge import ArchiveJudge, is_judged
from .model import Content, Error, content_of, describe
from .schema_model import migrations_of
from .session import REFUSALS, Session, opened, read_content
from .workload import Step, Workload

LEFT_BEHIND = "values that no row refers to"
"""A note of the check: half of a transaction, though none that a row shows."""
_LONGEST = 300
ADVICE = (shared.BUSY_SINCE, shared.SYNCED_AT)


Migrated = tuple[Step, Error, Content]
"""A migration, the error that it ended in, and the rows behind it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a disk came back as: its rows and the ids it gives next, or what went wrong.

    ``lsn`` is the log position from which recovery went on.
    ``refused``: the class name of a typed error with which opening was refused.  ``wrong`` names
    the rule that is broken whatever the rows are.  ``migrated``: what each migration of the
    workload led to, made again in a row behind an insert into each table.
    """

    content: Content | None
    next_ids: tuple[tuple[str, int], ...] = ()
    refused: str = ""
    wrong: str = ""
    lsn: int = 0
    migrated: tuple[Migrated, ...] = ()

    def describe(self) -> str:
        """For a person."""
        if self.wrong or self.refused:
            return self.wrong or f"refused: {self.refused}"
        assert self.content is not None
        return describe(self.content)


class Judge:
    """Opens disks of one kind of workload.  Outcomes are kept: equal disks are judged once."""

    def __init__(self, workload: Workload, profile: Profile, sector: int, *, boot: int = 7) -> None:
        self._workload = workload
        self._profile: Profile = profile
        self._sector = sector
        self._boot = boot
        self._classes = workload.classes()
        self._outcomes: dict[object, Outcome] = {}
        self._recovered: dict[object, Outcome] = {}
        self._systems: list[SimulatedSystem] = []

    @property
    def unique(self) -> int:
        """How many different disks were judged."""
        return len(self._outcomes)

    def outcome(self, image: Image | None) -> Outcome:
        """What opening this disk gives."""
        key = image_key(image)
        found = self._outcomes.get(key)
        if found is None:
            machine = Machine.from_image(image, self._profile, self._sector, self._boot)
            found = self._outcomes[key] = self.judge_machine(machine)
        return found

    def judge_machine(self, machine: Machine) -> Outcome:
        """What opening the database on this machine gives; not remembered."""
        try:
            return self._judge_machine(machine)
        finally:
            while self._systems:
                self._systems.pop().kill()

    def _judge_machine(self, machine: Machine) -> Outcome:
        try:
            db = self._open(SimulatedSystem(machine, "recovery"))
        except Exception as error:  # noqa: BLE001  any error is a verdict
            return refusal(error)
        assert machine.folder is not None
        image = machine.image()
        least = least_image(machine.disk, machine.folder)
        key = (image_key(image), image_key(least), _words_key(machine))
        found = self._recovered.get(key)
        if found is None:
            found = self._recovered[key] = self._judge_recovered(db, machine, image, least)
        return found

    @cached_property
    def _archive_judge(self) -> ArchiveJudge:
        return ArchiveJudge(self._workload, self._profile, self._sector)

    def _judge_recovered(self, db: DB, machine: Machine, image: Image, least: Image) -> Outcome:
        """``image`` is what the recovery behind ``db`` gave, ``least`` what of it is durable."""
        try:
            content = read_content(db, self._workload)
            lsn = db.read_lsn
            report = db.check()
            if report.problems:
                return Outcome(content, wrong=_short(f"check() finds: {report.problems[0]}"))
            if is_judged(self._workload):
                archive = self._archive_judge.complaint(machine, content)
                if archive:
                    return Outcome(content, wrong=_short(archive))
            left = [note for note in report.notes if LEFT_BEHIND in note]
            if left:
                return Outcome(content, wrong=_short(f"check() notes: {left[0]}"))
            if self._workload.durability == "off":  # what a second power cut leaves may be refused
                db.close()
                return Outcome(content, lsn=lsn)
            for survived in (least, image):
                again = Machine.from_image(survived, self._profile, self._sector, machine.boot + 1)
                db = self._open(SimulatedSystem(again, "second recovery"))
                if read_content(db, self._workload) != content:
                    return Outcome(content, wrong="a second recovery gives other rows")
                if is_judged(self._workload):
                    archive = self._archive_judge.complaint(again, content)
                    if archive:
                        return Outcome(content, wrong=_short(f"after a second one {archive}"))
                full = self._workload.durability == "full"  # else the log may be ahead of the files
                if full and data_files(again.image()) != data_files(image):
                    return Outcome(content, wrong="a second recovery gives other bytes")
            return replace(self._probe(db, content, again), lsn=lsn)
        except Exception as error:  # noqa: BLE001  any error is a verdict
            return Outcome(None, wrong=_short(f"after recovery: {error!r}"))

    def _probe(self, db: DB, content: Content, machine: Machine) -> Outcome:
        """A new transaction must be accepted, get the next ids, and be kept by a power cut."""
        with db.transaction():
            rows = {name: dict(db.insert(name, {})) for name in db.tables}
        if self._workload.durability == "normal":
            db.close()
        assert machine.folder is not None
        # it has returned ("full"), or the database was closed: nothing may be lost
        image = least_image(machine.disk, machine.folder)
        third = Machine.from_image(image, self._profile, self._sector, machine.boot + 1)
        db = self._open(SimulatedSystem(third, "probe"))
        after = read_content(db, self._workload)
        expected = {name: {n: dict(row) for n, row in found} for name, found in content}
        for name, row in rows.items():
            expected[name][row["id"]] = row
        if after != content_of(expected):
            return Outcome(content, wrong="a new transaction after recovery is lost")
        next_ids = tuple((name, row["id"]) for name, row in sorted(rows.items()))
        migrated = self._migrated(db)
        problems = db.check().problems if migrated else []
        if problems:
            return Outcome(content, wrong=_short(f"check() after a migration: {problems[0]}"))
        return Outcome(content, next_ids, migrated=migrated)

    def _migrated(self, db: DB) -> tuple[Migrated, ...]:
        """What the workload's migrations make of it now, whatever of them was made before."""
        result: list[Migrated] = []
        for step in migrations_of(self._workload.steps):
            error = ""
            try:
                Session(lambda: db).perform(step)
            except REFUSALS as failure:
                error = type(failure).__name__
            result.append((step, error, read_content(db, self._workload)))
        return tuple(result)

    def _open(self, system: SimulatedSystem) -> DB:
        self._systems.append(system)
        return opened(self._workload, system, self._classes)


def refusal(error: Exception) -> Outcome:
    """An error that opening ended in; only typed ones can ever be right."""
    from bazanite.errors import DBError  # noqa: PLC0415  beside its only use

    text = _short(f"{type(error).__name__}: {error}")
    if isinstance(error, DBError):
        return Outcome(None, refused=text)
    return Outcome(None, wrong=f"opening raised {text}")


def image_key(image: Image | None) -> object:
    """Equal exactly for equal disks."""
    return None if image is None else tuple(sorted(image.items()))


def _words_key(machine: Machine) -> object:
    """The shared words that decide anything: not times, nor process ids."""
    return tuple(
        tuple(word for i, word in enumerate(words[:64]) if i not in ADVICE)
        for words in machine.words.values()
    )


def data_files(image: Image) -> Image:
    """The files that hold rows; the log and the volatile files may differ."""
    return {name: data for name, data in image.items() if name.endswith((".dat", ".json"))}


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
