"""A store's handle: closing, reading without the lock, and what it tells of itself."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import (
    DBError,
    DirectoryError,
    TransactionError,
    UnsafeShutdownError,
)
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.layer import View
from bazanite_wal.store import Store
from seam import Seam
from store_support import core, get, opened, put, word


def test_closing_twice_is_fine_and_a_closed_store_refuses_everything(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"x")
    store.close()
    store.close()
    assert store.closed
    for use in (get, Store.stats, Store.checkpoint, Store.file_names, Store.in_transaction):
        with pytest.raises(TransactionError, match="the database is closed"):
            use(store)
    with pytest.raises(TransactionError), store.transaction():
        pass


def test_a_store_with_an_open_transaction_or_lock_is_not_closed(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    with store.transaction() as tx:
        store.create_files(["a.dat"])
        tx.write("a.dat", 0, b"kept")
        with pytest.raises(TransactionError, match="cannot be closed"):
            store.close()
    with store.lock(), pytest.raises(TransactionError, match="cannot be closed"):
        store.close()
    assert get(store) == b"kept"


def test_a_quick_read_takes_no_lock_and_makes_no_sync(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    lsn = put(store, b"row")
    before = len(seam.calls)
    assert store.quick_read(lambda view: view.read("a.dat", 0, 3)) == b"row"
    assert {call[0] for call in seam.calls[before:]} == {"load", "read_at"}
    assert store.read_lsn == lsn


def test_a_quick_read_never_returns_a_mixture_of_two_states(tmp_path: Path) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(store, b"old")
    put(store, b"old", "b.dat")
    tries: list[tuple[bytes, bytes]] = []

    def read(view: View) -> tuple[bytes, bytes]:
        first = view.read("a.dat", 0, 3)
        if not tries:
            with other.transaction() as tx:
                tx.write("a.dat", 0, b"new")
                tx.write("b.dat", 0, b"new")
        tries.append((first, view.read("b.dat", 0, 3)))
        return tries[-1]

    assert store.quick_read(read) == (b"new", b"new")
    assert tries == [(b"old", b"new"), (b"new", b"new")]


def test_a_quick_read_that_keeps_being_overtaken_takes_the_lock(tmp_path: Path) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(store, b"0")
    held: list[bool] = []

    def read(view: View) -> bytes:
        held.append(core(store).lock.owned())
        if not held[-1]:
            put(other, b"%d" % len(held))
        return view.read("a.dat", 0, 1)

    assert store.quick_read(read) == b"3"
    assert held == [False, False, False, True]


def test_an_error_of_a_quick_read_counts_only_if_nothing_changed_meanwhile(
    tmp_path: Path,
) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(store, b"0")
    tries: list[int] = []

    def read(_view: View) -> str:
        tries.append(1)
        if len(tries) == 1:
            put(other, b"1")
            raise ValueError("a mixture cannot be decoded")
        return "fine"

    assert store.quick_read(read) == "fine"

    def fail(_view: View) -> None:
        raise KeyError("not found, and that is the truth")

    with pytest.raises(KeyError):
        store.quick_read(fail)


def test_a_quick_read_during_an_apply_waits_for_the_lock(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    seen: list[bytes] = []
    reader = threading.Thread(
        target=lambda: seen.append(other.quick_read(lambda view: view.read("a.dat", 0, 3)))
    )

    def start_reader() -> None:
        assert word(other, shared.SEQUENCE) & 1
        reader.start()

    seam.when("write_at", "a.dat", start_reader)
    put(store, b"new")
    reader.join(30)
    assert seen == [b"new"]


def test_a_quick_read_in_a_transaction_sees_its_changes(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"old")
    with store.transaction() as tx:
        tx.write("a.dat", 0, b"new")
        assert store.quick_read(lambda view: view.read("a.dat", 0, 3)) == b"new"


def test_without_ordered_memory_a_quick_read_takes_the_lock(tmp_path: Path) -> None:
    seam = Seam()
    seam.ordered_memory = lambda: False  # type: ignore[method-assign]
    store = opened(tmp_path, seam)
    put(store, b"x")
    assert store.quick_read(lambda _view: core(store).lock.owned())


def test_the_lsn_that_was_read_is_each_threads_own(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    first = put(store, b"1")
    seen: list[int] = []

    def other() -> None:
        seen.append(store.read_lsn)
        seen.append(put(store, b"2"))
        seen.append(store.read_lsn)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(30)
    assert seen[0] == 0
    assert seen[1] == seen[2] > first
    assert store.read_lsn == first
    get(store)
    assert store.read_lsn == seen[2]


def test_a_read_only_transaction_has_the_lsn_that_it_saw(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    lsn = put(store, b"x")
    with store.transaction() as tx:
        assert tx.read("a.dat", 0, 1) == b"x"
    assert tx.lsn == lsn == store.read_lsn


def test_the_statistics_count_what_was_done(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    before = store.stats()
    lsn = put(store, b"x")
    after = store.stats()
    assert after["commits"] == before["commits"] + 1
    assert after["log_syncs"] == before["log_syncs"] + 1
    assert after["log_bytes"] - before["log_bytes"] == lsn - before["end_lsn"]
    assert after["end_lsn"] == after["durable_lsn"] == after["applied_lsn"] == lsn
    assert after["log_used_bytes"] == lsn - before["end_lsn"]
    store.checkpoint()
    assert store.stats()["checkpoints"] == before["checkpoints"] + 1
    assert store.stats()["generation"] == before["generation"] + 1


def test_a_log_that_falls_idle_is_marked_by_the_next_read(tmp_path: Path) -> None:
    seam = Seam()
    now = [seam.monotonic()]
    seam.monotonic = lambda: now[0]  # type: ignore[method-assign]
    store = opened(tmp_path, seam)
    lsn = put(store, b"x")
    get(store)
    assert word(store, shared.END) == lsn
    now[0] += 2
    get(store)
    get(store)
    assert word(store, shared.END) == lsn + HEADER_SIZE
    assert word(store, shared.WATERMARK) == lsn + HEADER_SIZE
    put(store, b"y")
    now[0] += 2
    seam.fail("write_at", "wal.log", OSError(28, "No space left on device"))
    assert get(store) == b"y"  # a mark that cannot be written is nobody's error


def test_file_names_show_what_others_made(tmp_path: Path) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(other, b"x", "b.dat")
    put(store, b"x", "a.dat")
    assert store.file_names() == ["a.dat", "b.dat"]


def test_reading_a_file_that_the_system_refuses_is_a_directory_error(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    seam.fail("read_at", "a.dat", OSError(5, "Input/output error"))
    with pytest.raises(DirectoryError, match=r"a\.dat: cannot read"):
        get(store)
    seam.fail("size", "a.dat", OSError(5, "Input/output error"))
    with pytest.raises(DirectoryError, match=r"a\.dat: cannot read"), store.reading() as view:
        view.size("a.dat")
    with store.reading() as view:
        assert (view.size("a.dat"), view.size("none.dat")) == (1, 0)
        assert view.read("none.dat", 0, 1) == b""


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_whatever_call_of_the_system_fails_the_error_is_one_of_ours(
    tmp_path: Path, durability: str
) -> None:
    operations = (
        "read_at", "write_at", "truncate", "size", "sync", "sync_data", "open", "create", "list",
        "create_successor", "try_lock", "lock",
    )  # fmt: skip
    options: dict[str, Any] = {"durability": durability, "log_size_bytes": 8192}

    def work(store: Store) -> None:
        put(store, b"x" * 3000)
        put(store, b"y" * 9000, "b.dat")
        get(store)
        store.close()

    seam = Seam()
    store = opened(tmp_path / "count", seam, **options)
    start = len(seam.calls)
    work(store)
    calls = [number for number, call in enumerate(seam.calls[start:]) if call[0] in operations]
    for step in calls:
        seam = Seam()
        store = opened(tmp_path / str(step), seam, **options)
        failed = seam.fail_first(step, operations, 5)
        try:
            work(store)
        except DBError:
            pass
        except OSError as error:
            raise AssertionError(f"a bare OSError from {failed}") from error
        seam.rules.clear()
        seam.kill()
        try:
            again = opened(tmp_path / str(step), Seam(), **options)
        except UnsafeShutdownError:
            # "off", and a sync or a write of the log's header failed: like a power cut
            assert durability == "off", failed
            assert failed[0].startswith("sync") or failed == ["write_at wal.log"], failed
            again = opened(tmp_path / str(step), Seam(), accept_unsafe=True, **options)
        assert get(again) in (b"", b"x" * 3000), failed
        again.close()
