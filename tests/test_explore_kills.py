"""SIGKILL at every call of a workload: nothing acknowledged is lost, and a loss would show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.deaths import prefixes
from bazanite_stress.explore.kills import ACTIONS, QUICK, KillLimits, Kills
from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.legal import Tearing
from bazanite_wal import apply, commit, recovery, repair, section, shared
from bazanite_wal.core import Core

BITE = KillLimits(cuts=6, torn=0, every=3, actions=2, violations=1)


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
@pytest.mark.parametrize("name", ["rows", "two tables", "creation", "equal frames"])
def test_whoever_comes_after_a_kill_finds_what_was_acknowledged(name: str, durability: str) -> None:
    profile: Profile = "hostile" if name == "creation" else "journal"
    workload = replace(WORKLOADS[name], durability=durability)
    tally = Kills(workload, profile, limits=replace(QUICK, every=23, cuts=2)).explore()
    assert tally.violations == []
    assert tally.points > 30
    assert tally.unique > 100


def test_the_same_seed_meets_the_same_ends() -> None:
    limits = replace(QUICK, every=60, cuts=2)
    first, second = (Kills(WORKLOADS["rollback"], limits=limits).explore() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "offset, size, expected",
    [(0, 1, [1]), (0, 4, [1, 2, 3, 4]), (500, 600, [1, 12, 300, 524, 599, 600])],
)
def test_a_write_is_cut_at_its_ends_its_middle_and_each_sector_boundary(
    offset: int, size: int, expected: list[int]
) -> None:
    assert list(prefixes(offset, size, 512)) == expected


def found(name: str, durability: str = "full", limits: KillLimits = BITE) -> Any:
    """The first violation."""
    workload = replace(WORKLOADS[name], durability=durability)
    violations = Kills(workload, limits=limits).explore().violations
    assert violations, "not found"
    return violations[0]


def test_a_half_done_apply_that_nobody_finishes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(core: Core) -> None:
        """Looks at what is applied, not at whether the last applier came to its end."""
        target = core.applicable()
        if core.words[shared.APPLIED] < target:
            apply.apply_up_to(core, target)

    def too_early(core: Core, target: int) -> None:
        start = core.words[shared.APPLIED]
        core.words[shared.APPLIED] = target
        for frame in core.log.frames(core.header, start, target):
            core.files.apply(frame.operations())

    for module in (section, commit):
        monkeypatch.setattr(module, "finish_apply", trusting)
    monkeypatch.setattr(apply, "apply_up_to", too_early)
    violation = found("two tables")
    assert violation.how["then"] == "survivor"
    assert violation.how["action"] in ACTIONS


def test_a_dead_holder_whose_work_nobody_repairs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section, "repair", lambda _core, _group: None)
    assert found("equal frames").how["then"] == "survivor"


def test_a_repair_that_publishes_a_new_generation_unsynced_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = repair.repair

    def unsynced(core: Core, group: Any) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(core.log, "sync", lambda: None)
            real(core, group)

    monkeypatch.setattr(section, "repair", unsynced)
    assert found("equal frames", limits=replace(BITE, every=1, actions=2, cuts=12)).rule


def test_a_recovery_that_trusts_what_only_the_page_cache_holds_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "_make_verified_bytes_durable", lambda *_, **__: None)
    assert found("rows").how["then"] == "power cut in the recovery"


def test_a_power_cut_after_a_kill_may_tear_what_was_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def only_one(_log: Any, _system: Any, header: Any, _settings: Any) -> Any:
        return header

    monkeypatch.setattr(recovery, "_leave_no_safe_header", only_one)
    # a seed whose sample has no kill that leaves half of a header's line by itself
    limits = KillLimits(cuts=4, torn=3, every=7, actions=1, violations=1, seed="4")
    violations = Kills(WORKLOADS["off"], "hostile", limits=limits).explore().violations
    assert [violation.tearing for violation in violations] == [Tearing(torn=True)]
    whole = replace(limits, torn=0)
    assert Kills(WORKLOADS["off"], "hostile", limits=whole).explore().violations == []


@pytest.mark.parametrize("name", ["rows", "equal frames"])
def test_without_power_safe_overwrite_a_survivor_goes_on_or_refuses_everyone(name: str) -> None:
    options = {"log_size_bytes": 32_768, "powersafe_overwrite": False}
    workload = replace(WORKLOADS[name], options=options)
    tally = Kills(workload, limits=replace(QUICK, every=17, cuts=2)).explore()
    assert tally.violations == []
    assert tally.points > 30


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_a_frame_that_is_lost_with_its_process_is_found(
    monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    """A buffer in the process: the write comes one transaction late."""
    real = Core.__init__
    waiting: dict[int, tuple[Any, ...]] = {}

    def buffered(core: Core, *arguments: Any) -> None:
        real(core, *arguments)
        write = core.log.write

        def late(*now: Any) -> None:
            before = waiting.pop(id(core), None)
            if before is not None:
                write(*before)
            waiting[id(core)] = now

        monkeypatch.setattr(core.log, "write", late)
        read = core.log.read

        def with_buffer(*what: Any) -> bytes:
            before = waiting.pop(id(core), None)
            if before is not None:
                write(*before)
            return read(*what)

        monkeypatch.setattr(core.log, "read", with_buffer)

    monkeypatch.setattr(Core, "__init__", buffered)
    assert found("rows", durability)
