"""Following the log without a lock: each committed frame once, in order, and none too early."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from bazanite_wal.errors import (
    CorruptionError,
    DBError,
    DirectoryError,
    ForgottenError,
    ValidationError,
)
from bazanite_wal.frame import FRAME, Write
from bazanite_wal.header import FRAMES_START
from bazanite_wal.log_reader import LogReader
from seam import Killed, Seam
from store_support import LOG, SMALL, core, opened, put, unsynced


def values(reader: LogReader) -> list[bytes]:
    """What the frames that are there now write."""
    return [
        write.data
        for frame in reader.frames()
        if frame.kind == FRAME
        for write in frame.operations()
        if isinstance(write, Write)
    ]


def test_a_frame_is_given_once_it_is_durable_and_not_before(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    reader = LogReader(str(tmp_path))
    put(store, b"one")
    assert values(reader) == [b"one"]
    unsynced(store, b"two")
    assert values(reader) == []
    put(store, b"three")
    assert values(reader) == [b"two", b"three"]
    assert values(reader) == []


@pytest.mark.parametrize("durability", ["normal", "off"])
def test_at_other_levels_it_is_given_once_it_is_committed(tmp_path: Path, durability: str) -> None:
    store = opened(tmp_path, Seam(), durability=durability)
    reader = LogReader(str(tmp_path))
    put(store, b"one")
    assert values(reader) == [b"one"]
    with store.transaction() as tx:
        tx.write("a.dat", 0, b"two")
        assert values(reader) == []
    assert values(reader) == [b"two"]


def test_what_a_dead_process_did_not_sync_waits_for_recovery(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    store.archive(1 << 20)
    reader = LogReader(str(tmp_path))
    put(store, b"one")
    unsynced(store, b"two")
    seam.kill()
    assert values(reader) == [b"one"]
    assert values(reader) == []
    opened(tmp_path, Seam())
    assert values(reader) == [b"two"]


@pytest.mark.parametrize("words", ["another boot's", "removed"])
def test_without_words_of_this_boot_the_watermarks_count(tmp_path: Path, words: str) -> None:
    seam = Seam()
    store, other = opened(tmp_path, seam), opened(tmp_path, Seam())
    put(store, b"one")
    put(store, b"two")
    other.close()  # whose mark covers these
    put(store, b"three")
    seam.kill()
    if words == "removed":
        (tmp_path / ".shared").unlink()
    system = Seam(boot="f" * 36) if words != "removed" else None
    assert values(LogReader(str(tmp_path), system=system)) == [b"one", b"two"]


def test_nobody_waits_for_a_reader(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam(), lock_timeout=0, log_size_bytes=SMALL)
    store.archive(1 << 20)
    for number in range(5):
        put(store, b"%d" % number)
    reader = LogReader(str(tmp_path))
    frames = reader.frames()
    seen = [next(frames), next(frames)]
    for number in range(5, 60):
        put(store, b"%d" % number * 100)
    seen += list(frames)
    seen += list(reader.frames())
    assert [frame.end for frame in seen] == sorted({frame.end for frame in seen})
    assert sum(frame.kind == FRAME for frame in seen) == 60


def test_a_reader_only_reads(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    store.archive(1 << 20)
    for number in range(60):
        put(store, b"%d" % number * 100)
    seam = Seam()
    reader = LogReader(str(tmp_path), system=seam)
    assert len(values(reader)) == 60
    reader.close()
    reading = {"directory", "list", "open", "size", "read_at", "open_words", "load", "close"}
    assert {operation for operation, _ in seam.calls} <= reading


def test_what_was_not_taken_is_given_again(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    reader = LogReader(str(tmp_path))
    for number in range(5):
        put(store, b"%d" % number)
    first = next(iter(reader.frames()))
    assert reader.position == first.end
    assert values(reader) == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("seed", range(12))
def test_each_frame_is_given_once_while_others_checkpoint_and_die(
    tmp_path: Path, seed: int
) -> None:
    choose = random.Random(seed)
    starter = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    starter.archive(1 << 20)
    reader = LogReader(str(tmp_path))
    start = reader.position
    starter.close()
    done: dict[int, bytes] = {}
    seen: dict[int, bytes] = {}
    count = 0

    def look() -> None:
        nonlocal reader
        if choose.random() < 0.3:  # starts anew from what it had
            reader = LogReader(str(tmp_path), max(seen, default=start))
        for frame in reader.frames():
            if frame.kind == FRAME and frame.end > max(seen, default=start):
                [write] = frame.operations()
                assert isinstance(write, Write)
                seen[frame.end] = write.data
                if choose.random() < 0.1:
                    break

    for _ in range(12):
        seams = [Seam(steady=True), Seam(steady=True)]
        stores = [opened(tmp_path, seam, log_size_bytes=SMALL) for seam in seams]
        for seam in seams:
            if choose.random() < 0.8:
                seam.kill_at(choose.randrange(1, 1500))
        for _ in range(choose.randrange(5, 40)):
            store = choose.choice(stores)
            count += 1
            value = b"%06d" % count * choose.choice([1, 30, 200])
            with suppress(Killed, DBError):
                done[put(store, value)] = value
            if choose.random() < 0.2:
                look()
        for store in stores:
            with suppress(Killed, DBError):
                store.close()
        look()
    last = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    last.close()
    before = -1
    while before != len(seen):  # each look gives one at least, if there is any
        before = len(seen)
        look()
    assert done.items() <= seen.items()
    assert [*seen] == sorted(seen)
    assert len({data[:6] for data in seen.values()}) == len(seen), "one is there twice"
    assert len(seen) <= len(done) + 24, "no more than what was under way when somebody died"
    assert len(seen) > 100


def test_a_position_that_never_was_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    end = core(store).header.base + core(store).log.size() - FRAMES_START
    LogReader(str(tmp_path), end)
    for start in (-1, end + 1):
        with pytest.raises(ValidationError, match=f"never had a position {start}"):
            LogReader(str(tmp_path), start)


def test_without_an_archive_what_a_checkpoint_took_is_forgotten(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    reader = LogReader(str(tmp_path))
    lsn = put(store, b"one")
    assert values(reader) == [b"one"]
    store.checkpoint()
    assert values(reader) == [], "it has everything up to where the new generation begins"
    put(store, b"two")
    store.checkpoint()
    with pytest.raises(ForgottenError, match="bazanite wal archive") as raised:
        values(reader)
    assert raised.value.start == lsn
    assert raised.value.end == core(store).header.base
    assert reader.position == lsn


def test_a_directory_or_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="cannot follow"):
        LogReader(str(tmp_path / "none"))
    with pytest.raises(DirectoryError, match=r"there is no wal\.log"):
        LogReader(str(tmp_path))


def test_damage_is_told_with_its_place_after_everything_before_it(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    for number in range(3):
        put(store, b"value %d" % number)
    data = bytearray((tmp_path / LOG).read_bytes())
    offset = data.index(b"value 1")
    data[offset] ^= 1
    (tmp_path / LOG).write_bytes(data)
    reader = LogReader(str(tmp_path))
    with pytest.raises(CorruptionError, match=r"wal\.log: damaged at offset \d+: expected frames"):
        values(reader)


def test_damage_in_the_archive_is_told_too(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    store.archive(1 << 20)
    for number in range(3):
        put(store, b"value %d" % number)
    store.checkpoint()
    [path] = tmp_path.glob("wal.*.archive")
    data = bytearray(path.read_bytes())
    data[data.index(b"value 1")] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptionError, match="archive: damaged at offset") as raised:
        values(LogReader(str(tmp_path)))
    assert raised.value.path == str(path)
