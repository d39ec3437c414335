"""Forked children: what they inherit is closed, what they use they open anew."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bazanite_wal.errors import TransactionError
from bazanite_wal.store import Store
from store_support import FORK, descriptors, get, in_child, opened, put

pytestmark = pytest.mark.filterwarnings(FORK)


def test_a_child_writes_through_the_inherited_handle_and_so_does_its_parent(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path)
    put(store, b"parent")

    def child() -> None:
        assert get(store) == b"parent"
        put(store, b"child!")
        assert store.quick_read(lambda view: view.read("a.dat", 0, 9)) == b"child!"
        assert store.stats()["attached_processes"] == 2
        store.close()

    assert in_child(child) == 0
    assert get(store) == b"child!"
    put(store, b"again!")
    store.close()
    assert (tmp_path / "a.dat").read_bytes() == b"again!"


def test_a_child_keeps_no_descriptor_of_its_parent(tmp_path: Path) -> None:
    before = descriptors()
    store = opened(tmp_path)
    put(store, b"x")

    def child() -> None:
        assert descriptors() <= before
        store.close()

    assert in_child(child) == 0
    assert get(store) == b"x"
    store.close()


def test_a_grandchild_and_a_second_child_attach_for_themselves(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def grandchild() -> None:
        put(store, b"g", offset=0)
        store.close()

    def child() -> None:
        assert in_child(grandchild) == 0  # before this one used it
        put(store, b"c", offset=1)
        assert in_child(grandchild) == 0
        store.close()

    assert in_child(child) == 0
    assert in_child(child) == 0
    assert get(store) == b"gc"
    store.close()


def test_a_child_born_in_a_transaction_cannot_commit_it_and_the_parent_can(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"old")
    with ExitStack() as section:
        section.enter_context(store.transaction()).write("a.dat", 0, b"new")

        def child() -> None:
            with pytest.raises(TransactionError, match="another process"):
                section.close()

        assert in_child(child) == 0
    assert get(store) == b"new"
    store.close()


def test_an_exception_in_a_child_born_in_a_transaction_is_passed_on(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"old")
    with ExitStack() as section:
        section.enter_context(store.transaction()).write("a.dat", 0, b"new")

        def child() -> None:
            with pytest.raises(ZeroDivisionError), section:
                raise ZeroDivisionError

        assert in_child(child) == 0
    assert get(store) == b"new"
    store.close()


@pytest.mark.parametrize("kind", ["lock", "reading"])
def test_a_child_born_while_its_parent_reads_or_holds_the_lock_leaves_that_quietly(
    tmp_path: Path, kind: str
) -> None:
    # Leaving it once looked at the shared words, which were unmapped at the fork.
    store = opened(tmp_path)
    put(store, b"x")
    with ExitStack() as section:
        section.enter_context(getattr(store, kind)())

        def child() -> None:
            section.close()
            store.close()

        assert in_child(child) == 0
    assert get(store) == b"x"
    store.close()


def _hold_and_spawn_idle(path: str, pipe: Any) -> None:
    store = opened(path)
    put(store, b"acknowledged")
    with store.transaction() as tx:
        tx.write("a.dat", 0, b"never")
        idle = os.fork()
        if idle == 0:  # what it inherited is closed before it gets here
            pipe.send(os.getpid())
        signal.pause()


def test_an_idle_child_holds_no_lock_of_a_killed_parent(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_hold_and_spawn_idle, args=(str(tmp_path), theirs))
    process.start()
    idle = ours.recv()
    try:
        process.kill()
        process.join()
        store = opened(tmp_path, lock_timeout=0)
        assert store.recovery is not None  # not even .attached is held
        assert get(store) == b"acknowledged"
        store.close()
    finally:
        os.kill(idle, signal.SIGKILL)


def _add(path: str, number: int, count: int, store: Store | None = None) -> None:
    store = store or opened(path, log_size_bytes=8192)
    for value in range(count):
        with store.transaction() as tx:
            store.create_files(["a.dat"])
            seen = tx.read("a.dat", 8 * number, 8)
            assert seen.strip(b"\0 ") in (b"", b"%d" % (value - 1))
            tx.write("a.dat", 8 * number, b"%-8d" % value)
    store.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_either_start_method_write_side_by_side(tmp_path: Path, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    store = opened(tmp_path, log_size_bytes=8192)
    processes = [
        context.Process(target=_add, args=(str(tmp_path), number, 40)) for number in range(3)
    ]
    for process in processes:
        process.start()
    _add(str(tmp_path), 3, 40, store)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    again = opened(tmp_path)
    assert get(again) == b"%-8d" % 39 * 4
    again.close()


def test_a_fork_in_one_thread_does_not_disturb_the_commits_of_another(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"." * 8)
    stop = threading.Event()
    failures: list[BaseException] = []
    commits = 0

    def commit() -> None:
        nonlocal commits
        try:
            while not stop.is_set():
                put(store, b"%08d" % commits)
                commits += 1
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=commit)
    thread.start()

    def child() -> None:
        get(store)
        store.close()

    statuses = [in_child(child) for _ in range(8)]
    stop.set()
    thread.join(60)
    assert failures == []
    assert statuses == [0] * 8
    assert get(store) == b"%08d" % (commits - 1)
    store.close()


def test_a_child_that_changed_its_directory_reopens_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It once made a new, empty database below the directory that it had changed to.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = opened("data")
    put(store, b"parent")

    def child() -> None:
        os.chdir(tmp_path / "elsewhere")
        assert get(store) == b"parent"
        put(store, b"child!")
        store.close()

    assert in_child(child) == 0
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert get(store) == b"child!"
    store.close()
