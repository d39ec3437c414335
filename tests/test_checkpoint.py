"""Checkpoints: data durable before the log forgets, the header before the first new frame."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.checkpoint import checkpoint_is_due
from bazanite_wal.errors import DirectoryError, LockTimeout, PoisonedError, TransactionError
from bazanite_wal.header import Header
from seam import Killed, Seam
from store_support import LOG, SMALL, core, get, opened, put, unsynced, word

CHANGES = ("write_at", "truncate", "sync", "sync_data")


def test_data_is_durable_before_the_header_and_the_header_before_the_next_frame(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"one")
    store.checkpoint()
    put(store, b"two")
    before = len(seam.calls)
    with store.lock():
        store.checkpoint()
        put(store, b"six")
    order = [call for call in seam.calls[before:] if call[0] in CHANGES]
    assert order == [
        ("sync_data", LOG),  # what is applied next must be durable
        ("sync", "a.dat"),
        ("write_at", LOG),  # the header
        ("sync_data", LOG),
        ("write_at", LOG),  # the first frame
        ("sync_data", LOG),
        ("write_at", "a.dat"),
    ]


def test_most_of_the_work_is_done_before_the_lock_is_taken(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam(), lock_timeout=0)
    put(store, b"one")
    seen: list[bytes] = []
    seam.when("sync", "a.dat", lambda: seen.append(get(other)))
    store.checkpoint()
    assert seen == [b"one"]


def test_a_checkpoint_makes_the_log_durable_and_applies_all_of_it_first(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"old")
    unsynced(other, b"new")
    before = len(seam.calls)
    with store.lock():
        pass
    unsynced(other, b"NEW")
    store.checkpoint()
    order = [call for call in seam.calls[before:] if call[0] in CHANGES]
    assert order.index(("sync_data", LOG)) < order.index(("write_at", "a.dat"))
    assert (tmp_path / "a.dat").read_bytes() == b"NEW"
    assert word(store, shared.APPLIED) == word(store, shared.END) == core(store).header.base


def test_shrinking_waits_for_the_durable_header(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    before = len(seam.calls)
    put(store, b"x" * 3 * SMALL)
    order = [call for call in seam.calls[before:] if call[0] in CHANGES and call[1] == LOG]
    assert order[-3:] == [("write_at", LOG), ("sync_data", LOG), ("truncate", LOG)]


def test_the_threshold_starts_a_checkpoint_in_the_transaction_that_crosses_it(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path, Seam(), checkpoint_bytes=1000)
    generation = word(store, shared.GENERATION)
    put(store, b"x" * 500)
    assert word(store, shared.GENERATION) == generation
    put(store, b"x" * 500)
    assert word(store, shared.GENERATION) == generation + 1
    assert store.stats()["log_used_bytes"] == 0


def test_log_positions_never_start_again(tmp_path: Path) -> None:
    seen: list[int] = []
    for _ in range(3):
        store = opened(tmp_path, Seam(), log_size_bytes=SMALL)
        seen.extend(put(store, b"%0900d" % number) for number in range(5))
        store.checkpoint()
        store.close()
    assert seen == sorted(set(seen))


def test_a_process_that_joined_in_this_generation_redoes_it_before_its_sync(
    tmp_path: Path,
) -> None:
    first = opened(tmp_path, Seam())
    put(first, b"data")
    seam = Seam()
    late = opened(tmp_path, seam)
    late.checkpoint()
    changes = [call for call in seam.calls if call[1] == "a.dat" and call[0] in CHANGES]
    assert changes == [("sync", "a.dat"), ("write_at", "a.dat"), ("sync", "a.dat")]
    assert get(late) == b"data"


def test_a_file_that_was_opened_late_makes_its_generation_be_redone(tmp_path: Path) -> None:
    first_seam = Seam()
    first, second = opened(tmp_path, first_seam), opened(tmp_path, Seam())
    put(first, b"x")
    first.checkpoint()
    put(second, b"made by the other", "b.dat")
    first.checkpoint()  # hears of b.dat only now: errors from before are unknown
    changes = [call for call in first_seam.calls if call[1] == "b.dat" and call[0] in CHANGES]
    assert changes == [("sync", "b.dat"), ("write_at", "b.dat"), ("sync", "b.dat")]


def test_an_interrupted_data_sync_makes_its_generation_be_redone(tmp_path: Path) -> None:
    # The sync may have failed just when the interrupt struck: the error was told, once, to nobody.
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"first")
    store.checkpoint()
    put(store, b"again")
    for _ in range(2):
        seam.fail("sync", "a.dat", KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            store.checkpoint()
        seam.when("sync", "a.dat", lambda: seam.fail("sync", "a.dat", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            store.checkpoint()
    before = seam.count("write_at", "a.dat")
    store.checkpoint()
    assert seam.count("write_at", "a.dat") == before + 1
    put(store, b"third")
    before = seam.count("write_at", "a.dat")
    store.checkpoint()
    assert seam.count("write_at", "a.dat") == before


def test_two_checkpoints_at_once_do_the_work_ahead_only_once(tmp_path: Path) -> None:
    seam, other_seam = Seam(), Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, other_seam, checkpoint_bytes=1)
    put(store, b"one")

    def meanwhile() -> None:
        before = other_seam.count("sync", "a.dat")
        put(other, b"two")  # over its threshold, but one is at it
        assert other_seam.count("sync", "a.dat") == before

    seam.when("sync", "a.dat", meanwhile)
    store.checkpoint()
    assert word(store, shared.CHECKPOINTING) == 0
    assert get(store) == b"two"


def test_a_checkpoint_is_under_way_until_it_is_done_so_that_no_other_makes_it_redo(
    tmp_path: Path,
) -> None:
    seam, other_seam = Seam(), Seam()
    other = opened(tmp_path, other_seam, checkpoint_bytes=1)
    store = opened(tmp_path, seam)
    put(store, b"one")
    store.checkpoint()  # the generation in which they joined
    put(store, b"two")
    syncs: list[int] = []

    def meanwhile() -> None:
        before = other_seam.count("sync", "a.dat")
        put(other, b"six")  # over its threshold
        syncs.append(other_seam.count("sync", "a.dat") - before)

    ahead = seam.count("sync", "a.dat")
    seam.when("try_lock", ".lock", meanwhile)
    before = seam.count("write_at", "a.dat")
    store.checkpoint()
    assert syncs == [0]
    assert seam.count("sync", "a.dat") == ahead + 2
    assert seam.count("write_at", "a.dat") == before
    assert word(store, shared.CHECKPOINTING) == 0


@pytest.mark.parametrize("locked", [False, True])
def test_a_checkpoint_that_is_put_off_lets_others_make_theirs(tmp_path: Path, locked: bool) -> None:
    store, other = opened(tmp_path, Seam(), lock_timeout=0), opened(tmp_path, Seam())
    put(store, b"one")
    if locked:
        with other.lock(), pytest.raises(LockTimeout):
            store.checkpoint()
    else:
        store.checkpoint()
    assert word(store, shared.CHECKPOINTING) == 0


def test_a_dead_checkpointers_mark_stops_nobody_once_the_log_is_full(tmp_path: Path) -> None:
    dying = Seam()
    options = {"log_size_bytes": SMALL, "checkpoint_bytes": 100}
    first = opened(tmp_path, dying, **options)
    second = opened(tmp_path, Seam(), **options)
    dying.kill_before("sync", "a.dat")
    with pytest.raises(Killed):
        put(first, b"x" * 200)
    assert word(second, shared.CHECKPOINTING) == dying.pid
    generation = word(second, shared.GENERATION)
    for number in range(20):
        put(second, b"%01000d" % number)
    assert word(second, shared.GENERATION) > generation
    assert word(second, shared.CHECKPOINTING) == 0
    assert get(second) == b"%01000d" % 19


def test_a_checkpoint_refuses_to_run_inside_a_transaction(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    with store.transaction(), pytest.raises(TransactionError, match="inside a transaction"):
        store.checkpoint()


def test_a_checkpoint_that_fails_after_a_commit_is_put_off_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, checkpoint_bytes=1)
    with store.transaction():
        store.create_files(["a.dat"])
    seam.fail("list", ".", OSError(24, "Too many open files"))
    with caplog.at_level(logging.WARNING, "bazanite"):
        put(store, b"committed")
    assert "checkpoint put off" in caplog.text
    put(store, b"goes on...")
    assert get(store) == b"goes on..."


def test_no_space_in_an_explicit_checkpoint_is_a_directory_error(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    with store.lock():
        put(store, b"x" * 3 * SMALL)
        seam.fail("truncate", LOG, OSError(5, "Input/output error"))
        with pytest.raises(DirectoryError, match="the checkpoint failed") as caught:
            store.checkpoint()
    assert isinstance(caught.value.__cause__, OSError)
    assert get(store) == b"x" * 3 * SMALL


def fail_in_the_header(seam: Seam, operation: str) -> None:
    """Let the next checkpoint's write or sync of its header fail."""

    def fail_the_next() -> None:
        seam.fail(operation, LOG, OSError(5, "Input/output error"))

    seam.when("sync", "a.dat", lambda: seam.when("sync", "a.dat", fail_the_next))


