"""Group commit: one sync for many, a dead leader, a stopped leader, and who waits for whom."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import (
    CommittedNotApplied,
    CommitUncertain,
    CorruptionError,
    DirectoryError,
    PoisonedError,
)
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.section import help_apply
from seam import Killed, Seam
from store_support import LOG, attachment, core, get, opened, put, unsynced, word

THREADS = 8


def hold_first_sync(seam: Seam) -> threading.Event:
    """The next log sync waits for the event, at most 30 seconds."""
    released = threading.Event()

    def wait() -> None:
        assert released.wait(30)

    seam.when("sync_data", LOG, wait)
    return released


def test_eight_threads_that_commit_at_once_share_two_syncs(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    opened(tmp_path, Seam())  # who is alone would sync under the lock
    put(store, b"." * THREADS)
    before = seam.count("sync_data", LOG)
    released = hold_first_sync(seam)
    appended = threading.Semaphore(0)
    lsns: dict[int, int] = {}

    def commit(number: int) -> None:
        with store.transaction() as tx:
            tx.write("a.dat", number, b"%d" % number)
        lsns[number] = tx.lsn

    def rule(operation: str, name: str, _index: int) -> None:
        if (operation, name) == ("store", str(shared.END)):
            appended.release()

    seam.after_rules.append(rule)
    threads = [threading.Thread(target=commit, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert appended.acquire(timeout=30)
    assert lsns == {}  # nothing is acknowledged before the sync
    assert (tmp_path / "a.dat").read_bytes() == b"." * THREADS
    released.set()
    for thread in threads:
        thread.join(30)
    assert get(store) == b"01234567"
    assert len(set(lsns.values())) == THREADS
    # The held sync covers the frames before it at least, the second one all others.
    assert seam.count("sync_data", LOG) - before == 2
    assert store.stats()["commits"] == THREADS + 1


def test_a_leader_syncs_for_the_frames_of_other_processes(tmp_path: Path) -> None:
    follower = Seam()
    first, second = opened(tmp_path, Seam()), opened(tmp_path, follower)
    lsn = unsynced(second, b"follower")
    put(first, b"leader", offset=10)
    before = follower.count("sync_data")
    attachment(second).group.wait_durable(lsn)
    attachment(second).group.wait_applied(lsn, lambda: False)
    assert follower.count("sync_data") == before
    assert get(second) == b"follower\0\0leader"


def test_the_lock_is_free_while_the_leader_syncs(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam(), lock_timeout=0)
    put(store, b"old")
    seen: list[bytes] = []
    seam.when("sync_data", LOG, lambda: seen.append(get(other)))
    put(store, b"new")
    assert seen == [b"old"]


def test_the_leader_publishes_only_the_end_that_it_read_before_its_sync(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    late: list[int] = []
    during: list[int] = []
    seam.when("sync_data", LOG, lambda: late.append(unsynced(other, b"late")))
    seam.when("store", str(shared.SYNCED_AT), lambda: during.append(word(other, shared.DURABLE)))
    lsn = put(store, b"new")
    assert during == [lsn]
    assert late[0] > lsn
    assert get(other) == b"new"  # what came during the sync is not durable yet


def test_durable_never_moves_back(tmp_path: Path) -> None:
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(first, b"x")
    group = attachment(second).group
    put(second, b"y")
    high = word(first, shared.DURABLE)
    group.sync_held()
    assert word(first, shared.DURABLE) == high


def test_frames_of_a_syncer_that_died_are_written_again_before_they_are_synced(
    tmp_path: Path,
) -> None:
    # The kernel may have told the dead process of an error, and nobody else: its pages are clean
    # now, and another sync would say that all is well.
    dying, next_one = Seam(), Seam()
    first, second = opened(tmp_path, dying), opened(tmp_path, next_one)
    put(second, b"old")
    dying.kill_before("sync_data", LOG, after=True)
    with pytest.raises(Killed):
        put(first, b"new")
    assert word(second, shared.SYNCING) == dying.pid
    before = len(next_one.calls)
    put(second, b"!", offset=3)
    names = ("write_at", "sync_data")
    order = [call for call in next_one.calls[before:] if call[0] in names and call[1] == LOG]
    # own frame; the dead one's frame and the newest header again; sync
    assert order == [("write_at", LOG)] * 3 + [("sync_data", LOG)]
    assert word(second, shared.SYNCING) == 0
    assert get(second) == b"new!"


def test_a_damaged_frame_of_a_dead_syncer_poisons_instead_of_being_made_durable(
    tmp_path: Path,
) -> None:
    dying = Seam()
    first, second = opened(tmp_path, dying), opened(tmp_path, Seam())
    put(second, b"old")
    lsn = word(second, shared.END)
    dying.kill_before("sync_data", LOG)
    with pytest.raises(Killed):
        put(first, b"new")
    with open(tmp_path / LOG, "r+b") as file:
        file.seek(core(second).header.file_offset(lsn) + HEADER_SIZE + 5)
        file.write(b"\xff")
    with pytest.raises(PoisonedError) as caught:
        attachment(second).group.wait_durable(lsn + 1)
    assert isinstance(caught.value.__cause__, CorruptionError)
    assert caught.value.__cause__.offset == core(second).header.file_offset(lsn)


def test_a_waiter_whose_leader_died_after_the_sync_applies_itself(tmp_path: Path) -> None:
    dying = Seam()
    first, second = opened(tmp_path, dying), opened(tmp_path, Seam())
    put(second, b"old")
    dying.kill_before("unlock", ".sync")
    with pytest.raises(Killed):
        put(first, b"new")
    assert word(second, shared.APPLIED) < word(second, shared.DURABLE)
    group = attachment(second).group
    group.wait_applied(word(second, shared.DURABLE), lambda: help_apply(core(second), group))
    assert (tmp_path / "a.dat").read_bytes() == b"new"


def test_a_leader_that_is_stopped_makes_the_outcome_uncertain_after_the_deadline(
    tmp_path: Path,
) -> None:
    stopped = Seam()
    leader = opened(tmp_path, stopped)
    other = opened(tmp_path, Seam(), commit_timeout=0.05)
    put(leader, b"old")
    raised: list[CommitUncertain] = []

    def commit_meanwhile() -> None:
        with pytest.raises(CommitUncertain) as caught:
            put(other, b"new")
        raised.append(caught.value)

    stopped.when("sync_data", LOG, commit_meanwhile)
    put(leader, b"LED", offset=5)
    assert f"pid {stopped.pid} (process {stopped.pid})" in raised[0].message
    with other.lock():  # uncertain meant: it comes true with the next sync
        assert get(other) == b"new\0\0LED"


def test_a_sync_under_the_lock_gives_up_after_the_deadline_too(tmp_path: Path) -> None:
    holder, other = opened(tmp_path, Seam()), opened(tmp_path, Seam(), commit_timeout=0.02)
    put(holder, b"old")
    assert core(holder).sync_file.try_lock()
    with pytest.raises(CommitUncertain, match="unknown"):
        put(other, b"new")
    with pytest.raises(DirectoryError, match="process that syncs it is unknown") as caught:
        other.checkpoint()  # which makes no commit that could be uncertain
    assert isinstance(caught.value.__cause__, CommitUncertain)
    core(holder).sync_file.unlock()
    other.checkpoint()
    assert get(other) == b"new"


def test_a_thread_that_syncs_too_long_makes_others_of_its_process_give_up(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, commit_timeout=0.05)
    opened(tmp_path, Seam())  # who is alone would sync under the lock
    put(store, b"old")
    raised: list[type[BaseException]] = []

    def other_thread() -> None:
        for work in (lambda: put(store, b"new"), store.checkpoint):
            try:
                work()
            except (CommitUncertain, DirectoryError) as error:
                raised.append(type(error))

    def stall() -> None:
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join(30)

    seam.when("sync_data", LOG, stall)
    put(store, b"led")
    assert raised == [CommitUncertain, DirectoryError]
    with store.lock():
        assert get(store) == b"new"


def test_durable_but_not_applied_in_time_is_not_called_uncertain(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam(), commit_timeout=0.02)
    holder = opened(tmp_path, Seam())
    put(store, b"old")
    lsn = unsynced(store, b"new")
    with holder.lock():
        assert word(store, shared.DURABLE) >= lsn
        core(store).words[shared.APPLIED] = lsn - 1
        with pytest.raises(CommittedNotApplied, match=r"held by pid 4\d+"):
            attachment(store).group.wait_applied(lsn, lambda: False)
        core(store).words[shared.APPLIED] = lsn


def test_an_interrupted_leader_frees_its_place_and_others_commit(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    seam.fail("sync_data", LOG, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        put(store, b"new")
    assert word(store, shared.SYNCING) == seam.pid  # its sync may have failed unheard
    put(other, b"!", offset=3)
    assert get(store) == b"new!"
    seam.fail("unlock", ".sync", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        put(store, b"xyz")
    put(other, b"?", offset=3)
    assert get(store) == b"xyz?"
