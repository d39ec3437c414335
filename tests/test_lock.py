"""The global lock: who waits, who is named, and what waiting must never do."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import LockTimeout
from bazanite_wal.lock import GlobalLock, local_time
from bazanite_wal.posix import POSIX
from seam import Killed, Seam
from store_support import core, get, is_busy, opened, put, word


def test_waiting_in_vain_leaves_the_holders_busy_mark_alone(tmp_path: Path) -> None:
    # A time-out once cleared BUSY, which was the holder's: had the holder then died after writing
    # a frame, nobody would have repaired, and the frame could have come back after a power cut.
    seam = Seam()
    holder, waiter = opened(tmp_path, seam), opened(tmp_path, Seam(), lock_timeout=0)
    with pytest.raises(Killed), holder.transaction() as tx:
        holder.create_files(["a.dat"])
        tx.write("a.dat", 0, b"whole")
        with pytest.raises(LockTimeout):
            get(waiter)
        assert is_busy(waiter)
        seam.kill_before("store", str(shared.END))
    assert get(waiter) == b""  # adopted, but not durable yet
    put(waiter, b"later", offset=5)
    assert get(waiter) == b"wholelater"
    assert waiter.stats()["repairs"] == 1


@pytest.mark.parametrize("seconds", [-1e300, -1.0, 0, 1e12, 1 << 64, float("inf"), float("nan")])
def test_a_holder_since_an_absurd_time_can_be_shown(seconds: float) -> None:
    year = int(local_time(seconds)[:4])
    assert year in (1969, 1970) if not seconds > 0 else year == 9999


def test_an_interrupt_while_waiting_leaves_the_holders_busy_mark_alone(tmp_path: Path) -> None:
    seam = Seam()
    holder, waiter = opened(tmp_path, Seam()), opened(tmp_path, seam)
    with holder.lock():
        for operation, after in (("try_lock", False), ("try_lock", True), ("sleep", False)):
            seam.when(operation, ".lock" * (operation != "sleep"), _interrupt, after=after)
            with pytest.raises(KeyboardInterrupt):
                get(waiter)
            assert is_busy(waiter)
    assert get(waiter) == b""


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_marks_of_dead_processes_cost_a_courtesy_only_once(tmp_path: Path) -> None:
    dying, seam = Seam(), Seam()
    first, second = opened(tmp_path, dying), opened(tmp_path, seam)
    slot = core(first).lock.slot
    assert slot is not None
    core(first).words[slot + 1] = 7
    dying.kill()
    for _ in range(3):
        put(second, b"x")
    before = seam.count("sleep")
    put(second, b"y")
    assert seam.count("sleep") == before
    assert get(second) == b"y"


def test_a_process_that_comes_back_at_once_lets_a_waiting_one_go_first(tmp_path: Path) -> None:
    seam = Seam()
    first, second = opened(tmp_path, seam), opened(tmp_path, Seam())
    now = [seam.monotonic()]
    seam.monotonic = lambda: now[0]  # type: ignore[method-assign]
    put(first, b"x")
    slot = core(second).lock.slot
    assert slot is not None
    core(second).words[slot + 1] = 7
    before = seam.count("sleep")

    def the_other_got_it() -> None:
        core(second).words[slot + 1] = 0

    seam.when("sleep", "", the_other_got_it)
    put(first, b"y")
    assert seam.count("sleep") > before


@pytest.mark.parametrize("waited, naps", [(0.005, False), (0.02, True), (2.0, False)])
def test_who_comes_back_soon_lets_one_go_first_that_waits_long_but_is_not_stopped(
    tmp_path: Path, waited: float, naps: bool
) -> None:
    seam = Seam()
    first, second = opened(tmp_path, seam), opened(tmp_path, Seam())
    now = [seam.monotonic()]
    seam.monotonic = lambda: now[0]  # type: ignore[method-assign]
    put(first, b"x")
    now[0] += 0.05  # not at once
    slot = core(second).lock.slot
    assert slot is not None
    core(second).words[slot + 1] = int(1000 * (now[0] - waited))
    before = seam.count("sleep")
    got_it: list[int] = []

    def the_other_got_it() -> None:
        got_it.append(word(second, slot + 1))
        core(second).words[slot + 1] = 0

    seam.when("sleep", "", the_other_got_it)
    put(first, b"y")
    assert seam.count("sleep") - before == len(got_it) == int(naps)


def test_a_dead_process_that_waited_long_costs_a_courtesy_only_once(tmp_path: Path) -> None:
    dying, seam = Seam(), Seam(steady=True)
    first, second = opened(tmp_path, dying), opened(tmp_path, seam)
    slot = core(first).lock.slot
    assert slot is not None
    put(second, b"x")
    core(first).words[slot + 1] = int(1000 * (seam.monotonic() - 0.05))
    dying.kill()
    seam.process_command = lambda pid: "" if pid == dying.pid else "alive"  # type: ignore[method-assign]
    before = seam.count("sleep")
    put(second, b"x")
    once = seam.count("sleep")
    assert once > before
    seam.sleep(0.05)
    put(second, b"y")
    assert seam.count("sleep") == once + 1


def test_a_thread_waits_for_another_no_longer_than_its_timeout(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam(), lock_timeout=0.01)
    raised: list[LockTimeout] = []

    def other() -> None:
        with pytest.raises(LockTimeout) as caught:
            get(store)
        raised.append(caught.value)

    with store.lock():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(30)
    assert "not free within 0.01 seconds" in raised[0].message
    assert get(store) == b""


def test_a_lock_without_words_names_only_that_it_is_another_process(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=False)
    one = GlobalLock(POSIX, directory.open_lock(".lock"))
    two = GlobalLock(POSIX, directory.open_lock(".lock"))
    one.acquire(None)
    assert one.owned()
    assert not two.try_acquire()
    with pytest.raises(LockTimeout, match="held by another process") as caught:
        two.acquire(0.001)
    two.release()
    assert caught.value.holder is None
    assert two.holder() is None
    one.release()
    assert two.try_acquire()
    two.release()
    two.release()
    for lock in (one, two):
        lock.close()


def _hold(path: str, pipe: Any) -> None:
    store = opened(path)
    with store.lock():
        pipe.send(os.getpid())
        pipe.recv()
    store.close()


def test_a_timeout_names_the_real_process_that_holds_the_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_hold, args=(str(tmp_path), theirs))
    process.start()
    pid = ours.recv()
    with pytest.raises(LockTimeout) as caught:
        opened(tmp_path, lock_timeout=0)
    holder = caught.value.holder
    assert holder is not None
    assert holder.pid == pid == process.pid
    assert "python" in holder.command
    assert str(holder) in caught.value.message
    assert holder.since[:2] == "20"
    seam = Seam()
    seam.when("lock", ".lock", lambda: ours.send("go on"))
    store = opened(tmp_path, seam, lock_timeout=None)  # waits in the kernel until it is free
    process.join(30)
    assert get(store) == b""


def test_a_waiter_is_marked_while_it_waits_and_not_after(tmp_path: Path) -> None:
    seam = Seam()
    holder, waiter = opened(tmp_path, Seam()), opened(tmp_path, seam)
    slot = core(waiter).lock.slot
    assert slot is not None
    marks: list[int] = []
    with holder.lock():
        seam.when("sleep", "", lambda: marks.append(word(holder, slot + 1)))
        seam.when("sleep", "", lambda: seam.fail("try_lock", ".lock", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            get(waiter)
    assert marks[0] != 0
    assert word(holder, slot + 1) == 0
    assert word(holder, shared.BUSY) == 0