def test_a_failed_header_sync_poisons(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"data")
    fail_in_the_header(seam, "sync_data")
    with pytest.raises(PoisonedError) as caught:
        store.checkpoint()
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(PoisonedError):
        get(store)
    store.close()
    assert get(opened(tmp_path, Seam())) == b"data"


def half_a_header(path: Path, header: Header) -> None:
    with open(path / LOG, "r+b") as file:
        file.seek(header.slot_offset)
        file.write(b"#" * 40)


@pytest.mark.parametrize("half_done", [False, True])
def test_a_header_that_cannot_be_written_leaves_the_old_generation_in_use(
    tmp_path: Path, half_done: bool
) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"data")
    generation = word(store, shared.GENERATION)
    fail_in_the_header(seam, "write_at")
    with pytest.raises(DirectoryError, match="the checkpoint failed") as caught:
        store.checkpoint()
    assert isinstance(caught.value.__cause__, OSError)
    if half_done:
        older = core(store).header
        half_a_header(tmp_path, replace(older, generation=older.generation + 1))
    assert word(store, shared.GENERATION) == generation
    put(other, b"DA")
    assert get(store) == b"DAta"
    store.checkpoint()
    assert word(store, shared.GENERATION) == generation + 1
    put(store, b"!", offset=4)
    seam.kill()
    assert get(other) == b"DAta!"


