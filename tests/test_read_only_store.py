"""A store that only reads: one consistent state at a time, whoever dies or comes beside it.

Writers are simulated processes over the real system, so that they die at any call.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.attach import LOCK_NAME, SHARED_NAME
from bazanite_wal.errors import (
    CorruptionError,
    DirectoryError,
)
from bazanite_wal.frame import FRAME, Write, encode_frame, encode_operations
from bazanite_wal.layer import View
from bazanite_wal.posix import POSIX
from bazanite_wal.section import exclusive
from read_only_support import looking, quick, state
from seam import Killed, Seam
from store_support import FORK, attachment, get, opened, put
from store_support import unsynced as left_unsynced

pytestmark = pytest.mark.filterwarnings(FORK)


def test_what_is_durable_and_not_yet_applied_is_seen_and_what_is_not_durable_is_not(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path)
    put(store, b"old")
    reader = looking(tmp_path, Seam())
    assert (get(reader), quick(reader)) == (b"old", b"old")
    left_unsynced(store, b"new")
    core = attachment(store).core
    assert core.words[shared.DURABLE] < core.words[shared.END]
    assert (get(reader), quick(reader)) == (b"old", b"old")
    assert reader.word(shared.END) > reader.read_lsn
    with reader.reading():
        assert reader.word(shared.END) > reader.word(shared.APPLIED) == reader.read_lsn
    core.words[shared.DURABLE] = core.words[shared.END]
    assert core.words[shared.APPLIED] < core.words[shared.END]
    assert (get(reader), quick(reader), quick(store)) == (b"old", b"old", b"old")
    core.words[shared.TOLD_AHEAD] = 1
    assert get(reader) == b"new"
    assert quick(reader) == b"new"  # though the files still have the old one
    assert (tmp_path / "a.dat").read_bytes() == b"old"
    with store.reading():
        pass
    assert (tmp_path / "a.dat").read_bytes() == quick(reader) == b"new"


def test_with_normal_all_that_was_committed_is_seen(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal", sync_seconds=1000)
    reader = looking(tmp_path, Seam())
    for number in range(30):
        put(store, b"%03d" % number, offset=3 * number)
        assert quick(reader)[-3:] == get(reader)[-3:] == b"%03d" % number
    store.checkpoint()
    assert (get(reader)[-3:], quick(reader)[-3:]) == (b"029", b"029")
    put(store, b"030", offset=90)
    assert quick(reader)[-3:] == b"030"  # though the files do not have it
    seam.kill()
    assert get(reader)[-3:] == get(looking(tmp_path))[-3:] == b"030"


def test_of_a_killed_directory_only_what_was_known_to_be_durable_is_shown(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"durable")
    left_unsynced(store, b"in the log only")
    seam.kill()
    reader = looking(tmp_path)
    assert get(reader) == quick(reader) == b"durable"
    lsn = reader.read_lsn
    (tmp_path / SHARED_NAME).unlink()  # as after a restart: nobody says what was not on disk
    assert get(reader) == quick(reader) == b"in the log only"
    assert reader.read_lsn > lsn
    assert get(opened(tmp_path)) == b"in the log only"


def steps_of(work: Callable[[Seam], object], place: Path) -> int:
    seam = Seam(steady=True)
    work(seam)
    shutil.rmtree(place)
    return len(seam.calls)


def test_whenever_a_writer_dies_a_whole_state_is_seen_and_never_an_older_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data"

    def commit(seam: Seam) -> None:
        store = opened(path, seam)
        for text in (b"first", b"the second", b"third"):
            put(store, text * 3)
            with store.transaction() as tx:
                tx.truncate("a.dat", len(text))
        store.checkpoint()
        put(store, b"last" * 2000)
        store.close()

    states = [b"", b"firstfirstfirst", b"first", b"the second" * 3, b"the second", b"third" * 3,
              b"third", b"last" * 2000]  # fmt: skip
    step = 7
    for number in range(0, steps_of(commit, path), step):
        seam = Seam(steady=True)
        seam.kill_at(number)
        with pytest.raises(Killed):
            commit(seam)
        if not path.exists():
            continue
        old, seen = looking(path), 0
        for _ in range(2):
            for read in (quick, get, quick):
                content = read(old)
                found = max(index for index, one in enumerate(states) if one == content)
                assert found >= seen, number
                seen = found
        with_repair = opened(path, Seam())
        assert states.index(get(with_repair)) >= seen, number
        assert get(old) == quick(old) == get(with_repair), number
        with_repair.close()
        assert get(old) == quick(old), number
        old.close()
        shutil.rmtree(path)


def test_a_survivor_is_read_beside_whenever_another_writer_died(tmp_path: Path) -> None:
    path = tmp_path / "data"

    def write(seam: Seam) -> None:
        store = opened(path, seam)
        with store.transaction() as tx:
            tx.write("a.dat", 0, b"B" * 5000)
            tx.truncate("a.dat", 4500)
        store.checkpoint()

    survivor = opened(path, Seam())
    put(survivor, b"A" * 4000)
    total = steps_of(write, path)
    del survivor
    for number in range(0, total, 5):
        survivor = opened(path, Seam())
        put(survivor, b"A" * 4000)
        reader = looking(path)
        assert get(reader) == b"A" * 4000
        seam = Seam(steady=True)
        seam.kill_at(number)
        with pytest.raises(Killed):
            write(seam)
        seen = [quick(reader), get(reader), quick(reader)]
        assert set(seen) <= {b"A" * 4000, b"B" * 4500}, number
        assert sorted(seen) == seen, number
        after = get(survivor)
        assert after >= seen[-1], number
        assert get(reader) == quick(reader) == after, number
        survivor.close()
        shutil.rmtree(path)


def test_a_redo_that_died_half_way_is_seen_through(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"kept", "b.dat")
    put(store, b"old")
    reader = looking(tmp_path)
    left_unsynced(store, b"new")
    words, base = attachment(store).core.words, attachment(store).core.header.base
    words[shared.DURABLE] = words[shared.END]
    assert (get(reader), get(reader, "b.dat")) == (b"old", b"kept")
    words[shared.BUSY], words[shared.APPLIED] = 4_000_000_000, base
    words[shared.SEQUENCE] |= 1
    for name in ("a.dat", "b.dat"):
        (tmp_path / name).write_bytes(b"")
    for read in (get, quick):
        assert (read(reader), read(reader, "b.dat")) == (b"new", b"kept")
    assert (get(store), get(store, "b.dat")) == (b"new", b"kept")


def test_a_first_opener_that_dies_anywhere_leaves_the_same_to_be_seen(tmp_path: Path) -> None:
    original = tmp_path / "killed"
    seam = Seam()
    store = opened(original, seam, durability="normal", sync_seconds=1000)
    for number in range(5):
        put(store, b"%d" % number * 100, offset=50 * number)
    expected = get(store)
    seam.kill()
    counted = Seam(steady=True)
    path = Path(shutil.copytree(original, tmp_path / "data"))
    opened(path, counted)
    for number in range(0, len(counted.calls), 3):
        shutil.rmtree(path)
        shutil.copytree(original, path)
        reader = looking(path)
        assert get(reader) == expected
        dying = Seam(steady=True)
        dying.kill_at(number)
        with pytest.raises(Killed):
            opened(path, dying)
        assert quick(reader) == get(reader) == get(looking(path)) == expected, number


@pytest.mark.parametrize("how", ["killed", "names unsure", "closed", "words removed"])
def test_what_was_read_while_a_first_opener_came_and_went_does_not_count(
    tmp_path: Path, how: str
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"old")
    reader = looking(tmp_path)
    assert (get(reader), quick(reader)) == (b"old", b"old")
    if how in ("closed", "words removed"):
        store.close()
        assert (get(reader), quick(reader)) == (b"old", b"old")
    else:
        seam.kill()
    if how == "names unsure":  # then recovery gives every name to a copy
        with (tmp_path / SHARED_NAME).open("r+b") as file:
            file.seek(8 * shared.NAMES)
            file.write(shared.boot_token(POSIX.boot_id()).to_bytes(8, "little"))
    reads: list[bytes] = []

    def read(view: View) -> bytes:
        reads.append(view.read("a.dat", 0, 99))
        if len(reads) == 1:
            if how == "words removed":
                (tmp_path / SHARED_NAME).unlink()
            store = opened(tmp_path, Seam())
            put(store, b"new")  # as many changes as were made before
            store.close()
        return reads[-1]

    assert reader.quick_read(read) == b"new"
    assert reads[0] == b"old"
    assert get(reader) == quick(reader) == b"new"
    put(opened(tmp_path, Seam()), b"newest")
    assert (quick(reader), get(reader)) == (b"newest", b"newest")


def test_a_log_and_tables_that_took_the_place_of_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with_old = opened(path, Seam())
    put(with_old, b"before")
    with_old.backup(str(tmp_path / "copy"))
    put(with_old, b"after!")
    reader = looking(path)
    assert (get(reader), quick(reader)) == (b"after!", b"after!")
    with_old.close()
    assert (get(reader), quick(reader)) == (b"after!", b"after!")
    for file in (tmp_path / "copy").iterdir():
        file.replace(path / file.name)
    assert (quick(reader), get(reader), quick(reader)) == (b"before", b"before", b"before")


def test_a_words_file_that_was_removed_is_not_believed_any_more(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"one")
    reader = looking(tmp_path)
    assert (get(reader), quick(reader)) == (b"one", b"one")
    store.close()
    (tmp_path / SHARED_NAME).unlink()
    assert quick(reader) == b"one"
    put(opened(tmp_path, Seam()), b"two")
    assert (quick(reader), get(reader), quick(reader)) == (b"two", b"two", b"two")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory that nobody has ever used."""
    store = opened(tmp_path / "data", Seam())
    put(store, b"content")
    store.backup(str(tmp_path / "copy"))
    store.close()
    assert not (tmp_path / "copy" / LOCK_NAME).exists()
    return tmp_path / "copy"


