"""A process stopped by SIGSTOP in the middle of a commit: others give up in time, and lose nothing.

Real processes and real signals.  The one to stop runs over the seam, which stops it at the right
call; the parent hears of that by ``waitpid``, so nobody sleeps.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import CommitUncertain, LockTimeout
from bazanite_wal.store import Store
from seam import Seam
from store_support import FORK, LOG, get, in_child, opened, put, start_child, word

pytestmark = pytest.mark.filterwarnings(FORK)
SYNC = ".sync"
BEFORE_THE_SYNC = ("sync_data", LOG, False)
BEHIND_THE_SYNC = ("sync_data", LOG, True)
GOT_SYNC = ("try_lock", SYNC, True)
IN_APPEND = ("write_at", LOG, False)
IN_APPLY = ("write_at", "a.dat", False)


@contextmanager
def stopped_writer(path: Path, place: tuple[str, str, bool]) -> Iterator[int]:
    """The pid of a process that is stopped there while it commits ``stopped`` to ``a.dat``."""
    operation, name, after = place

    def work() -> None:
        seam = Seam()
        seam.pid = os.getpid()
        store = opened(path, seam)
        seam.when(operation, name, lambda: os.kill(os.getpid(), signal.SIGSTOP), after=after)
        put(store, b"stopped")
        store.close()

    pid = start_child(work)
    try:
        _, status = os.waitpid(pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def go_on(pid: int) -> int:
    """Let it finish; its exit status."""
    os.kill(pid, signal.SIGCONT)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill(pid: int) -> int:
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run ``work(0)`` to ``work(count - 1)`` at once; its first error."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def cannot_confirm(store: Store, data: bytes, offset: int, who: str) -> None:
    with pytest.raises(CommitUncertain) as caught:
        put(store, data, offset=offset)
    assert f"nobody confirmed for {store._options.commit_timeout} seconds" in caught.value.message
    assert who in caught.value.message


@pytest.mark.parametrize("end, status", [(go_on, 0), (kill, -signal.SIGKILL)])
@pytest.mark.parametrize("place", [BEFORE_THE_SYNC, BEHIND_THE_SYNC, GOT_SYNC])
def test_a_stopped_leader_lets_others_give_up_in_time_and_loses_nothing(
    tmp_path: Path, place: tuple[str, str, bool], end: Callable[[int], int], status: int
) -> None:
    store = opened(tmp_path, commit_timeout=0.5)
    put(store, b"." * 40)
    with stopped_writer(tmp_path, place) as pid:
        # between taking the right to sync and saying so nobody knows which of them has it
        who = f"pid {pid} (" if place != GOT_SYNC else f"unknown, one of pids {os.getpid()}, {pid}"
        in_threads(3, lambda number: cannot_confirm(store, b"thread", 10 + number * 6, who))

        def other_process() -> None:
            other = opened(tmp_path, commit_timeout=0.25)
            cannot_confirm(other, b"process", 30, f"pid {pid} (" if who[0] == "p" else str(pid))

        assert in_child(other_process) == 0
        assert get(store) == b"." * 40  # what nobody confirmed, nobody sees
        assert end(pid) == status
    put(store, b"!", offset=39)
    assert get(store) == b"stopped...threadthreadthread..process..!"
    assert word(store, shared.SYNCING) == 0
    assert store.stats()["applied_lsn"] == store.stats()["end_lsn"]
    store.close()
    assert (tmp_path / "a.dat").read_bytes() == b"stopped...threadthreadthread..process..!"


@pytest.mark.parametrize("end, status", [(go_on, 0), (kill, -signal.SIGKILL)])
@pytest.mark.parametrize("place", [IN_APPEND, IN_APPLY])
def test_a_stopped_holder_of_the_lock_lets_others_give_up_in_time_and_loses_nothing(
    tmp_path: Path, place: tuple[str, str, bool], end: Callable[[int], int], status: int
) -> None:
    store = opened(tmp_path, lock_timeout=0.25)
    put(store, b"." * 10)
    with stopped_writer(tmp_path, place) as pid:
        for use in (lambda: put(store, b"?"), lambda: get(store)):
            with pytest.raises(LockTimeout, match=f"pid {pid} ") as caught:
                use()
            assert caught.value.holder is not None
            assert caught.value.holder.pid == pid
        assert end(pid) == status
    put(store, b"!", offset=9)
    appended = place == IN_APPLY or status == 0
    assert get(store) == (b"stopped..!" if appended else b".........!")
    store.close()
