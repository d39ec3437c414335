"""Errors, short transfers and interrupts at every call: none is swallowed, none leaves a lie."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.errors import QUICK, ErrorLimits, Errors
from bazanite_stress.explore.faults import Call, Fault, faults_of
from bazanite_stress.simulation.disk import Profile
from bazanite_stress.simulation.inode import Inode, SyncFate
from bazanite_wal import datafiles, group, log, section, shared
from bazanite_wal.core import Core
from bazanite_wal.errors import DirectoryError
from bazanite_wal.system import File


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
@pytest.mark.parametrize("name, profile", [("rows", "journal"), ("two tables", "hostile")])
def test_whatever_a_call_ends_in_is_told_and_leaves_no_lie(
    name: str, profile: Profile, durability: str
) -> None:
    workload = replace(WORKLOADS[name], durability=durability)
    limits = replace(QUICK, every=23, seed=durability)
    tally = Errors(workload, profile, limits=limits).explore()
    assert tally.violations == []
    assert tally.points > 50
    assert tally.visited > 100


def test_the_same_seed_tries_the_same_faults() -> None:
    limits = replace(QUICK, every=71)
    first, second = (Errors(WORKLOADS["rows"], limits=limits).explore() for _ in range(2))
    assert first == second


def test_only_what_a_system_may_answer_is_tried() -> None:
    def kinds(operation: str, size: int = 100) -> set[str]:
        return {fault.kind for fault in faults_of(Call(0, operation, "a.dat", size))}

    interrupts = {"MemoryError", "KeyboardInterrupt"}
    assert kinds("load") == kinds("unlock") == interrupts
    assert kinds("read_at") == interrupts | {"EIO", "EINTR", "short"}
    assert kinds("write_at") == interrupts | {"EIO", "ENOSPC", "EDQUOT", "EINTR", "short"}
    assert kinds("sync") == interrupts | {"EIO", "ENOSPC", "EDQUOT"}
    assert kinds("list") == interrupts | {"EIO"}


def test_each_dirty_sector_of_a_failed_sync_is_also_lost_or_kept_alone() -> None:
    call = Call(7, "sync", "a.dat", 0, dirty=(0, 3))
    alone = {(f.sector, f.other, f.detail) for f in faults_of(call) if f.sector is not None}
    assert alone == {
        (sector, other, fate)
        for sector in (0, 3)
        for other, fate in (("kept", "lost"), ("lost", "kept"), ("evicted later", "kept"))
    }


@pytest.mark.parametrize(
    "fate, read, evicted, durable",
    [("lost", b"old", b"old", b"old"), ("kept", b"new", b"new", b"new"),
     ("evicted later", b"new", b"old", b"old")],
)  # fmt: skip
def test_after_a_failed_sync_the_next_one_writes_nothing(
    fate: SyncFate, read: bytes, evicted: bytes, durable: bytes
) -> None:
    inode = Inode(1, 512, b"old")
    inode.write(b"new", 0, 1)
    inode.fail_sync({}, fate)
    assert bytes(inode.data) == read
    inode.sync()
    inode.sync_data()
    assert inode.durable == durable
    inode.evict()
    assert bytes(inode.data) == evicted
    inode.write(b"N", 0, 2)
    inode.sync()
    assert inode.durable == b"N" + evicted[1:]


def found(fault: str, at: str = "", workload: str = "rows", **more: Any) -> list[str]:
    """The rules that faults of this kind (at calls of this operation) break."""
    errors = Errors(WORKLOADS[workload], limits=ErrorLimits(cuts=6, violations=3))
    for call in errors.calls():
        for tried in faults_of(call, one_sector=False) if at in call.operation else ():
            fits = all(getattr(tried, name) == value for name, value in more.items())
            if tried.kind == fault and fits and not errors.tally.violations:
                errors.replay(tried)
    assert errors.tally.violations, "not found"
    violation = errors.tally.violations[0]
    again = Errors(WORKLOADS[workload], limits=ErrorLimits(cuts=6))
    replayed = again.replay(Fault(**violation.how["fault"])).violations
    assert [v.rule for v in replayed] == [violation.rule]
    return [v.rule for v in errors.tally.violations]


def test_an_ignored_sync_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = log.Log.sync

    def deaf(self: log.Log) -> None:
        with suppress(OSError):
            real(self)

    monkeypatch.setattr(log.Log, "sync", deaf)
    assert found("EIO", detail="lost") == ["a fault was swallowed"]


def test_a_sync_that_is_tried_again_and_believed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = log.Log.sync

    def stubborn(self: log.Log) -> None:
        try:
            real(self)
        except OSError:
            real(self)

    monkeypatch.setattr(log.Log, "sync", stubborn)
    assert found("EIO", detail="lost", persistent=False) == ["a fault was swallowed"]


def write_once(file: File, data: bytes, offset: int) -> None:
    file.write_at(data, offset)


def interrupted_is_done(file: File, data: bytes, offset: int) -> None:
    with suppress(InterruptedError):
        file.write_at(data, offset)


@pytest.mark.parametrize(
    "fault, detail, writer",
    [("EINTR", "", interrupted_is_done), ("short", "half", write_once), ("short", "1", write_once)],
)
@pytest.mark.parametrize("module", [log, datafiles])
def test_a_write_that_was_not_done_and_is_believed_is_found(
    monkeypatch: pytest.MonkeyPatch, module: Any, fault: str, detail: str, writer: Any
) -> None:
    monkeypatch.setattr(module, "write_all", writer)
    assert found(fault, detail=detail, persistent=False)


def test_an_error_without_its_cause_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def flattened(self: datafiles.DataFiles, name: str, error: OSError) -> DirectoryError:
        del self, name
        failure = DirectoryError(str(error))
        failure.__setattr__("__cause__", None)
        raise failure from None

    monkeypatch.setattr(datafiles.DataFiles, "_unreadable", flattened)
    assert found("EIO", persistent=False) == ["the error does not lead to its cause"]


def test_an_error_that_is_not_typed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def bare(self: datafiles.DataFiles, name: str, error: OSError) -> Exception:
        del self, name
        return error

    monkeypatch.setattr(datafiles.DataFiles, "_unreadable", bare)
    assert found("EIO", persistent=False) == ["not a typed error"]


def test_a_handle_that_refuses_needlessly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = group.GroupCommit.write_header

    def timid(self: group.GroupCommit, header: Any, *, durable: bool) -> None:
        try:
            real(self, header, durable=durable)
        except OSError as error:
            raise self._core.poison() from error

    monkeypatch.setattr(group.GroupCommit, "write_header", timid)
    rules = found("ENOSPC", "write_at", "three", persistent=False)
    assert rules == ["a fault has poisoned that may not"]


def test_a_handle_that_goes_on_after_a_failed_sync_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Core, "poison", Core.poisoned)  # says so, and does nothing about it
    rules = found("EIO", "sync", detail="evicted later")
    assert rules == ["a sync failed, and the handle does not refuse"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_that_leaves_a_usable_but_wrong_handle_is_found(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """An apply that was interrupted counts as done, and nobody repairs it."""

    def forgetful(core: Core) -> None:
        if core.lock.owned():
            core.entered = core.critical = False
            core.words[shared.BUSY] = 0
            core.words[shared.SEQUENCE] += core.words[shared.SEQUENCE] & 1
            core.words[shared.APPLIED] = core.words[shared.DURABLE]
            core.lock.release()

    monkeypatch.setattr(section, "leave", forgetful)
    assert found("KeyboardInterrupt", "write_at", detail=moment)