def test_writers_and_a_checkpointer_in_one_process_do_not_lose_anything(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    put(store, b"." * 4)

    def write(number: int) -> None:
        for value in range(40):
            put(store, b"%0200d" % value, offset=number * 200)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        store.checkpoint()
    for thread in threads:
        thread.join(60)
    assert get(store) == b"%0200d" % 39 * 4


def test_a_header_that_is_not_the_published_one_poisons(tmp_path: Path) -> None:
    store, other = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    put(store, b"x")
    store.checkpoint()
    with open(tmp_path / LOG, "r+b") as file:
        file.seek(core(store).header.slot_offset + 60)
        file.write(b"!")
    with pytest.raises(PoisonedError) as caught:
        get(other)
    assert "generation 3" in str(caught.value.__cause__)


def test_a_dead_syncers_header_is_made_durable_alone_before_the_other_slot_is_written(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    before = len(seam.calls)

    def died() -> None:
        core(store).words[shared.SYNCING] = 12345

    seam.when("sync", "a.dat", lambda: seam.when("sync", "a.dat", died))
    store.checkpoint()
    order = [
        call[0] for call in seam.calls[before:] if call in (("write_at", LOG), ("sync_data", LOG))
    ]
    assert order == ["sync_data", "write_at", "sync_data", "write_at", "sync_data"]
    assert word(store, shared.SYNCING) == 0


KIB = 1 << 10


@pytest.mark.parametrize(
    "filled_kib, redo, due",
    [
        (255, True, False),
        (256, True, True),
        (511, True, True),
        (512, True, False),
        (1024, True, False),
        (1535, True, False),
        (1536, True, True),
        (256, False, False),
        (1023, False, False),
        (1024, False, True),
    ],
)
def test_who_would_redo_the_generation_checkpoints_while_that_is_short_or_when_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled_kib: int, redo: bool, due: bool
) -> None:
    store = opened(tmp_path, log_size_bytes=2048 * KIB)
    context = core(store)
    monkeypatch.setattr(context, "needs_redo", lambda: redo)
    end = context.words[shared.END]
    context.words[shared.END] = context.header.base + filled_kib * KIB
    assert checkpoint_is_due(context) == due
    context.words[shared.END] = end
    store.close()


def test_a_small_threshold_is_kept_whoever_would_redo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path, checkpoint_bytes=300 * KIB)
    context = core(store)
    monkeypatch.setattr(context, "needs_redo", lambda: True)
    end = context.words[shared.END]
    for filled, due in ((299 * KIB, False), (300 * KIB, True)):
        context.words[shared.END] = context.header.base + filled
        assert checkpoint_is_due(context) == due
    context.words[shared.END] = end
    store.close()
