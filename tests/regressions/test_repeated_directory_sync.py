"""A failed sync of the directory was tried again at the next opening, and believed.

Rule R13 holds for names too: the sync that failed reports once, and the next one says that all is
well although it has written nothing.  After an EIO while the log or the tables' files were made,
the next process (or the same one) opened the directory, synced it, acknowledged rows, and a power
cut took the log, a table's file or the whole directory away.
"""

from __future__ import annotations

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.errors import ErrorLimits, Errors
from bazanite_stress.explore.faults import faults_of
from bazanite_stress.explore.runner import SYNCS
from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_wal import attach
from bazanite_wal.system import Directory, Words


def explored(profile: Profile) -> Errors:
    errors = Errors(WORKLOADS["creation"], profile, limits=ErrorLimits(cuts=6, violations=100))
    for call in errors.calls():
        if call.operation in SYNCS and not call.name:
            for fault in faults_of(call):
                errors.replay(fault)
    return errors


@pytest.mark.parametrize("profile", PROFILES)
def test_no_name_that_a_failed_sync_left_behind_is_built_upon(profile: Profile) -> None:
    errors = explored(profile)
    assert errors.tally.violations == []
    assert errors.tally.visited > 500


@pytest.mark.parametrize("profile", PROFILES)
def test_an_engine_that_believes_the_second_sync_is_found(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(directory: Directory, _words: Words, _token: int) -> Directory:
        return directory

    monkeypatch.setattr(attach, "remembering", forgetful)
    violations = explored(profile).tally.violations
    assert {v.point.what.split(" at ")[1].split(",")[0] for v in violations} == {
        "sync_names", "sync_own_name",
    }  # fmt: skip
