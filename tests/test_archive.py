"""The log archive: whatever stops whom where, archive and log have every frame, each once."""

from __future__ import annotations

import os
import re
from hashlib import blake2b
from pathlib import Path

import pytest

from archive_support import KEEP, archived, segments, some, told
from bazanite_wal.archive_format import segments_in
from bazanite_wal.errors import (
    ArchiveError,
    DBError,
    ForgottenError,
    TransactionError,
    ValidationError,
)
from bazanite_wal.frame import FRAME
from bazanite_wal.header import FRAMES_START
from bazanite_wal.log_reader import LogReader
from seam import Seam
from store_support import LOG, SMALL, opened, put

CHANGES = ("write_at", "truncate", "create", "rename", "remove", "sync", "sync_data")


def test_without_an_archive_a_checkpoint_looks_once_and_does_nothing_else(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"one")
    before = len(seam.calls)
    store.checkpoint()
    calls = seam.calls[before:]
    assert calls.count(("exists", ".")) == 1
    assert [call for call in calls if "archive" in call[1]] == []
    store.close()
    assert segments(tmp_path) == []


def test_a_generation_is_in_the_archive_before_the_next_header_is_written(tmp_path: Path) -> None:
    seam = Seam()
    store = archived(tmp_path, seam)
    put(store, b"one")
    [name] = segments(tmp_path)
    before = len(seam.calls)
    store.checkpoint()
    order = [call for call in seam.calls[before:] if call[0] in CHANGES and call[1] != "a.dat"]
    assert order[-4:] == [
        ("write_at", name),
        ("sync", name),  # else a power cut could leave the new header, and no frames anywhere
        ("write_at", LOG),
        ("sync_data", LOG),
    ]


def test_every_frame_is_kept_over_checkpoints_closes_and_openings(tmp_path: Path) -> None:
    store = archived(tmp_path)
    expected: dict[int, bytes] = {}
    for turn in range(4):
        expected |= some(store, 100 * turn, 40)
        assert told(tmp_path) == expected
        store.close()
        assert told(tmp_path) == expected
        store = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    for lsn in [*expected][::7]:
        assert told(tmp_path, lsn) == {at: data for at, data in expected.items() if at > lsn}


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_other_levels_keep_every_frame_too(tmp_path: Path, durability: str) -> None:
    store = archived(tmp_path, durability=durability)
    expected = some(store, 0, 60)
    store.close()
    store = opened(tmp_path, Seam(), log_size_bytes=SMALL, durability="off")
    expected |= some(store, 60, 60)
    store.close()
    assert told(tmp_path) == expected


def test_aligned_frames_are_kept_too(tmp_path: Path) -> None:
    store = archived(tmp_path, powersafe_overwrite=False)
    lsns = {put(store, b"%05d" % i) for i in range(9)}
    store.close()
    reader = LogReader(str(tmp_path))
    assert {frame.end for frame in reader.frames() if frame.kind == FRAME} == lsns


def test_the_oldest_segments_go_and_what_is_missing_is_named(tmp_path: Path) -> None:
    store = archived(tmp_path, keep=40_000)
    expected = some(store, 0, 400)
    names = segments(tmp_path)
    assert 30_000 < sum((tmp_path / name).stat().st_size for name in names) <= 40_000 + SMALL
    left = told(tmp_path)
    assert [*left] == [*expected][-len(left) :]
    assert 50 < len(left) < 200
    first = segments_in(names)[0]
    gone = max(lsn for lsn in expected if lsn < first - 1)
    with pytest.raises(ForgottenError, match=f"behind LSN {gone}, up to LSN {first}") as raised:
        told(tmp_path, gone)
    assert (raised.value.start, raised.value.end) == (gone, first)
    assert told(tmp_path, first) == left


def test_a_reader_that_is_overtaken_is_told_so(tmp_path: Path) -> None:
    store = archived(tmp_path, keep=20_000)
    reader = LogReader(str(tmp_path))
    some(store, 0, 3)
    assert len(list(reader.frames())) == 3
    some(store, 3, 400)
    with pytest.raises(ForgottenError, match=f"behind LSN {reader.position}"):
        list(reader.frames())


def test_what_was_committed_while_the_archive_was_off_is_a_gap(tmp_path: Path) -> None:
    store = archived(tmp_path)
    before = some(store, 0, 20)
    store.archive(None)
    assert not (tmp_path / "wal.archive").exists()
    some(store, 20, 60)
    store.archive(KEEP)
    after = some(store, 80, 20)
    assert told(tmp_path) == after
    with pytest.raises(ForgottenError):
        told(tmp_path, max(before))
    with pytest.raises(ForgottenError):
        told(tmp_path, min(before))


