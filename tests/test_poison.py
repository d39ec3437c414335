"""A failed sync: everyone attached refuses, nothing is believed again, a fresh start recovers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import PoisonedError
from bazanite_wal.store import Store
from seam import Seam
from store_support import LOG, core, get, opened, put, word

EIO = OSError(5, "Input/output error")


def checkpoint_under_lock(store: Store) -> None:
    with store.lock():
        store.checkpoint()


def change(store: Store) -> None:
    put(store, b"new")


FAILURES: dict[str, tuple[str, str, Callable[[Store], None]]] = {
    "log sync of a commit": ("sync_data", LOG, change),
    "data sync ahead of a checkpoint": ("sync", "a.dat", Store.checkpoint),
    "data sync under the lock": ("sync", "a.dat", checkpoint_under_lock),
    "log sync of a checkpoint": ("sync_data", LOG, checkpoint_under_lock),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_sync_refuses_reads_and_writes_to_everyone_attached(
    tmp_path: Path, failure: str
) -> None:
    operation, name, work = FAILURES[failure]
    seam, other_seam = Seam(), Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, other_seam)
    put(store, b"old")
    seam.fail(operation, name, EIO)
    with pytest.raises(PoisonedError) as caught:
        work(store)
    assert caught.value.__cause__ is EIO
    syncs = [seam.count("sync") + seam.count("sync_data") for seam in (seam, other_seam)]
    uses: list[Callable[[Store], object]] = [
        get,
        change,
        Store.checkpoint,
        checkpoint_under_lock,
        lambda handle: handle.quick_read(lambda view: view.read("a.dat", 0, 3)),
    ]
    for handle in (store, other):
        for use in uses:
            with pytest.raises(PoisonedError, match=f"pids {seam.pid}, {other_seam.pid}"):
                use(handle)
    # nobody tried a sync again: the kernel would have said that all is well
    assert syncs == [seam.count("sync") + seam.count("sync_data") for seam in (seam, other_seam)]


def test_a_new_opener_is_refused_until_the_last_has_closed_and_then_recovers(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"acknowledged")
    seam.fail("sync_data", LOG, EIO)
    with pytest.raises(PoisonedError):
        put(store, b"A")
    with pytest.raises(PoisonedError, match=f"Close every process.*pids {seam.pid}"):
        opened(tmp_path, Seam())
    store.close()
    with pytest.raises(PoisonedError):
        opened(tmp_path, Seam())
    other.close()
    again = opened(tmp_path, Seam())
    assert get(again) in (b"acknowledged", b"Acknowledged")
    assert again.recovery is not None
    assert again.recovery.frames >= 1
    put(again, b"goes on")


def test_a_poisoned_close_writes_and_syncs_nothing(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    seam.fail("sync_data", LOG, EIO)
    with pytest.raises(PoisonedError):
        put(store, b"y")
    before = len(seam.calls)
    store.close()
    names = ("write_at", "truncate", "sync", "sync_data")
    assert [call for call in seam.calls[before:] if call[0] in names] == []


@pytest.mark.parametrize("kind", ["log", "data"])
def test_a_second_threads_sync_on_the_same_descriptor_is_not_believed(
    tmp_path: Path, kind: str
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    name, operation = (LOG, "sync_data") if kind == "log" else ("a.dat", "sync")
    outcome: list[object] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        try:
            put(store, b"2") if kind == "log" else store.checkpoint()
            outcome.append("believed")
        except PoisonedError as error:
            outcome.append(error)

    thread = threading.Thread(target=second)

    def fail_while_another_waits() -> None:
        thread.start()
        assert entered.wait(20)
        raise EIO  # told once; a later sync says 0

    seam.when(operation, name, fail_while_another_waits)
    with pytest.raises(PoisonedError):
        put(store, b"1") if kind == "log" else store.checkpoint()
    thread.join(30)
    assert isinstance(outcome[0], PoisonedError)
    assert word(store, shared.POISONED) == seam.pid


def test_a_quick_read_that_ran_while_the_database_was_poisoned_does_not_count(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    seam.fail("sync_data", LOG, EIO)

    def read(view: object) -> str:
        if not word(other, shared.POISONED):
            with pytest.raises(PoisonedError):
                put(store, b"new")
        return "stale"

    with pytest.raises(PoisonedError):
        other.quick_read(read)


def test_a_commit_that_is_applied_is_acknowledged_even_if_it_is_poisoned_just_then(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")

    def poison() -> None:
        core(store).words[shared.POISONED] = 1

    seam.when("store", str(shared.APPLIED), poison, after=True)
    assert put(store, b"new") == word(store, shared.APPLIED)
    with pytest.raises(PoisonedError):
        get(store)


def test_data_syncs_of_one_process_happen_one_at_a_time(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    arrived = threading.Event()
    outcome: list[object] = []
    real = core(store).data_sync_lock

    class Announcing:
        """Tells when the second thread has come to where it must wait."""

        release, owned = real.release, real.owned

        def acquire(self, timeout: float | None) -> bool:
            if threading.current_thread() is thread:
                arrived.set()
            return real.acquire(timeout)

    core(store).data_sync_lock = Announcing()

    def second() -> None:
        with pytest.raises(PoisonedError) as caught:
            store.checkpoint()
        outcome.append(caught.value)

    thread = threading.Thread(target=second)

    def fail_while_another_waits() -> None:
        thread.start()
        assert arrived.wait(20)
        raise EIO

    seam.when("sync", "a.dat", fail_while_another_waits)
    with pytest.raises(PoisonedError):
        store.checkpoint()
    thread.join(30)
    assert len(outcome) == 1
    assert seam.count("sync", "a.dat") == 0  # the second one never asked the kernel