def test_a_copy_that_nobody_has_used_is_read_without_any_lock(copy: Path) -> None:
    before = state(copy)
    reader = looking(copy)
    assert get(reader) == quick(reader) == b"content"
    assert reader.stats()["attached_processes"] == 0
    assert state(copy) == before
    put(opened(copy, Seam()), b"changed")
    assert quick(reader) == get(reader) == quick(reader) == b"changed"


def test_what_was_read_while_a_copy_came_into_use_does_not_count(copy: Path) -> None:
    reader = looking(copy)
    with pytest.raises(DirectoryError, match="others began to use the directory"), reader.reading():
        put(opened(copy, Seam()), b"changed")
    assert get(reader) == b"changed"
    shutil.rmtree(copy)


def test_an_error_while_a_copy_came_into_use_does_not_count_either(copy: Path) -> None:
    reader = looking(copy)
    with pytest.raises(DirectoryError, match="others began to use"), reader.reading():
        opened(copy, Seam())
        raise CorruptionError("a.dat", 0, "this", "that")


def test_a_lock_file_that_was_removed_while_in_use_is_told(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"x")
    early = looking(tmp_path)
    assert get(early) == b"x"
    (tmp_path / LOCK_NAME).unlink()
    for reader in (early, looking(tmp_path)):
        with pytest.raises(DirectoryError, match="was removed or replaced while"):
            get(reader)
    assert not store.closed


def test_a_whole_frame_that_a_dead_writer_did_not_publish_leaves_the_layout_unknown(
    tmp_path: Path,
) -> None:
    """Whoever repairs adopts that frame, and moves no layout number then."""
    survivor = opened(tmp_path, Seam(), durability="normal")
    put(survivor, b"x")
    used = attachment(survivor)
    core = used.core
    with exclusive(core, used.group, 20):
        lsn, words = core.words[shared.END], core.words
        payload = encode_operations([Write("a.dat", 0, b"y")])
        tail = f"{words[shared.TAIL]:016x}"
        data, _ = encode_frame(FRAME, lsn, 0, tail, core.header.salt, payload)
        core.log.write(core.header, lsn, data)
    core.words[shared.BUSY] = 4_000_000_000
    reader = looking(tmp_path)
    with reader.reading() as view:
        assert view.read("a.dat", 0, 9) == b"x"
        assert reader.word(shared.END) > reader.word(shared.APPLIED)
    assert get(survivor) == get(reader) == b"y"
    with reader.reading():
        assert reader.word(shared.END) == reader.word(shared.APPLIED)
