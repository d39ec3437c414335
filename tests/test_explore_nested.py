"""Crashes at every operation of recovery: none changes what it ends in, and each would show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.nested import QUICK, Nested, NestedLimits
from bazanite_stress.simulation.disk import Profile
from bazanite_wal import recovery
from bazanite_wal.datafiles import DataFiles
from bazanite_wal.frame import Operation
from bazanite_wal.header import Header
from bazanite_wal.log import Log

BITE = NestedLimits(images=40, first=40, exhaustive=60, sample=20, deeper=5, kills=8, violations=1)


@pytest.mark.parametrize("profile", ["journal", "hostile"])
@pytest.mark.parametrize("name", ["creation", "three", "slot reuse"])
def test_a_recovery_that_is_cut_off_ends_as_if_it_were_not(name: str, profile: Profile) -> None:
    tally = Nested(WORKLOADS[name], profile, limits=replace(QUICK, images=25)).explore()
    assert tally.violations == []
    assert tally.points > 250
    assert tally.visited > 1_000
    assert tally.unique > 80


def test_the_same_seed_visits_the_same_disks() -> None:
    first, second = (
        Nested(WORKLOADS["rows"], limits=NestedLimits(images=10, sample=5, deeper=2)).explore()
        for _ in range(2)
    )
    assert (first.points, first.legal, first.visited, first.unique) == (
        second.points, second.legal, second.visited, second.unique,
    )  # fmt: skip


def found(name: str, profile: Profile = "journal") -> str:
    """The rule that the first violation broke."""
    violations = Nested(WORKLOADS[name], profile, limits=BITE).explore().violations
    assert violations, "not found"
    assert violations[0].how["kind"] in ("nested", "recovery killed")
    return violations[0].rule


def test_a_log_that_is_reset_before_the_files_are_synced_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unsynced(DataFiles):
        """Forgets the sync that recovery asks for, and it alone."""

        def sync_all(self) -> None:
            self.sync_all = super().sync_all  # type: ignore[method-assign]

    monkeypatch.setattr(recovery, "DataFiles", Unsynced)
    assert found("three")


def test_a_redo_that_counts_on_what_it_finds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Adding(DataFiles):
        """Appends where it should overwrite: done twice, it is not what it was done once."""

        recovering = True

        def apply(self, operations: Iterable[Operation]) -> None:
            wanted = list(operations)
            super().apply(wanted)
            for operation in wanted if self.recovering else ():
                file = self._files[operation.name]
                file.write_at(b"\0", file.size())

        def sync_all(self) -> None:
            super().sync_all()
            self.recovering = False

    monkeypatch.setattr(recovery, "DataFiles", Adding)
    assert found("three")


def test_a_generation_without_a_header_of_its_own_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Log.write_header

    def both_slots(log: Log, header: Header) -> None:
        real(log, header)
        log._file.write_at(b"\0" * 183, 4096 - header.slot_offset)

    monkeypatch.setattr(Log, "write_header", both_slots)
    assert found("rows")
