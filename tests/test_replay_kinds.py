"""Kills, recoveries that are cut off, and faults: stored like power cuts, repeated, made small."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bazanite.check import check_view
from bazanite.verified import VerifiedView
from bazanite_stress.explore import fuzz
from bazanite_stress.explore.again import OtherSteps, again, kind_of, plain, same_rule
from bazanite_stress.explore.as_test import test_source as source_of_test
from bazanite_stress.explore.beside import Beside, BesideLimits
from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.damage import Scenario, explore_damage
from bazanite_stress.explore.errors import ErrorLimits, Errors
from bazanite_stress.explore.explorer import Violation
from bazanite_stress.explore.faults import faults_of
from bazanite_stress.explore.fuzz import Fuzzer, FuzzTally
from bazanite_stress.explore.keep import keep
from bazanite_stress.explore.kills import KillLimits, Kills
from bazanite_stress.explore.minimise import Bounds
from bazanite_stress.explore.nested import Nested, NestedLimits
from bazanite_stress.explore.openings import OPENING, Openings
from bazanite_stress.explore.replay import read_replay, record, replay
from bazanite_stress.explore.report import describe_violation
from bazanite_stress.explore.shrink import api_calls
from bazanite_stress.explore.story import story
from bazanite_tools.cli import main
from bazanite_wal import recovery
from bazanite_wal.datafiles import DataFiles
from bazanite_wal.log import Log
from replay_faults import FAULTS

SetAttribute = Callable[[Any, str, Any], None]
WORKLOAD = WORKLOADS["rows"].with_steps(WORKLOADS["rows"].steps[:2])
BOUNDS = Bounds(states=150, seconds=1_000.0)
KILLS = KillLimits(cuts=3, every=13, actions=1, violations=9)
NESTED = NestedLimits(
    images=5, first=8, exhaustive=12, sample=6, deeper=1, kills=2, violations=10_000
)
ERRORS = ErrorLimits(cuts=3, violations=2)


class Unsynced(DataFiles):
    """Forgets the sync that recovery asks for, and it alone."""

    def sync_all(self) -> None:
        self.sync_all = super().sync_all  # type: ignore[method-assign]


def first_frame_only(put: SetAttribute) -> None:
    FAULTS["first frame only"](put)


def files_not_synced_in_recovery(put: SetAttribute) -> None:
    put(recovery, "DataFiles", Unsynced)


def sync_errors_ignored(put: SetAttribute) -> None:
    real = Log.sync

    def deaf(self: Log) -> None:
        with suppress(OSError):
            real(self)

    put(Log, "sync", deaf)


def killed() -> list[Violation]:
    return Kills(WORKLOAD, "hostile", limits=KILLS).explore().violations


def cut_off() -> list[Violation]:
    return Nested(WORKLOAD, "journal", limits=NESTED).explore().violations


def failed() -> list[Violation]:
    errors = Errors(WORKLOAD, "journal", limits=ERRORS)
    for call in errors.calls():
        for fault in faults_of(call, one_sector=False) if call.operation == "sync_data" else ():
            if not errors.tally.violations:
                errors.replay(fault)
    return errors.tally.violations


class Deaf(DataFiles):
    """Takes a failed sync for one that went well."""

    def sync_all(self) -> None:
        with suppress(OSError):
            super().sync_all()


def sync_errors_ignored_in_recovery(put: SetAttribute) -> None:
    put(recovery, "DataFiles", Deaf)


def failed_in_an_opening() -> list[Violation]:
    openings = Openings(WORKLOAD, "hostile", limits=replace(ERRORS, starts=20))
    return openings.explore(lambda fault: fault.sector is None and fault.kind == "EIO").violations


def stepped_in() -> list[Violation]:
    return Beside(WORKLOAD, "hostile", limits=BesideLimits(every=7, cuts=3)).explore().violations


def not_verified(put: SetAttribute) -> None:
    put(VerifiedView, "_verify", lambda *_: None)


def damaged() -> list[Violation]:
    return explore_damage(
        Scenario("closed", checksums=True), sample=80, most_violations=1
    ).violations


KINDS: dict[str, tuple[Callable[[SetAttribute], None], Callable[[], list[Violation]]]] = {
    "kill": (first_frame_only, killed),
    "nested": (files_not_synced_in_recovery, cut_off),
    "recovery killed": (files_not_synced_in_recovery, cut_off),
    "fault": (sync_errors_ignored, failed),
    "fault in an opening": (sync_errors_ignored_in_recovery, failed_in_an_opening),
    "beside": (first_frame_only, stepped_in),
    "damage": (not_verified, damaged),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_made_small_and_fails_with_the_fault_alone(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault, explored = KINDS[kind]
    with monkeypatch.context() as patches:
        fault(patches.setattr)
        violation = next(found for found in explored() if kind.startswith(kind_of(found)))
        kept = keep(violation, tmp_path, "it", bounds=BOUNDS)
        small = kept.replay.violation
        assert kind.startswith(kind_of(small))
        assert (OPENING in small.how) == ("opening" in kind)
        assert same_rule(small, violation)
        assert api_calls(small.workload) < api_calls(violation.workload)
        assert read_replay(kept.file) == kept.replay
        result = replay(kept.replay, 3)
        assert (result.verdict, result.identical) == ("violated", 3)
        assert main(["replay", str(kept.file)]) == 1
        out = capsys.readouterr().out
        assert story(small) in out
        assert "1 of 1 times" in out
        with pytest.raises(AssertionError, match="violation: "):
            run_generated(kept.test)
    assert main(["replay", str(kept.file)]) == 0
    run_generated(kept.test)


def run_generated(path: Path) -> None:
    """The one test in this file."""
    generated: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), generated)
    generated["test_it"]()


def test_not_the_first_one_is_found_again_too_and_its_limits_are_no_part_of_the_story(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first_frame_only(monkeypatch.setattr)
    violation = killed()[-1]
    recorded = record(violation)
    assert recorded.violation == plain(violation)
    assert "limits" in violation.how
    for text in (story(violation), describe_violation(violation)):
        assert "limits" not in text
    assert "'limits'" in source_of_test(recorded, "it")


def test_an_odd_input_is_stored_and_made_again_from_its_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise KeyError("planted")

    tally, fuzzer = FuzzTally(3), Fuzzer()
    monkeypatch.setattr(fuzz, "check_view", refuse)
    for number in range(12):
        fuzzer.one(tally, number)
    assert len(tally.violations) > 1  # so that it is this one that is found again, not the first
    violation = tally.violations[-1]
    kept = keep(violation, tmp_path, "it")
    assert replay(kept.replay, 2).identical == 2
    assert main(["replay", str(kept.file)]) == 1
    out = capsys.readouterr().out
    assert f"Given input {violation.how['number']} of seed 3 (looking)" in out
    assert "found: KeyError('planted')" in out
    with pytest.raises(AssertionError, match="violation: "):
        run_generated(kept.test)
    monkeypatch.setattr(fuzz, "check_view", check_view)
    assert main(["replay", str(kept.file)]) == 0
    run_generated(kept.test)


def test_a_damage_is_not_done_to_a_directory_with_other_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patches:
        not_verified(patches.setattr)
        violation = damaged()[0]
    violation.how["directory"] = "another"
    with pytest.raises(OtherSteps, match="other bytes"):
        again(violation)
