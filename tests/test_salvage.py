"""What is read of a damaged log and damaged files, and how far the files have the log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bazanite_wal.frame import (
    FRAME,
    HEADER_SIZE,
    Operation,
    Truncate,
    Write,
    encode_frame,
    encode_operations,
    initial_chain,
)
from bazanite_wal.header import FRAMES_START, Header, encode_header
from bazanite_wal.layer import PageLayer
from bazanite_wal.posix import POSIX, PosixDirectory, PosixFile
from bazanite_wal.salvage import Readable, SalvagedLog, salvage_log
from engine_support import memory

NAME = "a.dat"
HEADER = Header(2, b"saltsalt", 5000)
OLDER = Header(1, b"oldsalt!", 0)
AREA = 16 << 10


def write(offset: int, data: bytes) -> Write:
    return Write(NAME, offset, data)


class MadeLog:
    """A log of these transactions, and where each frame begins in it."""

    def __init__(self, *transactions: Sequence[Operation]) -> None:
        area, self.starts = b"", []
        chain = initial_chain(HEADER.salt)
        for operations in transactions:
            self.starts.append(FRAMES_START + len(area))
            lsn = HEADER.base + len(area)
            payload = encode_operations(operations)
            data, chain = encode_frame(FRAME, lsn, HEADER.base, chain, HEADER.salt, payload)
            area += data
        self.starts.append(FRAMES_START + len(area))
        slots = bytearray(FRAMES_START)
        for header in (OLDER, HEADER):
            line = encode_header(header)
            slots[header.slot_offset : header.slot_offset + len(line)] = line
        self.data = bytes(slots) + area.ljust(AREA, b"\0")

    def patched(self, offset: int, data: bytes) -> bytes:
        return self.data[:offset] + data + self.data[offset + len(data) :]

    def without(self, number: int) -> bytes:
        """With zeros in place of one frame."""
        start, end = self.starts[number], self.starts[number + 1]
        return self.patched(start, bytes(end - start))


def text(log: SalvagedLog, files: PageLayer, *, all_frames: bool = False) -> bytes:
    view = log.view(files, all_frames=all_frames)
    return view.read(NAME, 0, view.size(NAME))


THREE = MadeLog([write(0, b"one")], [write(3, b"two")], [write(6, b"end")])
"""Three places of one file, which was ".........": before."""


@pytest.mark.parametrize("done", range(4))
def test_of_a_whole_log_the_frames_that_the_files_do_not_have_are_pending(done: int) -> None:
    found = b"".join((b"one", b"two", b"end")[:done]).ljust(9, b".")
    files = memory(a_dat=found)
    log = salvage_log(THREE.data, files)
    assert (len(log.frames), log.applied, log.lost) == (3, done, False)
    assert text(log, files) == b"onetwoend"


def test_frames_on_both_sides_of_a_damaged_one_are_found() -> None:
    for damaged in (THREE.without(1), THREE.patched(THREE.starts[1] + 30, b"xx"),
                    THREE.patched(THREE.starts[2] - 3, b"x")):  # fmt: skip
        log = salvage_log(damaged, memory(a_dat=b"........."))
        assert [frame.lsn for frame in log.frames] == [
            HEADER.base + THREE.starts[n] - FRAMES_START for n in (0, 2)
        ]
        assert log.lost
        assert "damaged between" in log.detail


def test_what_a_lost_frame_wrote_over_another_is_not_taken_back() -> None:
    made = MadeLog([write(0, b"one")], [write(0, b"two")], [write(9, b"last")])
    files = memory(a_dat=b"two......last")
    log = salvage_log(made.without(1), files)
    assert log.lost
    assert log.pending == ()
    assert text(log, files) == b"two......last"
    assert text(log, files, all_frames=True) == b"one......last"


def test_neither_is_what_the_last_frame_wrote_that_is_lost_without_a_trace() -> None:
    first = [write(0, b"one"), write(3, b"!")]
    made = MadeLog(first, [write(0, b"two")], [write(0, b"end")])
    files = memory(a_dat=b"end!")
    log = salvage_log(made.without(2), files)
    assert text(log, files) == b"end!"
    assert log.detail == "the files have changes that the log does not tell of"


def test_a_torn_tail_does_not_keep_back_what_was_not_applied() -> None:
    made = MadeLog([write(0, b"one")], [write(0, b"two")], [write(0, b"end")])
    files = memory(a_dat=b"one")
    log = salvage_log(made.patched(made.starts[3] - 2, b"x"), files)
    assert log.lost
    assert log.applied == 1
    assert text(log, files) == b"two"


def test_the_file_stays_as_it_is_where_nothing_tells_which_is_newer() -> None:
    made = MadeLog([write(0, b"one")], [write(0, b"two")])
    files = memory(a_dat=b"???")
    log = salvage_log(made.patched(made.starts[2] - 2, b"x"), files)
    assert text(log, files) == b"???"
    assert text(log, files, all_frames=True) == b"one"


def test_a_truncation_ends_what_stood_behind_it() -> None:
    made = MadeLog([write(0, b"a long one")], [Truncate(NAME, 2)])
    files = memory(a_dat=b"a ")
    log = salvage_log(made.data, files)
    assert (log.applied, text(log, files)) == (1, b"a ")


def test_without_its_header_the_first_frame_proves_the_log() -> None:
    damaged = THREE.patched(HEADER.slot_offset, b"x")
    files = memory(a_dat=b".........")
    log = salvage_log(damaged, files)
    assert len(log.frames) == 3
    assert text(log, files) == b"onetwoend"
    assert "the newest header is damaged" in log.detail


def test_without_its_header_and_first_frame_nothing_is_proven_and_that_is_told() -> None:
    damaged = bytearray(THREE.patched(HEADER.slot_offset, b"x"))
    damaged[FRAMES_START : FRAMES_START + HEADER_SIZE] = bytes(HEADER_SIZE)
    files = memory(a_dat=b".........")
    log = salvage_log(bytes(damaged), files)
    assert log.frames == ()
    assert log.lost
    assert "a later generation was in the log" in log.detail


@pytest.mark.parametrize("data", [None, b"", b"nonsense", bytes(20_000)])
def test_a_log_that_says_nothing_is_lost(data: bytes | None) -> None:
    log = salvage_log(data, memory(a_dat=b"some"))
    assert log.lost
    assert log.frames == ()


def test_a_log_that_was_cut_between_two_frames_is_not_whole() -> None:
    assert salvage_log(THREE.data[: THREE.starts[2] + 50], memory(a_dat=b"onetwoend")).lost


def test_a_sector_that_cannot_be_read_is_zeros_and_the_rest_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).write_bytes(b"x" * 2000)
    read_at = PosixFile.read_at

    def failing(self: PosixFile, size: int, offset: int) -> bytes:
        if offset < 1024 and offset + size > 512:
            raise OSError(5, "Input/output error")
        return read_at(self, size, offset)

    monkeypatch.setattr(PosixFile, "read_at", failing)
    directory = POSIX.directory(str(tmp_path), create=False)
    assert isinstance(directory, PosixDirectory)
    files = Readable(directory)
    assert files.read(NAME, 100, 1900) == b"x" * 412 + bytes(512) + b"x" * 976
    assert files.read(NAME, 1024, 5) == b"xxxxx"
    assert list(files.unreadable) == [NAME]
    files.close()
    directory.close()


def test_a_directory_called_like_a_data_file_is_told_as_unreadable(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    directory = POSIX.directory(str(tmp_path), create=False)
    files = Readable(directory)
    assert files.read(NAME, 0, 10) == b""
    assert list(files.unreadable) == [NAME]
    files.close()
    directory.close()
