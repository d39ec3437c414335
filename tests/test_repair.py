"""Finishing what a dead holder of the lock left: each place where it may have stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import CorruptionError, PoisonedError
from bazanite_wal.frame import HEADER_SIZE
from seam import Killed, Seam
from store_support import LOG, SMALL, core, get, is_busy, opened, put, word


def pair(path: Path, durability: str = "full") -> tuple[Seam, Seam]:
    """Two processes that have the directory open; ``a.dat`` holds "old"."""
    seams = Seam(), Seam()
    for seam in seams:
        seam.store = opened(path, seam, durability=durability, log_size_bytes=SMALL)  # type: ignore[attr-defined]
    put(seams[1].store, b"old")  # type: ignore[attr-defined]
    return seams


def die_committing(seam: Seam, data: bytes = b"new") -> None:
    with pytest.raises(Killed):
        put(seam.store, data)  # type: ignore[attr-defined]


def test_a_whole_frame_whose_writer_died_before_moving_the_end_is_adopted(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    end = word(store, shared.END)
    dying.kill_before("store", str(shared.END))
    die_committing(dying)
    assert word(store, shared.END) == end
    assert is_busy(store)
    put(store, b"+", offset=3)
    assert get(store) == b"new+"
    assert store.stats()["repairs"] == 1
    assert not is_busy(store)


def test_an_adopted_frame_keeps_the_chain_for_those_who_recover(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    dying.kill_before("store", str(shared.TAIL))
    die_committing(dying)
    put(store, b"+", offset=3)
    survivor.kill()
    again = opened(tmp_path, Seam())
    assert again.recovery is not None
    assert (again.recovery.frames, again.recovery.torn) == (3, False)
    assert get(again) == b"new+"


def test_a_torn_frame_is_not_adopted_and_is_overwritten(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    end = word(store, shared.END)

    def tear() -> None:
        with open(tmp_path / LOG, "r+b") as file:
            file.seek(core(store).header.file_offset(end) + HEADER_SIZE)
            file.write(bytes(10))
        dying.kill()
        raise Killed

    dying.when("write_at", LOG, tear, after=True)
    die_committing(dying)
    assert get(store) == b"old"
    assert word(store, shared.END) == end
    put(store, b"yes")
    assert get(store) == b"yes"


def test_a_holder_that_died_before_writing_leaves_nothing(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    dying.kill_before("write_at", LOG)
    die_committing(dying)
    assert get(survivor.store) == b"old"  # type: ignore[attr-defined]


def test_an_apply_left_odd_is_finished(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    dying.kill_before("store", str(shared.APPLIED))
    die_committing(dying)
    store = survivor.store  # type: ignore[attr-defined]
    assert word(store, shared.SEQUENCE) & 1
    assert get(store) == b"new"
    assert not word(store, shared.SEQUENCE) & 1


@pytest.mark.parametrize("durability", ["full", "off"])
@pytest.mark.parametrize("place", ["sync_data", "store"])
def test_a_header_one_generation_ahead_is_made_durable_and_published(
    tmp_path: Path, durability: str, place: str
) -> None:
    dying, survivor = pair(tmp_path, durability)
    store = survivor.store  # type: ignore[attr-defined]
    generation = word(store, shared.GENERATION)

    def at_header() -> None:
        name = LOG if place == "sync_data" else str(shared.GENERATION)
        dying.kill_before(place if durability == "full" else "store", name)
        if durability == "off":
            dying.kill_before("store", str(shared.TAIL))

    dying.when("write_at", LOG, at_header)
    with pytest.raises(Killed):
        dying.store.checkpoint()  # type: ignore[attr-defined]
    assert core(store).log.read_header().generation == generation + 1
    assert word(store, shared.GENERATION) == generation
    before = survivor.count("sync_data", LOG)
    writes = survivor.count("write_at", LOG)
    assert get(store) == b"old"
    assert word(store, shared.GENERATION) == generation + 1
    assert survivor.count("write_at", LOG) > writes
    assert (survivor.count("sync_data", LOG) > before) is (durability == "full")
    put(store, b"new")
    survivor.kill()
    assert get(opened(tmp_path, Seam(), durability=durability)) == b"new"


def test_a_half_written_header_leaves_the_old_generation_in_use(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    header = core(store).log.read_header()

    def tear() -> None:
        with open(tmp_path / LOG, "r+b") as file:
            file.seek((header.generation + 1) % 2 * 4096 + 60)
            file.write(b"torn")
        dying.kill()
        raise Killed

    dying.when("write_at", LOG, tear, after=True)
    with pytest.raises(Killed):
        dying.store.checkpoint()  # type: ignore[attr-defined]
    assert get(store) == b"old"
    assert word(store, shared.GENERATION) == header.generation
    put(store, b"new")
    store.checkpoint()
    assert get(store) == b"new"


SYNC, WRITE = ("sync", "a.dat"), ("write_at", "a.dat")


def test_the_checkpoint_after_a_repair_writes_the_whole_generation_again(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    store.checkpoint()
    put(store, b"redone")
    writes = survivor.count("write_at", "a.dat")
    store.checkpoint()
    assert survivor.count("write_at", "a.dat") == writes  # nothing to fear: nothing written twice
    put(store, b"redone")
    dying.kill_before("sync", "a.dat", after=True)
    with pytest.raises(Killed), dying.store.lock():  # type: ignore[attr-defined]
        dying.store.checkpoint()  # type: ignore[attr-defined]
    writes, before = survivor.count("write_at", "a.dat"), len(survivor.calls)
    store.checkpoint()
    assert survivor.count("write_at", "a.dat") == writes + 1
    order = [call for call in survivor.calls[before:] if call in (SYNC, WRITE)]
    # ahead of the lock; then the generation again and, only then, the sync that counts
    assert order == [SYNC, WRITE, SYNC]
    put(store, b"after!")
    writes = survivor.count("write_at", "a.dat")
    store.checkpoint()
    assert survivor.count("write_at", "a.dat") == writes


def test_a_redo_that_is_killed_half_way_is_begun_again(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    put(store, b"one")
    put(store, b"two")
    dying.kill_before("write_at", "a.dat")  # joined in this generation, so it redoes it
    with pytest.raises(Killed):
        dying.store.checkpoint()  # type: ignore[attr-defined]
    assert word(store, shared.APPLIED) == core(store).header.base
    assert word(store, shared.SEQUENCE) & 1
    assert get(store) == b"two"
    assert word(store, shared.APPLIED) == word(store, shared.END)


def overwrite(path: Path, offset: int) -> None:
    with open(path / LOG, "r+b") as file:
        file.seek(offset)
        file.write(bytes(100))


def test_a_log_that_lost_what_was_published_poisons_the_repair(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    offset = core(store).header.file_offset(word(store, shared.END))
    put(dying.store, b"published")  # type: ignore[attr-defined]
    dying.kill_before("write_at", LOG)
    die_committing(dying)
    overwrite(tmp_path, offset)
    with pytest.raises(PoisonedError) as caught:
        get(store)
    assert isinstance(caught.value.__cause__, CorruptionError)
    assert caught.value.__cause__.offset == offset


def test_a_process_that_knows_no_frame_repairs_from_the_header_on(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    newcomer = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    dying.kill_before("write_at", LOG)
    die_committing(dying)
    offset = core(newcomer).header.file_offset(core(newcomer).header.base)
    overwrite(tmp_path, offset)
    with pytest.raises(PoisonedError) as caught:
        get(newcomer)
    assert isinstance(caught.value.__cause__, CorruptionError)
    assert caught.value.__cause__.offset == offset
    assert word(survivor.store, shared.POISONED)  # type: ignore[attr-defined]


def test_frames_that_a_repair_did_not_walk_are_read_before_the_log_forgets_them(
    tmp_path: Path,
) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    dying.kill_before("write_at", LOG)
    die_committing(dying)
    offset = core(store).header.file_offset(core(store).header.base)
    overwrite(tmp_path, offset)
    assert get(store) == b"old"
    assert store.stats()["repairs"] == 1
    with pytest.raises(PoisonedError) as caught:
        store.checkpoint()
    assert isinstance(caught.value.__cause__, CorruptionError)
    assert caught.value.__cause__.offset == offset


def test_a_repair_reads_as_much_of_a_long_log_as_it_does_not_know(tmp_path: Path) -> None:
    dying, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]
    for number in range(5):
        put(dying.store, b"%d" % number)  # type: ignore[attr-defined]
    put(store, b"known")
    dying.kill_before("store", str(shared.END))
    die_committing(dying)
    begin = core(store).header.base
    overwrite(tmp_path, core(store).header.file_offset(begin))
    put(store, b"!", offset=5)
    assert get(store) == b"newwn!"
    assert core(store).known is not None


def test_a_repair_killed_anywhere_is_repaired_by_the_next(tmp_path: Path) -> None:
    for step in range(200):
        path = tmp_path / str(step)
        dying, survivor = pair(path)
        store = survivor.store  # type: ignore[attr-defined]
        last = opened(path, Seam(), log_size_bytes=SMALL)
        dying.kill_before("store", str(shared.END))
        die_committing(dying)
        survivor.kill_at(step)
        try:
            put(store, b"+", offset=3)
            done = True
        except Killed:
            done = False
        with last.lock():
            assert get(last) in (b"new", b"new+"), step
        put(last, b"!", offset=4)
        if done:
            return
    raise AssertionError("the repair never ended")


def test_an_interrupt_before_a_new_generation_is_published_leaves_that_to_the_next_holder(
    tmp_path: Path,
) -> None:
    alive, survivor = pair(tmp_path)
    store = survivor.store  # type: ignore[attr-defined]

    def interrupt() -> None:
        raise KeyboardInterrupt

    alive.when("store", str(shared.GENERATION), interrupt)
    with pytest.raises(KeyboardInterrupt):
        alive.store.checkpoint()  # type: ignore[attr-defined]
    assert is_busy(store)
    put(store, b"new")
    assert store.stats()["repairs"] == 1
    alive.kill()
    survivor.kill()
    assert get(opened(tmp_path, Seam())) == b"new"