def test_off_and_on_with_nothing_in_between_goes_on(tmp_path: Path) -> None:
    store = archived(tmp_path)
    expected = some(store, 0, 20)
    store.checkpoint()
    store.archive(None)
    store.archive(KEEP)
    assert segments(tmp_path) == segments(tmp_path)[:1]
    expected |= some(store, 20, 20)
    assert told(tmp_path) == expected


def test_it_is_on_for_processes_that_were_there_before(tmp_path: Path) -> None:
    other = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    store = archived(tmp_path, Seam())
    expected = some(other, 0, 60) | some(store, 60, 60) | some(other, 120, 60)
    assert told(tmp_path) == expected


def test_another_logs_archive_is_refused_until_it_is_off(tmp_path: Path) -> None:
    store = archived(tmp_path)
    some(store, 0, 60)
    store.close()
    os.remove(tmp_path / LOG)
    with pytest.raises(ArchiveError, match="another log's archive, or damaged"):
        opened(tmp_path, Seam(), log_size_bytes=SMALL)
    kept = {name: (tmp_path / name).read_bytes() for name in segments(tmp_path)}
    os.remove(tmp_path / "wal.archive")
    opened(tmp_path, Seam(), log_size_bytes=SMALL).close()
    assert {name: (tmp_path / name).read_bytes() for name in segments(tmp_path)} == kept


@pytest.mark.parametrize("damage", ["settings", "head", "section", "gone"])
def test_a_damaged_archive_keeps_the_log_from_forgetting(tmp_path: Path, damage: str) -> None:
    store = archived(tmp_path)
    some(store, 0, 5)
    store.checkpoint()
    some(store, 5, 5)
    store.close()
    [name] = segments(tmp_path)
    path = tmp_path / (name if damage != "settings" else "wal.archive")
    data = bytearray(path.read_bytes())
    data[data.index(b"salt=") + 7 if damage == "section" else 30] ^= 1
    path.write_bytes(data)
    if damage == "gone":
        path.unlink()
    log = (tmp_path / LOG).read_bytes()
    with pytest.raises(ArchiveError, match="the archive off"):
        opened(tmp_path, Seam(), log_size_bytes=SMALL)
    assert (tmp_path / LOG).read_bytes()[FRAMES_START:] == log[FRAMES_START:]


def test_the_archive_takes_no_part_in_a_transaction(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    with pytest.raises(TransactionError), store.transaction():
        store.archive(KEEP)
    for wrong in (0, -1, 1.5, "1", True):
        with pytest.raises(ValidationError, match="keep_bytes"):
            store.archive(wrong)  # type: ignore[arg-type]
    store.archive(None)
    assert segments(tmp_path) == []


def test_a_backup_leaves_the_archive_where_it_is(tmp_path: Path) -> None:
    store = archived(tmp_path / "db")
    some(store, 0, 60)
    store.backup(str(tmp_path / "copy"))
    assert [name for name in os.listdir(tmp_path / "copy") if "archive" in name] == []


def test_a_reader_of_the_format_page_finds_the_frames(tmp_path: Path) -> None:
    store = archived(tmp_path, keep=32768)
    expected = some(store, 0, 60)
    store.close()
    found: dict[int, bytes] = {}
    position = None
    for name in segments(tmp_path):
        data = (tmp_path / name).read_bytes()
        line, _, _ = data.partition(b"\n")
        words = dict(word.split(b"=") for word in line.split(b" ")[2:])
        assert line.startswith(b"BAZANITE-ARCHIVE 1 first=")
        assert int(words[b"first"]) == int(name.split(".")[1])
        assert position in (None, int(words[b"first"]))
        position = int(words[b"first"])
        place = 115 + int(words[b"catalog"])
        while place < len(data):
            line = data[place : place + 166]
            words = dict(word.split(b"=") for word in line[:-1].split(b" ")[2:])
            checked = line[: line.index(b" check=")]
            assert blake2b(checked, digest_size=8).hexdigest().encode() == words[b"check"]
            base, end = int(words[b"base"]), int(words[b"end"])
            assert base == position
            frames = data[place + 166 : place + 166 + end - base]
            for match in re.finditer(
                rb"FRAME (\d{20}) (\d{12}) .{71}\nwrite a.dat 0 300\n", frames
            ):
                lsn = int(match[1])
                assert lsn == base + match.start()
                key = bytes.fromhex(words[b"salt"].decode())
                head = match[0][:95]
                body = frames[match.start() + 112 : match.start() + 112 + int(match[2])]
                check = blake2b(head + body, digest_size=8, key=key).hexdigest()
                assert match[0][95:111] == check.encode()
                found[lsn + 112 + int(match[2])] = body[18:-1]
            place += 166 + end - base
            position = int(words[b"next"])
    assert found == expected


def test_the_errors_are_errors_of_this_library() -> None:
    assert issubclass(ArchiveError, DBError)
    assert issubclass(ForgottenError, DBError)
