"""What a repair says of itself: what was saved, what was not, and what is in doubt.

Invariants: every slot that was read as a row, or should have been one, is counted once in its
table; a row that is neither among the new directory's rows nor named here was lost without a trace,
which is possible only in a table that is not ``complete``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

LISTED = 1000
"""So many rows of each kind and table are listed; the quarantine has them all."""


@dataclass(frozen=True, slots=True)
class NotSaved:
    """A row that is not in the new directory.

    ``id`` is None if nothing tells it, ``slot`` where it stood.  ``certain`` if two things say that
    there was such a row (its slot and the id index); else it may never have been one.
    """

    table: str
    id: int | None
    slot: int | None
    why: str
    certain: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A row that was saved, and of which something says that it may not be what was stored."""

    table: str
    id: int
    slot: int
    why: str


@dataclass(slots=True)
class TableRepair:
    """One table's counts.

    ``checksums``: rows were held against checksums; without them a digit or letter that became
    another one is not seen.  ``complete``: no row is missing but those that are named.
    ``from_log`` counts rows whose slot was damaged in its file and whole in the log.
    """

    saved: int = 0
    not_saved: int = 0
    in_doubt: int = 0
    deleted: int = 0
    from_log: int = 0
    checksums: bool = False
    complete: bool = True


@dataclass(slots=True)
class RepairReport:
    """What ``repair`` did; the new directory is durable.

    ``catalog`` and ``log`` say in words where the catalog came from, and what was left of the log.
    ``rebuilt`` are files that were made anew from the rows, whatever the old ones were; ``damaged``
    says where the repair saw damage.  ``left_out`` are constraints that rows violate, and how to
    put them back.  ``doubts`` concern whole tables, or all.  ``quarantined`` counts the lines of
    ``quarantine.jsonl``.
    """

    source: str
    target: str
    catalog: str = ""
    log: str = ""
    tables: dict[str, TableRepair] = field(default_factory=dict)
    not_saved: list[NotSaved] = field(default_factory=list)
    in_doubt: list[InDoubt] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    quarantined: int = 0

    @property
    def ok(self) -> bool:
        """Whether every row was saved, and nothing is in doubt."""
        counts = self.tables.values()
        lost = any(c.not_saved or c.in_doubt or not c.complete for c in counts)
        return not (lost or self.doubts or self.left_out)

    def lose(self, row: NotSaved) -> None:
        """Count a row that is not saved, and list it among the first."""
        counts = self.tables[row.table]
        counts.not_saved += 1
        if counts.not_saved <= LISTED:
            self.not_saved.append(row)

    def doubt(self, row: InDoubt) -> None:
        """Count a row that is in doubt, and list it among the first."""
        counts = self.tables[row.table]
        counts.in_doubt += 1
        if counts.in_doubt <= LISTED:
            self.in_doubt.append(row)

    def damage(self, what: str) -> None:
        """Say once that a file is damaged."""
        if what not in self.damaged:
            self.damaged.append(what)

    def document(self) -> Mapping[str, Any]:
        """All of it as JSON takes it."""
        return {"ok": self.ok} | asdict(self)
