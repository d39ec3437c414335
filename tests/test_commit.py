"""What a commit does, in which order, and what each of its failures leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import (
    DirectoryError,
    LockTimeout,
    PoisonedError,
    TransactionError,
    ValidationError,
)
from seam import Killed, Seam
from store_support import LOG, SMALL, get, opened, put, unsynced, word


def test_a_durable_transaction_costs_one_log_sync_and_no_data_sync(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    with store.transaction():
        store.create_files(["a.dat", "b.dat", "c.dat"])
    before = len(seam.calls)
    with store.transaction() as tx:
        for name in ("a.dat", "b.dat", "c.dat"):
            tx.write(name, 0, b"row")
    syncs = [call for call in seam.calls[before:] if call[0] in ("sync", "sync_data")]
    assert syncs == [("sync_data", LOG)]


def test_no_byte_of_a_data_file_changes_before_its_frame_is_durable(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    before = len(seam.calls)
    with store.transaction() as tx:
        tx.write("a.dat", 0, b"new")
        tx.truncate("a.dat", 10)
    changes = ("write_at", "truncate", "sync_data")
    order = [call for call in seam.calls[before:] if call[0] in changes]
    assert order == [
        ("write_at", LOG), ("sync_data", LOG), ("write_at", "a.dat"),
        ("truncate", "a.dat"), ("truncate", "a.dat"),  # to the old size first: what is skipped is 0
    ]  # fmt: skip


def test_nothing_touches_a_file_while_a_transaction_runs_or_when_it_rolls_back(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    before = len(seam.calls)
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        tx.write("a.dat", 0, b"new")
        assert tx.read("a.dat", 0, 9) == b"new"
        raise ZeroDivisionError
    names = ("write_at", "truncate", "sync", "sync_data")
    assert [call for call in seam.calls[before:] if call[0] in names] == []
    assert get(store) == b"old"
    assert tx.lsn == 0


def test_a_commit_is_acknowledged_only_when_it_is_durable_and_applied(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    for number in range(3):
        lsn = put(store, b"%d" % number)
        assert word(store, shared.DURABLE) == word(store, shared.APPLIED) == lsn
    assert store.read_lsn == lsn


def test_a_refusal_tells_which_state_it_saw(tmp_path: Path) -> None:
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(second, b"old")
    lsn = put(first, b"new")
    with pytest.raises(ZeroDivisionError), second.transaction() as tx:
        assert tx.read("a.dat", 0, 9) == b"new"
        raise ZeroDivisionError
    assert (second.read_lsn, tx.lsn) == (lsn, 0)


def test_normal_returns_before_any_sync_and_reads_see_it(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal", sync_seconds=1000)
    before = seam.count("sync_data")
    lsn = put(store, b"quick")
    assert seam.count("sync_data") == before
    assert word(store, shared.APPLIED) < lsn
    assert (tmp_path / "a.dat").read_bytes() == b""
    assert get(store) == b"quick"
    assert store.read_lsn == lsn
    assert store.quick_read(lambda view: view.read("a.dat", 0, 9)) == b"quick"


@pytest.mark.parametrize("limit", [{"sync_bytes": 300}, {"sync_seconds": 0.0}])
def test_normal_syncs_at_a_threshold_of_bytes_or_of_time(
    tmp_path: Path, limit: dict[str, float]
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal", **({"sync_seconds": 1000} | limit))
    before = seam.count("sync_data")
    lsn = put(store, b"x" * 200)
    assert seam.count("sync_data") == before + 1
    assert word(store, shared.APPLIED) == lsn


def test_off_applies_at_once_and_never_syncs(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="off", log_size_bytes=SMALL)
    durable = word(store, shared.DURABLE)
    before = len(seam.calls)
    with store.transaction() as tx:
        tx.write("schema.json", 0, b"")
    for number in range(200):  # several times round the log
        with store.transaction() as tx:
            store.create_files(["a.dat"])
            tx.write("a.dat", 0, b"%0200d" % number)
    names = [name for operation, name in seam.calls[before:] if operation in ("sync", "sync_data")]
    assert names == ["."]  # of the new file's name only
    assert word(store, shared.DURABLE) == durable
    assert (tmp_path / "a.dat").read_bytes() == b"%0200d" % 199
    assert store.stats()["checkpoints"] > 1


def test_no_space_for_the_frame_rolls_back_and_the_next_transaction_works(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    end = word(store, shared.END)
    seam.fail("write_at", LOG, OSError(28, "No space left on device"))
    with pytest.raises(DirectoryError, match="rolled back") as caught:
        put(store, b"new")
    assert isinstance(caught.value.__cause__, OSError)
    assert word(store, shared.END) == end
    assert get(store) == b"old"
    put(store, b"yes")
    assert get(store) == b"yes"


def test_an_error_told_after_the_whole_frame_was_written_is_no_error(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")

    def fail() -> None:
        raise OSError(5, "Input/output error")

    seam.when("write_at", LOG, fail, after=True)
    put(store, b"new")
    assert get(store) == b"new"


def test_no_space_to_grow_the_log_rolls_back(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    put(store, b"old")

    def fail_next() -> None:  # the first write is the next generation's header
        seam.fail("write_at", LOG, OSError(28, "No space left on device"))

    seam.when("write_at", LOG, fail_next)
    with pytest.raises(DirectoryError, match="cannot grow the log"):
        put(store, b"x" * 3 * SMALL)
    assert get(store) == b"old"
    put(store, b"x" * 3 * SMALL)
    assert get(store) == b"x" * 3 * SMALL


def test_a_transaction_larger_than_the_log_grows_it_and_the_next_checkpoint_shrinks_it(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    put(store, b"x" * 5 * SMALL)
    # committing it checkpointed as well, being over the threshold
    assert store.stats()["log_file_bytes"] == 8192 + SMALL
    assert get(store) == b"x" * 5 * SMALL
    with store.lock():
        put(store, b"y" * 5 * SMALL)
        assert store.stats()["log_file_bytes"] > 5 * SMALL
    store.checkpoint()
    assert (tmp_path / LOG).stat().st_size == 8192 + SMALL
    again = opened(tmp_path, Seam())
    assert get(again) == b"y" * 5 * SMALL


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_a_grown_log_is_found_by_everyone_attached(tmp_path: Path, durability: str) -> None:
    first = opened(tmp_path, Seam(), durability=durability, log_size_bytes=SMALL)
    second = opened(tmp_path, Seam(), durability=durability, log_size_bytes=SMALL)
    put(second, b"a" * 100)
    with first.lock():
        put(first, b"b" * 3 * SMALL)
    put(second, b"c" * 7000)
    put(first, b"d" * 100, offset=7000)
    assert get(first) == get(second) == (b"c" * 7000 + b"d" * 100).ljust(3 * SMALL, b"b")


def test_a_refusal_waits_until_what_it_saw_is_durable_and_applied(tmp_path: Path) -> None:
    # Another process's frame, in the log but not yet synced: a power cut could still take it.
    writer, reader = Seam(), Seam()
    first, second = opened(tmp_path, writer), opened(tmp_path, reader)
    put(first, b"0")

    def check(fail: bool) -> None:
        seen = 0
        with second.transaction() as tx:
            assert tx.read("a.dat", 0, 9) == b"undurable"
            seen = word(second, shared.END)
            assert word(second, shared.DURABLE) < seen
            if fail:
                raise ZeroDivisionError
        assert not fail

    for fail in (True, False):
        unsynced(first, b"undurable")
        if fail:
            with pytest.raises(ZeroDivisionError):
                check(fail)
        else:
            check(fail)
        assert word(second, shared.APPLIED) == word(second, shared.END)
        assert (tmp_path / "a.dat").read_bytes() == b"undurable"
        put(first, b"012345678")


def test_a_read_outside_a_transaction_shows_only_what_is_durable(tmp_path: Path) -> None:
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    lsn = put(first, b"durable__")
    unsynced(first, b"undurable")
    assert get(second) == b"durable__"
    assert second.read_lsn == lsn
    assert second.quick_read(lambda view: view.read("a.dat", 0, 9)) == b"durable__"


def test_the_outermost_lock_makes_what_is_read_inside_the_latest_and_durable(
    tmp_path: Path,
) -> None:
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(first, b"durable__")
    unsynced(first, b"undurable")
    with second.lock(), second.lock():
        assert get(second) == b"undurable"
        assert word(second, shared.DURABLE) == word(second, shared.END)


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_transactions_under_a_held_lock_are_durable_and_applied_one_by_one(
    tmp_path: Path, durability: str
) -> None:
    store = opened(tmp_path, Seam(), durability=durability)
    with store.lock():
        for number in range(3):
            lsn = put(store, b"%d" % number)
            assert word(store, shared.APPLIED) == lsn
            assert get(store) == b"%d" % number
    assert get(store) == b"2"


def test_a_lock_timeout_changes_nothing(tmp_path: Path) -> None:
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam(), lock_timeout=0.01)
    put(first, b"old")
    with first.lock(), pytest.raises(LockTimeout):
        put(second, b"new")
    assert get(second) == b"old"


def test_savepoints_roll_back_alone_and_commit_with_the_whole(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"..........")
    commits = store.stats()["commits"]
    with store.transaction() as tx:
        tx.write("a.dat", 0, b"1")
        with store.transaction() as kept:
            kept.write("a.dat", 1, b"2")
            with pytest.raises(ZeroDivisionError), store.transaction() as dropped:
                dropped.write("a.dat", 2, b"3")
                assert get(store) == b"123......."
                raise ZeroDivisionError
            assert store.in_transaction()
        with pytest.raises(TransactionError, match="is over"):
            kept.write("a.dat", 5, b"late")
        assert get(store) == b"12........"
    assert not store.in_transaction()
    assert get(store) == b"12........"
    assert store.stats()["commits"] == commits + 1


def test_files_are_made_only_within_a_transaction_and_only_with_good_names(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    with pytest.raises(TransactionError, match="within a transaction"):
        store.create_files(["a.dat"])
    with store.transaction(), pytest.raises(ValidationError, match="not a data file's name"):
        store.create_files(["good.dat", "../evil.dat"])
    assert store.file_names() == []
    assert not (tmp_path / "evil.dat").exists()


def test_a_new_file_is_durable_by_name_before_a_frame_names_it(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    before = len(seam.calls)
    put(store, b"x", "new.dat")
    names = ("create", "sync", "write_at")
    assert [call for call in seam.calls[before:] if call[0] in names][:3] == [
        ("create", "new.dat"), ("sync", "."), ("write_at", LOG),
    ]  # fmt: skip


def test_a_file_whose_maker_died_before_syncing_its_name_is_synced_by_the_next_user(
    tmp_path: Path,
) -> None:
    # Otherwise an acknowledged frame could name a file that a power cut takes away.
    dying, seam = Seam(), Seam()
    first, second = opened(tmp_path, dying), opened(tmp_path, seam)
    dying.kill_before("sync", ".")
    with pytest.raises(Killed):
        put(first, b"x")
    assert (tmp_path / "a.dat").exists()
    before = len(seam.calls)
    put(second, b"y")
    order = [call for call in seam.calls[before:] if call in (("sync", "."), ("write_at", LOG))]
    assert order == [("sync", "."), ("write_at", LOG)]
    put(second, b"z")
    assert seam.count("sync", ".") == 1  # once a name and process


def test_a_failed_sync_of_the_directory_poisons(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    seam.fail("sync", ".", OSError(5, "Input/output error"))
    with pytest.raises(PoisonedError):
        put(store, b"x")
    with pytest.raises(PoisonedError):
        put(store, b"x")
    store.close()
    put(opened(tmp_path, Seam()), b"x")


@pytest.mark.parametrize("operation", ["open", "create"])
def test_a_file_that_cannot_be_made_rolls_back(tmp_path: Path, operation: str) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    seam.fail(operation, "a.dat", OSError(24, "Too many open files"))
    with pytest.raises(DirectoryError, match="cannot make a file"):
        put(store, b"x")
    assert get(store) == b""
    put(store, b"x")
    assert get(store) == b"x"


def test_an_interrupt_before_the_frame_is_written_rolls_back_and_one_after_it_commits(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    for after, expected in ((False, b"old"), (True, b"new")):
        seam.when("write_at", LOG, _interrupt, after=after)
        with pytest.raises(KeyboardInterrupt):
            put(store, b"new")
        with other.lock():
            assert get(other) == expected


def _interrupt() -> None:
    raise KeyboardInterrupt
