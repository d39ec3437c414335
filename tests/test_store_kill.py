"""A process killed before any call to the operating system, with and without others beside it.

The page cache survives a kill, so the directory must hold every acknowledged transaction, and the
one in flight whole or not at all, whoever looks next: a survivor, or the next to open it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_wal.options import StoreOptions
from bazanite_wal.store import Store, open_store
from seam import Killed, Seam

LEVELS = ("full", "normal", "off")
_SIZE = 300  # two of these do not fit into one page, nor many into the smallest log


def options(durability: str) -> StoreOptions:
    return StoreOptions(durability=durability, log_size_bytes=8192, commit_timeout=5)


def put(store: Store, value: int) -> None:
    """One transaction over two files, which must always agree."""
    with store.transaction() as tx:
        store.create_files(["a.dat", "b.dat"])
        tx.write("a.dat", 0, b"%-300d" % value)
        tx.write("b.dat", 0, b"%-300d" % value)
        tx.truncate("b.dat", _SIZE + value % 7)


def value_of(store: Store) -> int:
    with store.reading() as view:
        first = view.read("a.dat", 0, _SIZE)
        assert view.read("b.dat", 0, _SIZE) == first
        value = int(first or b"0")
        assert view.size("b.dat") in (0, _SIZE + value % 7)
        return value


def work(seam: Seam, path: str, durability: str, acknowledged: list[int]) -> None:
    """Fill the small log several times over, so that checkpoints are among the steps."""
    store = open_store(path, options(durability), seam)
    for value in range(1, 16):
        put(store, value)
        acknowledged.append(value)
    store.close()


def steps(path: Path, durability: str) -> int:
    """How many calls the whole workload makes."""
    seam = Seam(steady=True)
    work(seam, str(path / "count"), durability, [])
    return len(seam.calls)


@pytest.mark.parametrize("durability", LEVELS)
@pytest.mark.parametrize("part", range(4))
def test_a_process_killed_at_any_step_loses_nothing_acknowledged(
    tmp_path: Path, durability: str, part: int
) -> None:
    total = steps(tmp_path, durability)
    for step in range(part, total, 12):
        path = str(tmp_path / f"{step}")
        seam = Seam(steady=True)
        seam.kill_at(step)
        acknowledged: list[int] = []
        with pytest.raises(Killed):
            work(seam, path, durability, acknowledged)
        store = open_store(path, options(durability), Seam(steady=True))
        last = acknowledged[-1] if acknowledged else 0
        assert value_of(store) in (last, last + 1), f"killed before call {step}: {seam.calls[-1:]}"
        put(store, 99)
        assert value_of(store) == 99
        store.close()


@pytest.mark.parametrize("durability", LEVELS)
@pytest.mark.parametrize("part", range(4))
def test_a_survivor_takes_over_from_a_process_killed_at_any_step(
    tmp_path: Path, durability: str, part: int
) -> None:
    total = steps(tmp_path, durability)
    for step in range(part, total, 12):
        path = str(tmp_path / f"{step}")
        survivor = open_store(path, options(durability), Seam(steady=True))
        put(survivor, 0)
        seam = Seam(steady=True)
        seam.kill_at(step)
        acknowledged: list[int] = []
        try:
            work(seam, path, durability, acknowledged)
        except Killed:
            pass
        seam.kill()
        last = acknowledged[-1] if acknowledged else 0
        assert value_of(survivor) in (last, last + 1), f"killed before call {step}"
        put(survivor, 77)
        assert value_of(survivor) == 77
        survivor.close()
        again = open_store(path, options(durability), Seam(steady=True))
        assert value_of(again) == 77
        again.close()


@pytest.mark.parametrize("part", range(4))
def test_recovery_killed_at_any_step_ends_in_the_same_bytes(tmp_path: Path, part: int) -> None:
    def prepare(path: str) -> None:
        seam = Seam(steady=True)
        store = open_store(path, options("full"), seam)
        for value in range(1, 9):
            put(store, value)
        seam.kill()

    prepare(str(tmp_path / "count"))
    seam = Seam(steady=True)
    open_store(str(tmp_path / "count"), options("full"), seam)
    total = len(seam.calls)
    seam.kill()
    for step in range(part, total, 4):
        path = str(tmp_path / f"{step}")
        prepare(path)
        for again in (step, step // 2):
            seam = Seam(steady=True)
            seam.kill_at(again)
            with pytest.raises(Killed):
                open_store(path, options("full"), seam)
        store = open_store(path, options("full"), Seam(steady=True))
        assert value_of(store) == 8
        store.close()
