"""Backups while others write: the copy is the state of one log position, whatever came between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bazanite_wal import shared
from bazanite_wal.errors import CommitUncertain, DirectoryError, TransactionError
from bazanite_wal.offline import open_offline
from bazanite_wal.store import Store
from seam import Killed, Seam
from store_support import LOG, core, frames_in, get, opened, put, word

STEPS = ("create", "write_at", "sync", "truncate", "rename", "size", "read_at")


def state_of(path: Path) -> dict[str, bytes]:
    """What recovery would make of a directory."""
    with open_offline(str(path)) as offline:
        assert offline.scan is not None
        assert offline.scan.tail == "clean"
        view = offline.view
        found = {name: view.read(name, 0, view.size(name)) for name in offline.file_names}
    return {name: data for name, data in found.items() if data}


def copied_files(path: Path) -> dict[str, bytes]:
    """What `cat` shows of a directory, before anybody recovers it."""
    return {file.name: data for file in path.glob("*.dat") if (data := file.read_bytes())}


def during(seam: Seam, operation: str, name: str, work: Any) -> None:
    seam.when(operation, name, work)


def test_others_commit_while_the_files_are_copied(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"old", "a.dat")
    put(store, b"old", "b.dat")

    def both() -> None:
        put(other, b"new", "a.dat")
        put(other, b"new", "b.dat")

    seam.when("create", "b.dat", both)  # a.dat was copied
    made = store.backup(str(tmp_path / "copy"))
    assert made.start_lsn < made.lsn == word(store, shared.END)
    assert state_of(tmp_path / "copy") == {"a.dat": b"new", "b.dat": b"new"}
    assert copied_files(tmp_path / "copy") == {"a.dat": b"new", "b.dat": b"new"}
    assert (made.files, made.size_bytes) == (2, 6)


def test_what_comes_behind_the_end_is_not_in_the_copy(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"old", "a.dat")
    seam.when("create", "wal.log.new", lambda: put(other, b"new", "a.dat"))
    made = store.backup(str(tmp_path / "copy"))
    assert made.lsn < word(store, shared.END)
    assert state_of(tmp_path / "copy") == {"a.dat": b"old"}


def test_files_that_come_grow_and_shrink_meanwhile(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"x" * 200_000, "a.dat")
    put(store, b"y" * 10, "b.dat")

    def change() -> None:
        put(other, b"late", "c.dat")
        with other.transaction() as tx:
            tx.truncate("a.dat", 100)
            tx.write("a.dat", 150, b"tail")
        put(other, b"z" * 300_000, "b.dat")

    seam.when("write_at", "a.dat", change, after=True)
    store.backup(str(tmp_path / "copy"))
    assert state_of(tmp_path / "copy") == {
        "a.dat": b"x" * 100 + bytes(50) + b"tail",
        "b.dat": b"z" * 300_000,
        "c.dat": b"late",
    }


def test_no_checkpoint_empties_the_log_and_it_grows_instead(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path / "data", seam, log_size_bytes=1 << 16)
    other = opened(tmp_path / "data", Seam(), log_size_bytes=1 << 16)
    put(store, b"old", "a.dat")
    put(store, b"old", "b.dat")

    def much() -> None:
        other.checkpoint()
        for number in range(300):
            put(other, b"%03d" % number * 200, "a.dat")

    generation = word(store, shared.GENERATION)
    seam.when("create", "b.dat", much)
    size = (tmp_path / "data" / LOG).stat().st_size
    made = store.backup(str(tmp_path / "copy"))
    assert word(store, shared.GENERATION) == generation
    assert (tmp_path / "data" / LOG).stat().st_size > size + 100_000
    assert state_of(tmp_path / "copy")["a.dat"] == b"299" * 200
    assert made.lsn == word(store, shared.END)
    put(other, b"one more")
    assert word(store, shared.GENERATION) > generation  # it was long due
    assert (tmp_path / "data" / LOG).stat().st_size == size


def test_the_log_of_one_that_died_in_its_backup_is_emptied_when_it_is_full(tmp_path: Path) -> None:
    seam, seam_2 = Seam(), Seam()
    store = opened(tmp_path / "data", seam, log_size_bytes=8192)
    other = opened(tmp_path / "data", seam_2, log_size_bytes=8192)
    put(store, b"x")
    seam.kill_before("create", "a.dat")
    with pytest.raises(Killed):
        store.backup(str(tmp_path / "copy"))
    generation = word(other, shared.GENERATION)
    for _ in range(20):
        put(other, b"y" * 500)
    assert word(other, shared.GENERATION) > generation
    assert not word(other, shared.HOLD)
    assert (tmp_path / "data" / LOG).stat().st_size == 8192 + 8192


def test_two_backups_at_once(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"x")
    seam.when("create", "a.dat", lambda: other.backup(str(tmp_path / "second")))
    store.backup(str(tmp_path / "first"))
    assert state_of(tmp_path / "first") == state_of(tmp_path / "second") == {"a.dat": b"x"}
    other.checkpoint()


def test_the_end_of_one_backup_does_not_free_the_log_of_another(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"x")

    def second() -> None:
        other.backup(str(tmp_path / "second"))
        put(other, b"y")
        other.checkpoint()
        assert word(other, shared.HOLD)
        assert word(other, shared.GENERATION) == generation

    generation = word(other, shared.GENERATION)
    seam.when("create", "a.dat", second)
    store.backup(str(tmp_path / "first"))
    assert not word(store, shared.HOLD)


def test_who_takes_the_lock_file_away_spoils_the_backup_and_not_the_directory(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"x")

    def spoil() -> None:
        (tmp_path / "data" / ".backup").unlink()
        put(other, b"y")
        other.checkpoint()

    seam.when("create", "a.dat", spoil)
    with pytest.raises(DirectoryError, match="emptied while the backup needed it"):
        store.backup(str(tmp_path / "copy"))
    assert not list((tmp_path / "copy").iterdir())
    assert get(store) == b"y"


@pytest.mark.parametrize("durability", ["normal", "off"])
def test_a_backup_without_full_durability_has_what_was_committed_before(
    tmp_path: Path, durability: str
) -> None:
    store = opened(tmp_path / "data", Seam(), durability=durability)
    put(store, b"x")
    store.backup(str(tmp_path / "copy"))
    assert state_of(tmp_path / "copy") == {"a.dat": b"x"}
    copy = opened(tmp_path / "copy", Seam(boot="f" * 36))  # all of it is safe
    assert get(copy) == b"x"


def test_an_archive_and_a_new_generation_wait_for_the_backup(tmp_path: Path) -> None:
    seam = Seam()
    store, other = opened(tmp_path / "data", seam), opened(tmp_path / "data", Seam())
    put(store, b"x")
    put(store, b"z", "b.dat")

    def archive() -> None:
        put(other, b"y")
        with pytest.raises(DirectoryError, match="while a backup is made"):
            other.archive(1 << 20)

    seam.when("create", "a.dat", archive)
    store.backup(str(tmp_path / "copy"))
    other.archive(1 << 20)


def test_the_last_frame_tells_a_backup_from_all_others(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x")
    store.checkpoint()  # the log has no frame now
    made = store.backup(str(tmp_path / "copy"))
    (frame,) = frames_in(tmp_path / "copy")
    assert frame.end == made.lsn
    assert frames_in(tmp_path / "data") == (frame,)


def test_no_backup_within_a_transaction(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    with store.transaction(), pytest.raises(TransactionError, match="cannot run inside"):
        store.backup(str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("step", range(0, 40, 2))
def test_whoever_dies_or_fails_in_a_backup_leaves_the_directory_as_it_was(
    tmp_path: Path, step: int
) -> None:
    for kind in ("kill", "fail"):
        data, copy = tmp_path / kind, tmp_path / f"{kind}-copy"
        seam = Seam(steady=True)
        store, other = opened(data, seam), opened(data, Seam(steady=True))
        put(store, b"{}", "schema.json")
        put(store, b"x", "a.dat")
        if kind == "kill":
            seam.kill_at(step)
        else:
            seam.fail_first(step, STEPS, 5)
        try:
            store.backup(str(copy))
        except (Killed, DirectoryError, CommitUncertain):
            with pytest.raises(DirectoryError):
                opened_if_there(copy)
        if word(other, shared.POISONED):
            continue  # a sync of the log failed: told, and recovered by the next opener
        put(other, b"y" * 3000, "a.dat")
        assert get(other) == b"y" * 3000


def opened_if_there(copy: Path) -> None:
    """Raise what opening a half copy raises; one that was never begun is as good as refused."""
    if not (copy / "schema.json").exists():
        raise DirectoryError("nothing was made")
    opened(copy, Seam())


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["write", "cut", "new", "checkpoint"]),
        st.integers(0, 3),
        st.integers(0, 5000),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(changes=CHANGES, pages=st.lists(st.integers(0, 9000), min_size=1, max_size=4))
@example(changes=[(20, "write", 0, 100), (25, "cut", 0, 10), (30, "new", 3, 50)], pages=[9000])
def test_a_copy_is_the_state_of_its_position_whatever_came_between(
    changes: list[tuple[int, str, int, int]],
    pages: list[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("hot")
    seam = Seam(steady=True)
    store, other = opened(root / "data", seam), opened(root / "data", Seam(steady=True))
    states: dict[int, dict[str, bytes]] = {}

    def note() -> None:
        files = {file.name: file.read_bytes() for file in (root / "data").glob("*.dat")}
        states[word(store, shared.END)] = {name: data for name, data in files.items() if data}

    for number, size in enumerate(pages):
        put(store, bytes([65 + number]) * size or b"!", f"f{number}.dat")
    store.checkpoint()
    note()
    began = len(seam.calls)
    working = False

    def interfere(_operation: str, _name: str, index: int) -> None:
        nonlocal working
        if working or core(store).lock.owned():
            return
        working = True
        while waiting and index - began >= waiting[0][0]:
            change(other, *waiting.pop(0)[1:])
            note()
        working = False

    waiting = sorted(changes)
    seam.rules.append(interfere)
    made = store.backup(str(root / "copy"))
    seam.rules.clear()
    note()
    expected = states.get(made.lsn) or states[min(states)]
    assert state_of(root / "copy") == copied_files(root / "copy") == expected
    other.close()
    store.close()


def change(other: Store, kind: str, number: int, size: int) -> None:
    name = f"f{number}.dat"
    if kind == "checkpoint":
        other.checkpoint()
    elif kind == "cut":
        with other.transaction() as tx:
            other.create_files([name])
            tx.truncate(name, size)
    else:
        put(other, bytes([97 + size % 26]) * (size + 1), name, size if kind == "new" else 0)
